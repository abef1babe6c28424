"""Other changes of the text: the size, the direction, another average, another calendar."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from qc_builder_lora.harvest.corpus.changes.change import Based, Demand, Edit
from qc_builder_lora.harvest.corpus.changes.shape import is_tidy, shape_of

_AVERAGES = {
    "sma": "simple",
    "ema": "exponential",
    "lwma": "linearly weighted",
}
_CALENDAR = {"month_start": "month", "week_start": "week", "every_day": "day"}
_LY = {"month": "monthly", "week": "weekly", "day": "daily"}


def position_size(based: Based, source: random.Random) -> Edit | None:
    """Another part of the portfolio in a position that is said in the code alone."""
    shape = shape_of(based.code)
    if shape is None or "weight" in based.family.parameters:
        return None
    old = float(shape.weight)
    new = source.choice([one for one in (0.25, 0.4, 0.5, 0.6, 0.75, 0.8, 0.9) if one != old])
    after = shape.entered(weight=str(new)).code
    asks = (
        f"invest {new * 100:g}% of the portfolio instead of {old * 100:g}%",
        f"position size {new} rather than {old}",
        f"a position may be {new * 100:g} % of equity, no more",
        f"cap the weight at {new}",
        f"put only {new * 100:g} percent of the money into a trade",
    )
    return Edit(
        before=based.code, after=after, asks=[asks],
        demands=[("max_weight", new), ("number", new), ("has", rf"_symbol, {new}\)")],
    )  # fmt: skip


def invested_share(based: Based, source: random.Random) -> Edit | None:
    """A part of the money that stays cash, where weights are shares of one."""
    places = re.findall(r"\b1\.0 / (?=\w)", based.code)
    if len(places) != 1 or "set_holdings" not in based.code:
        return None
    share = source.choice((0.5, 0.6, 0.7, 0.8, 0.9, 0.95))
    after = re.sub(r"\b1\.0 / (?=\w)", f"{share} / ", based.code)
    asks = (
        f"keep {100 - share * 100:g}% in cash",
        f"invest {share * 100:g} % of the portfolio in all, not everything",
        f"total exposure {share} instead of 1.0",
        f"the weights shall add up to {share}",
    )
    return Edit(
        before=based.code, after=after, asks=[asks],
        demands=[("number", share), ("has", rf"\b{share} / ")],
    )  # fmt: skip


def short_too(based: Based, source: random.Random) -> Edit | None:
    """Short where it was out of the market: one comparison says in, its opposite out."""
    after = _reversed(based.code)
    if after is None:
        return None
    asks = (
        "go short instead of flat when the signal turns",
        "make it long and short: reverse the position in place of selling it",
        "trade the short side too, with the same size",
        "always in the market: long on the buy signal, short on the sell signal",
        "direction: long and short",
    )
    return Edit(
        before=based.code, after=after, asks=[asks], demands=[("has", r"_symbol, -[\d.]+\)")]
    )


def long_only(based: Based, source: random.Random) -> Edit | None:
    """Out of the market where it was short."""
    before, after = _reversed(based.code), based.code
    if before is None:
        before, after = based.code, _never_short(based.code) or ""
    if not after:
        return None
    asks = (
        "long only, please: sell instead of going short",
        "no short positions: be in cash when the signal is down",
        "the broker does not let us short, so make it long only",
        "direction: long only",
        "drop the short side and go flat there",
    )
    return Edit(before=before, after=after, asks=[asks], demands=[("long_only", True)])


_QUANTITY = "        quantity = self.portfolio[self._symbol].quantity\n"


def _reversed(code: str) -> str | None:
    shape = shape_of(code)
    if shape is None or "quantity" in code:
        return None
    buy = re.fullmatch(r"([\w.]+) > ([\w.]+)", shape.buy)
    if buy is None or shape.sell != f"{buy[1]} < {buy[2]}":
        return None
    weight = shape.weight
    put = shape.each_bar(_QUANTITY.strip()).code
    put = put.replace(f"if {shape.buy} and not self.portfolio.invested:",
                      f"if {shape.buy} and quantity <= 0:")  # fmt: skip
    return put.replace(
        f"elif {shape.sell} and self.portfolio.invested:\n            self.liquidate()",
        f"elif {shape.sell} and quantity >= 0:\n"
        f"            self.set_holdings(self._symbol, -{weight})",
    )


def _never_short(code: str) -> str | None:
    short = re.search(
        r"        elif (.+) and quantity >= 0:\n +self\.set_holdings\(.*, -.*\)\n", code
    )
    long = re.search(r"        if (.+) and quantity <= 0:\n", code)
    if short is None or long is None or _QUANTITY not in code:
        return None
    out = f"        elif {short[1]} and self.portfolio.invested:\n            self.liquidate()\n"
    enter = f"        if {long[1]} and not self.portfolio.invested:\n"
    return code.replace(_QUANTITY, "").replace(short[0], out).replace(long[0], enter)


def other_average(based: Based, source: random.Random) -> Edit | None:
    """Another kind of moving average, wherever the code has the one."""
    here = [name for name in _AVERAGES if f"self.{name}(" in based.code]
    if len(here) != 1:
        return None
    old = here[0]
    new = source.choice([name for name in _AVERAGES if name != old])
    after = based.code.replace(f"self.{old}(", f"self.{new}(")
    one, two = _AVERAGES[old], _AVERAGES[new]
    asks = (
        f"use {two} moving averages instead of {one} ones",
        f"replace the {old.upper()} with the {new.upper()}",
        f"{new.upper()} in place of {old.upper()}, same periods",
        f"the average should be {two}, not {one}",
    )
    demands: list[Demand] = [("has", rf"self\.{new}\("), ("lacks", rf"self\.{old}\(")]
    return Edit(before=based.code, after=after, asks=[asks], demands=demands)


def other_smoothing(based: Based, source: random.Random) -> Edit | None:
    """Simple or exponential averages inside an RSI or an ATR, which have Wilder's by themselves."""
    found = re.search(r"self\.(rsi|atr)\(([\w.]+), (\d+)\)", based.code)
    if found is None:
        return None
    kind, said = source.choice((("SIMPLE", "simple"), ("EXPONENTIAL", "exponential")))
    name = found[1].upper()
    call = f"self.{found[1]}({found[2]}, {found[3]}, MovingAverageType.{kind})"
    after = based.code.replace(found[0], call)
    asks = (
        f"let the {name} use {said} averages instead of Wilder's",
        f"{name} with {said} smoothing",
        f"smooth the {name} with a {said} moving average, not Wilder's",
    )
    demands: list[Demand] = [("has", rf"MovingAverageType\.{kind}")]
    edit = Edit(before=based.code, after=after, asks=[asks], demands=demands)
    return edit if is_tidy(after) else None


def calendar(based: Based, source: random.Random) -> Edit | None:
    """Rebalancing by the month, the week or the day, where no parameter says it."""
    found = re.search(r"self\.date_rules\.(month_start|week_start|every_day)\(", based.code)
    if found is None or ("period" in based.family.parameters and isinstance(
        based.parameters.get("period"), str
    )):  # fmt: skip
        return None
    old = found[1]
    new = source.choice([name for name in _CALENDAR if name != old])
    after = based.code.replace(f"date_rules.{old}(", f"date_rules.{new}(")
    demands: list[Demand] = [("has", rf"date_rules\.{new}\(")]
    if new in ("month_start", "week_start"):
        demands.append(("rebalance", _CALENDAR[new]))
    return Edit(
        before=based.code, after=after, asks=[_calendar_asks(_CALENDAR[old], _CALENDAR[new])],
        demands=demands,
    )  # fmt: skip


def _calendar_asks(old: str, new: str) -> Sequence[str]:
    return (
        f"rebalance every {new} instead of every {old}",
        f"rebalance {_LY[new]}, not {_LY[old]}",
        f"make the rebalancing {_LY[new]}",
        f"rebalance: {_LY[new]}",
        f"do the rebalancing each {new}",
    )
