"""A strategy's own models, risk models and odd ends, against figures that LEAN published.

Each strategy in `golden/` is our own, of the same behaviour as the LEAN algorithm that
`models.json` names beside its figures of 2025.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.records import BacktestStatus

GOLDEN = Path(__file__).parent / "golden"
PUBLISHED = json.loads((GOLDEN / "models.json").read_text())
# Since 2026-07-06 it is worked out on returns in excess of the risk free rate.
CHANGED = {"Probabilistic Sharpe Ratio"}


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_figure_equals_lean_to_the_printed_digit(name: str, lean: Simulator) -> None:
    result = lean.run((GOLDEN / f"{name}.py").read_text())

    assert result.status is BacktestStatus.COMPLETED, result.reason
    published = PUBLISHED[name]["statistics"]
    wanted = {key: value for key, value in published.items() if key not in CHANGED}
    assert {key: result.statistics.get(key) for key in wanted} == wanted
