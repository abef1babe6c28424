"""The base model's weights: found, checked against their checksum, converted once, loaded.

A base that comes as a GGUF is turned into safetensors and a tokenizer that transformers loads in
seconds; the conversion takes about a minute and is kept under the cache folder, by checksum.
"""

from __future__ import annotations

import json
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import CorruptFile, InputError, MissingExtra
from qc_builder_lora.files import atomic_write, disk_full, write_json
from qc_builder_lora.ids import file_hash
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.retrain.recipe import Base

_DONE = "converted.json"


def base_gguf(base: Base, cache: Path) -> Path:
    """The base's GGUF file, assembled under the cache and checked.

    Raises MissingExtra without the wheels, CorruptFile when the checksum differs.
    """
    kind, _, name = base.source.partition(":")
    if kind == "folder":
        return _checked(_single_gguf(Path(name)), base)
    if kind != "wheel":
        raise InputError(
            f"Base {base.name} comes from {base.source}, which has no GGUF here. Download it, put "
            "it in a folder, and name that in a base of your own: source: folder:/PATH"
        )
    target = cache / "bases" / f"{base.name}.gguf"
    if not _is_whole(target, base):
        _assemble(name, target)
        return _checked(target, base)
    return target


def _assemble(package: str, target: Path) -> None:
    try:
        chunks = import_module(package).chunk_paths()
    except ImportError as error:
        raise MissingExtra("train", package) from error
    with atomic_write(target) as file:
        for chunk in chunks:
            with Path(chunk).open("rb") as part:
                shutil.copyfileobj(part, file, 1 << 20)


def _is_whole(path: Path, base: Base) -> bool:
    """Whether the file is there as it should be; a damaged copy of the cache is made anew."""
    return path.exists() and file_hash(path) == base.sha256


def _checked(path: Path, base: Base) -> Path:
    if base.sha256 is None:
        _check_readable(path)
        return path
    found = file_hash(path)
    if found != base.sha256:
        raise CorruptFile(
            path,
            f"its SHA-256 is {found}, the base {base.name} says {base.sha256}",
            "Get the file again, or correct the checksum if you changed the file on purpose.",
        )
    return path


def _check_readable(path: Path) -> None:
    """CorruptFile for what is no whole GGUF file; for bases that name no checksum."""
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise MissingExtra("train", "gguf") from error
    try:
        GGUFReader(path)
    except (ValueError, IndexError, KeyError) as error:
        raise CorruptFile(path, f"no whole GGUF file ({error})", "Get the file again.") from error


def _single_gguf(folder: Path) -> Path:
    found = sorted(folder.glob("*.gguf"))
    if len(found) != 1:
        raise InputError(
            f"{folder} holds {len(found)} GGUF files; it should hold one. Put the base's file "
            "there, or name the right folder in retrain/bases/."
        )
    return found[0]


def base_folder(base: Base, cache: Path, progress: Progress = SILENT) -> Path:
    """A folder that transformers loads: config.json, model.safetensors, tokenizer.json.

    Converted from the GGUF the first time. `progress` counts to 4.
    """
    kind, _, name = base.source.partition(":")
    if kind == "folder" and (Path(name) / "config.json").exists():
        return Path(name)
    gguf = base_gguf(base, cache)
    folder = cache / "bases" / f"{base.name}-{(base.sha256 or file_hash(gguf))[:12]}"
    if not _conversion_is_whole(folder):
        _convert(gguf, folder, progress)
    return folder


def _conversion_is_whole(folder: Path) -> bool:
    try:
        sizes = json.loads((folder / _DONE).read_text("utf-8"))
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


def _convert(gguf: Path, folder: Path, progress: Progress) -> None:
    """Write the converted files beside their final place and rename the folder when all is done."""
    progress.update(0, "reading the tokenizer")
    temporary = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        _write_tokenizer(gguf, temporary)
        progress.update(1, "reading the weights")
        _write_weights(gguf, temporary)
        progress.update(3, "checking")
        sizes = {path.name: path.stat().st_size for path in temporary.iterdir()}
        write_json(temporary / _DONE, sizes)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise disk_full(error, folder, 1200) from error
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    progress.update(4)


def _write_tokenizer(gguf: Path, folder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    tokenizer.save_pretrained(folder)


def _write_weights(gguf: Path, folder: Path) -> None:
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32
    )
    tied = getattr(model.config, "tie_word_embeddings", False)
    weights = {
        name: tensor.contiguous()
        for name, tensor in model.state_dict().items()
        if not (tied and name == "lm_head.weight")
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = model.config.to_dict()
    # transformers refuses to load a "quantised" config without the GGUF it came from.
    config.pop("quantization_config", None)
    config["architectures"] = [type(model).__name__]
    write_json(folder / "config.json", config)


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a converted base."""
    transformers = _transformers()
    return transformers.AutoTokenizer.from_pretrained(folder)


def load_model(folder: Path, precision: str) -> Any:
    """The frozen causal language model, `fp32` or `bf16`, on the CPU, in training mode."""
    transformers = _transformers()
    import torch

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    model.config.use_cache = False
    return model


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise MissingExtra("train", "transformers") from error
    # Its bars would run across ours.
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    return transformers
