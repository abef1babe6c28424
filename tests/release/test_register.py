"""A person's decision about a Model, as the command line and the page hand it on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qc_builder_lora.errors import PromotionRefused
from qc_builder_lora.ids import file_hash, new_id, now
from qc_builder_lora.records import Model, Stage, Verdict, VerdictKind
from qc_builder_lora.release.register import promote
from qc_builder_lora.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        yield opened


def reported(store: Store, folder: Path, name: str, against: str) -> Path:
    """A candidate with a file, and the report about it."""
    artefact, report = folder / f"{name}.gguf", folder / f"{name}.html"
    artefact.write_text(name)
    model = Model(
        id=name, adapter_id=None, path=str(artefact), sha256=file_hash(artefact),
        quantization="Q8_0", manifest={}, stage=Stage.CANDIDATE, created_at=now(),
    )  # fmt: skip
    report.write_text(f"<html>{model.sha256}")
    store.models.add(model)
    store.verdicts.add(
        Verdict(
            id=new_id(), champion=against, challenger=name, kind=VerdictKind.BETTER, evidence={},
            created_at=now(), report_path=str(report), report_sha256=file_hash(report),
        )
    )  # fmt: skip
    return report


def test_a_report_against_the_base_promotes_the_first_model(store: Store, tmp_path: Path) -> None:
    promote(store, "m1", reported(store, tmp_path, "m1", "base:tiny"), "Ada")
    assert [one.id for one in store.models.find(stage=Stage.PRODUCTION)] == ["m1"]


def test_a_report_against_the_base_is_stale_once_a_model_is_in_production(
    store: Store, tmp_path: Path
) -> None:
    first = reported(store, tmp_path, "m1", "base:tiny")
    second = reported(store, tmp_path, "m2", "base:tiny")
    promote(store, "m1", first, "Ada")
    with pytest.raises(PromotionRefused) as caught:
        promote(store, "m2", second, "Ada")
    assert str(caught.value) == (
        "'m2' was to replace no model, but 'm1' is in production now. Nothing was changed. "
        "Compare with that one: qc-lora eval m2, then qc-lora report build m2"
    )
    assert len(store.promotions.history()) == 1


def test_a_report_against_production_promotes(store: Store, tmp_path: Path) -> None:
    promote(store, "m1", reported(store, tmp_path, "m1", "base:tiny"), "Ada")
    made = promote(store, "m2", reported(store, tmp_path, "m2", "m1"), "Ada")
    assert (made.model_id, made.previous_model_id) == ("m2", "m1")


def test_what_answers_already_is_called_so(store: Store, tmp_path: Path) -> None:
    report = reported(store, tmp_path, "m1", "base:tiny")
    promote(store, "m1", report, "Ada")
    with pytest.raises(PromotionRefused, match="'m1' is in production already"):
        promote(store, "m1", report, "Ada")
