"""What the served file must reproduce: the trained model as transformers and peft run it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qc_builder_lora.errors import MissingExtra
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import Example
from qc_builder_lora.release.llama import Passage
from qc_builder_lora.template import Template

if TYPE_CHECKING:
    from torch import Tensor

# Positions whose logits are held at a time: 64 rows of 262,144 words are 64 MB.
_ROWS = 64


@dataclass(frozen=True)
class Reference:
    """Mean NLL in nats a completion token, with the adapter and without it."""

    tuned: float
    base: float
    tokens: int


def passages(examples: Sequence[Example], template: Template, tokenizer: Any) -> list[Passage]:
    """Held-out examples as text and as the tokens that training made of them."""
    found = []
    for example in examples:
        text = template.render(example.instruction)
        prompt = tokenizer(text, add_special_tokens=False)["input_ids"]
        if template.bos and tokenizer.bos_token_id is not None:
            prompt = [tokenizer.bos_token_id, *prompt]
        answer = template.completion(example.code)
        completion = tokenizer(answer, add_special_tokens=False)["input_ids"]
        found.append(Passage(text, tuple(prompt), tuple(completion)))
    return found


def reference(
    base: Path, adapter: Path, held_out: Sequence[Passage], progress: Progress = SILENT
) -> Reference:
    """Score the passages in fp32 with transformers; `progress` counts passages twice."""
    try:
        import torch
        from peft import PeftModel
        from transformers import AutoModelForCausalLM
    except ImportError as error:
        raise MissingExtra("train", error.name or "peft") from error
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    tuned = PeftModel.from_pretrained(model, adapter).eval()
    sums = []
    for turn in range(2):
        total = 0.0
        with torch.no_grad(), tuned.disable_adapter() if turn else nullcontext():
            for done, passage in enumerate(held_out):
                total += _nll(model, passage)
                progress.update(turn * len(held_out) + done + 1, "reference")
        sums.append(total)
    tokens = sum(len(passage.completion) for passage in held_out)
    return Reference(sums[0] / tokens, sums[1] / tokens, tokens)


def _nll(model: Any, passage: Passage) -> float:
    import torch

    ids = torch.tensor([passage.prompt + passage.completion])
    hidden: Tensor = model.model(input_ids=ids).last_hidden_state[0]
    predicting = hidden[len(passage.prompt) - 1 : -1]
    targets = torch.tensor(passage.completion)
    weight = model.get_output_embeddings().weight
    total = 0.0
    for start in range(0, len(targets), _ROWS):
        rows = slice(start, start + _ROWS)
        logits = predicting[rows] @ weight.T
        total += torch.nn.functional.cross_entropy(logits, targets[rows], reduction="sum").item()
    return total
