"""A GGUF file on disk: whether it is whole, and what its manifest says about serving it.

llama.cpp reads a cut file as far as it goes and may end the process over it, so the header and the
length are checked before a byte of it is mapped. The format is described in ggml's docs/gguf.md.
"""

from __future__ import annotations

import json
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import CorruptFile, NotFound
from qc_builder_lora.template import GEMMA, get_template

BASE = "base:"
"""Before the name of a base model that answers as it comes."""

# Bytes a value of each metadata type takes; 8 is a string, 9 an array.
_SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY, _UINT32 = 8, 9, 4

# Tensor type → (weights in a block, bytes of a block), from ggml's type traits.
_BLOCKS = {
    0: (1, 4),
    1: (1, 2),
    30: (1, 2),
    2: (32, 18),
    3: (32, 20),
    6: (32, 22),
    7: (32, 24),
    8: (32, 34),
    20: (32, 18),
    39: (32, 17),
    10: (256, 84),
    11: (256, 110),
    12: (256, 144),
    13: (256, 176),
    14: (256, 210),
    16: (256, 66),
    17: (256, 74),
    18: (256, 98),
    19: (256, 50),
    21: (256, 110),
    22: (256, 82),
    23: (256, 136),
    29: (256, 56),
    34: (256, 54),
    35: (256, 66),
}
_CURE = "Copy or download the file again, or release the model again with: qc-lora release --help"


@dataclass(frozen=True, kw_only=True)
class Artefact:
    """A model file and how it wants to be asked."""

    path: Path
    id: str
    template: str
    system: str
    """The system text it was trained with; empty for none."""


def describe(path: Path, model_id: str | None = None, template: str | None = None) -> Artefact:
    """What `manifest.json` beside the file says: template, system text, id.

    The manifest wins over `template`, which wins over `gemma`: a model must be asked in the words
    it was trained on.
    """
    manifest = read_manifest(path)
    name = str(manifest.get("template") or template or GEMMA.name)
    return Artefact(
        path=path,
        id=model_id or str(manifest.get("id") or path.stem),
        template=get_template(name).name,
        system=str(manifest.get("system") or ""),
    )


def read_manifest(path: Path) -> dict[str, Any]:
    """`manifest.json` beside a model's file; empty where there is none."""
    file = path.parent / "manifest.json"
    if not file.exists():
        return {}
    try:
        manifest = json.loads(file.read_text("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CorruptFile(file, f"not valid JSON: {error}", _CURE) from error
    if not isinstance(manifest, dict):
        raise CorruptFile(file, f"holds a {type(manifest).__name__}, not an object", _CURE)
    return manifest


def check_gguf(path: Path) -> None:
    """NotFound for a file that is missing, CorruptFile for one that is cut short or no GGUF."""
    if not path.is_file():
        raise NotFound(
            "model file", str(path), "Name a GGUF file, or see what there is: qc-lora model list"
        )
    size = path.stat().st_size
    if size < 24:
        raise CorruptFile(path, f"only {size} bytes long, too short for a GGUF model", _CURE)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        if view[:4] != b"GGUF":
            raise CorruptFile(path, f"starts with {view[:4]!r}, not with b'GGUF'", _CURE)
        try:
            end = _expected_length(view, path)
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            fact = f"the header is cut short or damaged (the file has {size:,} bytes)"
            raise CorruptFile(path, fact, _CURE) from error
    if size < end:
        raise CorruptFile(path, f"cut short: {size:,} bytes of {end:,}", _CURE)


def read_numbers(path: Path) -> dict[str, int]:
    """The whole numbers among a GGUF's keys; CorruptFile or NotFound as `check_gguf`."""
    check_gguf(path)
    found: dict[str, int] = {}
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        (keys,) = struct.unpack_from("<Q", view, 16)
        position = 24
        for _ in range(keys):
            name, position = _string(view, position)
            (kind,) = struct.unpack_from("<I", view, position)
            if kind == _UINT32:
                (found[name],) = struct.unpack_from("<I", view, position + 4)
            position = _skip(view, position + 4, kind)
    return found


def _expected_length(view: mmap.mmap, path: Path) -> int:
    version, tensors, keys = struct.unpack_from("<IQQ", view, 4)
    if version not in (2, 3):
        raise CorruptFile(path, f"GGUF version {version}, known are 2 and 3", _CURE)
    position, alignment = 24, 32
    for _ in range(keys):
        name, position = _string(view, position)
        (kind,) = struct.unpack_from("<I", view, position)
        if name == "general.alignment" and kind == 4:
            (alignment,) = struct.unpack_from("<I", view, position + 4)
        position = _skip(view, position + 4, kind)
    end = 0
    for _ in range(tensors):
        finish, position = _tensor(view, position)
        end = max(end, finish)
    start = (position + alignment - 1) // alignment * alignment
    return start + end


def _string(view: mmap.mmap, position: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<Q", view, position)
    end = position + 8 + length
    if end > len(view):
        raise IndexError(end)
    return view[position + 8 : end].decode("utf-8"), end


def _skip(view: mmap.mmap, position: int, kind: int) -> int:
    if kind == _STRING:
        (length,) = struct.unpack_from("<Q", view, position)
        return position + 8 + int(length)
    if kind != _ARRAY:
        return position + _size_of(kind)
    inner, count = struct.unpack_from("<IQ", view, position)
    position += 12
    if inner not in (_STRING, _ARRAY):
        return position + int(count) * _size_of(inner)
    for _ in range(count):
        position = _skip(view, position, inner)
    return position


def _size_of(kind: int) -> int:
    if kind not in _SCALARS:
        raise IndexError(kind)
    return _SCALARS[kind]


def _tensor(view: mmap.mmap, position: int) -> tuple[int, int]:
    _, position = _string(view, position)
    (dimensions,) = struct.unpack_from("<I", view, position)
    if dimensions > 8:
        raise IndexError(dimensions)
    shape = struct.unpack_from(f"<{dimensions}Q", view, position + 4)
    position += 4 + 8 * dimensions
    kind, offset = struct.unpack_from("<IQ", view, position)
    weights = 1
    for side in shape:
        weights *= side
    # A type that is newer than this table counts with no length: only its start is checked.
    block, width = _BLOCKS.get(kind, (1, 0))
    return offset + weights // block * width, position + 12
