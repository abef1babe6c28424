"""A LEAN data folder: where its files lie, factor files, map files, interest rates. US equities.

equity/usa/{daily,hour}/<ticker>.zip               bars, see `rows.py`
equity/usa/{minute,second}/<ticker>/<YYYYMMDD>_{trade,quote}.zip
equity/usa/factor_files/<ticker>.csv   rows `YYYYMMDD,price factor,split factor,close`
equity/usa/map_files/<ticker>.csv      rows `YYYYMMDD,ticker[,exchange]`: listing, renamings
alternative/interest-rate/usa/interest-rate.csv   rows `YYYY-MM-DD,percent`
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from qc_builder_lora.backtest.simulator.calendar import date_of, day_of
from qc_builder_lora.backtest.simulator.rows import AGAIN, day_number
from qc_builder_lora.errors import CorruptFile, NotFound

_ENDLESS = day_of(date(2050, 12, 31))
_INTEREST = Path("alternative") / "interest-rate" / "usa" / "interest-rate.csv"
DEFAULT_RATE = 0.01
"""LEAN's own risk free rate where no file gives one (InterestRateProvider.DefaultRiskFreeRate)."""


@dataclass(frozen=True)
class Factors:
    """Rows of a factor file: up to and including `days[i]` prices are multiplied by `price[i]`."""

    days: tuple[int, ...] = ()
    price: tuple[float, ...] = ()
    split: tuple[float, ...] = ()
    reference: tuple[float, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    """Both factors as the file has them."""

    def at(self, day: int) -> tuple[float, float]:
        """Price factor and split factor of a day; 1 and 1 after the last row."""
        row = bisect_left(self.days, day)
        return (self.price[row], self.split[row]) if row < len(self.days) else (1.0, 1.0)

    def texts_at(self, day: int) -> tuple[str, str]:
        """The same as the file has them."""
        row = bisect_left(self.days, day)
        return self.texts[row] if row < len(self.days) else ("1", "1")


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

    def name_at(self, day: int) -> str:
        """The ticker on a day; the last one after the end."""
        row = bisect_left(self.days, day)
        return self.tickers[min(row, len(self.tickers) - 1)]

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

    def whole_path(self, ticker: str, resolution: str) -> Path:
        """Where a ticker's `daily` or `hour` bars lie."""
        return self.equity / resolution / f"{ticker.lower()}.zip"

    def day_path(self, ticker: str, resolution: str, day: int, kind: str) -> Path:
        """Where a day's `minute` or `second` bars lie, `trade` or `quote`."""
        name = f"{date_of(day):%Y%m%d}_{kind}.zip"
        return self.equity / resolution / ticker.lower() / name

    def mapping(self, ticker: str) -> Mapping | None:
        """The map file of the company that is called `ticker` today, else the file of that name."""
        folder = self.equity / "map_files"
        stem = ticker.lower()
        exact = folder / f"{stem}.csv"
        paths = [exact, *sorted(folder.glob(f"{stem}.[0-9]*.csv"))]
        found = {path: _read_map(path) for path in paths if path.exists()}
        for mapping in found.values():
            if mapping.tickers[-1] == stem and mapping.delisted is None:
                return mapping
        return found.get(exact)

    def factors(self, stem: str) -> Factors:
        """The factor file of a company; no rows where there is none."""
        path = self.equity / "factor_files" / f"{stem.lower()}.csv"
        return _read_factors(path) if path.exists() else Factors()

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
                raise CorruptFile(path, f"line {number} is {line!r}: {error}", AGAIN) from error
        return days, rates


def rate_at(days: list[int], rates: list[float], day: int) -> float:
    """The rate in force on a day: the last one set, the first one before that."""
    if not days:
        return DEFAULT_RATE
    return rates[max(bisect_right(days, day) - 1, 0)]


def _rows(path: Path, least: int) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(path.read_text("ascii").splitlines(), 1):
        if not line.strip():
            continue
        fields = line.split(",")
        try:
            if len(fields) < least:
                raise ValueError(f"{len(fields)} fields instead of {least}")
            yield day_number(fields[0]), fields
        except ValueError as error:
            raise CorruptFile(path, f"line {number} is {line!r}: {error}", AGAIN) from error


def _read_map(path: Path) -> Mapping:
    rows = list(_rows(path, 2))
    if len(rows) < 2:
        raise CorruptFile(path, "has no row after the first", AGAIN)
    return Mapping(
        path.stem, tuple(day for day, _ in rows), tuple(fields[1].lower() for _, fields in rows)
    )


def _read_factors(path: Path) -> Factors:
    days, price, split, reference, texts = [], [], [], [], []
    for day, fields in _rows(path, 3):
        try:
            numbers = [float(field) for field in fields[1:4]]
        except ValueError as error:
            raise CorruptFile(path, f"row of {fields[0]}: {error}", AGAIN) from error
        days.append(day)
        texts.append((fields[1].strip(), fields[2].strip()))
        price.append(numbers[0])
        split.append(numbers[1])
        reference.append(numbers[2] if len(numbers) > 2 else 0.0)
    return Factors(tuple(days), tuple(price), tuple(split), tuple(reference), tuple(texts))
