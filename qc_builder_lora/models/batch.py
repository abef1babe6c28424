"""Which engine answers when many prompts are waiting, and how many of them at once.

Several at once only by xllamacpp, each with a window of its own; so no more than memory has room
for. Measured on the embedded model and two cores (`bench/llama_engines.py`): eight at once cost it
19 ms of CPU a token where llama-cpp-python needs 26; with one it needs 28, so the other serves.
What a batch computes depends in its last bits on what else is in it: of eight greedy answers three
were other texts than alone. So stored requests are replayed with it, where a pair more or less says
the same; a suite, whose answers must repeat, only where the settings say so.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from qc_builder_lora.models.artefact import read_numbers
from qc_builder_lora.models.memory import available_mb

_SHARE = 0.25
"""Of the memory that is free, for the windows."""
_VALUE_BYTES = 2


@dataclass(frozen=True)
class Batch:
    """An engine and how many requests it is given at once."""

    engine: str
    slots: int

    @property
    def described(self) -> str:
        """For a report: what computed the answers."""
        at_once = ", several at once" if self.engine == "xllamacpp" else ""
        return f"{self.engine} {version(self.engine)}{at_once}"


ONE = Batch("llama-cpp-python", 1)
"""What serves."""


def batch_for(wanted: str, slots: int, model: Path, window: int, free: int | None = None) -> Batch:
    """What to use for a GGUF asked with windows of so many tokens.

    `wanted` is a setting's `batch_engine`; `auto` is xllamacpp where it is installed. `free` is
    memory in bytes, looked up by default.
    """
    here = importlib.util.find_spec("xllamacpp") is not None
    if wanted == "llama-cpp-python" or (wanted == "auto" and not here):
        return ONE
    needs = window_bytes(read_numbers(model)) * window
    if free is None:
        found = available_mb()
        free = needs * slots * 4 if found is None else int(found * 2**20)
    room = int(_SHARE * free)
    return Batch("xllamacpp", max(1, min(slots, room // needs if needs else slots)))


def window_bytes(numbers: Mapping[str, int]) -> int:
    """Bytes that a token takes in the window: keys and values of every layer, 16 bits each."""

    def find(name: str, default: int) -> int:
        return next((v for k, v in numbers.items() if k.endswith(f".{name}")), default)

    heads = find("attention.head_count", 1)
    width = find("embedding_length", 0) // max(1, heads)
    both = find("attention.key_length", width) + find("attention.value_length", width)
    kept = find("attention.head_count_kv", heads)
    return find("block_count", 0) * kept * both * _VALUE_BYTES
