"""The exchange's days and the two clocks, remembered once asked: an insight needs many of them.

Only the calendar crosses the channel, which is public; no price of any day does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

DAY = 86400
EPOCH = datetime(1970, 1, 1)


def seconds_of(moment: datetime) -> int:
    """Seconds since 1970 of a moment without a zone."""
    return int((moment.replace(tzinfo=None) - EPOCH).total_seconds())


def moment_of(seconds: int) -> datetime:
    """The moment, without a zone."""
    return EPOCH + timedelta(seconds=seconds)


class Sessions:
    """Regular sessions in the exchange's local seconds."""

    def __init__(self, ask: Callable[[list[Any]], int]) -> None:
        self._ask = ask
        self._days: dict[int, tuple[int, int] | None] = {}
        self._utc: dict[int, int] = {}
        self._local: dict[int, int] = {}

    def bounds(self, day: int) -> tuple[int, int] | None:
        """Opening and close of a day, or None where the exchange stays shut."""
        if day not in self._days:
            self._days[day] = self._find(day)
        return self._days[day]

    def _find(self, day: int) -> tuple[int, int] | None:
        midnight = day * DAY
        if not self._ask(["hours", "date_open", midnight]):
            return None
        opening = self._ask(["hours", "next_open", midnight - 1])
        return opening, self._ask(["hours", "next_close", midnight])

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
        # Clocks change on the hour.
        hour, rest = divmod(local, 3600)
        if hour not in self._utc:
            self._utc[hour] = self._ask(["hours", "utc", hour * 3600])
        return self._utc[hour] + rest

    def local(self, utc: int) -> int:
        """Local seconds of UTC ones."""
        hour, rest = divmod(utc, 3600)
        if hour not in self._local:
            self._local[hour] = self._ask(["hours", "local", hour * 3600])
        return self._local[hour] + rest
