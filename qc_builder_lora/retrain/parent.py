"""Where a Run starts when not from zero: an earlier Adapter, found and checked, and its teaching.

Named `production`, by a Model's or an Adapter's id, or by a folder as peft writes it. A folder is
known by the hash of its weights: one that the store has is that Adapter, wherever it lies; what
any other was taught is UNKNOWN. Weights are loaded elsewhere (`train.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from qc_builder_lora.adapter_folder import SETTINGS, WEIGHTS, read_settings, targets_of
from qc_builder_lora.errors import CorruptFile, InputError, NotFound
from qc_builder_lora.ids import file_hash
from qc_builder_lora.records import Adapter, Model, Run, Split
from qc_builder_lora.retrain.recipe import Recipe
from qc_builder_lora.store import Store

PRODUCTION = "production"
UNKNOWN = "UNKNOWN"
_SEEN = ("steps", "tokens")
_HASH = 12
"""Digits of the base's SHA-256 in the name of the folder that `base.py` converts it to."""

R = TypeVar("R", Model, Adapter)


@dataclass(frozen=True, kw_only=True)
class Parent:
    """An Adapter that a Run starts from; what is None is unknown."""

    adapter: str
    """SHA-256 of its weights."""
    path: Path
    base: str | None
    """SHA-256 of the base that it was trained on; None where only its shapes can be checked."""
    model: str | None = None
    run: str | None = None
    snapshot: str | None = None
    snapshots: tuple[str, ...] | None = None
    """All that it was taught: its own Snapshot, then those of the adapters that it began from."""
    seen: Mapping[str, Any] | None = None
    """`runs`, `steps` and `tokens` that made it, those of the adapters before it included."""

    @property
    def name(self) -> str:
        """For people: the Model, else the Adapter, else the folder."""
        return self.model or (f"adapter {self.adapter[:12]}" if self.run else str(self.path))

    def plain(self, store: Store, snapshot_id: str) -> dict[str, Any]:
        """For the Run: who the parent is, and how much of this Snapshot's other splits it learned
        (`held_out_taught`: split → number of examples; null where nobody knows)."""
        return {
            "model": self.model,
            "adapter": self.adapter,
            "path": str(self.path),
            "run": self.run,
            "base": self.base or UNKNOWN,
            "snapshot": self.snapshot,
            "snapshots": None if self.snapshots is None else list(self.snapshots),
            "held_out_taught": _overlap(store, snapshot_id, self.snapshots),
        }

    def seen_with(self, metrics: Mapping[str, Any]) -> dict[str, Any] | None:
        """The total of what was seen, a further run's included; None where a part is unknown."""
        if self.seen is None:
            return None
        return {"runs": self.seen["runs"] + 1, **{k: self.seen[k] + metrics[k] for k in _SEEN}}


def _overlap(store: Store, snapshot_id: str, taught: Sequence[str] | None) -> dict[str, int] | None:
    if taught is None:
        return None
    learned: set[str] = set()
    for one in taught:
        learned |= _members(store, one, Split.TRAIN)
    held_out = (Split.VALIDATION, Split.GOLDEN)
    return {s.value: len(learned & _members(store, snapshot_id, s)) for s in held_out}


def _members(store: Store, snapshot_id: str, split: Split) -> set[str]:
    return {
        key for key, found in store.snapshots.get(snapshot_id).members.items() if found is split
    }


def find_parent(store: Store, name: str) -> Parent | None:
    """Who is called so; None for `production` while no Model is.

    Raises NotFound, InputError, CorruptFile.
    """
    if name == PRODUCTION:
        model = store.models.production()
        return None if model is None else _of_model(store, model)
    if Path(name).is_dir():
        return _of_folder(store, Path(name))
    model = _one(store.models.find(), "models", name)
    if model is not None:
        return _of_model(store, model)
    adapters = store.adapters.find()
    adapter = _one(adapters, "adapters", name)
    if adapter is not None:
        return _known(store, adapter, Path(adapter.path))
    if Path(name).exists():
        raise InputError(
            f"{name} is a file; training starts from an adapter's folder ({SETTINGS} and "
            f"{WEIGHTS}), a model's id, or {PRODUCTION!r}."
        )
    known = [PRODUCTION, *(one.id for one in store.models.find()), *(one.id for one in adapters)]
    cure = "Give a model's id (qc-lora model list), an adapter's, a folder, or 'production'."
    raise NotFound("model, adapter or folder", name, cure, known)


def _one(found: Sequence[R], what: str, name: str) -> R | None:
    matching = [record for record in found if record.id.startswith(name)]
    if len(matching) > 1 and name not in {record.id for record in matching}:
        raise InputError(f"{len(matching)} {what} begin with {name!r}: give more digits.")
    return next((one for one in matching if one.id == name), matching[0] if matching else None)


def _of_model(store: Store, model: Model) -> Parent:
    if model.adapter_id is None:
        raise InputError(
            f"Model {model.id} was not made from an adapter, so there is none to start from. Name "
            "one that `qc-lora release` made, or train from the base."
        )
    adapter = store.adapters.get(model.adapter_id)
    return _known(store, adapter, Path(adapter.path), model)


def _of_folder(store: Store, folder: Path) -> Parent:
    digest = _digest(folder)
    if store.adapters.has(digest):
        return _known(store, store.adapters.get(digest), folder)
    return Parent(adapter=digest, path=folder.absolute(), base=None)


def _known(store: Store, adapter: Adapter, folder: Path, model: Model | None = None) -> Parent:
    found = _digest(folder)
    if found != adapter.id:
        raise CorruptFile(
            folder / WEIGHTS,
            f"its SHA-256 is {found}, the store says {adapter.id}",
            "Put the file back, or name the folder to start from what is there now.",
        )
    run = store.runs.get(adapter.run_id)
    made = model or next(iter(store.models.find(adapter_id=adapter.id)), None)
    return Parent(
        adapter=adapter.id,
        path=folder.absolute(),
        base=adapter.base_sha256,
        model=made.id if made else None,
        run=run.id,
        snapshot=run.snapshot_id,
        snapshots=snapshots_of(run),
        seen=seen_by(run),
    )


def _digest(folder: Path) -> str:
    if (folder / WEIGHTS).is_file():
        return file_hash(folder / WEIGHTS)
    if (folder / "adapter" / WEIGHTS).is_file():
        raise InputError(f"{folder} holds a run; its adapter is {folder / 'adapter'}.")
    if (folder / "adapter_model.bin").exists():
        raise InputError(
            f"{folder} has adapter_model.bin, a pickle, which could run code and is not read. Save "
            "it with peft's save_pretrained(safe_serialization=True)."
        )
    raise NotFound("adapter", str(folder / WEIGHTS), "A folder as peft writes it has that file.")


def snapshots_of(run: Run) -> tuple[str, ...] | None:
    """All Snapshots that a Run's Adapter was taught, its own first; None where it is not known."""
    parent = run.metrics.get("parent")
    if parent is None:
        return (run.snapshot_id,)
    if parent["snapshots"] is None:
        return None
    return (run.snapshot_id, *(one for one in parent["snapshots"] if one != run.snapshot_id))


def seen_by(run: Run) -> Mapping[str, Any] | None:
    """Runs, steps and tokens that made a Run's Adapter; None where a part is not known."""
    if run.metrics.get("parent") is not None:
        found: Mapping[str, Any] | None = run.metrics.get("seen")
        return found
    if any(run.metrics.get(key) is None for key in _SEEN):
        return None
    return {"runs": 1, **{key: run.metrics[key] for key in _SEEN}}


def check_parent(parent: Parent, recipe: Recipe, base_sha256: str, base_folder: Path) -> Parent:
    """The parent, with its base where that can be told. Raises InputError with value and cure when
    base, rank, alpha or projections are not the recipe's."""
    settings = read_settings(parent.path)
    _same("rank", settings.rank, recipe.lora.rank, recipe, parent)
    _same("alpha", f"{settings.alpha:g}", f"{recipe.lora.alpha:g}", recipe, parent)
    targets, wanted = targets_of(parent.path), frozenset(recipe.lora.targets)
    _same("targets", _listed(targets), _listed(wanted), recipe, parent)
    base = parent.base or _told_base(settings.base, base_sha256, base_folder)
    if base is not None and not base_sha256.startswith(base):
        raise InputError(
            f"{parent.name}: its base is {base[:_HASH]}, that of recipe {recipe.name} is "
            f"{recipe.base} ({base_sha256[:_HASH]}). An adapter means nothing on another base: "
            "take a recipe with its base, or train from the base."
        )
    return parent if base is None else replace(parent, base=base_sha256)


def _same(key: str, found: object, wanted: object, recipe: Recipe, parent: Parent) -> None:
    if found != wanted:
        raise InputError(
            f"{parent.name}: its {key} is {found}, lora.{key} of recipe {recipe.name} is {wanted}. "
            f"Set lora.{key}: {found} in a recipe of your own, or train from the base."
        )


def _listed(names: frozenset[str]) -> str:
    return f"[{', '.join(sorted(names))}]"


def _told_base(told: str | None, base_sha256: str, base_folder: Path) -> str | None:
    """The base's hash (its first digits) by the path that peft wrote; None where it tells none.

    Our conversions are in `bases/NAME-HASH`; a folder of the user's is known by its path.
    """
    if told is None:
        return None
    path = Path(told)
    if path.is_absolute() and path.resolve() == base_folder.resolve():
        return base_sha256
    digits = path.name.rpartition("-")[2]
    hexadecimal = len(digits) == _HASH and set(digits) <= set("0123456789abcdef")
    return digits if hexadecimal and path.parent.name == "bases" else None
