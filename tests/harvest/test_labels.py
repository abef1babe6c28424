"""One label for each outcome, by what the engine said and nothing else."""

from __future__ import annotations

import pytest

from qc_builder_lora.harvest.labels import Label, label_of, number
from qc_builder_lora.records import BacktestStatus

COMPLETED, FAILED, UNKNOWN = BacktestStatus
FINE = {"Total Orders": "12", "Net Profit": "4.486%"}


@pytest.mark.parametrize(
    ("code", "compiled", "status", "statistics", "label"),
    [
        ("", None, None, {}, "no_code"),
        (" \n", True, COMPLETED, FINE, "no_code"),
        ("def f(:", False, None, {}, "syntax_error"),
        ("def f(:", None, None, {}, "syntax_error"),
        ("x = 1", False, None, {}, "compile_error"),
        ("x = 1", True, None, {}, "unknown"),
        ("x = 1", None, None, {}, "unknown"),
        ("x = 1", True, FAILED, {}, "runtime_error"),
        ("x = 1", True, UNKNOWN, {}, "unknown"),
        ("x = 1", True, COMPLETED, FINE, "traded"),
        ("x = 1", True, COMPLETED, {**FINE, "Net Profit": "-0.001%"}, "losing"),
        ("x = 1", True, COMPLETED, {**FINE, "Net Profit": "0%"}, "traded"),
        ("x = 1", True, COMPLETED, {**FINE, "Total Orders": "0"}, "no_trades"),
        ("x = 1", True, COMPLETED, {"Total Trades": "3", "Net Profit": "1%"}, "traded"),
        ("x = 1", True, COMPLETED, {"Net Profit": "1%"}, "unknown"),
        ("x = 1", True, COMPLETED, {"Total Orders": "3"}, "unknown"),
        ("x = 1", True, COMPLETED, {**FINE, "Total Orders": "many"}, "unknown"),
    ],
)
def test_label(code: str, compiled: bool, status: BacktestStatus, statistics: dict, label: str):
    assert label_of(code, compiled=compiled, status=status, statistics=statistics) == label
    assert label in set(Label)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-4.486%", -4.486),
        ("$3.49", 3.49),
        ("-$1,204.50", -1204.5),
        ("17", 17.0),
        (3, 3.0),
        ("", None),
        (None, None),
        (True, None),
        ("a", None),
    ],
)
def test_figures_are_read_as_lean_prints_them(text: object, value: float | None) -> None:
    assert number(text) == value
