"""Market data of one folder, kept between backtests: a file is read again only when it changes."""

from __future__ import annotations

import hashlib
import os
import re
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from weakref import WeakValueDictionary

from qc_builder_lora.backtest.simulator.bars import Bars
from qc_builder_lora.backtest.simulator.calendar import DAY, Hours, load_hours
from qc_builder_lora.backtest.simulator.feed import (
    RESOLUTIONS,
    Company,
    Days,
    Mode,
    NoData,
    Series,
    Source,
    company,
    load_day,
    load_series,
)
from qc_builder_lora.backtest.simulator.folder import Folder
from qc_builder_lora.errors import CorruptFile

_IN_USE = (
    "equity/usa/daily/*.zip", "equity/usa/hour/*.zip", "equity/usa/factor_files/*.csv",
    "equity/usa/map_files/*.csv", "alternative/interest-rate/usa/interest-rate.csv",
    "market-hours/market-hours-database.json",
)  # fmt: skip
_BY_DAY = ("equity/usa/minute/*", "equity/usa/second/*")
_MOST_BARS = 300_000
"""Bars kept at most for what comes; one takes up to 150 bytes, its JSON included. What a backtest
has in use stays besides: a universe that is larger is not read anew at each history."""
_TICKER = re.compile(r"[A-Za-z0-9][A-Za-z0-9.^_-]{0,29}")
_Stamps = tuple[object, ...]


class Shelf:
    """What backtests on one data folder share."""

    def __init__(self, root: Path) -> None:
        self.folder = Folder(root)
        self.hours: Hours = load_hours(root)
        self._companies: dict[str, tuple[_Stamps, Company]] = {}
        self._series: OrderedDict[tuple[str, Mode, int], tuple[_Stamps, Series]] = OrderedDict()
        self._lent: WeakValueDictionary[tuple[str, Mode, int], Series] = WeakValueDictionary()
        self._lent_as: dict[tuple[str, Mode, int], _Stamps] = {}
        self._days: OrderedDict[tuple[Path, Mode], tuple[_Stamps, Bars]] = OrderedDict()
        self._rates: tuple[list[int], list[float]] | None = None
        self._fingerprint: tuple[_Stamps, str] | None = None

    def company(self, ticker: str) -> Company:
        """Names and factors of a ticker's company."""
        if not _TICKER.fullmatch(ticker):
            # It becomes part of a file's name.
            raise NoData(f"no data for {ticker!r}: that is no ticker of a US equity")
        name, equity = ticker.lower(), self.folder.equity
        stamps = _stamps(
            equity / folder / f"{name}.csv" for folder in ("map_files", "factor_files")
        )
        kept = self._companies.get(ticker)
        if kept is None or kept[0] != stamps:
            try:
                kept = (stamps, company(self.folder, ticker))
            except CorruptFile as error:
                raise NoData(str(error)) from error
            self._companies[ticker] = kept
        return kept[1]

    def source(self, ticker: str, mode: Mode, resolution: int, kind: str = "trade") -> Source:
        """Bars of a ticker at a resolution in seconds; NoData says which file is not there."""
        if resolution >= 3600:
            return self.series(ticker, mode, resolution)
        return self.days(ticker, mode, resolution, kind)

    def series(self, ticker: str, mode: Mode = Mode.ADJUSTED, resolution: int = DAY) -> Series:
        """Daily or hourly bars of a ticker; NoData says which file is missing or damaged."""
        who, name = self.company(ticker), RESOLUTIONS[resolution]
        names = who.mapping.tickers if who.mapping else (ticker,)
        stamps = (who, *_stamps(self.folder.whole_path(item, name) for item in names))
        key = (ticker, mode, resolution)
        kept = self._series.get(key)
        if kept is not None and kept[0] == stamps:
            self._series.move_to_end(key)
            return kept[1]
        lent = self._lent.get(key)
        if lent is not None and self._lent_as[key] == stamps:
            found = lent
        else:
            found = self._load(who, mode, resolution)
            self._lent[key], self._lent_as[key] = found, stamps
        self._series[key] = (stamps, found)
        while len(self._series) > 1 and _size(s.bars for _, s in self._series.values()):
            self._series.popitem(last=False)
        return found

    def _load(self, who: Company, mode: Mode, resolution: int) -> Series:
        try:
            return load_series(self.folder, self.hours, who, mode, resolution)
        except CorruptFile as error:
            raise NoData(str(error)) from error

    def days(self, ticker: str, mode: Mode, resolution: int, kind: str = "trade") -> Days:
        """Minutes or seconds of a ticker."""
        who, name = self.company(ticker), RESOLUTIONS[resolution]

        def path(day: int) -> Path:
            return self.folder.day_path(who.name_at(day), name, day, kind)

        def read(day: int) -> Bars | None:
            return self._day(path(day), who, mode, resolution, day, kind)

        return Days(who, resolution, mode, kind, self.hours, path, read)

    def _day(
        self, path: Path, who: Company, mode: Mode, resolution: int, day: int, kind: str
    ) -> Bars | None:
        stamps = (who, *_stamps((path,)))
        kept = self._days.get((path, mode))
        if kept is not None and kept[0] == stamps:
            self._days.move_to_end((path, mode))
            return kept[1]
        if stamps[-1] is None:
            return None
        try:
            found = load_day(path, who, mode, resolution, day, kind)
        except CorruptFile as error:
            raise NoData(str(error)) from error
        self._days[path, mode] = (stamps, found)
        while len(self._days) > 1 and _size(bars for _, bars in self._days.values()):
            self._days.popitem(last=False)
        return found

    def rates(self) -> tuple[list[int], list[float]]:
        """Days and risk free rates."""
        if self._rates is None:
            try:
                self._rates = self.folder.interest_rates()
            except CorruptFile as error:
                raise NoData(str(error)) from error
        return self._rates

    def fingerprint(self) -> str:
        """Hash of what a backtest may read; taken again when a file or a folder of days changes.

        Files of minutes and seconds, which may be a million, count by name and size.
        """
        root = self.folder.root
        paths = sorted(path for pattern in _IN_USE for path in root.glob(pattern))
        folders = sorted(path for pattern in _BY_DAY for path in root.glob(pattern))
        stamps = _stamps((*paths, *folders))
        if self._fingerprint is None or self._fingerprint[0] != stamps:
            digest = hashlib.sha256()
            for path in paths:
                digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
            for folder in folders:
                for item in sorted(os.scandir(folder), key=lambda item: item.name):
                    name = f"{folder.relative_to(root).as_posix()}/{item.name}"
                    digest.update(f"{name}\0{item.stat().st_size}\0".encode())
            self._fingerprint = (stamps, digest.hexdigest())
        return self._fingerprint[1]


def _size(kept: Iterable[Bars]) -> bool:
    """Whether there are too many."""
    return sum(map(len, kept)) > _MOST_BARS


def _stamps(paths: Iterable[Path]) -> _Stamps:
    return tuple(map(_stamp, paths))


def _stamp(path: Path) -> tuple[str, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (path.name, found.st_mtime_ns, found.st_size)
