"""An adapter's weights between a model in memory and a folder in peft's format."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from qc_builder_lora.adapter_folder import WEIGHTS
from qc_builder_lora.errors import CorruptFile, InputError
from qc_builder_lora.files import disk_full


def load_adapter(model: Any, folder: Path) -> None:
    """Put an adapter's weights in the place of the model's own, which must be of the same names and
    shapes. Raises InputError, CorruptFile."""
    from peft import get_peft_model_state_dict, set_peft_model_state_dict
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / WEIGHTS
    try:
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CorruptFile(path, f"cannot be read: {error}", "Train again.") from error
    own = get_peft_model_state_dict(model)
    shapes = {name: list(value.shape) for name, value in own.items()}
    for name in sorted(shapes.keys() | found.keys()):
        given = list(found[name].shape) if name in found else "not there"
        if shapes.get(name) != given:
            raise InputError(
                f"{path}: {name} is {given}, this recipe on this base has "
                f"{shapes.get(name, 'none of that name')}. The adapter is of another base or "
                "shape: take the recipe that made it, or train from the base."
            )
        if not found[name].isfinite().all():
            raise CorruptFile(path, f"{name} holds values that are no numbers", "Train again.")
    set_peft_model_state_dict(model, found)


def save_adapter(model: Any, target: Path) -> None:
    """Write the model's adapter as peft does, whole or not at all. Raises DiskFull."""
    temporary = target.with_name("adapter.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        model.save_pretrained(temporary)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        kept = f"The last checkpoint is kept in {target.parent}."
        raise disk_full(error, target, kept=kept) from error
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)
