"""G8: run again on data that ends earlier, and the orders up to there must be the same.

Finds code whose past depends on the future: on bars that come later, or on the date of the end.
Does not find what was learnt before the code was written (a list of next year's winners).
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from qc_builder_lora.backtest.check.parsing import tree_of
from qc_builder_lora.backtest.protocol import Backtester, BacktestResult, BacktestSettings
from qc_builder_lora.harvest.ladder import Answer, failed, passed, placed, unknown
from qc_builder_lora.records import BacktestStatus, Outcome

_SETTERS = ("set_end_date", "SetEndDate")
_DEFAULTS = BacktestSettings()
_OUTSIDE = "end cannot be set from outside"


@dataclass(frozen=True)
class Cut:
    """A run to its end, and where the second one shall end."""

    code: str
    whole: BacktestResult
    end: date


def cut_of(code: str, result: BacktestResult, share: float) -> Cut | None:
    """After that share of the days, later if no order had been placed by then; None without any.

    Moved back to the first of its month, so that many strategies can be run with one end.
    """
    days = [date.fromisoformat(day[:10]) for day, _ in result.equity]
    placed_on = sorted(day for order in result.orders if (day := _day(order)) is not None)
    if not days or not placed_on:
        return None
    end = days[min(len(days) - 1, int(share * len(days)))].replace(day=1)
    if end <= placed_on[0]:
        # Some days later, for the last day of the shorter run is not compared.
        end = placed_on[len(placed_on) // 2] + timedelta(days=7)
    return Cut(code, result, end)


def rerun(
    engine: Backtester, cuts: Sequence[Cut], jobs: int, settings: BacktestSettings = _DEFAULTS
) -> list[Answer]:
    """The answers to the cuts, in their order; one end at a time."""
    groups: dict[date, list[int]] = {}
    for index, cut in enumerate(cuts):
        groups.setdefault(cut.end, []).append(index)
    answers: dict[int, Answer] = {}
    for end, indices in groups.items():
        codes = [cuts[index].code for index in indices]
        ended = replace(settings, end=end)
        found = list(engine.run_many(codes, ended, jobs=jobs))
        if any(_OUTSIDE in (one.reason or "") for one in found):
            # LEAN elsewhere takes the code as it stands: the date in it is moved instead.
            moved = [_ended(code, end) or code for code in codes]
            found = list(engine.run_many(moved, settings, jobs=jobs))
        for index, second in zip(indices, found, strict=True):
            answers[index] = compare(cuts[index], second)
    _ask_twice(engine, cuts, answers, jobs, settings)
    return [answers[index] for index in range(len(cuts))]


def _ask_twice(
    engine: Backtester, cuts: Sequence[Cut], answers: dict[int, Answer], jobs: int,
    settings: BacktestSettings,
) -> None:  # fmt: skip
    """Of those that differ: the whole run once more. What rolls dice or reads the clock of the wall
    differs from itself, and that is no look-ahead."""
    differing = [index for index, answer in answers.items() if answer[0] is Outcome.FAIL]
    codes = [cuts[index].code for index in differing]
    again = engine.run_many(codes, settings, jobs=jobs) if codes else ()
    for index, third in zip(differing, again, strict=True):
        first = [placed(order) for order in cuts[index].whole.orders]
        if third.runs and first != [placed(order) for order in third.orders]:
            evidence = {**answers[index][1], "final": True}
            evidence.pop("reason")
            answers[index] = unknown(
                "its orders differ from run to run, so that nothing can be compared", **evidence
            )


def compare(cut: Cut, second: BacktestResult) -> Answer:
    """PASS where both placed the same orders before the day of the cut.

    The last day of the shorter run is left out: what a strategy does when its run ends
    (`on_end_of_algorithm`, a day before `self.end_date`) rightly differs there.
    """
    evidence: dict[str, Any] = {"cut": cut.end.isoformat()}
    if second.status is not BacktestStatus.COMPLETED:
        return unknown(f"the shorter run did not end: {second.reason or second.status}", **evidence)
    end = _last_day(second, cut.end)
    first, then = _before(cut.whole, end), _before(second, end)
    evidence["orders"] = len(first)
    if not first and not then:
        return unknown("no order was placed before the cut", **evidence)
    if first == then:
        return passed(**evidence)
    at = next(
        (n for n, pair in enumerate(zip(first, then, strict=False)) if pair[0] != pair[1]),
        min(len(first), len(then)),
    )
    evidence |= {
        "differs_at": at,
        "whole": first[at] if at < len(first) else "no more orders",
        "shorter": then[at] if at < len(then) else "no more orders",
    }
    return failed("its orders depend on what comes later", **evidence)


def _last_day(shorter: BacktestResult, end: date) -> date:
    """The last trading day before its end; the end where the equity does not reach to it."""
    last = max((date.fromisoformat(day[:10]) for day, _ in shorter.equity), default=end)
    return last if end - timedelta(days=7) <= last <= end else end


def _before(result: BacktestResult, end: date) -> list[list[Any]]:
    """Orders placed before the day `end`, each with those of its fills."""
    found = []
    for order in result.orders:
        day = _day(order)
        if day is not None and day < end:
            fills = [
                [str(fill.get(key)) for key in ("time", "quantity", "price")]
                for fill in order.get("fills", ())
                if isinstance(fill, Mapping) and str(fill.get("time"))[:10] < end.isoformat()
            ]
            found.append([*placed(order), fills])
    return found


def _day(order: Mapping[str, Any]) -> date | None:
    try:
        return date.fromisoformat(str(order.get("time"))[:10])
    except ValueError:
        return None


def _ended(code: str, end: date) -> str | None:
    """The code with its end date moved; None unless it is set exactly once, in one line."""
    tree = tree_of(code)
    if isinstance(tree, str):
        return None
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _SETTERS
    ]
    if len(calls) != 1 or calls[0].lineno != calls[0].end_lineno:
        return None
    call = calls[0]
    lines = code.split("\n")
    line = lines[call.lineno - 1].encode()
    function = line[call.col_offset : call.func.end_col_offset].decode()
    written = f"{function}({end.year}, {end.month}, {end.day})"
    before, after = line[: call.col_offset].decode(), line[call.end_col_offset :].decode()
    lines[call.lineno - 1] = before + written + after
    return "\n".join(lines)
