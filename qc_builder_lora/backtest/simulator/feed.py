"""Bars of one company as a backtest sees them: renamings followed, prices adjusted.

Daily and hourly bars are one `Series`, minutes and seconds are `Days`, read when they are needed.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import IntEnum
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from qc_builder_lora.backtest.simulator.bars import Bars, Columns
from qc_builder_lora.backtest.simulator.calendar import DAY, NEW_YORK, OPEN, Hours, date_of, zone
from qc_builder_lora.backtest.simulator.folder import Factors, Folder, Mapping
from qc_builder_lora.backtest.simulator.rows import Table, read_day, read_whole
from qc_builder_lora.errors import BacktestError

_LONGEST_GAP = 20
"""Calendar days without a bar that are still filled forward; 2001-09 closed the exchange for 7."""

RESOLUTIONS = {1: "second", 60: "minute", 3600: "hour", 86400: "daily"}
"""Seconds of a bar, and the folder that has such bars."""
Block = tuple[Bars, int, int]
"""Bars, the first row that is meant and the row after the last."""


class Mode(IntEnum):
    """LEAN's DataNormalizationMode, as far as it is modelled."""

    RAW = 0
    ADJUSTED = 1
    SPLIT_ADJUSTED = 2
    TOTAL_RETURN = 3
    """Split-adjusted, with the dividends of the period added: refused where there is one."""

    @property
    def by_splits(self) -> bool:
        """Whether prices hold the splits, and nothing else of the factors."""
        return self in (Mode.SPLIT_ADJUSTED, Mode.TOTAL_RETURN)


class NoData(BacktestError):
    """The folder cannot say what the strategy asks; the backtest is `unknown`."""


@dataclass(frozen=True)
class Company:
    """What is the same for all bars of one company: names over time and price factors."""

    ticker: str
    mapping: Mapping | None
    factors: Factors

    @property
    def listed(self) -> int | None:
        """The first day it could be traded, as far as the map file knows."""
        return self.mapping.listed if self.mapping else None

    @property
    def delisted(self) -> int | None:
        """The last day."""
        return self.mapping.delisted if self.mapping else None

    @property
    def first_name(self) -> str:
        """The ticker it was listed under, by which LEAN identifies and orders securities."""
        return (self.mapping.tickers[0] if self.mapping else self.ticker).upper()

    def name_at(self, day: int) -> str:
        """The ticker on a day."""
        return self.mapping.name_at(day) if self.mapping else self.ticker.lower()

    def scale(self, day: int, mode: Mode) -> float:
        """What a day's prices are multiplied by."""
        price, split = self.factors.at(day)
        return 1.0 if mode is Mode.RAW else split if mode.by_splits else price * split

    def exact(self, day: int, mode: Mode) -> str:
        """The same, in all its digits."""
        if mode is Mode.RAW:
            return "1"
        price, split = self.factors.texts_at(day)
        if mode.by_splits:
            return split
        return str(Decimal(price) * Decimal(split))


def refuse_dividend(mode: Mode, ticker: str) -> None:
    """NoData for a dividend on prices to which LEAN would add it."""
    if mode is Mode.TOTAL_RETURN:
        raise NoData(
            f"not modelled: DataNormalizationMode.TOTAL_RETURN across a dividend of {ticker}"
        )


def company(folder: Folder, ticker: str) -> Company:
    """Map file and factor file of a ticker."""
    mapping = folder.mapping(ticker)
    stem = mapping.stem if mapping is not None else ticker
    return Company(ticker, mapping, folder.factors(stem))


@dataclass(frozen=True)
class Series:
    """All daily or hourly bars of one company in one price normalisation."""

    company: Company
    resolution: int
    mode: Mode
    path: Path
    days: array[int]
    """The day each bar belongs to."""
    bars: Bars
    holes: tuple[tuple[int, int, Path], ...] = ()
    """Days under a former ticker whose file is not there: first, last, file."""
    kind: str = field(default="trade")
    strict: bool = False
    """Whether its bars last for the regular session and no longer: LEAN's strict end times."""

    @cached_property
    def by_midnight(self) -> Series:
        """The same with daily bars that last from midnight to midnight."""
        if not self.strict:
            return self
        begins = [day * DAY for day in self.days]
        ends = [begin + DAY for begin in begins]
        return replace(
            self, bars=Bars(begins, ends, self.bars.columns, zone(NEW_YORK)), strict=False
        )

    @property
    def ticker(self) -> str:
        """The name it was asked for by."""
        return self.company.ticker

    @property
    def open(self) -> array[float]:
        """Opening prices."""
        return self.bars.columns[0]

    @property
    def high(self) -> array[float]:
        """Highest prices."""
        return self.bars.columns[1]

    @property
    def low(self) -> array[float]:
        """Lowest prices."""
        return self.bars.columns[2]

    @property
    def close(self) -> array[float]:
        """Closing prices."""
        return self.bars.columns[3]

    @property
    def volume(self) -> array[float]:
        """Shares traded."""
        return self.bars.columns[4]

    def row_at(self, day: int) -> int:
        """The row of the last bar up to and including a day; -1 before the first."""
        return bisect_right(self.days, day) - 1

    def blocks(self, first: int, last: int) -> Iterator[Block]:
        """The bars from day `first` to day `last`."""
        low, high = bisect_left(self.days, first), bisect_right(self.days, last)
        if low < high:
            yield self.bars, low, high

    def cover(self, first: int, last: int, hours: Hours) -> None:
        """NoData, naming the file, unless there are bars from first to last of these days."""
        first, last = _in_listing(self.company, first, last)
        wanted = hours.between(first, last)
        if not wanted:
            return
        if not self.days:
            raise NoData(f"{self.path} has no bars")
        have = f"{self.path} has bars from {date_of(self.days[0])} to {date_of(self.days[-1])}"
        if self.days[0] > wanted[0]:
            raise NoData(f"{have}; the backtest needs {self.ticker} from {date_of(wanted[0])}")
        if self.days[-1] < wanted[-1]:
            raise NoData(f"{have}; the backtest needs {self.ticker} until {date_of(wanted[-1])}")
        self._refuse_holes(wanted)

    def _refuse_holes(self, wanted: list[int]) -> None:
        for start, end, path in self.holes:
            if wanted[0] <= end and start <= wanted[-1]:
                raise NoData(
                    f"no data for {self.ticker} from {date_of(start)} to {date_of(end)}: "
                    f"{path} does not exist"
                )
        # A few missing days are filled forward, as LEAN does; weeks are a damaged file.
        for before, after in pairwise(self.days):
            if after - before > _LONGEST_GAP and wanted[0] < after and before < wanted[-1]:
                raise NoData(
                    f"{self.path} has no bars between {date_of(before)} and {date_of(after)}"
                )

    def starts_late(self, first: int) -> str:
        """`FILE begins on DATE` where that is after a day, else nothing."""
        if not self.days or self.days[0] <= first:
            return ""
        return f"{self.path} begins on {date_of(self.days[0])}"


def _in_listing(company: Company, first: int, last: int) -> tuple[int, int]:
    if company.listed is not None:
        first = max(first, company.listed)
    if company.delisted is not None:
        last = min(last, company.delisted)
    return first, last


@dataclass(frozen=True)
class Days:
    """Minutes or seconds of one company, one kind, one price normalisation: a file a day."""

    company: Company
    resolution: int
    mode: Mode
    kind: str
    hours: Hours
    path: Callable[[int], Path]
    read: Callable[[int], Bars | None]
    """The bars of a day, None where there is no file."""
    strict: bool = False

    @property
    def by_midnight(self) -> Days:
        """Itself: no bar of a minute lasts into the night."""
        return self

    @property
    def ticker(self) -> str:
        """The name it was asked for by."""
        return self.company.ticker

    def blocks(self, first: int, last: int) -> Iterator[Block]:
        """The bars from day `first` to day `last`, file by file."""
        first, last = _in_listing(self.company, first, last)
        for day in self.hours.between(first, last):
            bars = self.read(day)
            if bars is not None and len(bars):
                yield bars, 0, len(bars)

    def cover(self, first: int, last: int, hours: Hours) -> None:
        """NoData, naming a file, unless at least one of these days has one.

        LEAN fills forward over days without a file, whatever the number; so do we, and say so.
        """
        first, last = _in_listing(self.company, first, last)
        wanted = hours.between(first, last)
        if wanted and self.kind == "trade" and not any(self.path(day).exists() for day in wanted):
            raise NoData(
                f"no data for {self.ticker} from {date_of(wanted[0])} to {date_of(wanted[-1])}: "
                f"{self.path(wanted[0])} does not exist, nor does any of the days after it"
            )

    def missing(self, first: int, last: int) -> list[Path]:
        """The files of trading days that are not there."""
        first, last = _in_listing(self.company, first, last)
        paths = map(self.path, self.hours.between(first, last))
        return [path for path in paths if not path.exists()]

    def starts_late(self, first: int) -> str:
        """`FILE does not exist` where a day has none."""
        days = self.hours.between(first, first + 7)
        if not days or self.path(days[0]).exists():
            return ""
        return f"{self.path(days[0])} does not exist"


Source = Series | Days


def load_series(
    folder: Folder, hours: Hours, who: Company, mode: Mode, resolution: int = DAY
) -> Series:
    """The daily or hourly bars of a company; NoData names the file that is not there."""
    name = RESOLUTIONS[resolution]
    if who.mapping is None:
        path = folder.whole_path(who.ticker, name)
        return _series(hours, who, mode, resolution, [_table(path, who.ticker)])
    tables, holes = [], []
    for first, last, ticker in who.mapping.segments():
        path = folder.whole_path(ticker, name)
        if path.exists():
            tables.append(_cut(_table(path, who.ticker), first, last))
        else:
            holes.append((first, last, path))
    if not tables:
        raise NoData(f"no data for {who.ticker}: {holes[-1][2]} does not exist")
    return _series(hours, who, mode, resolution, tables, tuple(holes))


def _table(path: Path, ticker: str) -> Table:
    try:
        return read_whole(path)
    except FileNotFoundError as error:
        raise NoData(f"no data for {ticker}: {path} does not exist") from error


def _cut(table: Table, first: int, last: int) -> Table:
    start, end = bisect_left(table.starts, first * DAY), bisect_left(table.starts, (last + 1) * DAY)
    return Table(
        table.path, table.starts[start:end], tuple(column[start:end] for column in table.columns)
    )


def _series(
    hours: Hours,
    who: Company,
    mode: Mode,
    resolution: int,
    tables: list[Table],
    holes: tuple[tuple[int, int, Path], ...] = (),
) -> Series:
    starts: array[int] = array("q")
    columns: Columns = tuple(array("d") for _ in range(5))
    for table in tables:
        starts.extend(table.starts)
        for column, part in zip(columns, table.columns, strict=True):
            column.extend(part)
    days = array("l", [start // DAY for start in starts])
    _adjust(who, mode, days, columns)
    if resolution == DAY:
        # LEAN's strict end times: a daily bar is the regular session.
        begins = [day * DAY + OPEN for day in days]
        ends = [day * DAY + hours.close(day) for day in days]
    else:
        begins = list(starts)
        ends = [start + resolution for start in starts]
    bars = Bars(begins, ends, columns, zone(NEW_YORK))
    return Series(
        who, resolution, mode, tables[-1].path, days, bars, holes, strict=resolution == DAY
    )


def _adjust(who: Company, mode: Mode, days: array[int], columns: Columns) -> None:
    """Multiply prices by the factors up to each factor row's day, divide volume by the split's."""
    factors, start = who.factors, 0
    if mode is Mode.RAW:
        return
    for last in factors.days:
        end = bisect_right(days, last)
        if end > start:
            scale_columns(columns, start, end, who.scale(last, mode))
        start = max(start, end)


def scale_columns(columns: Columns, start: int, end: int, scale: float) -> None:
    """Multiply prices in place, divide volumes and sizes, by all factors as LEAN does."""
    if scale == 1:
        return
    for number, column in enumerate(columns):
        part = column[start:end]
        if number % 5 == 4:
            column[start:end] = array("d", [float(round(value / scale)) for value in part])
        else:
            column[start:end] = array("d", [value * scale for value in part])


def load_day(path: Path, who: Company, mode: Mode, resolution: int, day: int, kind: str) -> Bars:
    """One day's minutes or seconds."""
    table = read_day(path, day, kind)
    if mode is not Mode.RAW:
        scale_columns(table.columns, 0, len(table.starts), who.scale(day, mode))
    ends = [start + resolution for start in table.starts]
    return Bars(table.starts, ends, table.columns, zone(NEW_YORK))
