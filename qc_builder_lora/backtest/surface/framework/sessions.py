"""The exchange's days and the two clocks, asked for by the year: an insight needs many of them.

Only the calendar crosses the channel, which is public; no price of any day does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

DAY = 86400
NIGHT = 4 * 3600
"""Clocks change before four in the morning."""
YEAR = 366
EPOCH = datetime(1970, 1, 1)


def seconds_of(moment: datetime) -> int:
    """Seconds since 1970 of a moment without a zone."""
    return int((moment.replace(tzinfo=None) - EPOCH).total_seconds())


def moment_of(seconds: int) -> datetime:
    """The moment, without a zone."""
    return EPOCH + timedelta(seconds=seconds)


class Sessions:
    """Regular sessions in the exchange's local seconds."""

    def __init__(self, ask: Callable[[list[Any]], Any]) -> None:
        self._ask = ask
        self._years: set[int] = set()
        self._days: dict[int, tuple[int, int]] = {}
        self._offsets: dict[int, int] = {}

    def bounds(self, day: int) -> tuple[int, int] | None:
        """Opening and close of a day, or None where the exchange stays shut."""
        if day // YEAR not in self._years:
            self._load(day // YEAR)
        return self._days.get(day)

    def _load(self, year: int) -> None:
        self._years.add(year)
        for opening, close, offset in self._ask(["hours", "sessions", year * YEAR * DAY]):
            self._days[opening // DAY] = (opening, close)
            self._offsets[opening // DAY] = offset

    def is_open(self, local: int) -> bool:
        """Whether the regular session is on."""
        found = self.bounds(local // DAY)
        return found is not None and found[0] <= local < found[1]

    def next_open(self, local: int) -> int:
        """The first opening after a moment."""
        day = local // DAY
        while True:
            found = self.bounds(day)
            if found is not None and found[0] > local:
                return found[0]
            day += 1

    def utc(self, local: int) -> int:
        """UTC seconds of local ones."""
        if local % DAY >= NIGHT and self.bounds(local // DAY) is not None:
            return local - self._offsets[local // DAY]
        answer: int = self._ask(["hours", "utc", local])
        return answer

    def local(self, utc: int) -> int:
        """Local seconds of UTC ones."""
        day = (utc - NIGHT) // DAY
        if self.bounds(day) is not None:
            local = utc + self._offsets[day]
            if local // DAY == day and local % DAY >= NIGHT:
                return local
        answer: int = self._ask(["hours", "local", utc])
        return answer
