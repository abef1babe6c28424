"""Changes of what a family has parameters for: numbers, tickers, dates and cash.

The family itself writes the code after the change, so it is what an author would have written.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from qc_builder_lora.harvest.corpus.changes.change import Based, Demand, Edit
from qc_builder_lora.harvest.corpus.families.risk_rules import SIGNALS
from qc_builder_lora.harvest.corpus.family import Family, Frame

_TRIES = 40
_CASH = (10_000, 20_000, 25_000, 50_000, 75_000, 100_000, 150_000, 200_000, 250_000, 500_000)
_CASH_MORE = (1_000_000, 2_000_000)
_BARS = frozenset({"fast", "slow", "period", "lookback", "window", "short", "medium", "long",
                   "entry", "exit", "atr", "trend", "average"})  # fmt: skip
"""Parameters that count bars, where they are whole numbers."""


def one_number(based: Based, source: random.Random) -> Edit | None:
    """One parameter of the family."""
    return _numbers(based, source, 1)


def several_numbers(based: Based, source: random.Random) -> Edit | None:
    """Two or three parameters at once."""
    return _numbers(based, source, source.choice((2, 2, 3)))


def _numbers(based: Based, source: random.Random, count: int) -> Edit | None:
    family, before = based.family, based.parameters
    keys = [k for k, values in family.parameters.items() if len(values) > 1]
    keys = [k for k in keys if str(before[k]) not in SIGNALS]
    if len(keys) < count:
        return None
    for _ in range(_TRIES):
        after = dict(before)
        chosen = sorted(source.sample(keys, count), key=keys.index)
        for key in chosen:
            after[key] = source.choice(list(family.parameters[key]))
        # As text: a list of months was a tuple before it was in the store.
        same = any(_shown(after[key]) == _shown(before[key]) for key in chosen)
        if same or not family.valid(after):
            continue
        asks = [_said(key, before[key], after[key]) for key in chosen]
        bars = _bars(chosen, before, after)
        return _redrawn(
            based, after, [bars] if bars and source.random() < 0.4 else asks,
            [_demand(after[key]) for key in chosen],
        )  # fmt: skip
    return None


def entry_rule(based: Based, source: random.Random) -> Edit | None:
    """Another signal to enter and leave by, where the family is a risk rule with any signal."""
    now = based.parameters.get("signal")
    if str(now) not in SIGNALS:
        return None
    others = [one for one in SIGNALS if one.split()[0] != str(now).split()[0]]
    after = {**based.parameters, "signal": source.choice(others)}
    words = based.family.names(after)
    entry, leave = words["said_in"], words["said_out"]
    asks = (
        f"buy when {entry} and sell when {leave}, in place of the entry and exit it has",
        f"take another signal: in when {entry}, out when {leave}",
        f"change the entry to: {words['label']}; the exit to: {leave}",
        f"the signal shall be another one: long when {entry}, out when {leave}",
    )
    numbers: list[Demand] = [("number", float(n)) for n in str(after["signal"]).split()[1:]]
    return _redrawn(based, after, [asks], numbers)


def other_ticker(based: Based, source: random.Random) -> Edit | None:
    """One ticker in place of another."""
    old = list(based.parameters["tickers"])
    others = [one for one in based.tickers if one not in old]
    if not others:
        return None
    gone, new = source.choice(old), source.choice(others)
    asks = (
        f"trade {new} instead of {gone}",
        f"use {new} in place of {gone}",
        f"replace {gone} with {new}",
        f"swap {gone} for {new}",
        f"run it on {new} rather than {gone}",
    )
    return _traded(based, [new if one == gone else one for one in old], asks)


def more_tickers(based: Based, source: random.Random) -> Edit | None:
    """One ticker more, where the family trades a list."""
    old = list(based.parameters["tickers"])
    others = [one for one in based.tickers if one not in old]
    if not others or based.family.assets[1] <= 2 or len(old) > based.family.assets[1]:
        return None
    new = source.choice(others)
    asks = (
        f"also trade {new}",
        f"add {new} to the tickers",
        f"put {new} into the universe too",
        f"the universe shall have {new} besides",
    )
    return _traded(based, [*old, new], asks)


def fewer_tickers(based: Based, source: random.Random) -> Edit | None:
    """One ticker less."""
    old = list(based.parameters["tickers"])
    if based.family.assets[1] <= 2 or len(old) <= max(2, based.family.assets[0]):
        return None
    gone = source.choice(old)
    asks = (
        f"drop {gone}",
        f"take {gone} out of the universe",
        f"remove {gone} from the tickers",
        f"do it without {gone}",
    )
    return _traded(based, [one for one in old if one != gone], asks)


def dates(based: Based, source: random.Random) -> Edit | None:
    """Another period of whole years."""
    low, high = based.years
    first = source.randint(low, high - 2)
    last = source.randint(first + 2, high)
    frame = replace(based.frame, start=date(first, 1, 1), end=date(last, 12, 31))
    if (frame.start, frame.end) == (based.frame.start, based.frame.end):
        return None
    asks = (
        f"run it from {first} to {last}",
        f"backtest {frame.start} to {frame.end} instead",
        f"make the period {first}-{last}",
        f"the dates should be {frame.start.isoformat()} and {frame.end.isoformat()}",
        f"test the years {first} to {last}",
    )
    demand = ("period", [frame.start.isoformat(), frame.end.isoformat()])
    return _framed(based, frame, asks, demand)


def cash(based: Based, source: random.Random) -> Edit | None:
    """Another amount to begin with."""
    amount = source.choice([one for one in _CASH + _CASH_MORE if one != based.frame.cash])
    frame = replace(based.frame, cash=amount)
    asks = (
        f"start with ${amount:,}",
        f"initial capital {amount}",
        f"give it ${amount:,} of cash",
        f"set the cash to {amount}",
        f"begin with ${amount:,} rather than ${based.frame.cash:,}",
    )
    return _framed(based, frame, asks, ("cash", amount))


def _framed(based: Based, frame: Frame, asks: Sequence[str], demand: Demand) -> Edit:
    after = based.family.code(based.parameters, frame)
    return Edit(before=based.code, after=after, asks=[asks], demands=[demand])


def _traded(based: Based, tickers: list[str], asks: Sequence[str]) -> Edit | None:
    after = {**based.parameters, "tickers": tickers}
    if not based.family.valid(after):
        return None
    return _redrawn(based, after, [asks], [("symbols", sorted(tickers))])


def _redrawn(
    based: Based,
    after: Mapping[str, Any],
    asks: Sequence[Sequence[str]],
    demands: Sequence[Demand],
) -> Edit:
    family = based.family
    return Edit(
        before=based.code,
        after=family.code(after, based.frame),
        asks=asks,
        demands=demands,
        becomes=after,
        afterwards=_sentence(family, after, based.frame),
    )


def _sentence(family: Family, parameters: Mapping[str, Any], frame: Frame) -> str:
    """The shortest of the family's phrasings that is prose."""
    said = [
        family.instruction(number, parameters, frame)
        for number, text in enumerate(family.phrasings)
        if "\n" not in text
    ]
    return min(said, key=len)


def _demand(value: Any) -> Demand:
    if isinstance(value, int | float):
        return ("number", float(value))
    if isinstance(value, str):
        return ("has", rf"\b{value}")
    return ("has", re.escape(_shown(value)))


def _said(key: str, old: Any, new: Any) -> Sequence[str]:
    """One parameter in the words a builder may use; every one names it and where it stands."""
    name = key.replace("_", " ")
    one, two = _shown(old), _shown(new)
    found = [
        f"set the {name} to {two}, it is {one} now",
        f"{name} {two} rather than {one}",
        f"{name}: {one} -> {two}",
        f"use {two} as {name} in place of {one}",
        f"change {name} from {one} to {two}",
        f"{name} should be {two}, not {one}",
    ]
    if isinstance(old, int | float) and isinstance(new, int | float):
        verb = "raise" if new > old else "lower"
        found.append(f"{verb} the {name} from {one} to {two}")
    if isinstance(new, float) and 0 < abs(new) < 1 and isinstance(old, float):
        found.append(f"make the {name} {new * 100:g}% instead of {old * 100:g}%")
    if key in _BARS and isinstance(new, int):
        found.append(f"a {name} of {two} days, not {one}")
    return found


def _bars(
    chosen: Sequence[str], before: Mapping[str, Any], after: Mapping[str, Any]
) -> Sequence[str]:
    """Numbers of days together, as one says them: "50 and 200 days"."""
    values = [after[key] for key in chosen]
    if len(chosen) < 2 or not all(
        key in _BARS and isinstance(value, int) for key, value in zip(chosen, values, strict=True)
    ):
        return ()
    old = [before[key] for key in chosen]
    return (
        f"use {_listed(values)} days instead of {_listed(old)}",
        f"{_listed(values)} days rather than {_listed(old)}",
        f"take {_listed(values)} days where it has {_listed(old)}",
    )


def _listed(values: Sequence[Any]) -> str:
    shown = [_shown(value) for value in values]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
