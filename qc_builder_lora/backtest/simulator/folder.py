"""A LEAN data folder: where its files lie and what their rows say. US equities, daily.

equity/usa/daily/<ticker>.zip          rows `YYYYMMDD 00:00,o,h,l,c,volume`, USD·10000
equity/usa/factor_files/<ticker>.csv   rows `YYYYMMDD,price factor,split factor,close`
equity/usa/map_files/<ticker>.csv      rows `YYYYMMDD,ticker[,exchange]`: listing, renamings
alternative/interest-rate/usa/interest-rate.csv   rows `YYYY-MM-DD,percent`
"""

from __future__ import annotations

import zipfile
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from qc_builder_lora.backtest.simulator.calendar import day_of
from qc_builder_lora.errors import CorruptFile, NotFound

_AGAIN = "Restore the file from its source, or make the folder again with: qc-lora data convert"
_ENDLESS = day_of(date(2050, 12, 31))
_INTEREST = Path("alternative") / "interest-rate" / "usa" / "interest-rate.csv"
DEFAULT_RATE = 0.01
"""LEAN's own risk free rate where no file gives one (InterestRateProvider.DefaultRiskFreeRate)."""


@lru_cache(maxsize=65536)
def _day(text: str) -> int:
    return day_of(date(int(text[:4]), int(text[4:6]), int(text[6:8])))


@dataclass(frozen=True)
class Table:
    """Daily rows as columns; prices in USD as quoted at the time."""

    path: Path
    days: array[int]
    open: array[float]
    high: array[float]
    low: array[float]
    close: array[float]
    volume: array[float]


@dataclass(frozen=True)
class Factors:
    """Rows of a factor file: up to and including `days[i]` prices are multiplied by `price[i]`."""

    days: tuple[int, ...] = ()
    price: tuple[float, ...] = ()
    split: tuple[float, ...] = ()
    reference: tuple[float, ...] = ()

    def at(self, day: int) -> tuple[float, float]:
        """Price factor and split factor of a day; 1 and 1 after the last row."""
        row = bisect_left(self.days, day)
        return (self.price[row], self.split[row]) if row < len(self.days) else (1.0, 1.0)


@dataclass(frozen=True)
class Mapping:
    """Rows of a map file: listed from `days[0]`, called `tickers[i]` up to and with `days[i]`."""

    stem: str
    days: tuple[int, ...]
    tickers: tuple[str, ...]

    @property
    def listed(self) -> int:
        """The first day of the company under any of its tickers."""
        return self.days[0]

    @property
    def delisted(self) -> int | None:
        """The last day, where trading has ended."""
        return None if self.days[-1] >= _ENDLESS else self.days[-1]

    def segments(self) -> Iterator[tuple[int, int, str]]:
        """First day, last day and ticker of each name the company had."""
        first = self.days[0]
        for last, ticker in zip(self.days[1:], self.tickers[1:], strict=True):
            yield first, last, ticker
            first = last + 1


class Folder:
    """Reads the files of one data folder; what it gives is not kept."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.equity = root / "equity" / "usa"
        if not (self.equity / "daily").is_dir():
            raise NotFound(
                "data folder", str(root),
                "It needs LEAN's layout with equity/usa/daily. "
                "Make one from the sample data with: qc-lora data convert",
            )  # fmt: skip

    def tickers(self) -> list[str]:
        """Tickers with daily bars."""
        return sorted(path.stem.upper() for path in (self.equity / "daily").glob("*.zip"))

    def daily_path(self, ticker: str) -> Path:
        """Where a ticker's daily bars lie."""
        return self.equity / "daily" / f"{ticker.lower()}.zip"

    def mapping(self, ticker: str) -> Mapping | None:
        """The map file of the company that is called `ticker` today."""
        folder = self.equity / "map_files"
        stem = ticker.lower()
        for path in (folder / f"{stem}.csv", *sorted(folder.glob(f"{stem}.[0-9]*.csv"))):
            if path.exists():
                found = _read_map(path)
                if found.tickers[-1] == stem:
                    return found
        return None

    def factors(self, stem: str) -> Factors:
        """The factor file of a company; no rows where there is none."""
        path = self.equity / "factor_files" / f"{stem.lower()}.csv"
        return _read_factors(path) if path.exists() else Factors()

    def daily(self, ticker: str) -> Table:
        """All daily rows of a ticker; CorruptFile names the line that is wrong."""
        path = self.daily_path(ticker)
        return _parse_daily(path, _unzip(path))

    def interest_rates(self) -> tuple[list[int], list[float]]:
        """Days and rates (fractions) of the risk free rate; empty where there is no file."""
        path = self.root / _INTEREST
        if not path.exists():
            return [], []
        days, rates = [], []
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if number == 1 or not line.strip():
                continue
            try:
                day, percent = line.split(",")[:2]
                days.append(day_of(date.fromisoformat(day)))
                rates.append(float(percent) / 100)
            except ValueError as error:
                raise CorruptFile(path, f"line {number} is {line!r}: {error}", _AGAIN) from error
        return days, rates


def rate_at(days: list[int], rates: list[float], day: int) -> float:
    """The rate in force on a day: the last one set, the first one before that."""
    if not days:
        return DEFAULT_RATE
    return rates[max(bisect_right(days, day) - 1, 0)]


def _unzip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if not names:
                raise CorruptFile(path, "the archive is empty", _AGAIN)
            return archive.read(names[0]).decode("ascii")
    except FileNotFoundError:
        raise
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise CorruptFile(path, f"not a readable zip archive ({error})", _AGAIN) from error


def _parse_daily(path: Path, text: str) -> Table:
    lines = text.splitlines()
    fields = ",".join(lines).split(",") if lines else []
    if len(fields) != 6 * len(lines):
        _name_bad_line(path, lines)
    try:
        days = array("l", [_day(field) for field in fields[0::6]])
        columns = [
            array("d", [int(field) / 10000 for field in fields[column::6]])
            for column in range(1, 5)
        ]
        volume = array("d", map(float, fields[5::6]))
    except ValueError:
        _name_bad_line(path, lines)
        raise
    opens, highs, lows, closes = columns
    table = Table(path, days, opens, highs, lows, closes, volume)
    if any(a >= b for a, b in pairwise(days)) or min(columns[2], default=1) <= 0:
        _name_bad_line(path, lines)
    return table


def _name_bad_line(path: Path, lines: list[str]) -> None:
    before = ""
    for number, line in enumerate(lines, 1):
        fields = line.split(",")
        fact = ""
        if len(fields) != 6:
            fact = f"has {len(fields)} fields instead of 6"
        else:
            try:
                datetime.strptime(fields[0], "%Y%m%d %H:%M")
                if min(int(field) for field in fields[1:5]) <= 0:
                    fact = "has a price that is not above zero"
                float(fields[5])
            except ValueError as error:
                fact = f"cannot be read ({error})"
        if not fact and fields[0] <= before:
            fact = f"does not come after {before}"
        if fact:
            raise CorruptFile(path, f"line {number} {fact}: {line[:100]!r}", _AGAIN)
        before = fields[0]
    raise CorruptFile(path, "its rows cannot be read", _AGAIN)


def _rows(path: Path, least: int) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(path.read_text("ascii").splitlines(), 1):
        if not line.strip():
            continue
        fields = line.split(",")
        try:
            if len(fields) < least:
                raise ValueError(f"{len(fields)} fields instead of {least}")
            yield _day(fields[0]), fields
        except ValueError as error:
            raise CorruptFile(path, f"line {number} is {line!r}: {error}", _AGAIN) from error


def _read_map(path: Path) -> Mapping:
    rows = list(_rows(path, 2))
    if len(rows) < 2:
        raise CorruptFile(path, "has no row after the first", _AGAIN)
    return Mapping(
        path.stem, tuple(day for day, _ in rows), tuple(fields[1].lower() for _, fields in rows)
    )


def _read_factors(path: Path) -> Factors:
    days, price, split, reference = [], [], [], []
    for day, fields in _rows(path, 3):
        try:
            numbers = [float(field) for field in fields[1:4]]
        except ValueError as error:
            raise CorruptFile(path, f"row of {fields[0]}: {error}", _AGAIN) from error
        days.append(day)
        price.append(numbers[0])
        split.append(numbers[1])
        reference.append(numbers[2] if len(numbers) > 2 else 0.0)
    return Factors(tuple(days), tuple(price), tuple(split), tuple(reference))
