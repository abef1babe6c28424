"""A panel: daily bars of several symbols as arrays of days x symbols, with groups and shares."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np

from qc_builder_lora.errors import InputError, NotFound
from qc_builder_lora.harvest.corpus.alphas.language import LEVELS
from qc_builder_lora.harvest.corpus.alphas.operators import Array, delay

BARS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class Listing:
    """What a classification file says of one ticker."""

    groups: Mapping[str, str] = field(default_factory=dict)
    """Level → group."""
    shares: float | None = None
    """Shares outstanding."""


@dataclass(frozen=True)
class Panel:
    """Bars of days x symbols. Prices are adjusted and above zero; NaN where there is no bar."""

    days: Sequence[date]
    symbols: Sequence[str]
    bars: Mapping[str, Array]
    """open, high, low, close, volume; vwap, returns, amount (dollars), cap where they are known."""
    listings: Mapping[str, Listing] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = (len(self.days), len(self.symbols))
        for name in BARS:
            if name not in self.bars:
                raise InputError(f"The panel has no {name}; it needs {', '.join(BARS)}.")
        for name, values in self.bars.items():
            if values.shape != shape:
                raise InputError(f"{name} has the shape {values.shape}, the panel is {shape}.")
        for name in BARS[:4]:
            if np.any(self.bars[name] <= 0):
                raise InputError(f"{name} has a price that is not above zero.")

    def input(self, name: str) -> Array:
        """An input of the language other than adv; InputError where the panel cannot say."""
        if name in self.bars:
            return self.bars[name]
        if name == "vwap":
            return (self.bars["high"] + self.bars["low"] + self.bars["close"]) / 3
        if name == "returns":
            close = self.bars["close"]
            returns: Array = close / delay(close, 1) - 1
            return returns
        if name == "amount":
            return self.input("vwap") * self.bars["volume"]
        if name == "cap":
            cap: Array = self.bars["close"] * np.array([self._shares(s) for s in self.symbols])
            return cap
        raise InputError(f"The panel has no {name}.")

    def _shares(self, symbol: str) -> float:
        listing = self.listings.get(symbol)
        if listing is None or listing.shares is None:
            raise InputError(
                f"cap needs the shares outstanding of {symbol}. Give a classification file with "
                "the columns ticker, sector, industry, subindustry, shares."
            )
        return listing.shares

    def groups(self, level: str) -> list[str | None]:
        """The group of every symbol; InputError where none of them has one."""
        found = [self._group(symbol, level) for symbol in self.symbols]
        if not any(found):
            raise InputError(
                f"IndClass.{level} needs a classification, and none of {', '.join(self.symbols)} "
                "has one. Give a file with the columns ticker, sector, industry, subindustry."
            )
        return found

    def _group(self, symbol: str, level: str) -> str | None:
        listing = self.listings.get(symbol)
        return listing.groups.get(level) if listing else None

    def until(self, count: int) -> Panel:
        """The first days alone, as they were known then."""
        cut = {name: values[:count] for name, values in self.bars.items()}
        return Panel(self.days[:count], self.symbols, cut, self.listings)


def read_listings(path: Path) -> dict[str, Listing]:
    """A classification file: CSV with ticker, and any of sector, industry, subindustry, shares."""
    known = {"ticker", "shares", *LEVELS}
    try:
        rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))
    except FileNotFoundError as error:
        cure = "Give the path of a CSV file with the columns ticker, sector, industry, subindustry."
        raise NotFound("classification file", str(path), cure) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {error}. It must be CSV in UTF-8.") from error
    listings: dict[str, Listing] = {}
    for number, row in enumerate(rows, 2):
        if unknown := {name or "a column without a name" for name in row if name not in known}:
            raise InputError(
                f"{path}: unknown column {min(unknown)!r}. Columns are {', '.join(sorted(known))}."
            )
        ticker = (row.get("ticker") or "").strip().upper()
        if not ticker or ticker in listings:
            fault = f"{ticker} is there twice" if ticker else "the ticker is missing"
            raise InputError(f"{path}, line {number}: {fault}. Give each ticker one line.")
        listings[ticker] = _listing(path, number, row)
    if not listings:
        raise InputError(f"{path}: no line below the heading. Give each ticker a line.")
    return listings


def _listing(path: Path, number: int, row: Mapping[str, str | None]) -> Listing:
    text = (row.get("shares") or "").strip()
    try:
        shares = float(text) if text else None
        if shares is not None and not 0 < shares < float("inf"):
            raise ValueError(text)
    except ValueError as error:
        raise InputError(
            f"{path}, line {number}: shares is {text!r}. Give a number above zero, or nothing."
        ) from error
    groups = {level: (row.get(level) or "").strip() for level in LEVELS}
    return Listing({level: name for level, name in groups.items() if name}, shares)


def read_panel(
    folder: Path,
    tickers: Sequence[str],
    listings: Mapping[str, Listing] | None = None,
    start: date | None = None,
    end: date | None = None,
) -> Panel:
    """Daily adjusted bars of a LEAN data folder, as a backtest on it sees them."""
    from qc_builder_lora.backtest.simulator.calendar import date_of
    from qc_builder_lora.backtest.simulator.shelf import Shelf

    shelf = Shelf(folder)
    series = [shelf.series(ticker) for ticker in tickers]
    days = sorted({day for one in series for day in one.days})
    days = [
        d for d in days if (not start or date_of(d) >= start) and (not end or date_of(d) <= end)
    ]
    if not days:
        raise InputError(f"{folder}: no bars of {', '.join(tickers)} in that time.")
    row = {day: number for number, day in enumerate(days)}
    bars = {name: np.full((len(days), len(series)), np.nan) for name in BARS}
    for column, one in enumerate(series):
        kept = [(number, row[day]) for number, day in enumerate(one.days) if day in row]
        for name in BARS:
            source = getattr(one, name)
            for number, at in kept:
                bars[name][at, column] = source[number]
    return Panel([date_of(d) for d in days], list(tickers), bars, listings or {})


def random_panel(
    days: int, symbols: int, seed: int = 0, groups: int = 4, missing: float = 0.0
) -> Panel:
    """A seeded random walk a symbol, for tests, benchmarks and the sieve; says nothing of markets.

    `missing` is the share of bars that are not there.
    """
    source = np.random.default_rng(seed)
    shape = (days, symbols)
    step = 0.02 * source.standard_normal(shape) * source.uniform(0.5, 1.5, symbols)
    close = source.uniform(10, 200, symbols) * np.exp(np.cumsum(step, axis=0))
    start = close * np.exp(0.008 * source.standard_normal(shape))
    high = np.maximum(start, close) * (1 + 0.008 * np.abs(source.standard_normal(shape)))
    low = np.minimum(start, close) * (1 - 0.008 * np.abs(source.standard_normal(shape)))
    level = source.uniform(12, 16, symbols) + 0.3 * source.standard_normal(shape)
    bars = {"open": start, "high": high, "low": low, "close": close}
    bars["volume"] = np.floor(np.exp(level + 8 * np.abs(step)))
    if missing:
        gone = source.random(shape) < missing
        for values in bars.values():
            values[gone] = np.nan
    first = date(2010, 1, 4).toordinal()
    names = [f"S{number:03d}" for number in range(symbols)]
    return Panel(
        [date.fromordinal(first + number) for number in range(days)], names, bars,
        {name: _drawn(source, groups) for name in names},
    )  # fmt: skip


def _drawn(source: np.random.Generator, groups: int) -> Listing:
    sector = source.integers(groups)
    industry = 2 * sector + source.integers(2)
    names = {
        "sector": f"sector {sector}",
        "industry": f"industry {industry}",
        "subindustry": f"subindustry {2 * industry + source.integers(2)}",
    }
    return Listing(names, float(source.integers(10_000_000, 900_000_000)))
