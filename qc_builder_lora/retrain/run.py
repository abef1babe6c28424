"""A Run from the store's point of view: what it trains on, and the Adapter it leaves there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import EmptySnapshot, QcLoraError
from qc_builder_lora.ids import file_hash, new_id, now
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import Adapter, Run, RunStatus, Split
from qc_builder_lora.retrain.base import base_folder, base_gguf
from qc_builder_lora.retrain.parent import Parent, check_parent, find_parent
from qc_builder_lora.retrain.recipe import Base, Recipe, load_base
from qc_builder_lora.store import Store


def start_run(
    store: Store, home: Path, recipe: Recipe, snapshot_id: str, parent: Parent | None = None
) -> Run:
    """The unfinished Run of this recipe on this snapshot, to be taken up again, or a new one."""
    for run in store.runs.find(recipe_sha256=recipe.sha256, snapshot_id=snapshot_id):
        if run.status is not RunStatus.FINISHED and Path(run.path).exists():
            return store.runs.update(run.id, status=RunStatus.RUNNING, error=None)
    run_id = new_id()
    run = Run(
        id=run_id,
        recipe=recipe.name,
        recipe_sha256=recipe.sha256,
        recipe_text=recipe.text,
        snapshot_id=snapshot_id,
        status=RunStatus.RUNNING,
        started_at=now(),
        path=str((home / "runs" / run_id).absolute()),
        metrics={} if parent is None else {"parent": parent.plain(store, snapshot_id)},
    )
    Path(run.path).mkdir(parents=True)
    return store.runs.add(run)


def train(
    store: Store,
    home: Path,
    cache: Path,
    recipe: Recipe,
    snapshot_id: str,
    progress: Progress = SILENT,
) -> tuple[Run, Adapter]:
    """Train `recipe` on a Snapshot, or go on where an earlier call stopped.

    `progress` runs from 0 to 1. Raises EmptySnapshot, DiskFull, TrainingError; the Run keeps the
    reason and its last checkpoint.
    """
    snapshot = store.snapshots.get(snapshot_id)
    examples = store.examples.of_snapshot(snapshot.id, Split.TRAIN)
    held_out = store.examples.of_snapshot(snapshot.id, Split.VALIDATION)
    if not examples:
        raise EmptySnapshot(f"snapshot {snapshot.id[:12]} holds {len(snapshot.members)} in all")
    base = load_base(recipe.base)
    folder = base_folder(base, cache, _Scaled(progress))
    recipe, parent = start_from(store, recipe, base, cache, folder)
    run = start_run(store, home, recipe, snapshot.id, parent)
    from qc_builder_lora.retrain.train import Training

    try:
        trained = Training(
            recipe,
            folder,
            examples,
            held_out,
            Path(run.path),
            progress,
            parent=None if parent is None else parent.path,
        ).run()
    except QcLoraError as error:
        store.runs.update(run.id, status=RunStatus.FAILED, error=str(error))
        raise
    adapter = adapter_record(run, recipe, base, cache, trained.adapter)
    metrics = dict(trained.metrics)
    if parent is not None:
        metrics |= {"parent": run.metrics["parent"], "seen": parent.seen_with(metrics)}
    with store.transaction():
        run = store.runs.update(
            run.id, status=RunStatus.FINISHED, finished_at=now(), metrics=metrics
        )
        adapter = store.adapters.add(adapter)
    return run, adapter


def start_from(
    store: Store, recipe: Recipe, base: Base, cache: Path, folder: Path
) -> tuple[Recipe, Parent | None]:
    """The recipe with the very weights that its `continue_from` means now, and whose they are.

    By their hash, so that a run that was stopped is taken up again only while the name still means
    the same. Without a Model in production `production` is the base.
    """
    if recipe.continue_from is None:
        return recipe, None
    found = find_parent(store, recipe.continue_from)
    if found is None:
        return replace(recipe, continue_from=None), None
    parent = check_parent(found, recipe, base_digest(base, cache), folder)
    return replace(recipe, continue_from=parent.adapter), parent


def base_digest(base: Base, cache: Path) -> str:
    """SHA-256 of the base's GGUF."""
    return base.sha256 or file_hash(base_gguf(base, cache))


def adapter_record(run: Run, recipe: Recipe, base: Base, cache: Path, folder: Path) -> Adapter:
    """The Adapter in `folder`, named by the hash of its weights."""
    return Adapter(
        id=file_hash(folder / "adapter_model.safetensors"),
        run_id=run.id,
        path=str(folder.absolute()),
        base=base.name,
        base_sha256=base_digest(base, cache),
        rank=recipe.lora.rank,
        alpha=recipe.lora.alpha,
        created_at=now(),
    )


class _Scaled:
    """The conversion's four steps, told as the word before the training's fraction."""

    def __init__(self, outer: Progress) -> None:
        self._outer = outer

    def update(self, done: float, note: str = "") -> None:
        if note:
            self._outer.update(0, f"base model: {note}")


def train_in_child(
    progress: Progress, *, url: str, home: str, cache: str, recipe_text: str, snapshot_id: str
) -> dict[str, Any]:
    """`train` with plain values, for `qc_builder_lora.isolate`."""
    from qc_builder_lora.retrain.recipe import parse_recipe

    with Store.open(url) as store:
        recipe = parse_recipe(recipe_text, "the recipe given")
        run, adapter = train(store, Path(home), Path(cache), recipe, snapshot_id, progress)
    return {"run_id": run.id, "adapter_id": adapter.id}
