"""Corporate actions: what a company's factor and map files say happens on which trading day."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from qc_builder_lora.backtest.simulator.calendar import Hours
from qc_builder_lora.backtest.simulator.feed import Company

RENAMED = "renamed"
"""LEAN then sends a SymbolChangedEvent and cancels the open orders, which is not modelled."""


@dataclass(frozen=True)
class Action:
    """A dividend in USD a share, or a split factor, that takes effect on a day."""

    kind: str
    value: float
    reference: float
    """Raw close of the day before."""
    warning: bool = False


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
            found.append((day, Action("split", split, reference)))
    return [(day, action) for day, action in found + _renamings(who, first) if day <= last]


def _renamings(who: Company, first: int) -> list[tuple[int, Action]]:
    """The first day of each new name after a day; its own event in LEAN, see `RENAMED`."""
    if who.mapping is None:
        return []
    return [
        (after[0], Action(RENAMED, 0.0, 0.0))
        for before, after in pairwise(who.mapping.segments())
        if before[2].lower() != after[2].lower() and after[0] > first
    ]
