"""The 7B shapes on a GPU, with random weights: our training path against transformers' own.

    python bench/gpu/shapes.py [--recipe codellama-7b-corrected]... [--minutes 0.5]

No weights are needed: a base of the recipe's shape is filled with noise, and a tokenizer of its
vocabulary is learned from our own examples, so speed and memory are real and the loss means
nothing. Ours is `retrain.train.Training` as `qc-lora retrain` runs it; the peer is the same model
and adapter with labels, transformers' loss and peft's defaults, on the same batches. Each runs in a
process of its own. Prints tokens per second, the card's peak memory, both ratios, and what
`qc-lora retrain plan` had said; writes bench/results/gpu_shapes.json. Without a GPU it says so
and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results" / "gpu_shapes.json"
RECIPES = ("codellama-7b-corrected", "mistral-7b-corrected", "gemma-2b-corrected")
EXAMPLES = 400


def examples() -> list[Any]:
    """Examples of our own families, as they are drawn, not executed."""
    from itertools import islice

    from qc_builder_lora.harvest.corpus.starter import draws, load_manifest
    from qc_builder_lora.ids import now
    from qc_builder_lora.records import Example

    drawn = islice(draws(replace(load_manifest("full"), examples_per_family=5), set()), EXAMPLES)
    return [
        Example(
            id=str(number),
            instruction=draw.instruction,
            code=draw.code,
            family=draw.family.name,
            source="bench",
            licence="Apache-2.0",
            created_at=now(),
        )
        for number, draw in enumerate(drawn)
    ]


def write_base(folder: Path, shape: Any, texts: Iterator[str]) -> None:
    """A config of that shape and a tokenizer of at most that vocabulary; no weights."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE(unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>", "<unk>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    # Few words, so that a text has about as many tokens as the real tokenizer gives it.
    size = min(2000, shape.vocabulary)
    raw.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=size, special_tokens=special, initial_alphabet=alphabet),
    )
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=raw, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    ).save_pretrained(folder)
    LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        tie_word_embeddings=shape.tied,
        max_position_embeddings=4096,
        architectures=["LlamaForCausalLM"],
    ).save_pretrained(folder)


def random_model(folder: Path, precision: str) -> Any:
    """The shape in `folder` filled with noise, on the GPU."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    torch.manual_seed(0)
    with torch.device("cuda"):
        model = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            AutoConfig.from_pretrained(folder), dtype=dtype
        )
    model.config.use_cache = False
    return model


def training(recipe: Any, folder: Path) -> Any:
    """Our Training over a base of noise."""
    from qc_builder_lora.retrain import train

    vars(train)["load_model"] = random_model
    given = examples()
    return train.Training(recipe, folder, given[20:], given[:20], folder / "run")


def ours(recipe: Any, folder: Path) -> dict[str, Any]:
    """The steps of `qc-lora retrain`."""
    run = training(recipe, folder)

    def step(batches: list[list[int]]) -> float:
        run._step(batches)
        return float(run.state.losses[-1][1])

    return timed(run, step)


def stock(recipe: Any, folder: Path) -> dict[str, Any]:
    """The same model, adapter and batches with labels, a mask and transformers' own loss."""
    import torch

    from qc_builder_lora.retrain.batches import collate

    run = training(recipe, folder)
    optimiser = torch.optim.AdamW(run.parameters.values(), lr=recipe.learning_rate)

    def step(batches: list[list[int]]) -> float:
        total = 0.0
        for indices in batches:
            batch = collate([run._train[index] for index in indices], 0)
            labels = torch.full_like(batch.ids, -100)
            labels[:, 1:][batch.positions[:, :-1]] = batch.targets
            loss = run.model(
                input_ids=batch.ids.cuda(), attention_mask=batch.mask.cuda(), labels=labels.cuda()
            ).loss
            (loss / len(batches)).backward()
            total += loss.item() / len(batches)
        torch.nn.utils.clip_grad_norm_(run.parameters.values(), recipe.clip)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return total

    return timed(run, step)


def timed(run: Any, step: Callable[[list[list[int]]], float]) -> dict[str, Any]:
    """Tokens per second of the steps after the first two, in which kernels are chosen."""
    import torch

    from qc_builder_lora.retrain.batches import steps

    recipe, tokens, losses, began = run.recipe, 0, [], 0.0
    batches = steps(run._train, recipe.batch, recipe.accumulate, recipe.seed)
    for number, indices in enumerate(batches):
        losses.append(step(indices))
        torch.cuda.synchronize()
        if number < 2:
            began = time.monotonic()
            continue
        tokens += sum(len(run._train[index]) for batch in indices for index in batch)
        if time.monotonic() - began >= recipe.time_budget_min * 60:
            break
    return {
        "tokens_per_s": round(tokens / (time.monotonic() - began), 1),
        "peak_gpu_mb": round(torch.cuda.max_memory_allocated() / 1e6),
        "steps": len(losses),
        "first_loss": round(losses[0], 4),
        "last_loss": round(losses[-1], 4),
    }


def measure(name: str, path: str, minutes: float) -> dict[str, Any]:
    """One recipe by one path, in this process."""
    from qc_builder_lora.retrain.recipe import load_base, load_recipe

    recipe = replace(load_recipe(name), time_budget_min=minutes, epochs=1000.0)
    shape = load_base(recipe.base).architecture
    with tempfile.TemporaryDirectory(prefix="qc-lora-shapes-") as folder:
        write_base(Path(folder), shape, (one.instruction + one.code for one in examples()))
        return (ours if path == "ours" else stock)(recipe, Path(folder))


def planned(name: str) -> dict[str, float]:
    """What `qc-lora retrain plan` says of the recipe on this card."""
    from qc_builder_lora.retrain.plan import plan
    from qc_builder_lora.retrain.recipe import load_base, load_recipe

    recipe = load_recipe(name)
    made = plan(recipe, load_base(recipe.base), device="h100").plain()
    return {"tokens_per_s": made["tokens_per_s"], "memory_gb": made["total_memory_gb"]}


def row(name: str, minutes: float) -> dict[str, Any]:
    """Both paths of one recipe, each in its own process, and the plan."""
    found: dict[str, Any] = {"recipe": name, "plan": planned(name)}
    for path in ("ours", "stock"):
        command = [sys.executable, __file__, "--path", path, "--recipe", name]
        done = subprocess.run(
            [*command, "--minutes", str(minutes)], stdout=subprocess.PIPE, text=True, check=False
        )
        last = done.stdout.splitlines()[-1:]
        found[path] = json.loads(last[0]) if done.returncode == 0 and last else None
    if found["ours"] and found["stock"]:
        for key in ("tokens_per_s", "peak_gpu_mb"):
            found[f"{key}_ratio"] = round(found["ours"][key] / found["stock"][key], 3)
    return found


def say(found: dict[str, Any]) -> None:
    """One recipe's lines of the table."""
    for path in ("ours", "stock"):
        one = found[path]
        text = "failed" if one is None else f"{one['tokens_per_s']:>9,.0f} tok/s"
        memory = "" if one is None else f"{one['peak_gpu_mb'] / 1000:>7.1f} GB"
        print(f"{found['recipe']:<26}{path:<7}{text} {memory}", flush=True)
    said = found["plan"]
    ratios = [found.get(f"{key}_ratio") for key in ("tokens_per_s", "peak_gpu_mb")]
    print(f"{'':<26}{'plan':<7}{said['tokens_per_s']:>9,.0f} tok/s {said['memory_gb']:>7.1f} GB")
    print(f"{'':<26}ratio  {ratios[0]} speed, {ratios[1]} memory", flush=True)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--recipe", action="append", help="may be repeated; default the large ones")
    parser.add_argument("--minutes", type=float, default=0.5, help="of training, each path")
    parser.add_argument("--path", choices=("ours", "stock"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.path:
        print(json.dumps(measure(given.recipe[0], given.path, given.minutes)))
        return 0
    import torch

    if not torch.cuda.is_available():
        print("no GPU here: nothing was measured")
        return 0
    rows = []
    for name in given.recipe or RECIPES:
        rows.append(row(name, given.minutes))
        say(rows[-1])
    RESULTS.parent.mkdir(exist_ok=True)
    made = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "recipes": rows}
    RESULTS.write_text(json.dumps(made, indent=2) + "\n")
    return 0 if all(one["ours"] for one in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
