"""Training state on disk: everything needed to go on as if nothing had happened.

A checkpoint is a folder `step-NNNNNN` with tensors as safetensors (no pickle) and `state.json`,
written last, with the size of each file: a folder without it is a torn one and is passed over.
The one before is removed only after the new one is whole, so that a full disk loses nothing.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qc_builder_lora.files import disk_full, write_json

if TYPE_CHECKING:
    from torch import Tensor

_STATE = "state.json"


@dataclass
class State:
    """Where training stands; plain values only."""

    recipe_sha256: str
    examples_sha256: str
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    losses: list[tuple[int, float]] = field(default_factory=list)
    """(step, mean loss of its tokens in nats)."""
    validation_first: float | None = None
    peak_rss_mb: float = 0.0


def save(
    folder: Path,
    state: State,
    parameters: Mapping[str, Tensor],
    optimiser: Any,
    others: Mapping[str, Tensor],
) -> Path:
    """Write one checkpoint; DiskFull when it does not fit, with the former one untouched.

    `others` is whatever else the next step depends on, such as the random state.
    """
    from safetensors.torch import save_file

    target = folder / f"step-{state.step:06d}"
    temporary = target.with_suffix(".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        tensors = {f"parameter/{name}": value for name, value in parameters.items()}
        tensors |= _optimiser_tensors(optimiser)
        tensors |= {f"other/{name}": value for name, value in others.items()}
        _save_tensors(save_file, tensors, temporary / "tensors.safetensors")
        size = (temporary / "tensors.safetensors").stat().st_size
        write_json(temporary / _STATE, {**asdict(state), "size": size})
        shutil.rmtree(target, ignore_errors=True)
        temporary.rename(target)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        kept = f"Training up to the checkpoint before it is kept in {folder}."
        raise disk_full(error, target, kept=kept) from error
    _remove_older(folder, target)
    return target


def _save_tensors(save_file: Any, tensors: dict[str, Tensor], path: Path) -> None:
    from safetensors import SafetensorError

    try:
        save_file({name: value.detach().contiguous() for name, value in tensors.items()}, path)
    except SafetensorError as error:
        # The library reports a full disk as its own error, with the number in the text.
        number = 28 if "No space left" in str(error) or "os error 28" in str(error) else 5
        raise OSError(number, str(error), str(path)) from error


def _remove_older(folder: Path, newest: Path) -> None:
    for path in folder.glob("step-*"):
        if path != newest:
            shutil.rmtree(path, ignore_errors=True)


def _optimiser_tensors(optimiser: Any) -> dict[str, Tensor]:
    import torch

    found = {}
    for index, values in optimiser.state_dict()["state"].items():
        for name, value in values.items():
            found[f"optimiser/{index}/{name}"] = torch.as_tensor(value)
    return found


def newest(folder: Path) -> Path | None:
    """The newest whole checkpoint of a run, or None."""
    whole = [path for path in sorted(folder.glob("step-??????")) if _is_whole(path)]
    return whole[-1] if whole else None


def _is_whole(path: Path) -> bool:
    try:
        size = json.loads((path / _STATE).read_text("utf-8"))["size"]
        return bool((path / "tensors.safetensors").stat().st_size == size)
    except (OSError, ValueError, KeyError):
        return False


def read_state(path: Path) -> State:
    """The plain part of a checkpoint."""
    values = json.loads((path / _STATE).read_text("utf-8"))
    values.pop("size")
    values["losses"] = [tuple(pair) for pair in values["losses"]]
    return State(**values)


def restore(path: Path, parameters: Mapping[str, Tensor], optimiser: Any) -> dict[str, Tensor]:
    """Put parameters and optimiser back as they were; returns the `others` that were saved."""
    import torch
    from safetensors.torch import load_file

    tensors = load_file(path / "tensors.safetensors")
    with torch.no_grad():
        for name, value in parameters.items():
            value.copy_(tensors[f"parameter/{name}"])
    states: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimiser/"):
            _, index, name = key.split("/")
            states.setdefault(int(index), {})[name] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": states, "param_groups": groups})
    prefix = "other/"
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
