"""An adapter's folder as peft writes it, read without torch: its settings and what it holds.

What a GGUF cannot express (rank-stabilised scale, DoRA, ranks a module, trained embeddings) is
refused here, for training that starts from such a folder and for release alike.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import CorruptFile, InputError, MissingExtra

SETTINGS, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_NOT_EXPRESSED = ("use_rslora", "use_dora", "rank_pattern", "alpha_pattern", "modules_to_save")


@dataclass(frozen=True, kw_only=True)
class AdapterSettings:
    """What the folder says of its adapter."""

    rank: int
    alpha: float
    base: str | None
    """Path or name of the base that it was trained on, as whoever trained it had it."""


def read_settings(folder: Path) -> AdapterSettings:
    """`adapter_config.json`. Raises CorruptFile, and InputError for what a GGUF cannot express."""
    path = folder / SETTINGS
    try:
        config = json.loads(path.read_text("utf-8"))
        rank, alpha = int(config["r"]), float(config["lora_alpha"])
        base = config.get("base_model_name_or_path")
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        reason = f"has no {error}" if isinstance(error, KeyError) else f"cannot be read: {error}"
        raise CorruptFile(path, reason, "Train again.") from error
    kind = config.get("peft_type", "LORA")
    if kind != "LORA":
        raise InputError(f"{path}: peft_type is {kind!r}; only a LORA has a place in a GGUF.")
    for key in _NOT_EXPRESSED:
        if config.get(key):
            raise InputError(f"{path}: {key} is set, which a GGUF cannot express.")
    if rank < 1 or not math.isfinite(alpha):
        raise CorruptFile(path, f"r is {rank} and lora_alpha {alpha}", "Train again.")
    return AdapterSettings(rank=rank, alpha=alpha, base=base if isinstance(base, str) else None)


def targets_of(folder: Path) -> frozenset[str]:
    """The projections that the weights are for (`q_proj`), as the tensors' names say. CorruptFile,
    and InputError for tensors that are no LoRA factors."""
    path = folder / WEIGHTS
    found = set()
    for name in _names(path):
        module, _, side = name.removesuffix(".weight").rpartition(".lora_")
        if side not in ("A", "B"):
            raise InputError(f"{path}: {name} is not a LoRA factor and has no place in a GGUF.")
        found.add(module.rpartition(".")[2])
    return frozenset(found)


def _names(path: Path) -> list[str]:
    opened: Any
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise MissingExtra("train", "safetensors") from error
    try:
        with safe_open(path, framework="numpy") as opened:
            return list(opened.keys())
    except (OSError, SafetensorError) as error:
        raise CorruptFile(path, f"cannot be read: {error}", "Train again.") from error
