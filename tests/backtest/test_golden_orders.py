"""Orders, models and brokerages against the figures that LEAN published for its own algorithms.

Each strategy in `golden/` is our own, of the same behaviour as the LEAN algorithm that
`orders.json` names beside its figures. Those were published between 2023 and 2025; what LEAN has
changed since is listed here, and everything else is equal to the printed digit.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qc_builder_lora.backtest.protocol import BacktestSettings, Limits
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.records import BacktestStatus

GOLDEN = Path(__file__).parent / "golden"
PUBLISHED = json.loads((GOLDEN / "orders.json").read_text())
# Since 2026-07-06 it is worked out on returns in excess of the risk free rate.
CHANGED = {"Probabilistic Sharpe Ratio"}
# The orders were hashed with other spellings of their properties until 2024.
OTHER_HASH = {
    "custom_buying_power", "limit_if_touched", "set_holdings_list",
    "statistics_results", "time_in_force", "trailing_stop",
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_figure_equals_lean_to_the_printed_digit(name: str, lean: Simulator) -> None:
    # One of them lives by the second.
    patient = BacktestSettings(limits=Limits(wall_s=600, cpu_s=300))
    result = lean.run((GOLDEN / f"{name}.py").read_text(), patient)

    assert result.status is BacktestStatus.COMPLETED, result.reason
    left_out = CHANGED | ({"OrderListHash"} if name in OTHER_HASH else set())
    wanted = {
        key: value
        for key, value in PUBLISHED[name]["statistics"].items()
        if key not in left_out
    }  # fmt: skip
    assert {key: result.statistics.get(key) for key in wanted} == wanted
    # Keys that LEAN has added since.
    more = set(result.statistics) - set(wanted) - left_out
    assert more <= {"Drawdown Recovery", "Start Equity", "End Equity"}
