"""One subscription's bars in the order in which they reach a backtest, gaps filled forward.

As LEAN's FillForwardEnumerator and SubscriptionFilterEnumerator: a gap is filled at the finest
resolution that the strategy subscribes to, with bars of the subscription's own length, and only
while the market is open; then what lies outside the session is left out. A bar before the opening
is left out too, but what follows it may be filled from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from qc_builder_lora.backtest.simulator.bars import Bars
from qc_builder_lora.backtest.simulator.calendar import DAY, OPEN, SESSION, Hours, Zone
from qc_builder_lora.backtest.simulator.feed import Source

NEVER = 1 << 62
"""The time of the next bar where there is none."""
Point = tuple[int, int, int, Bars, int, bool]
"""End in UTC, start and end in New York, where the prices are, and whether it is filled forward."""


@dataclass
class Stream:
    """A subscription: which bar comes next, and when it ends in UTC."""

    number: int
    """The strategy's number for it."""
    security: int
    source: Source
    extended: bool
    fill: int
    """Seconds of the bars by which gaps are filled; 0 for not at all. May get finer as it runs."""
    next_utc: int = NEVER
    point: Point | None = None
    _points: Iterator[Point] = field(default_factory=lambda: iter(()))
    _filled: tuple[Bars | None, int, int, str] = (None, 0, 0, "")

    @property
    def resolution(self) -> int:
        """Seconds of a bar."""
        return self.source.resolution

    @property
    def is_trade(self) -> bool:
        """Trades, not quotes."""
        return self.source.kind == "trade"

    @property
    def order(self) -> tuple[bool, str]:
        """LEAN's order within a moment: trades before quotes, then by first ticker."""
        return (not self.is_trade, self.source.company.first_name)

    def begin(self, after: int, until: int, hours: Hours, zone: Zone) -> None:
        """Stand before the first bar that ends after a New York moment; gaps end at `until`."""
        self._points = points(self, after, until, hours, zone)
        self.move()

    def begin_warm(
        self, warm: Source | None, after: int, opening: int, until: int, hours: Hours, zone: Zone
    ) -> None:
        """The same with bars of another resolution up to `opening`, none where `warm` is None."""
        before: Iterator[Point] = iter(())
        if warm is not None:
            other = Stream(0, 0, warm, self.extended, warm.resolution if self.fill else 0)
            before = (
                point for point in points(other, after, opening, hours, zone) if point[2] <= opening
            )
        # Both overlap by a day, as in LEAN, so that the first bars may be filled from the last day.
        day = hours.previous_day(opening // DAY)
        rest = points(self, max(day * DAY, after), until, hours, zone)
        self._points = chain(before, (point for point in rest if point[2] > opening))
        self.move()

    def move(self) -> None:
        """To the next bar."""
        self.point = next(self._points, None)
        self.next_utc = NEVER if self.point is None else self.point[0]

    def stop(self) -> None:
        """No more bars."""
        self._points = iter(())
        self.move()

    def text(self, point: Point) -> str:
        """A bar as JSON."""
        _, _, end, bars, row, filled = point
        if not filled:
            return bars.text(row)
        # Many in a row are alike: only the day's price factor may differ.
        day = end // DAY
        kept = self._filled
        if kept[0] is not bars or kept[1] != row or kept[2] != day:
            text = f"[{','.join(map(repr, self.filled(point)))}]"
            kept = self._filled = (bars, row, day, text)
        return kept[3]

    def filled(self, point: Point) -> list[float]:
        """The prices of a bar that is filled forward, at the price factor of its own day."""
        _, _, end, bars, row, _ = point
        who, mode = self.source.company, self.source.mode
        before, now = who.scale(bars.ends[row] // DAY, mode), who.scale(end // DAY, mode)
        return bars.filled(row, now / before)


def points(stream: Stream, after: int, until: int, hours: Hours, zone: Zone) -> Iterator[Point]:
    """All bars that end after a New York moment and begin before another."""
    resolution, extended = stream.resolution, stream.extended
    gaps = Gaps(stream, hours, zone)
    previous: tuple[int, int, Bars, int] | None = None
    day = opening = closing = -1
    for bars, low, high in stream.source.blocks(after // DAY, until // DAY):
        starts, ends, utcs = bars.starts, bars.ends, bars.utc
        for row in range(low, high):
            start, end = starts[row], ends[row]
            if end <= after:
                continue
            if start > until:
                break
            if previous is not None and start - previous[0] > min(stream.fill, resolution) > 0:
                yield from gaps.between(previous, start, end)
            if start // DAY != day:
                day = start // DAY
                opening, closing = (day * DAY + edge for edge in hours.session(day, extended))
                if not hours.is_open_day(day):
                    opening = closing = 0
            if start < closing and end > opening:
                yield utcs[row], start, end, bars, row, False
            previous = (start, end, bars, row)
    if previous is not None and stream.fill:
        yield from gaps.to_the_end(previous, until)


class Gaps:
    """The bars that LEAN puts where none are; all times are New York's."""

    def __init__(self, stream: Stream, hours: Hours, zone: Zone) -> None:
        self._stream = stream
        self._hours = hours
        self._zone = zone
        self._strict = stream.source.strict

    def between(
        self, previous: tuple[int, int, Bars, int], start: int, end: int
    ) -> Iterator[Point]:
        """The bars after `previous` and before the next one, which lasts from start to end."""
        before, at, bars, row = previous
        delisted = self._stream.source.company.delisted
        while (found := self._next(before, at, start, end)) is not None:
            before, at = found
            if delisted is not None and at > (delisted + 1) * DAY:
                return
            yield self._zone.utc(at), before, at, bars, row, True

    def to_the_end(self, previous: tuple[int, int, Bars, int], until: int) -> Iterator[Point]:
        """The bars after the last one there is, up to a moment."""
        if self._strict:
            start, end = self._last_session(until)
        else:
            start = until - until % self._stream.resolution
            end = start + self._stream.resolution
        at = previous[1]
        for point in self.between(previous, start, end):
            at = point[2]
            yield point
        delisted = self._stream.source.company.delisted
        if delisted is not None and end > (delisted + 1) * DAY:
            return
        if end > at and self._hours.open_during(start, end, self._stream.extended):
            yield self._zone.utc(end), start, end, previous[2], previous[3], True

    def _last_session(self, until: int) -> tuple[int, int]:
        """The last one that is over."""
        day = until // DAY
        while not self._hours.is_open_day(day) or day * DAY + self._hours.close(day) > until:
            day = self._hours.previous_day(day)
        return day * DAY + OPEN, day * DAY + self._hours.close(day)

    def _next(self, before: int, at: int, start: int, end: int) -> tuple[int, int] | None:
        length, fill = self._stream.resolution, self._stream.fill
        if start - before <= fill and start - before <= length:
            return None
        for begin, period in self._candidates(at, fill, length):
            # Only what is longer than an hour keeps its own beginning under strict end times.
            first = begin if self._strict and period > 3600 else begin - begin % period
            until = first + period
            if until >= end:
                return None
            if self._hours.open_during(until - period, until, self._stream.extended):
                return until - (SESSION if self._strict else length), until
        return None

    def _candidates(self, at: int, fill: int, length: int) -> list[tuple[int, int]]:
        """Start and length of what could come after a bar that ended at a moment, soonest first."""
        hours, extended = self._hours, self._stream.extended
        opening = hours.next_open(at, extended)
        if fill >= length:
            if self._strict:
                return [self._daily(opening)]
            soon = [(at, length)] if hours.open_during(at, at + length, extended) else []
            return [*soon, (opening, length)]
        found = []
        if hours.open_during(at, at + fill, extended):
            found.append((at, fill))
        if self._strict:
            daily = self._daily(at)
            if at < daily[0] + daily[1]:
                found.append(daily)
            found.append(self._daily(opening))
        elif hours.open_during(at - at % length, at - at % length + length, extended):
            found.append((at - at % length, length))
        found.append((opening, fill))
        return sorted(found, key=sum)

    def _daily(self, moment: int) -> tuple[int, int]:
        day = moment // DAY
        first, last = self._hours.session(day, self._stream.extended)
        return day * DAY + first, last - first
