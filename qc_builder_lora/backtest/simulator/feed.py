"""Bars of one security as a backtest sees them: renamings followed, prices adjusted."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from pathlib import Path

from qc_builder_lora.backtest.simulator.calendar import Hours, date_of
from qc_builder_lora.backtest.simulator.folder import Factors, Folder, Mapping, Table
from qc_builder_lora.errors import BacktestError

_LONGEST_GAP = 20
"""Calendar days without a bar that are still filled forward; 2001-09 closed the exchange for 7."""


class NoData(BacktestError):
    """The folder cannot say what the strategy asks; the backtest is `unknown`."""


@dataclass(frozen=True)
class Action:
    """A dividend in USD a share, or a split factor, that takes effect on a day."""

    kind: str
    value: float
    reference: float
    """Raw close of the day before."""
    warning: bool = False


@dataclass(frozen=True)
class Series:
    """Daily bars of one company in one price normalisation."""

    ticker: str
    path: Path
    days: array[int]
    open: array[float]
    high: array[float]
    low: array[float]
    close: array[float]
    volume: array[float]
    actions: dict[int, list[Action]]
    listed: int | None
    delisted: int | None
    holes: tuple[tuple[int, int, Path], ...]
    """Days under a former ticker whose file is not there: first, last, file."""
    frames: list[str | None] = field(repr=False)
    """Each bar as JSON, made when first sent."""

    def frame(self, row: int) -> str:
        """`[open,high,low,close,volume]` of one bar."""
        text = self.frames[row]
        if text is None:
            text = (
                f"[{self.open[row]!r},{self.high[row]!r},{self.low[row]!r},{self.close[row]!r},"
                f"{self.volume[row]!r}]"
            )
            self.frames[row] = text
        return text

    def row_at(self, day: int) -> int:
        """The row of the last bar up to and including a day; -1 before the first."""
        return bisect_right(self.days, day) - 1

    def cover(self, first: int, last: int, hours: Hours) -> None:
        """NoData, naming the file, unless there are bars from first to last of these days."""
        if self.listed is not None:
            first = max(first, self.listed)
        if self.delisted is not None and last > self.delisted:
            raise NoData(
                f"{self.ticker} was delisted on {date_of(self.delisted)}: "
                "delistings are not modelled"
            )
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
        for before, after in zip(self.days, self.days[1:], strict=False):
            if after - before > _LONGEST_GAP and wanted[0] < after and before < wanted[-1]:
                raise NoData(
                    f"{self.path} has no bars between {date_of(before)} and {date_of(after)}"
                )


def load(folder: Folder, ticker: str, raw: bool) -> Series:
    """The bars of a ticker; NoData names the file that is not there."""
    mapping = folder.mapping(ticker)
    if mapping is None:
        table = _table(folder, ticker, ticker)
        return _series(ticker, folder.factors(ticker), [table], raw, None)
    tables = []
    holes = []
    for first, last, name in mapping.segments():
        path = folder.daily_path(name)
        if path.exists():
            tables.append(_cut(_table(folder, name, ticker), first, last))
        else:
            holes.append((first, last, path))
    if not tables:
        raise NoData(f"no data for {ticker}: {holes[-1][2]} does not exist")
    return _series(ticker, folder.factors(mapping.stem), tables, raw, mapping, tuple(holes))


def _table(folder: Folder, name: str, ticker: str) -> Table:
    try:
        return folder.daily(name)
    except FileNotFoundError as error:
        raise NoData(f"no data for {ticker}: {folder.daily_path(name)} does not exist") from error


def _cut(table: Table, first: int, last: int) -> Table:
    start, end = bisect_left(table.days, first), bisect_right(table.days, last)
    return Table(
        table.path, table.days[start:end], table.open[start:end], table.high[start:end],
        table.low[start:end], table.close[start:end], table.volume[start:end],
    )  # fmt: skip


def _series(
    ticker: str,
    factors: Factors,
    tables: list[Table],
    raw: bool,
    mapping: Mapping | None,
    holes: tuple[tuple[int, int, Path], ...] = (),
) -> Series:
    days: array[int] = array("l")
    columns: list[array[float]] = [array("d") for _ in range(5)]
    for table in tables:
        days.extend(table.days)
        parts = (table.open, table.high, table.low, table.close, table.volume)
        for column, part in zip(columns, parts, strict=True):
            column.extend(part)
    if not raw and factors.days:
        _adjust(factors, days, columns)
    opens, highs, lows, closes, volumes = columns
    return Series(
        ticker, tables[-1].path, days, opens, highs, lows, closes, volumes,
        _actions(factors, days),
        mapping.listed if mapping else None, mapping.delisted if mapping else None,
        holes, [None] * len(days),
    )  # fmt: skip


def _adjust(factors: Factors, days: array[int], columns: list[array[float]]) -> None:
    """Multiply prices by both factors up to each factor row's day, divide volume by the split's."""
    start = 0
    for last, price, split in zip(factors.days, factors.price, factors.split, strict=True):
        end = bisect_right(days, last)
        scale = price * split
        if end > start and scale != 1:
            for column in columns[:4]:
                column[start:end] = array("d", [value * scale for value in column[start:end]])
            columns[4][start:end] = array("d", [value / split for value in columns[4][start:end]])
        start = max(start, end)


def _actions(factors: Factors, days: array[int]) -> dict[int, list[Action]]:
    """What happens on the trading day after each factor row, as LEAN derives it from the file."""
    found: dict[int, list[Action]] = {}
    for row in range(len(factors.days) - 1):
        position = bisect_right(days, factors.days[row])
        if position >= len(days):
            continue
        day, reference = days[position], factors.reference[row]
        price = factors.price[row] / factors.price[row + 1]
        split = factors.split[row] / factors.split[row + 1]
        if price != 1:
            amount = round(reference - reference * price, 2)
            found.setdefault(day, []).append(Action("dividend", amount, reference))
        if split != 1:
            warned = days[position - 1]
            found.setdefault(warned, []).append(Action("split", split, reference, True))
            found.setdefault(day, []).append(Action("split", split, reference))
    return found
