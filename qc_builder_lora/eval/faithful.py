"""Does an answer do what was asked, as far as that can be told without judgement?

A request comes with constraints (`Constraint`): a suite of ours says them, or
`asked.constraints_of` reads them from any instruction. `judge` holds each against the code and its
backtest and answers PASS, FAIL or UNKNOWN with its evidence; `verdict` makes one answer of them:
FAIL where one fails, UNKNOWN where one is unknown or there are none, PASS only where all pass.

    findings = judge(constraints, code, result)
    verdict(findings)                      # Outcome.PASS | FAIL | UNKNOWN

What was traded, when and how much comes from the engine's fills; what was used (indicators,
numbers, stops) from the syntax tree, where a thing that stands in the code may still do nothing.
So PASS says "nothing that was asked is missing", not "the logic is right". A backtest that is
missing or UNKNOWN leaves the first kind UNKNOWN; one that failed has not done what was asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from qc_builder_lora.backtest.check import strategy_hash
from qc_builder_lora.backtest.check.mentions import INDICATORS, Mentions
from qc_builder_lora.backtest.check.parsing import tree_of
from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.errors import InputError
from qc_builder_lora.eval.replay import Replay
from qc_builder_lora.records import BacktestStatus, Outcome

_SLACK_DAYS = 7
"""A period begins and ends on a trading day: a week-end and holidays after and before what was
asked."""
_SLACK_WEIGHT = 0.15
"""By what part a weight may be above what was asked: the price moves overnight between the order
and its fill (GOOG opened 12 % higher once)."""
_SMALL = 1000
"""Below it a number is of the rules: the 12 of a date is no answer to a period of 12."""
_STOPS = r"stop|trail|unrealized|drawdown|loss|peak|highest|entry"
_STOP_TYPES = frozenset({"stop_market", "stop_limit", "trailing_stop"})
MOST_DAYS_A_PERIOD = 2
"""Days with orders a month, week or quarter of a strategy that rebalances once in it: what could
not be filled at once may be ordered again on the next day."""


@dataclass(frozen=True)
class Constraint:
    """One thing that was asked: its kind (a key of `KINDS`) and how much or which."""

    kind: str
    value: Any = True

    def plain(self) -> dict[str, Any]:
        return {"kind": self.kind, "value": self.value}


@dataclass(frozen=True)
class Finding:
    """What came of one constraint, and by what one can see it."""

    constraint: Constraint
    outcome: Outcome
    evidence: str

    def plain(self) -> dict[str, Any]:
        return {**self.constraint.plain(), "outcome": self.outcome.value, "evidence": self.evidence}


@dataclass(frozen=True)
class _Case:
    text: str
    code: Mentions
    result: BacktestResult | None
    replay: Replay


_ALSO = {
    "atr": r"keltner|kch|super_?trend|\bstr\b",
    "keltner": r"true_?range|atr",
    "sma": r"bollinger|\bbb\b|_bb|keltner|kch",
}
"""What has another indicator inside: a channel has its average, Keltner's its true range."""
_LOOSE = ("momentum", "volatility", "breakout", "mean", "pairs", "rebalanc", "insights", "stop",
          "trailing")  # fmt: skip
"""Beginnings of words for a way of trading: good code for it may mention none of the names."""
NAMED = {
    words: "|".join([names, *(also for key, also in _ALSO.items() if words.startswith(key))])
    for words, names in INDICATORS.items()
    if not words.startswith(_LOOSE)
}
"""Words of a request for an indicator → the names by which code that uses it is known."""
_Said = tuple[Outcome, str]
_Judge = Callable[[Any, _Case], _Said]


def constraints_from(values: Iterable[Mapping[str, Any]]) -> tuple[Constraint, ...]:
    """The constraints of a suite's prompt. Raises InputError for an unknown kind."""
    found = []
    for one in values:
        kind = str(one.get("kind"))
        if kind not in KINDS:
            raise InputError(f"unknown constraint {kind!r}. Known: {', '.join(sorted(KINDS))}.")
        found.append(Constraint(kind, one.get("value", True)))
    return tuple(found)


def judge(
    constraints: Sequence[Constraint], code: str, result: BacktestResult | None
) -> list[Finding]:
    """One finding for each constraint; code that does not parse fails them all."""
    tree = tree_of(code)
    if isinstance(tree, str):
        return [Finding(one, Outcome.FAIL, f"does not parse: {tree}") for one in constraints]
    completed = result is not None and result.status is BacktestStatus.COMPLETED
    orders = result.orders if result is not None and completed else ()
    case = _Case(code, Mentions(code, tree), result, Replay(orders))
    return [Finding(one, *_said(one, case)) for one in constraints]


def verdict(findings: Sequence[Finding]) -> Outcome:
    """FAIL where one fails; PASS where there are some and all pass; else UNKNOWN."""
    outcomes = {one.outcome for one in findings}
    if Outcome.FAIL in outcomes:
        return Outcome.FAIL
    return Outcome.PASS if outcomes == {Outcome.PASS} else Outcome.UNKNOWN


def _said(constraint: Constraint, case: _Case) -> _Said:
    look, needs_run = KINDS[constraint.kind]
    if needs_run:
        if case.result is None:
            return Outcome.UNKNOWN, "there is no backtest"
        if case.result.status is BacktestStatus.UNKNOWN:
            return Outcome.UNKNOWN, f"the backtest is unknown: {case.result.reason}"
        if case.result.status is not BacktestStatus.COMPLETED:
            return Outcome.FAIL, f"the backtest failed: {case.result.reason}"
    return look(constraint.value, case)


def _ok(good: bool, evidence: str) -> _Said:
    return (Outcome.PASS if good else Outcome.FAIL), evidence


def _trades(_value: Any, case: _Case) -> _Said:
    count = len(case.replay.fills)
    return _ok(count > 0, f"{count} fills")


def _symbols(value: Any, case: _Case) -> _Said:
    """Every ticker stands in the code, and nothing else is traded."""
    missing = [one for one in value if case.code.ticker(str(one)) is None]
    if missing:
        return Outcome.FAIL, f"not in the code: {', '.join(missing)}"
    return _symbols_among(value, case)


def _symbols_among(value: Any, case: _Case) -> _Said:
    """Nothing but these is traded; of words that look like tickers some may be none."""
    traded = sorted(case.replay.symbols)
    others = [one for one in traded if one not in value]
    if others:
        return Outcome.FAIL, f"traded without being asked for: {', '.join(others)}"
    if not traded:
        return Outcome.FAIL, f"none of {', '.join(value)} was traded"
    return Outcome.PASS, f"traded {', '.join(traded)}"


def _indicator(value: Any, case: _Case) -> _Said:
    names = [names for words, names in NAMED.items() if re.fullmatch(words, str(value), re.I)]
    line = case.code.named(names[0] if names else re.escape(str(value)))
    return _ok(line is not None, _line(case, line) or f"nothing in the code looks like {value}")


def _number(value: Any, case: _Case) -> _Said:
    line = _number_line(value, case)
    return _ok(line is not None, _line(case, line) or f"{value} is not in the code")


def _number_line(value: Any, case: _Case) -> int | None:
    """Where it stands among the rules; what may be a year or an amount, anywhere."""
    return case.code.number(float(value), in_rules=abs(float(value)) < _SMALL)


def _most_numbers(value: Any, case: _Case) -> _Said:
    """Half of them at least: of numbers read from prose some are no parameters."""
    missing = [one for one in value if _number_line(one, case) is None]
    named = f"; not in the code: {', '.join(f'{one:g}' for one in missing)}" if missing else ""
    found = len(value) - len(missing)
    return _ok(2 * found >= len(value), f"{found} of {len(value)} numbers found{named}")


def _changed(value: Any, case: _Case) -> _Said:
    """It is none of the codes that the request shows, whatever its layout and comments."""
    same = strategy_hash(case.text) in value
    return _ok(not same, "the code of the request, as it was" if same else "not the code shown")


def _long_only(_value: Any, case: _Case) -> _Said:
    symbol, day, quantity = case.replay.lowest
    if quantity < 0:
        return Outcome.FAIL, f"{symbol} was at {quantity:g} shares on {day}"
    return Outcome.PASS, "no position below zero"


def _max_positions(value: Any, case: _Case) -> _Said:
    most, day = case.replay.most_at_once
    return _ok(most <= int(value), f"at most {most} at once" + (f", on {day}" if day else ""))


def _max_weight(value: Any, case: _Case) -> _Said:
    assert case.result is not None
    found = case.replay.largest_weight(dict(case.result.equity))
    if found is None:
        return Outcome.UNKNOWN, "no fill on a day whose equity is known"
    weight, symbol, day = found
    return _ok(weight <= float(value) * (1 + _SLACK_WEIGHT), f"{symbol} was {weight:.1%} on {day}")


def _period(value: Any, case: _Case) -> _Said:
    assert case.result is not None
    if not case.result.equity:
        return Outcome.UNKNOWN, "the engine gives no equity by day"
    days = [date.fromisoformat(case.result.equity[at][0][:10]) for at in (0, -1)]
    asked = [date.fromisoformat(str(day)) for day in value]
    apart = [abs((day - other).days) for day, other in zip(days, asked, strict=True)]
    return _ok(max(apart) <= _SLACK_DAYS, f"ran from {days[0]} to {days[1]}")


def _cash(value: Any, case: _Case) -> _Said:
    assert case.result is not None
    text = case.result.statistics.get("Start Equity")
    if text is None:
        return Outcome.UNKNOWN, "the engine does not say what it began with"
    return _ok(abs(float(text) - float(value)) < 1, f"began with {text}")


def _stop(value: Any, case: _Case) -> _Said:
    """A stop order was placed, or the code speaks of a stop; with its size where one is given."""
    ordered = sorted(case.replay.types & _STOP_TYPES)
    line = case.code.named(_STOPS)
    if not ordered and line is None:
        return Outcome.FAIL, "no stop order was placed, and no name in the code speaks of a stop"
    seen = f"orders: {', '.join(ordered)}" if ordered else _line(case, line)
    if value is True:
        return Outcome.PASS, seen
    at = _number_line(value, case)
    return _ok(at is not None, seen + f"; {_line(case, at) or f'{value} is not in the code'}")


def _rebalance(value: Any, case: _Case) -> _Said:
    """Orders come on few days of each week, month or quarter; two at least must have some."""
    periods = case.replay.days_by(str(value))
    if len(periods) < 2:
        return Outcome.UNKNOWN, f"orders in {len(periods)} {value}s: too few to tell"
    name, days = max(periods.items(), key=lambda one: len(one[1]))
    most = f"at most {len(days)} days with orders a {value}, {name}"
    return _ok(len(days) <= MOST_DAYS_A_PERIOD, most)


def _line(case: _Case, line: int | None) -> str:
    return "" if line is None else f"line {line}: {case.code.quote(line)}"


KINDS: Mapping[str, tuple[_Judge, bool]] = {
    "trades": (_trades, True),
    "symbols": (_symbols, True),
    "symbols_among": (_symbols_among, True),
    "indicator": (_indicator, False),
    "number": (_number, False),
    "most_numbers": (_most_numbers, False),
    "changed": (_changed, False),
    "long_only": (_long_only, True),
    "max_positions": (_max_positions, True),
    "max_weight": (_max_weight, True),
    "period": (_period, True),
    "cash": (_cash, True),
    "stop": (_stop, False),
    "rebalance": (_rebalance, True),
}
"""Kinds of constraints: who judges them, and whether a completed backtest is needed for it."""
