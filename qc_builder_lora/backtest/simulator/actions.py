"""Corporate actions: what a company's factor and map files say happens on which trading day."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from qc_builder_lora.backtest.simulator.calendar import Hours
from qc_builder_lora.backtest.simulator.feed import Company

RENAMED = "renamed"
"""LEAN then sends a SymbolChangedEvent and cancels the open orders."""
WARNED, DELISTED = "delisting_warning", "delisted"


@dataclass(frozen=True)
class Action:
    """A dividend in USD a share, a split factor, a new name or the end, in effect on a day."""

    kind: str
    value: float
    reference: float
    """Raw close of the day before."""
    warning: bool = False
    exact: str = ""
    """A split's factor in all its digits."""
    names: tuple[str, str] = ("", "")
    """Old and new ticker of a renaming."""


def actions(who: Company, hours: Hours, first: int, last: int) -> list[tuple[int, Action]]:
    """Day and action from day `first` to day `last`, in order.

    As LEAN derives them from the file: announced by a row whose day is a trading day of the
    period, in effect on the next trading day.
    """
    factors, found = who.factors, []
    for row in range(len(factors.days) - 1):
        before = factors.days[row]
        if before < first or before > last or not hours.is_open_day(before):
            continue
        day, reference = hours.next_day(before), factors.reference[row]
        price = factors.price[row] / factors.price[row + 1]
        split = factors.split[row] / factors.split[row + 1]
        if split != 1:
            found.append((before, Action("split", split, reference, True)))
        if price != 1:
            amount = round(reference - reference * price, 2)
            found.append((day, Action("dividend", amount, reference)))
        if split != 1:
            before_text, after_text = (factors.texts[place][1] for place in (row, row + 1))
            exact = str(Decimal(before_text) / Decimal(after_text))
            found.append((day, Action("split", split, reference, exact=exact)))
    found += _renamings(who, hours, first) + _end(who, hours, first, last)
    return [(day, action) for day, action in found if day <= last]


def _renamings(who: Company, hours: Hours, first: int) -> list[tuple[int, Action]]:
    """The first trading day of each new name after a day."""
    if who.mapping is None:
        return []
    return [
        (hours.next_day(after[0] - 1), Action(RENAMED, 0.0, 0.0, names=(before[2], after[2])))
        for before, after in pairwise(who.mapping.segments())
        if before[2].lower() != after[2].lower() and after[0] > first
    ]


def _end(who: Company, hours: Hours, first: int, last: int) -> list[tuple[int, Action]]:
    """LEAN warns as the last day begins and delists a day later, once a trading day follows."""
    day = who.delisted
    if day is None:
        return []
    found = []
    if hours.next_day(day - 1) <= last:
        found.append((max(day, first), Action(WARNED, 0.0, 0.0)))
    if hours.next_day(day) <= last:
        found.append((max(day + 1, first), Action(DELISTED, 0.0, 0.0)))
    return found
