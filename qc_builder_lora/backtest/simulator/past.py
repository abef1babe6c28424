"""Answers to `history`: bars that had ended by the clock, gaps filled forward as LEAN does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qc_builder_lora.backtest.simulator.actions import actions
from qc_builder_lora.backtest.simulator.calendar import DAY, OPEN, Hours, Zone
from qc_builder_lora.backtest.simulator.feed import Company, NoData, Source, refuse_dividend
from qc_builder_lora.backtest.simulator.stream import Point, Stream, points

if TYPE_CHECKING:
    from qc_builder_lora.backtest.simulator.engine import Engine, Moment

MOST_BARS = 500_000
"""Bars in one answer; a longer history is refused rather than cut."""


@dataclass(frozen=True)
class Window:
    """Bars that end after `after` and not after `until`, New York's seconds."""

    after: int
    until: int


def window(
    hours: Hours, span: Sequence[int | str | None], now: int, shift: int, resolution: int,
    extended: bool, precise: bool = True,
) -> Window:  # fmt: skip
    """What a span means: `count n`, `seconds s`, or `range from to` in the algorithm's time.

    `now` is New York's time, to which `shift` seconds turn the algorithm's.
    """
    kind, first = span[0], int(span[1] or 0)
    if kind == "count":
        return Window(start_of(hours, now, first, resolution, extended, precise), now)
    if kind == "seconds":
        return Window(now - first, now)
    if kind != "range":
        raise NoData(f"history with a span of kind {kind!r}")
    last = now if len(span) < 3 or span[2] is None else int(span[2]) + shift
    return Window(first + shift, min(last, now))


def start_of(
    hours: Hours, now: int, count: int, resolution: int, extended: bool, precise: bool = True
) -> int:
    """After which moment the last `count` bars of open market end: LEAN's GetStartTimeForTradeBars.

    New York's seconds, as `now`.
    """
    if count <= 0:
        return now
    if resolution == DAY:
        day = now // DAY
        if not precise:
            return hours.bars_before(day, count) * DAY
        if not hours.is_open_day(day) or day * DAY + hours.close(day) > now:
            day = hours.previous_day(day)
        return hours.bars_before(day + 1, count) * DAY
    current = now - now % resolution
    day = current // DAY + 1
    while True:
        day = hours.previous_day(day)
        opening, closing = (day * DAY + edge for edge in hours.session(day, extended))
        begin = opening - opening % resolution
        end = min(current, -(-closing // resolution) * resolution)
        bars = max((end - begin) // resolution, 0)
        if bars >= count:
            return end - count * resolution
        count -= bars


def collect(
    source: Source, wanted: Window, hours: Hours, zone: Zone, *, fill: bool, extended: bool
) -> list[list[Any]]:
    """Columns of the bars in a window: start, end, filled, then those of `bars.py`."""
    stream = Stream(0, 0, source, extended, source.resolution if fill else 0)
    found: list[Point] = []
    for point in points(stream, wanted.after, wanted.until, hours, zone):
        if point[2] > wanted.until:
            break
        found.append(point)
        if len(found) > MOST_BARS:
            break
    who = source.company
    if found and who.factors.at(found[0][2] // DAY)[0] != who.factors.at(found[-1][2] // DAY)[0]:
        refuse_dividend(source.mode, who.ticker)
    return _columns(stream, found)


def last_point(
    source: Source, now: int, hours: Hours, zone: Zone, *, extended: bool
) -> Point | None:
    """The last bar that had ended by a New York moment; None within the last 60 bars' time."""
    stream = Stream(0, 0, source, extended, 0)
    after = start_of(hours, now, 60 if source.resolution >= DAY else 5 * DAY // source.resolution,
                     source.resolution, extended)  # fmt: skip
    last = None
    for point in points(stream, after, now, hours, zone):
        if point[2] > now:
            break
        last = point
    return last


def hole(source: Source, wanted: Window, hours: Hours) -> str:
    """Why a window has no bars at all, where it is a file that is missing; empty where not.

    LEAN gives an empty history then, and so do we; but it is said.
    """
    first, last = wanted.after // DAY, wanted.until // DAY
    days = [
        day for day in hours.between(first, last)
        if day * DAY + hours.close(day) > wanted.after and day * DAY + OPEN < wanted.until
    ]  # fmt: skip
    try:
        if days:
            source.cover(days[0], days[-1], hours)
    except NoData as gap:
        return str(gap)
    return ""


def past_actions(
    engine: Engine, who: Company, span: Sequence[int | str | None], now: Moment
) -> list[list[Any]]:
    """Corporate actions that came into effect in a span; New York's seconds first."""
    wanted = window(engine.hours, span, now.exchange, now.exchange - now.local, DAY, False,
                    engine.plan.precise)  # fmt: skip
    # What the file announces on one day is in effect on the next that is open.
    found = actions(who, engine.hours, wanted.after // DAY - 10, wanted.until // DAY)
    return [
        [day * DAY, item.kind, item.value, item.reference, item.warning, *item.names]
        for day, item in found
        if wanted.after < day * DAY <= wanted.until
    ]


def _columns(stream: Stream, found: list[Point]) -> list[list[Any]]:
    width = 5 if stream.is_trade else 10
    rows = [[point[3].columns[column][point[4]] for column in range(width)] for point in found]
    for row, point in zip(rows, found, strict=True):
        if point[5]:
            row[:] = stream.filled(point)
    head = [[point[place] for point in found] for place in (1, 2)]
    head.append([int(point[5]) for point in found])
    columns = [list(column) for column in zip(*rows, strict=True)]
    return head + (columns or [[] for _ in range(width)])
