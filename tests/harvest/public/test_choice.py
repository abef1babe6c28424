"""What of published code goes into a snapshot, and what only when it is asked for."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.errors import EmptySnapshot
from qc_builder_lora.harvest.choice import Choice
from qc_builder_lora.harvest.corpus.public.qc_docs import LICENCE
from qc_builder_lora.harvest.export import export
from qc_builder_lora.harvest.snapshot import build_snapshot
from qc_builder_lora.ids import example_id
from qc_builder_lora.records import Example
from qc_builder_lora.store import Store

from .texts import named


def example(number: int, **changed: Any) -> Example:
    code = named(f"A{number}", **{"20": str(20 + 7 * number), "IBM": f"T{number}"})
    instruction = f"Trade T{number} in its own way."
    base = {
        "id": example_id(instruction, code),
        "instruction": instruction, "code": code,
        "family": f"f{number}", "source": "lean", "licence": "Apache-2.0",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    return Example(**{**base, **changed})


@pytest.fixture
def filled(kept: Store) -> Store:
    kept.examples.add_all(example(number) for number in range(4))
    docs = {"source": "qc-docs", "licence": LICENCE}
    kept.examples.add_all(example(number, **docs) for number in range(4, 8))
    other = {"source": "folder", "licence": "LicenseRef-theirs"}
    kept.examples.add(example(9, **other))
    return kept


def test_documentation_stays_out_unless_its_source_or_its_reserved_part_is_named(
    filled: Store, tmp_path: Path
) -> None:
    _, report = build_snapshot(filled, [], Choice())
    assert dict(report.sources) == {"lean": 4}
    assert report.left_out[f"licence not asked for: {LICENCE}"] == 4
    for choice in (
        Choice(include_sources=("qc-docs",)),
        Choice(licences=("LicenseRef-QuantConnect-pages-not-established",)),
        Choice(licences=(LICENCE,)),
    ):
        snapshot, report = build_snapshot(filled, [], choice)
        assert dict(report.sources) == {"lean": 4, "qc-docs": 4}
        assert report.left_out["licence not asked for: LicenseRef-theirs"] == 1
    # What leaves the machine is looked at once more.
    done = export(filled, snapshot, tmp_path / "out")
    assert done.left_out[f"licence not asked for: {LICENCE}"] == 4
    done = export(filled, snapshot, tmp_path / "all", sources=("qc-docs",))
    assert sum(done.examples.values()) == 8
    assert LICENCE in (tmp_path / "all" / "manifest.json").read_text()


def test_a_snapshot_of_the_documentation_alone_says_why_it_is_empty(filled: Store) -> None:
    with pytest.raises(EmptySnapshot, match="4 licence not asked for: MIT AND LicenseRef-Quant"):
        build_snapshot(filled, [], Choice(sources=("qc-docs",)))


def test_a_choice_that_names_no_source_gives_the_snapshot_it_always_gave(filled: Store) -> None:
    assert "include_sources" not in Choice().plain()
    first, _ = build_snapshot(filled, [], Choice())
    second, _ = build_snapshot(filled, [], Choice(include_sources=("worldquant",)))
    assert first.members == second.members
