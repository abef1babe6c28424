"""Market data of one folder, kept between backtests: a file is read again only when it changes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from qc_builder_lora.backtest.simulator.calendar import Hours, load_hours
from qc_builder_lora.backtest.simulator.feed import NoData, Series, load
from qc_builder_lora.backtest.simulator.folder import Folder
from qc_builder_lora.errors import CorruptFile

_IN_USE = (
    "equity/usa/daily/*.zip", "equity/usa/factor_files/*.csv", "equity/usa/map_files/*.csv",
    "alternative/interest-rate/usa/interest-rate.csv", "market-hours/market-hours-database.json",
)  # fmt: skip
_KEPT = 64
"""Series kept at most; one of 20 years takes about a megabyte."""


class Shelf:
    """What backtests on one data folder share."""

    def __init__(self, root: Path) -> None:
        self.folder = Folder(root)
        self.hours: Hours = load_hours(root)
        self._series: dict[tuple[str, bool], tuple[tuple[object, ...], Series]] = {}
        self._rates: tuple[list[int], list[float]] | None = None
        self._fingerprint: tuple[tuple[object, ...], str] | None = None

    def series(self, ticker: str, raw: bool) -> Series:
        """Bars of a ticker; NoData says which file is missing or damaged."""
        key = (ticker, raw)
        signature = self._signature(ticker)
        kept = self._series.get(key)
        if kept is not None and kept[0] == signature:
            return kept[1]
        try:
            found = load(self.folder, ticker, raw)
        except CorruptFile as error:
            raise NoData(str(error)) from error
        while len(self._series) >= _KEPT:
            self._series.pop(next(iter(self._series)))
        self._series[key] = (signature, found)
        return found

    def _signature(self, ticker: str) -> tuple[object, ...]:
        equity, name = self.folder.equity, ticker.lower()
        paths = (
            self.folder.daily_path(ticker),
            equity / "factor_files" / f"{name}.csv",
            equity / "map_files" / f"{name}.csv",
        )
        return tuple(map(_stamp, paths))

    def rates(self) -> tuple[list[int], list[float]]:
        """Days and risk free rates."""
        if self._rates is None:
            try:
                self._rates = self.folder.interest_rates()
            except CorruptFile as error:
                raise NoData(str(error)) from error
        return self._rates

    def fingerprint(self) -> str:
        """Hash of every file that a backtest may read; taken again when one changes."""
        root = self.folder.root
        paths = sorted(path for pattern in _IN_USE for path in root.glob(pattern))
        stamps = tuple(map(_stamp, paths))
        if self._fingerprint is None or self._fingerprint[0] != stamps:
            digest = hashlib.sha256()
            for path in paths:
                digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
            self._fingerprint = (stamps, digest.hexdigest())
        return self._fingerprint[1]


def _stamp(path: Path) -> tuple[str, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (path.name, found.st_mtime_ns, found.st_size)
