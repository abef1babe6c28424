"""Examples as token ids, in batches of like length, in an order that a seed decides for good."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from qc_builder_lora.records import Example
from qc_builder_lora.template import Template

if TYPE_CHECKING:
    from torch import Tensor

# Batches are cut from this many at a time, sorted by length: enough to leave hardly any padding,
# few enough that an epoch still mixes.
_SORTED_AT_A_TIME = 16


class Tokenizer(Protocol):
    """What is needed of a tokenizer."""

    bos_token_id: int | None

    def __call__(self, text: str, *, add_special_tokens: bool) -> Any:
        """A mapping with `input_ids`."""
        ...


@dataclass(frozen=True)
class Item:
    """One example as tokens: the prompt is read, the completion is learned."""

    id: str
    prompt: tuple[int, ...]
    completion: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.completion)


def tokenise(example: Example, template: Template, tokenizer: Tokenizer) -> Item:
    """The example as the model will be served it: the same text, cut at the same place."""
    prompt = tokenizer(template.render(example.instruction), add_special_tokens=False)["input_ids"]
    answer = tokenizer(template.completion(example.code), add_special_tokens=False)["input_ids"]
    if template.bos and tokenizer.bos_token_id is not None:
        prompt = [tokenizer.bos_token_id, *prompt]
    return Item(example.id, tuple(prompt), tuple(answer))


def fitting(
    items: Sequence[Item], longest: int, count: int | None = None
) -> tuple[list[Item], int]:
    """The items (the first `count` of them) of at most `longest` tokens, and how many are longer.

    A longer one is left out as it is, never cut: a cut one has no end to learn.
    """
    short = [item for item in items if len(item) <= longest]
    return short[:count], len(items) - len(short)


def context_of(base: Path) -> int | None:
    """Tokens that the base model was made for; None where its config does not say."""
    try:
        found = json.loads((base / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    longest = found.get("max_position_embeddings") if isinstance(found, dict) else None
    return longest if isinstance(longest, int) and longest > 0 else None


def batch_order(lengths: Sequence[int], size: int, seed: int, epoch: int) -> list[list[int]]:
    """Indices in batches of `size`, alike in length; the same for the same arguments, always."""
    source = random.Random(f"{seed}/{epoch}")
    indices = list(range(len(lengths)))
    source.shuffle(indices)
    batches = []
    for start in range(0, len(indices), size * _SORTED_AT_A_TIME):
        part = sorted(indices[start : start + size * _SORTED_AT_A_TIME], key=lengths.__getitem__)
        batches += [part[at : at + size] for at in range(0, len(part), size)]
    source.shuffle(batches)
    return batches


def steps(
    items: Sequence[Item], size: int, accumulate: int, seed: int
) -> Iterator[list[list[int]]]:
    """Endless optimiser steps, each a list of micro-batches of indices, epoch after epoch."""
    lengths = [len(item) for item in items]
    epoch = 0
    while True:
        order = batch_order(lengths, size, seed, epoch)
        for start in range(0, len(order), accumulate):
            yield order[start : start + accumulate]
        epoch += 1


def steps_an_epoch(count: int, size: int, accumulate: int) -> int:
    """Optimiser steps that `count` examples make."""
    batches = -(-count // size)
    return -(-batches // accumulate)


@dataclass(frozen=True)
class Batch:
    """A padded micro-batch. `positions` select, row by row, the hidden states that predict the
    completion; `targets` [n] are the tokens they should predict."""

    ids: Tensor
    mask: Tensor
    positions: Tensor
    targets: Tensor


def collate(items: Sequence[Item], pad: int) -> Batch:
    """Items padded on the right: [B, T] ids and mask, [B, T] bool positions, [n] targets."""
    import torch

    width = max(len(item) for item in items)
    ids = torch.full((len(items), width), pad, dtype=torch.long)
    mask = torch.zeros((len(items), width), dtype=torch.long)
    positions = torch.zeros((len(items), width), dtype=torch.bool)
    targets: list[int] = []
    for row, item in enumerate(items):
        ids[row, : len(item)] = torch.tensor(item.prompt + item.completion)
        mask[row, : len(item)] = 1
        # The hidden state at t predicts the token at t + 1.
        positions[row, len(item.prompt) - 1 : len(item) - 1] = True
        targets += item.completion
    return Batch(ids, mask, positions, torch.tensor(targets))
