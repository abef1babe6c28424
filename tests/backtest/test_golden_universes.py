"""Universes, the framework's models and what a strategy keeps, against LEAN's own figures.

Each strategy in `golden/` is our own, of the same behaviour as the LEAN algorithm that
`universes.json` names beside its figures. Those were published in 2025; Probabilistic Sharpe Ratio
is left out: since 2026-07-06 LEAN works it out on returns in excess of the risk free rate.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.records import BacktestStatus

GOLDEN = Path(__file__).parent / "golden"
PUBLISHED = json.loads((GOLDEN / "universes.json").read_text())


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_figure_comes_out(name: str, lean: Simulator) -> None:
    result = lean.run((GOLDEN / f"{name}.py").read_text())

    assert result.status is BacktestStatus.COMPLETED, result.reason
    wanted = PUBLISHED[name]["statistics"]
    assert {key: result.statistics.get(key) for key in wanted} == wanted
