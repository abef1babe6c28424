"""What became of a Generation, in one word out of a closed list, and the rule that gives it.

The label says what the engine and the parser saw. What the host claims does not enter, nor does
the label say that a strategy is good enough to teach: that is for the gates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum

from qc_builder_lora.backtest.check.parsing import tree_of
from qc_builder_lora.records import BacktestStatus


class Label(StrEnum):
    """Stored in `Generation.label`; a word may be added, none renamed."""

    NO_CODE = "no_code"
    """The coder was asked and left no code."""
    SYNTAX_ERROR = "syntax_error"
    COMPILE_ERROR = "compile_error"
    RUNTIME_ERROR = "runtime_error"
    """It compiled, and the engine ended it."""
    NO_TRADES = "no_trades"
    LOSING = "losing"
    """It traded, and its net profit is below zero."""
    TRADED = "traded"
    UNKNOWN = "unknown"
    """Nothing was read back from an engine that would say."""


def label_of(
    code: str,
    *,
    compiled: bool | None,
    status: BacktestStatus | None,
    statistics: Mapping[str, str],
    parses: bool | None = None,
) -> Label:
    """The label; `compiled` and `status` are None where the engine was not asked, `parses` is where
    nobody has looked yet."""
    if not code.strip():
        return Label.NO_CODE
    if status is BacktestStatus.COMPLETED:
        return _of_statistics(statistics)
    if status is BacktestStatus.FAILED:
        return Label.RUNTIME_ERROR
    # Before `compile_error`: the engine reports both as a failed compile.
    if parses is None:
        parses = not isinstance(tree_of(code), str)
    if not parses:
        return Label.SYNTAX_ERROR
    return Label.COMPILE_ERROR if compiled is False else Label.UNKNOWN


def _of_statistics(statistics: Mapping[str, str]) -> Label:
    orders = number(statistics.get("Total Orders", statistics.get("Total Trades")))
    if orders is None:
        return Label.UNKNOWN
    if orders == 0:
        return Label.NO_TRADES
    profit = number(statistics.get("Net Profit"))
    if profit is None:
        return Label.UNKNOWN
    return Label.LOSING if profit < 0 else Label.TRADED


def number(text: object) -> float | None:
    """A figure as LEAN prints it (`-4.486%`, `$3.49`, `1,204`); None where it is not one. What is
    no finite number (`NaN`, `∞`, which no threshold would ever stop) is none."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        return None
    try:
        written = text.strip().rstrip("%").replace("$", "") if isinstance(text, str) else text
        found = float(written.replace(",", "") if isinstance(written, str) else written)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None
