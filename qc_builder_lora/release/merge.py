"""Adapter into base, in GGUF space: the base's file stays the one source of tokenizer and keys.

Every key is copied as it is; tensors the adapter does not touch are only unpacked to F16. Nothing
is read from Hugging Face files, so nothing can differ from what llama.cpp was given before.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from qc_builder_lora.files import disk_full
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.release.adapter import AdapterWeights, gguf_library, text_field
from qc_builder_lora.template import Template

# Written by the writer itself, or true of the old file only.
_OWN_KEYS = ("GGUF.", "general.architecture", "general.file_type", "general.quantization_version")
_MOSTLY_F16 = 1


def open_base(path: Path) -> Any:
    """The base's GGUF, memory-mapped. Reading its vocabulary takes some seconds: open it once."""
    return gguf_library().GGUFReader(path)


def write_merged(
    reader: Any,
    weights: AdapterWeights,
    target: Path,
    template: Template,
    progress: Progress = SILENT,
) -> None:
    """Write the merged model as F16 GGUF, atomically; DiskFull when it does not fit.

    The recipe's prompt format becomes the file's chat template, so that any llama.cpp server asks
    the model in the words it was trained on. `progress` counts tensors.
    """
    gguf = gguf_library()
    temporary = target.with_suffix(".tmp")
    target.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(temporary, text_field(reader, "general.architecture"))
    try:
        copy_keys(reader, writer)
        writer.add_file_type(_MOSTLY_F16)
        writer.add_chat_template(template.jinja)
        for done, tensor in enumerate(reader.tensors):
            writer.add_tensor(tensor.name, _merged(tensor, weights))
            progress.update(done + 1, "merging")
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        temporary.replace(target)
    except OSError as error:
        writer.close()
        temporary.unlink(missing_ok=True)
        raise disk_full(error, target, 600) from error


def copy_keys(reader: Any, writer: Any) -> None:
    """All metadata but what the new file says of itself."""
    gguf = gguf_library()
    for name, field in reader.fields.items():
        if name.startswith(_OWN_KEYS) or name == "tokenizer.chat_template":
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), kind, sub_type=inner)


def _merged(tensor: Any, weights: AdapterWeights) -> Any:
    """The tensor as it goes into the new file: norms stay F32, matrices become F16."""
    gguf = gguf_library()
    values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
    factors = weights.factors.get(tensor.name)
    if factors is not None:
        values = values + factors.delta()
    return values if values.ndim == 1 else values.astype(np.float16)


def write_lora(reader: Any, weights: AdapterWeights, target: Path) -> None:
    """Write the adapter alone as a GGUF LoRA, which llama.cpp applies at run time."""
    gguf = gguf_library()
    temporary = target.with_suffix(".tmp")
    writer = gguf.GGUFWriter(temporary, text_field(reader, "general.architecture"))
    try:
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        # llama.cpp scales by alpha / rank, as peft does.
        writer.add_float32("adapter.lora.alpha", weights.alpha)
        for name, factors in sorted(weights.factors.items()):
            writer.add_tensor(f"{name}.lora_a", factors.a)
            writer.add_tensor(f"{name}.lora_b", np.ascontiguousarray(factors.b))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        temporary.replace(target)
    except OSError as error:
        writer.close()
        temporary.unlink(missing_ok=True)
        raise disk_full(error, target, 50) from error
