"""A trained adapter, read as what each tensor of the base's GGUF gains from it.

peft keeps for every projection two factors: A [rank, in] and B [out, rank]; the projection gains
scale · B·A with scale = alpha / rank. In a GGUF the same projection has another name, and for the
`llama` architecture the rows of q and k stand in another order.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc_builder_lora.adapter_folder import WEIGHTS, read_settings
from qc_builder_lora.errors import CorruptFile, InputError, MissingExtra

Floats = NDArray[np.float32]

_PREFIX = "base_model.model."
# Architectures whose GGUF keeps the two halves of each rotary head interleaved.
_PERMUTED = frozenset({"llama"})


@dataclass(frozen=True)
class Factors:
    """What one tensor gains: delta [out, in] = scale · b @ a."""

    a: Floats
    """[rank, in]"""
    b: Floats
    """[out, rank], rows in the order of the GGUF"""
    scale: float

    def delta(self) -> Floats:
        """The full matrix, [out, in]."""
        return self.scale * (self.b @ self.a)


@dataclass(frozen=True)
class AdapterWeights:
    """All factors by GGUF tensor name (`blk.0.attn_q.weight`), with rank and alpha."""

    factors: dict[str, Factors]
    rank: int
    alpha: float


def read_adapter(folder: Path, reader: Any) -> AdapterWeights:
    """The adapter in `folder` (peft's format) for the base opened by `gguf.GGUFReader`.

    Raises CorruptFile for a damaged adapter and InputError for what a GGUF cannot express: rank-
    stabilised scale, DoRA, per-module ranks, trained embeddings.
    """
    settings = read_settings(folder)
    tensors = _tensors(folder / WEIGHTS)
    names = _name_map(reader)
    pairs: dict[str, dict[str, Floats]] = {}
    for key, value in tensors.items():
        module, _, side = key.removeprefix(_PREFIX).removesuffix(".weight").rpartition(".lora_")
        if side not in ("A", "B"):
            raise InputError(f"{folder}: {key} is not a LoRA factor and has no place in a GGUF.")
        pairs.setdefault(module, {})[side] = value
    rank, alpha = settings.rank, settings.alpha
    factors = {}
    for module, pair in pairs.items():
        name = f"{names.get_name(module)}.weight"
        if name == "None.weight":
            raise InputError(f"{folder}: the base's GGUF has no tensor for {module}.")
        factors[name] = Factors(pair["A"], _ordered(pair["B"], name, reader), alpha / rank)
    if not any(np.any(found.b) for found in factors.values()):
        raise InputError(f"{folder}: every lora_B is zero; this adapter was never trained.")
    return AdapterWeights(factors, rank, alpha)


def _tensors(path: Path) -> dict[str, Floats]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return {name: value.astype(np.float32) for name, value in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise CorruptFile(path, f"cannot be read: {error}", "Train again.") from error


def _name_map(reader: Any) -> Any:
    gguf = gguf_library()
    architecture = text_field(reader, "general.architecture")
    known = {name: arch for arch, name in gguf.MODEL_ARCH_NAMES.items()}
    if architecture not in known:
        raise InputError(f"The GGUF is of architecture {architecture!r}, which gguf does not know.")
    blocks = int(reader.get_field(f"{architecture}.block_count").contents())
    return gguf.get_tensor_name_map(known[architecture], blocks)


def _ordered(b: Floats, name: str, reader: Any) -> Floats:
    architecture = text_field(reader, "general.architecture")
    if architecture not in _PERMUTED or not name.endswith(("attn_q.weight", "attn_k.weight")):
        return b
    key = "head_count" if name.endswith("attn_q.weight") else "head_count_kv"
    field = reader.get_field(f"{architecture}.attention.{key}")
    return permute_rotary(b, int(field.contents()))


def permute_rotary(rows: Floats, heads: int) -> Floats:
    """Rows [out, n] from halves of each head to pairs, the order llama.cpp rotates them in."""
    half = rows.shape[0] // heads // 2
    return rows.reshape(heads, 2, half, -1).swapaxes(1, 2).reshape(rows.shape)


def text_field(reader: Any, key: str) -> str:
    """A string of the GGUF's metadata."""
    return str(reader.get_field(key).contents())


def gguf_library() -> Any:
    """The official gguf package; MissingExtra without it."""
    try:
        import gguf
    except ImportError as error:
        raise MissingExtra("train", "gguf") from error
    return gguf
