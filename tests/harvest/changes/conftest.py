"""Executed examples of every family, without executing them: a test's engine says what it likes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.backtest.check import CheckResult
from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.eval.asked import constraints_of
from qc_builder_lora.eval.faithful import Constraint, judge, verdict
from qc_builder_lora.harvest.corpus.candidate import Execution, Funnel, keep
from qc_builder_lora.harvest.corpus.changes.change import Based, based
from qc_builder_lora.harvest.corpus.changes.pairs import Ground
from qc_builder_lora.harvest.corpus.starter import Manifest, candidates, draws, load_manifest
from qc_builder_lora.records import Example, Outcome
from qc_builder_lora.store import Store

from ..conftest import Engine


class Checks:
    """What the corpus is given of `eval`."""

    def read(self, instruction: str) -> list[tuple[str, Any]]:
        return [(one.kind, one.value) for one in constraints_of(instruction)]

    def judge(
        self, demands: Sequence[tuple[str, Any]], code: str, result: BacktestResult
    ) -> Outcome:
        return verdict(judge([Constraint(kind, value) for kind, value in demands], code, result))


class Believes(Checks):
    """Reads nothing from the words, and holds orders for right: the engine's are made up."""

    def read(self, instruction: str) -> list[tuple[str, Any]]:
        return []

    def judge(
        self, demands: Sequence[tuple[str, Any]], code: str, result: BacktestResult
    ) -> Outcome:
        told = [one for one in demands if one[0] in ("number", "stop", "indicator")]
        return super().judge(told, code, result) if told else Outcome.PASS


@cache
def manifest() -> Manifest:
    return load_manifest("full")


def ground(**changed: Any) -> Ground:
    full = manifest()
    given: dict[str, Any] = {
        "taken": lambda _: True,
        "pools": (full.tickers, full.synthetic_tickers),
        "years": (full.first_year, full.last_year),
    }
    return Ground(**{**given, **changed})


def passes(codes: Sequence[str]) -> list[CheckResult]:
    return [CheckResult(Outcome.PASS, ())] * len(codes)


@cache
def drawn(each: int = 2) -> list[Any]:
    """Candidates of all families, some of each."""
    from dataclasses import replace

    full = manifest()
    few = replace(full, families=dict.fromkeys(full.chosen_families(), each), without=())
    return list(candidates(draws(few, set()), full))


def taken_apart() -> Iterator[Based]:
    """The candidates as if they had been executed."""
    from datetime import UTC, datetime

    for one in drawn():
        example = Example(
            id=one.id, instruction=one.instruction, code=one.code, family=one.family,
            source=one.source, licence=one.licence, created_at=datetime(2026, 5, 1, tzinfo=UTC),
            parameters=one.parameters,
        )  # fmt: skip
        apart = based(example, ground().pools, ground().years)
        assert apart is not None, one.family
        yield apart


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of all of them, made once."""
    path = tmp_path_factory.mktemp("filled") / "store.db"
    with Store.open(f"sqlite:///{path}") as store:
        keep(store, drawn(), Execution(Engine(), passes), Funnel("families"))
    return path


@pytest.fixture
def bases(filled: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copy(filled, tmp_path / "store.db")
    with Store.open(f"sqlite:///{tmp_path}/store.db") as opened:
        yield opened
