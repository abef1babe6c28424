"""What is scheduled in one backtest: the next time of every event, and which events select.

A universe's selection is data to LEAN: it makes a moment of its own, while other events fire
between moments. Where it goes by date and time rules, LEAN has its times to the end by
Greenwich's date: after the end nothing is selected any more, but the backtest lasts that long.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

from qc_builder_lora.backtest.simulator.calendar import DAY
from qc_builder_lora.backtest.simulator.channel import Forged
from qc_builder_lora.backtest.simulator.engine import Engine
from qc_builder_lora.backtest.simulator.rules import event_times
from qc_builder_lora.backtest.simulator.stream import NEVER

_LAST = 1_000_000
"""Events of our own come after those of the strategy at the same time."""
Rules = tuple[list[Any], list[Any]]


class Timetable:
    """Events by number, in order of their times; those below 0 are the clock's own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: list[tuple[int, int, int]] = []
        self._sources: dict[int, Iterator[int]] = {}
        self._selections: dict[int, int] = {}
        self._long: set[int] = set()
        self.afterwards = 0
        """The last time that a universe has after the end; 0 for none."""

    def take_up(self, number: int, rules: Rules, utc: int, *, selects: int = 0) -> None:
        """Have an event's times, from a moment on."""
        engine, end = self._engine, self._engine.plan.end or 0
        first = engine.zone.local(utc) // DAY - 1
        try:
            source = event_times(*rules, first, end + 1, engine.hours, engine.zone, engine.exchange)
            self._sources[number] = iter(item for item in source if item >= utc)
            if selects:
                self._selections[number] = NEVER
                self._long.update([number] if selects > 1 else [])
            self._refill(number)
        except (LookupError, ValueError, TypeError, OverflowError) as error:
            raise Forged(f"a scheduling rule: {error}") from error

    def _refill(self, number: int) -> None:
        following = next(self._sources[number], NEVER)
        if number in self._selections:
            last = self._engine.zone.utc(((self._engine.plan.end or 0) + 1) * DAY)
            while last <= following < NEVER:
                if number in self._long and (following - DAY) // DAY < last // DAY:
                    self.afterwards = max(self.afterwards, following)
                following = next(self._sources[number], NEVER)
            self._selections[number] = following
        if following < NEVER:
            heapq.heappush(self._queue, (following, number if number >= 0 else _LAST, number))

    @property
    def next(self) -> int:
        """UTC seconds of the soonest event."""
        return self._queue[0][0] if self._queue else NEVER

    @property
    def next_number(self) -> int:
        """The soonest event's number."""
        return self._queue[0][2]

    @property
    def next_selection(self) -> int:
        """The same of the events that select."""
        return min(self._selections.values(), default=NEVER)

    def until(self, utc: int, *, including: bool) -> Iterator[tuple[int, int]]:
        """Take the events before a moment, or up to and including it: time and number."""
        while self._queue and (self.next < utc or (including and self.next == utc)):
            moment, _, number = heapq.heappop(self._queue)
            self._refill(number)
            yield moment, number
