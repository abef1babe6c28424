"""From an Adapter in the store to a Model in the store, and a person's decision about it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import InputError, NotFound, PromotionRefused
from qc_builder_lora.ids import file_hash
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import Model, Promotion, Split
from qc_builder_lora.release.publish import LADDER, Release, Source
from qc_builder_lora.store import Store
from qc_builder_lora.template import get_template


def release(
    store: Store,
    home: Path,
    adapter_id: str,
    base_gguf: Path,
    base_folder: Path,
    template: str,
    *,
    threads: int,
    ladder: tuple[str, ...] = LADDER,
    held_out: int = 16,
    progress: Progress = SILENT,
) -> Model:
    """Merge, quantise, check, publish, register as a candidate; `progress` counts to 3 + ladder.

    An Adapter released before keeps its Model. Raises ParityError when nothing passes the gate.
    """
    adapter = store.adapters.get(adapter_id)
    for model in store.models.find(adapter_id=adapter.id):
        if Path(model.path).exists():
            return model
    run = store.runs.get(adapter.run_id)
    examples = store.examples.of_snapshot(run.snapshot_id, Split.VALIDATION)
    source = Source(
        adapter=adapter,
        base_gguf=base_gguf,
        base_folder=base_folder,
        template=get_template(template),
        held_out=examples[:held_out],
        snapshot_id=run.snapshot_id,
        recipe_sha256=run.recipe_sha256,
        recipe_text=run.recipe_text,
        parent=run.metrics.get("parent"),
        seen=run.metrics.get("seen"),
    )
    models = (home / "models").absolute()
    return store.models.add(Release(source, models, threads, progress).publish(ladder))


def release_in_child(progress: Progress, **given: Any) -> dict[str, Any]:
    """`release` with plain values, for `qc_builder_lora.isolate`."""
    url = given.pop("url")
    for key in ("home", "base_gguf", "base_folder"):
        given[key] = Path(given[key])
    with Store.open(url) as store:
        return {"model_id": release(store, **given, progress=progress).id}


def check_artefact(model: Model) -> Mapping[str, Any]:
    """The manifest of a Model whose file is what it was; raises NotFound, InputError."""
    path = Path(model.path)
    if not path.exists():
        raise NotFound("artefact", str(path), "Release its adapter again: qc-lora release --help")
    found = file_hash(path)
    if found != model.sha256:
        raise InputError(
            f"{path}: its SHA-256 is {found}, the store says {model.sha256}. The file was changed "
            "after its release; release the adapter again."
        )
    return model.manifest


def promote(
    store: Store,
    model_id: str,
    report: Path | None,
    by: str,
    reason: str | None = None,
    *,
    share: float | None = None,
) -> Promotion:
    """Let a Model answer, because a person has read this report about it; for a `share` of the
    Builds alone, where given (a fraction below 1).

    Without a report it is the one that its canary was bound to. Raises PromotionRefused when the
    report is about another artefact or was changed after it was made, when the artefact was
    changed, or when production has moved on since.
    """
    model = store.models.get(model_id)
    digest = _of_the_canary(store, model) if report is None else _about(model, report)
    check_artefact(model)
    about = store.verdicts.find(challenger=model.id, report_sha256=digest, limit=1)
    # Without a verdict the store refuses the report, whatever it was to replace.
    replaces = _stood(store, about[0].champion) if about else ...
    return store.promotions.promote(
        model.id, model.sha256, digest, by, reason, replaces=replaces, share=share
    )


def _about(model: Model, report: Path) -> str:
    if not report.exists():
        raise NotFound("report", str(report), "See which there are: qc-lora report list")
    if model.sha256 not in report.read_text("utf-8", "replace"):
        raise PromotionRefused(
            f"{report} does not mention the artefact {model.sha256} of {model.id}: it is about "
            "another model. Build one with: qc-lora report build"
        )
    return file_hash(report)


def _of_the_canary(store: Store, model: Model) -> str:
    canary = store.promotions.course().canary
    if canary is None or canary.model_id != model.id or canary.report_sha256 is None:
        raise PromotionRefused(
            f"Model {model.id!r} is not on trial as canary, so a promotion needs the report that "
            "you have read. Give it with --report; see which there are: qc-lora report list"
        )
    return canary.report_sha256


def _stood(store: Store, champion: str) -> str | None:
    """The Model in production when a report was made: none where it compares with a base."""
    return champion if store.models.has(champion) else None
