"""What LEAN says of a backtest, as its JSON has it: a result file of the LEAN CLI, or the object
that QuantConnect's REST API answers.

Reads the shapes of all years: PascalCase and camelCase keys, `Total Trades` and `Total Orders`,
chart points as {x, y}, [t, y] and [t, open, high, low, close]. A figure that is not there is left
out; one that seems to have been renamed makes the whole result unknown. Runs nothing.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.lean_printed import contradiction, figure_of
from qc_builder_lora.backtest.lean_series import (
    closed_trade,
    daily_equity,
    entry,
    listed,
    number_of,
    order_of,
    printable,
)
from qc_builder_lora.errors import CorruptFile
from qc_builder_lora.records import BacktestStatus

STATISTICS = (
    "Total Orders", "Average Win", "Average Loss", "Compounding Annual Return", "Drawdown",
    "Expectancy", "Start Equity", "End Equity", "Net Profit", "Sharpe Ratio", "Sortino Ratio",
    "Probabilistic Sharpe Ratio", "Loss Rate", "Win Rate", "Profit-Loss Ratio", "Alpha", "Beta",
    "Annual Standard Deviation", "Annual Variance", "Information Ratio", "Tracking Error",
    "Treynor Ratio", "Total Fees", "Estimated Strategy Capacity", "Lowest Capacity Asset",
    "Portfolio Turnover", "Drawdown Recovery", "OrderListHash",
)  # fmt: skip
"""LEAN's summary statistics, in its order."""
_CORE = ("Total Orders", "Compounding Annual Return", "Drawdown", "Net Profit", "Sharpe Ratio")
"""Every LEAN prints these of every completed backtest."""
_RENAMED = {"Total Trades": "Total Orders"}  # LEAN, March 2024
_LIKENESS = 0.75
"""From here on two keys are taken for one that was renamed."""
LOADING = ("Loader.TryCreatePythonAlgorithm", "Unable to import python module")
INITIALIZING = ("During the algorithm initialization", "Algorithm.Initialize() Error")
_IN_INITIALIZE = "hasInitializeError"
EQUITY_CHART, EQUITY_SERIES = "Strategy Equity", "Equity"


@dataclass(frozen=True, kw_only=True)
class LeanResult:
    """One result, in our words; figures keep LEAN's."""

    statistics: Mapping[str, str] = field(default_factory=dict)
    """Under the keys of today's LEAN."""
    trade_statistics: Mapping[str, Any] = field(default_factory=dict)
    trades: tuple[Mapping[str, Any], ...] = ()
    orders: tuple[Mapping[str, Any], ...] = ()
    equity: tuple[tuple[str, float], ...] = ()
    version: str | None = None
    """LEAN's own version."""
    error: str | None = None
    stacktrace: str | None = None
    contradicted: str | None = None
    """What the statistics say and the figures beside them do not."""
    failed_in: str = "run"
    """The phase that an error came from."""

    @property
    def total_orders(self) -> int | None:
        """As the statistics count them."""
        found = self.statistics.get("Total Orders", "").replace(",", "")
        return int(found) if found.isdigit() else None

    @property
    def closed_trades(self) -> int | None:
        """As the trade statistics count them."""
        found = number_of(self.trade_statistics.get("totalNumberOfTrades"))
        if found is not None:
            return int(found)
        return len(self.trades) if self.trades else None

    def verdict(self) -> tuple[BacktestStatus, str | None, str]:
        """Status, reason, and the last phase that was reached."""
        if self.error or self.stacktrace:
            return BacktestStatus.FAILED, _failure(self.error, self.stacktrace), self.failed_in
        missing = problem(self.statistics) or self.contradicted
        if missing is not None:
            return BacktestStatus.UNKNOWN, missing, "run"
        return BacktestStatus.COMPLETED, None, "done"


def read_result(value: Mapping[str, Any], events: Sequence[Any] = ()) -> LeanResult:
    """A result out of LEAN's JSON; `events` are order events that lie in a file of their own."""
    performance = entry(value, "totalPerformance") or {}
    state = entry(value, "state") or {}
    statistics = _statistics(entry(value, "statistics"))
    error = entry(value, "error") or entry(state, "RuntimeError") or None
    trace = entry(value, "stacktrace") or entry(state, "StackTrace") or None
    return LeanResult(
        statistics=statistics,
        contradicted=contradiction(statistics, entry(performance, "portfolioStatistics")),
        trade_statistics=_lowered(entry(performance, "tradeStatistics")),
        trades=tuple(map(closed_trade, listed(entry(performance, "closedTrades")))),
        orders=read_orders(entry(value, "orders"), events),
        equity=read_equity(entry(entry(value, "charts") or {}, EQUITY_CHART)),
        version=_version(value),
        error=printable(str(error or "")).strip() or None,
        stacktrace=printable(str(trace or "")).strip() or None,
        failed_in=phase_of(f"{error}\n{trace}", initializing=bool(entry(value, _IN_INITIALIZE))),
    )


def read_orders(orders: Any, events: Sequence[Any] = ()) -> tuple[Mapping[str, Any], ...]:
    """Orders by number, from a list or from an object keyed by number."""
    apart: dict[int, list[Any]] = {}
    for event in events:
        apart.setdefault(int(number_of(entry(event, "orderId")) or 0), []).append(event)
    plain = [order_of(order, apart) for order in listed(orders) if isinstance(order, Mapping)]
    return tuple(sorted(plain, key=lambda order: order["id"]))


def read_equity(chart: Any) -> tuple[tuple[str, float], ...]:
    """Daily equity out of the chart `Strategy Equity`; empty where it has none."""
    series = entry(chart, "series") if isinstance(chart, Mapping) else None
    if isinstance(series, Sequence) and not isinstance(series, str):
        series = {str(entry(one, "name")): one for one in series if isinstance(one, Mapping)}
    found = entry(series, EQUITY_SERIES) if isinstance(series, Mapping) else None
    return daily_equity(listed(entry(found, "values"))) if isinstance(found, Mapping) else ()


def problem(statistics: Mapping[str, str]) -> str | None:
    """Why these are not the statistics of a completed backtest; None if they are."""
    if not statistics:
        return "the engine gave no statistics"
    strange = [key for key in statistics if key not in STATISTICS]
    for key in STATISTICS:
        if key in statistics:
            if key in _CORE and figure_of(statistics[key]) is None:
                return f"the statistics' {key!r} is no figure: {statistics[key]!r}"
            continue
        close = difflib.get_close_matches(key, strange, n=1, cutoff=_LIKENESS)
        if close:
            return (
                f"the statistics have no {key!r} but {close[0]!r}: the engine seems to have "
                "renamed it, so none of them is trusted"
            )
        if key in _CORE:
            return f"the statistics have no {key!r}: they are {', '.join(sorted(statistics))}"
    return None


def phase_of(text: str, *, initializing: bool = False) -> str:
    """The phase in which a strategy failed, by the words LEAN has for each."""
    if any(words in text for words in LOADING):
        return "load"
    if initializing or any(words in text for words in INITIALIZING):
        return "initialize"
    return "run"


def find_result(folder: Path) -> Path | None:
    """The result file that LEAN left in an output folder; None if there is none."""
    kinds = ("-summary", "-order-events", "-log")
    found = [
        path
        for path in sorted(folder.glob("*.json"))
        if not path.stem.endswith(kinds) and not path.name.startswith("data-monitor-report")
    ]
    numbered = [path for path in found if path.stem.lstrip("-").isdigit()]
    for path in (*numbered, *found):
        value = load_json(path)
        if isinstance(value, Mapping) and is_result(value):
            return path
    return None


def is_result(value: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a result of LEAN's."""
    names = {str(key).lower() for key in value}
    return "statistics" in names and bool(names & {"charts", "totalperformance", "orders", "state"})


def read_file(path: Path) -> LeanResult:
    """A result file with the order events beside it; CorruptFile where it is no result."""
    value = load_json(path)
    if not isinstance(value, Mapping) or not is_result(value):
        raise CorruptFile(path, "it is not a backtest result of LEAN's", "Name another file.")
    beside = path.with_name(f"{path.stem}-order-events.json")
    events = load_json(beside) if beside.exists() else ()
    return read_result(value, events if isinstance(events, list) else ())


def load_json(path: Path) -> Any:
    """A JSON file; CorruptFile says where it is broken."""
    try:
        # NaN is no JSON, and no figure either.
        text = path.read_bytes().decode("utf-8-sig")
        return json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        cure = "Run the backtest again, or leave this file out."
        raise CorruptFile(path, f"it is not JSON: {error}", cure) from error


def _statistics(found: Any) -> dict[str, str]:
    if not isinstance(found, Mapping):
        # The REST API answers an empty list while there are none.
        return {}
    # Beside today's name the former one is a figure of the strategy's own.
    named = {
        str(key) if _RENAMED.get(str(key), str(key)) in found else _RENAMED.get(str(key), str(key)):
        value for key, value in found.items()
    }  # fmt: skip
    return {
        printable(key): printable(str(value)) for key, value in named.items() if value is not None
    }


def _lowered(found: Any) -> dict[str, Any]:
    if not isinstance(found, Mapping):
        return {}
    return {str(key)[:1].lower() + str(key)[1:]: value for key, value in found.items()}


def _version(value: Mapping[str, Any]) -> str | None:
    for where in ("serverStatistics", "runtimeStatistics"):
        found = entry(entry(value, where) or {}, "LEAN Version")
        if found:
            return str(found)
    return None


def _failure(error: str | None, trace: str | None) -> str:
    parts = [part for part in (error, trace) if part]
    if len(parts) == 2 and parts[0] in parts[1]:
        parts = parts[1:]
    return "\n".join(parts)
