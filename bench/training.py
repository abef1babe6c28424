"""Training: our loss against transformers' own, on the same batches, in the same run.

Each path runs in a process of its own, so that its peak memory is its own. Prints tokens per
second, peak resident memory and the two ratios, and writes bench/results/training.json.

    python bench/training.py [--steps 6] [--batch 4]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "training.json"
TARGET_SPEED, TARGET_MEMORY = 1.3, 0.6


def batches(folder: Path, size: int, steps: int) -> Any:
    """Micro-batches of the starter corpus, alike in length, the same for every path."""
    from qc_builder_lora.harvest.corpus.starter import draws, load_manifest
    from qc_builder_lora.ids import now
    from qc_builder_lora.records import Example
    from qc_builder_lora.retrain.base import load_tokenizer
    from qc_builder_lora.retrain.batches import batch_order, collate, tokenise
    from qc_builder_lora.template import GEMMA

    tokenizer = load_tokenizer(folder)
    items = [
        tokenise(
            Example(
                id=str(number),
                instruction=draw.instruction,
                code=draw.code,
                family=draw.family.name,
                source="bench",
                licence="Apache-2.0",
                created_at=now(),
            ),
            GEMMA,
            tokenizer,
        )
        for number, draw in enumerate(draws(load_manifest(), set()))
    ]
    order = batch_order([len(item) for item in items], size, 0, 0)[:steps]
    return [collate([items[index] for index in batch], 0) for batch in order]


def stock_step(model: Any, batch: Any) -> Any:
    """transformers' own path: labels in, loss out; every position gets its logits."""
    import torch

    labels = torch.full_like(batch.ids, -100)
    # The label at t + 1 is what position t predicts.
    labels[:, 1:][batch.positions[:, :-1]] = batch.targets
    return model(input_ids=batch.ids, attention_mask=batch.mask, labels=labels).loss


def measure(path: str, folder: Path, size: int, steps: int) -> dict[str, Any]:
    """Tokens per second over `steps` (the first is not counted) and peak memory of this process."""
    import torch
    from peft import LoraConfig, get_peft_model

    from qc_builder_lora.retrain.base import load_model
    from qc_builder_lora.retrain.loss import CompletionLoss
    from qc_builder_lora.retrain.recipe import load_recipe
    from qc_builder_lora.retrain.train import peak_rss_mb

    recipe = load_recipe("gemma-3-270m")
    model = load_model(folder, "fp32")
    lora = LoraConfig(
        r=recipe.lora.rank,
        lora_alpha=recipe.lora.alpha,  # type: ignore[arg-type]
        target_modules=list(recipe.lora.targets),
        task_type="CAUSAL_LM",
    )
    torch.manual_seed(0)
    tuned = get_peft_model(model, lora)
    parameters = [p for p in tuned.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=1e-4)
    own = CompletionLoss(model.get_output_embeddings().weight)
    tokens, seconds, losses = 0, 0.0, []
    for number, batch in enumerate(batches(folder, size, steps + 1)):
        start = time.perf_counter()
        if path == "stock":
            loss = stock_step(tuned, batch)
        else:
            # As retrain.train has it: padding on the right needs no mask.
            hidden = model.model(input_ids=batch.ids)
            chosen = hidden.last_hidden_state[batch.positions]
            loss = own(chosen, batch.targets) / len(batch.targets)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
        if number:
            seconds += time.perf_counter() - start
            tokens += int(batch.mask.sum())
    return {
        "path": path,
        "tokens": tokens,
        "tokens_per_s": round(tokens / seconds, 1),
        "peak_rss_mb": round(peak_rss_mb()),
        "first_loss": round(losses[0], 5),
        "last_loss": round(losses[-1], 5),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--path", choices=("stock", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.path:
        print(json.dumps(measure(given.path, given.folder, given.batch, given.steps)))
        return 0

    from qc_builder_lora.config import load_settings
    from qc_builder_lora.retrain.base import base_folder
    from qc_builder_lora.retrain.recipe import load_base

    folder = base_folder(load_base("gemma-3-270m"), load_settings().cache_folder)
    rows = {}
    for path in ("stock", "ours"):
        command = [sys.executable, __file__, "--path", path, "--folder", str(folder)]
        command += ["--steps", str(given.steps), "--batch", str(given.batch)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        rows[path] = json.loads(done.stdout.splitlines()[-1])
        print("{path:<6} {tokens_per_s:>7} tok/s {peak_rss_mb:>7} MB".format(**rows[path]))
    speed = rows["ours"]["tokens_per_s"] / rows["stock"]["tokens_per_s"]
    memory = rows["ours"]["peak_rss_mb"] / rows["stock"]["peak_rss_mb"]
    print(
        f"ratio  {speed:>7.2f} (at least {TARGET_SPEED}) {memory:>7.2f} (at most {TARGET_MEMORY})"
    )
    RESULTS.parent.mkdir(exist_ok=True)
    result = {**rows, "speed_ratio": round(speed, 3), "memory_ratio": round(memory, 3)}
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if speed >= TARGET_SPEED and memory <= TARGET_MEMORY else 1


if __name__ == "__main__":
    sys.exit(main())
