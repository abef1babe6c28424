"""Results of one strategy by several engines, side by side: statistic by statistic, and the first
order in which they part.

Says where they differ, not which is right. A figure that an engine did not give is no difference:
nothing is known about it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qc_builder_lora.backtest.lean_result import STATISTICS
from qc_builder_lora.backtest.protocol import BacktestResult

_NUMBER = re.compile(r"^[-+]?\$?[-+]?[\d,]*\.?\d+(?:[eE][-+]?\d+)?%?$")
_ORDER_FACTS = ("symbol", "type", "quantity", "status", "limit_price", "stop_price", "time")
_FILL_FACTS = ("time", "quantity", "price", "fee")
_CLOSE = 1e-6
"""Relative difference from which two numbers of an order differ."""


@dataclass(frozen=True)
class Row:
    """One figure in all results; the first engine is what the others are measured against."""

    name: str
    values: tuple[str | None, ...]
    """As each engine prints it; None where it does not."""
    differences: tuple[float | None, ...]
    """Number minus the first engine's; None where either is missing or no number."""
    same: bool | None
    """Whether all that gave it agree to the printed digit; None if fewer than two gave it."""


@dataclass(frozen=True)
class Parting:
    """The first thing in which two results differ, in words."""

    engine: str
    where: str
    facts: Mapping[str, tuple[Any, Any]]
    """Fact → what the first engine has, what this one has."""


@dataclass(frozen=True)
class Comparison:
    """What `compare` found."""

    engines: tuple[str, ...]
    statuses: tuple[str, ...]
    reasons: tuple[str | None, ...]
    rows: tuple[Row, ...]
    orders: tuple[int | None, ...]
    partings: tuple[Parting, ...]
    """For each later engine the first order that differs, if one does."""
    equity: tuple[Parting, ...]
    """For each later engine the first day on which the equity differs by a cent."""

    @property
    def same(self) -> bool | None:
        """Whether nothing differs; None where not all engines completed."""
        if any(status != "completed" for status in self.statuses):
            return None
        figures = all(row.same is not False for row in self.rows)
        return figures and not self.partings and not self.equity

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "engines": list(self.engines),
            "same": self.same,
            "status": dict(zip(self.engines, self.statuses, strict=True)),
            "statistics": {
                row.name: {
                    "values": dict(zip(self.engines, row.values, strict=True)),
                    "differences": dict(zip(self.engines, row.differences, strict=True)),
                    "same": row.same,
                }
                for row in self.rows
            },
            "orders": dict(zip(self.engines, self.orders, strict=True)),
            "first_differing_order": [_plain(parting) for parting in self.partings],
            "first_differing_equity": [_plain(parting) for parting in self.equity],
        }


def compare(results: Sequence[BacktestResult]) -> Comparison:
    """The first result beside the others."""
    names = [key for key in STATISTICS if any(key in one.statistics for one in results)]
    extra = {key for one in results for key in one.statistics} - set(names)
    first, *others = results
    return Comparison(
        engines=_unique([one.engine for one in results]),
        statuses=tuple(str(one.status) for one in results),
        reasons=tuple(one.reason for one in results),
        rows=tuple(_row(key, results) for key in (*names, *sorted(extra))),
        orders=tuple(one.total_orders for one in results),
        partings=tuple(filter(None, (_first_order(first, other) for other in others))),
        equity=tuple(filter(None, (_first_day(first, other) for other in others))),
    )


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        name if names.index(name) == index else f"{name} {names[:index].count(name) + 1}"
        for index, name in enumerate(names)
    )


def _row(name: str, results: Sequence[BacktestResult]) -> Row:
    values = tuple(one.statistics.get(name) for one in results)
    numbers = [number_in(value) for value in values]
    differences = tuple(
        None if number is None or numbers[0] is None else round(number - numbers[0], 10)
        for number in numbers
    )
    known = [(number, value) for number, value in zip(numbers, values, strict=True) if value]
    same = None
    if len(known) > 1:
        same = all(_alike(known[0], other) for other in known[1:])
    return Row(name, values, differences, same)


def _alike(one: tuple[float | None, str | None], other: tuple[float | None, str | None]) -> bool:
    """By value where both are numbers: "0%" is "0.000%", "100000" is "100000.00"."""
    if one[0] is not None and other[0] is not None:
        return one[0] == other[0]
    return one[1] == other[1]


def number_in(text: str | None) -> float | None:
    """The number of a printed statistic: percent signs, dollars and thousands aside."""
    if text is None or not _NUMBER.match(text.strip()):
        return None
    return float(re.sub(r"[$,%]", "", text.strip()))


def _first_order(first: BacktestResult, other: BacktestResult) -> Parting | None:
    for index, (one, two) in enumerate(zip(first.orders, other.orders, strict=False), 1):
        facts = _order_facts(one, two)
        if facts:
            return Parting(other.engine, f"order {index}", facts)
    counts = len(first.orders), len(other.orders)
    if counts[0] == counts[1] or not (first.runs and other.runs):
        return None
    at = min(counts)
    pair = tuple(_brief(one.orders[at]) if at < len(one.orders) else None for one in (first, other))
    return Parting(other.engine, f"order {at + 1}", {"order": (pair[0], pair[1])})


def _order_facts(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    found = {
        name: (one.get(name), two.get(name))
        for name in _ORDER_FACTS
        if _differ(one.get(name), two.get(name))
    }
    fills = one.get("fills") or (), two.get("fills") or ()
    if len(fills[0]) != len(fills[1]):
        found["fills"] = (len(fills[0]), len(fills[1]))
    for mine, theirs in zip(*fills, strict=False):
        for name in _FILL_FACTS:
            if _differ(mine.get(name), theirs.get(name)):
                found.setdefault(f"fill {name}", (mine.get(name), theirs.get(name)))
    return found


def _differ(one: Any, two: Any) -> bool:
    if one is None or two is None:
        # One engine does not say.
        return False
    if isinstance(one, int | float) and isinstance(two, int | float):
        return abs(one - two) > _CLOSE * max(1.0, abs(one), abs(two))
    return bool(one != two)


def _brief(order: Mapping[str, Any]) -> str:
    words = (order.get("type"), order.get("symbol"), order.get("quantity"), order.get("time"))
    return " ".join(str(word) for word in words if word is not None)


def _first_day(first: BacktestResult, other: BacktestResult) -> Parting | None:
    theirs = dict(other.equity)
    for day, value in first.equity:
        if day in theirs and abs(theirs[day] - value) >= 0.005:
            return Parting(other.engine, day, {"equity": (value, theirs[day])})
    return None


def _plain(parting: Parting) -> dict[str, Any]:
    facts = {name: list(pair) for name, pair in parting.facts.items()}
    return {"engine": parting.engine, "where": parting.where, "facts": facts}
