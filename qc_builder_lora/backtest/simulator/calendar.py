"""US equity hours and time zones, in whole seconds since 1970 and whole days since 1970.

Read from the data folder's `market-hours/market-hours-database.json` where there is one, as LEAN
does; else from the rules of the New York Stock Exchange below, held against that file by a test.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from qc_builder_lora.errors import CorruptFile

DAY = 86400
OPEN = 9 * 3600 + 30 * 60
CLOSE = 16 * 3600
SESSION = CLOSE - OPEN
"""A regular session's length, which LEAN gives a daily bar that it fills forward."""
PRE_OPEN, POST_CLOSE = 4 * 3600, 20 * 3600
"""Extended hours, as in LEAN's market hours database."""
EARLY_CLOSE = 13 * 3600
NEW_YORK = "America/New_York"
_EPOCH = date(1970, 1, 1).toordinal()

# Days on which the exchange stayed shut out of turn: hurricanes, mourning, attacks.
_CLOSED = (
    "1994-04-27", "2001-09-11", "2001-09-12", "2001-09-13", "2001-09-14", "2004-06-11",
    "2007-01-02", "2012-10-29", "2012-10-30", "2018-12-05", "2025-01-09",
)  # fmt: skip

# Early closes that the rules below do not give, and one they give that was not.
_EARLY_EXTRA = ("2002-07-05", "2003-12-26")
_EARLY_NOT = ("2002-07-03",)


def day_of(value: date) -> int:
    """Days since 1970."""
    return value.toordinal() - _EPOCH


def date_of(day: int) -> date:
    """The date of a day number."""
    return date.fromordinal(day + _EPOCH)


class Zone:
    """Local and UTC seconds of one time zone; get one with `zone`, which keeps its offsets."""

    def __init__(self, name: str) -> None:
        self.name = name
        try:
            self._zone = ZoneInfo("UTC" if name.upper() == "UTC" else name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise LookupError(f"unknown time zone {name!r}") from error
        self._offset = lru_cache(maxsize=None)(self._find_offset)

    def _find_offset(self, day: int, night: bool) -> int:
        moment = datetime(1970, 1, 1) + timedelta(days=day, hours=0 if night else 12)
        offset = moment.replace(tzinfo=self._zone).utcoffset()
        return int(offset.total_seconds()) if offset is not None else 0

    def utc(self, local: int) -> int:
        """UTC seconds of local seconds. Clocks change at night: before 03:00 midnight's offset."""
        day, second = divmod(local, DAY)
        return local - self._offset(day, second < 3 * 3600)

    def local(self, utc: int) -> int:
        """Local seconds of UTC seconds."""
        guess = utc + self._offset(utc // DAY, False)
        return utc + self._offset(guess // DAY, guess % DAY < 3 * 3600)


@lru_cache(maxsize=32)
def zone(name: str) -> Zone:
    """The time zone of that name; LookupError where there is none."""
    return Zone(name)


class Hours:
    """Trading days and their closing times; times are New York's."""

    def __init__(
        self, closed: frozenset[int], early: dict[int, int], first: int, last: int
    ) -> None:
        self._closed = closed
        self._early = early
        self.days = [day for day in range(first, last + 1) if self.is_open_day(day)]

    def is_open_day(self, day: int) -> bool:
        """Whether the exchange opens at all."""
        # 1970-01-01 was a Thursday.
        return (day + 3) % 7 < 5 and day not in self._closed

    def close(self, day: int) -> int:
        """Seconds after midnight at which the session ends."""
        return self._early.get(day, CLOSE)

    def session(self, day: int, extended: bool) -> tuple[int, int]:
        """First and last second of a trading day, after its midnight.

        An early close ends the extended session too, as LEAN cuts all segments of that day.
        """
        if not extended:
            return OPEN, self._early.get(day, CLOSE)
        return PRE_OPEN, self._early.get(day, POST_CLOSE)

    def open_during(self, start: int, end: int, extended: bool = False) -> bool:
        """Whether the session is on at any time from `start` up to `end`, New York seconds."""
        for day in range(start // DAY, (end - 1) // DAY + 1):
            if self.is_open_day(day):
                first, last = self.session(day, extended)
                if start < day * DAY + last and end > day * DAY + first:
                    return True
        return False

    def between(self, first: int, last: int) -> list[int]:
        """Trading days from `first` to `last`, both included."""
        return self.days[bisect_left(self.days, first) : bisect_right(self.days, last)]

    def is_open(self, local: int, extended: bool = False) -> bool:
        """Whether the session is on at a New York moment."""
        day, second = divmod(local, DAY)
        first, last = self.session(day, extended)
        return first <= second < last and self.is_open_day(day)

    def next_day(self, day: int) -> int:
        """The first trading day after `day`."""
        return self.days[bisect_right(self.days, day)]

    def previous_day(self, day: int) -> int:
        """The last trading day before `day`."""
        return self.days[bisect_left(self.days, day) - 1]

    def next_open(self, local: int, extended: bool = False) -> int:
        """The next opening strictly after a New York moment."""
        opening = PRE_OPEN if extended else OPEN
        day = local // DAY
        if self.is_open_day(day) and local < day * DAY + opening:
            return day * DAY + opening
        return self.next_day(day) * DAY + opening

    def next_close(self, local: int, extended: bool = False) -> int:
        """The next close strictly after a New York moment."""
        day = local // DAY
        if self.is_open_day(day) and local < day * DAY + self.session(day, extended)[1]:
            return day * DAY + self.session(day, extended)[1]
        following = self.next_day(day)
        return following * DAY + self.session(following, extended)[1]

    def bars_before(self, day: int, count: int) -> int:
        """The trading day that lies `count` trading days before `day`."""
        position = bisect_left(self.days, day) - count
        return self.days[max(position, 0)]


_FIRST, _LAST = date(1990, 1, 1), date(2040, 12, 31)


@lru_cache(maxsize=8)
def load_hours(folder: Path) -> Hours:
    """The hours of US equities for a data folder."""
    path = folder / "market-hours" / "market-hours-database.json"
    closed, early = _from_rules()
    if path.exists():
        closed, early = _from_database(path)
    return Hours(closed, early, day_of(_FIRST), day_of(_LAST))


def _from_database(path: Path) -> tuple[frozenset[int], dict[int, int]]:
    try:
        entry = json.loads(path.read_text("utf-8"))["entries"]["Equity-usa-[*]"]
        closed = frozenset(_us_date(text) for text in entry.get("holidays", ()))
        early = {_us_date(k): _clock(v) for k, v in (entry.get("earlyCloses") or {}).items()}
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptFile(
            path, f"not a market hours database: {error}", "Copy it from LEAN's Data folder again."
        ) from error
    return closed, early


def _us_date(text: str) -> int:
    month, day, year = (int(part) for part in text.split("/"))
    return day_of(date(year, month, day))


def _clock(text: str) -> int:
    hour, minute, second = (int(part) for part in text.split(":"))
    return hour * 3600 + minute * 60 + second


def _from_rules() -> tuple[frozenset[int], dict[int, int]]:
    closed = {day_of(date.fromisoformat(text)) for text in _CLOSED}
    early: dict[int, int] = {}
    for year in range(_FIRST.year, _LAST.year + 1):
        closed |= {day_of(day) for day in _holidays(year)}
        for day in _early_closes(year):
            early[day_of(day)] = EARLY_CLOSE
    early.update({day_of(date.fromisoformat(text)): EARLY_CLOSE for text in _EARLY_EXTRA})
    for text in _EARLY_NOT:
        early.pop(day_of(date.fromisoformat(text)))
    return frozenset(closed), early


def _nth(year: int, month: int, weekday: int, nth: int) -> date:
    """The nth Monday (0) … Sunday (6) of a month; -1 for the last."""
    if nth > 0:
        first = date(year, month, 1)
        return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))
    following = date(year + month // 12, month % 12 + 1, 1)
    return following - timedelta(days=(following.weekday() - weekday - 1) % 7 + 1)


def _easter(year: int) -> date:
    """Gauss's rule in the form of Meeus, Jones and Butcher."""
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    k = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * k) // 451
    month, day = divmod(h + k - 7 * m + 114, 31)
    return date(year, month, day + 1)


def _observed(day: date) -> date:
    """NYSE Rule 7.2: a Saturday's holiday is kept on Friday, a Sunday's on Monday."""
    return day + timedelta(days={5: -1, 6: 1}.get(day.weekday(), 0))


def _holidays(year: int) -> list[date]:
    found = [
        _nth(year, 2, 0, 3),
        _easter(year) - timedelta(days=2),
        _nth(year, 5, 0, -1),
        _observed(date(year, 7, 4)),
        _nth(year, 9, 0, 1),
        _nth(year, 11, 3, 4),
        _observed(date(year, 12, 25)),
    ]
    # A New Year's Day on a Saturday is not made up for: the year's books close on that Friday.
    if date(year, 1, 1).weekday() != 5:
        found.append(_observed(date(year, 1, 1)))
    if year >= 1998:
        found.append(_nth(year, 1, 0, 3))
    if year >= 2022:
        found.append(_observed(date(year, 6, 19)))
    return found


def _early_closes(year: int) -> list[date]:
    """The day after Thanksgiving, Christmas Eve, and 3 July on a day before the holiday."""
    found = [_nth(year, 11, 3, 4) + timedelta(days=1)]
    if date(year, 12, 24).weekday() < 4:
        found.append(date(year, 12, 24))
    if date(year, 7, 3).weekday() < 4:
        found.append(date(year, 7, 3))
    return found


def utc_datetime(seconds: int) -> datetime:
    """An aware moment in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
