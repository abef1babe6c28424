"""Bars for code that names tickers and years of its own choice: seeded random walks alone.

A documentation example trades SPY by the minute in 2024; that it runs and trades can be seen on any
prices. The walks say nothing about any market, and no figure of them is shown as one.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qc_builder_lora.backtest.simulator.calendar import (
    OPEN,
    Hours,
    date_of,
    day_of,
    load_hours,
)
from qc_builder_lora.harvest.corpus.asked_bars import FIRST, LAST, Wanted
from qc_builder_lora.harvest.corpus.bars import made_once, walk, write_bars
from qc_builder_lora.ids import text_hash

DAILY = (FIRST, LAST)
"""First and last day of the daily and hourly bars; minutes are made of the months asked for."""
_EQUITY = Path("equity") / "usa"
_MANIFEST = "walks.json"
_MINUTE, _HOUR = 60, 3600


def walk_data(sample: Path, target: Path, asked: Wanted) -> Path:
    """A LEAN data folder with the walks that are asked for; made once.

    `sample` is a data folder of which all but the bars is taken: interest rates. A ticker's bars
    are the same whatever else is asked for.
    """

    def fill(folder: Path) -> None:
        shutil.copytree(sample / "alternative", folder / "alternative")
        hours = load_hours(folder)
        for ticker in asked.tickers:
            _write(folder / _EQUITY, ticker, asked, hours)

    return made_once(target, _MANIFEST, {**asked.plain(), "version": 2}, fill)


def _write(folder: Path, ticker: str, asked: Wanted, hours: Hours) -> None:
    days = hours.between(*map(day_of, DAILY))
    bars = walk(ticker.upper(), len(days))
    name = ticker.lower()
    texts = [f"{date_of(day):%Y%m%d} 00:00" for day in days]
    write_bars(folder / "daily" / f"{name}.zip", f"{name}.csv", texts, bars)
    if ticker in asked.hours:
        _write_hours(folder, name, days, bars, hours)
    months = set(asked.minutes.get(ticker, ()))
    for number, day in enumerate(days):
        when = date_of(day)
        if (when.year, when.month) in months:
            _write_minutes(folder / "minute" / name, name, day, bars[number], hours)


def _write_hours(
    folder: Path, ticker: str, days: Sequence[int], bars: np.ndarray, hours: Hours
) -> None:
    texts, parts = [], []
    for number, day in enumerate(days):
        close = hours.session(day, extended=False)[1]
        # Begun on the hour, the first of a day at nine, as LEAN's files have them.
        starts = range(OPEN // _HOUR, -(-close // _HOUR))
        texts += [f"{date_of(day):%Y%m%d} {hour:02}:00" for hour in starts]
        parts.append(_within(bars[number], len(starts), f"{ticker}/{day}/hour"))
    write_bars(folder / "hour" / f"{ticker}.zip", f"{ticker}.csv", texts, np.concatenate(parts))


def _write_minutes(folder: Path, ticker: str, day: int, bar: np.ndarray, hours: Hours) -> None:
    close = hours.session(day, extended=False)[1]
    starts = range(OPEN, close, _MINUTE)
    stamp = f"{date_of(day):%Y%m%d}"
    write_bars(
        folder / f"{stamp}_trade.zip",
        f"{stamp}_{ticker}_minute_trade.csv",
        [str(1000 * second) for second in starts],
        _within(bar, len(starts), f"{ticker}/{day}/minute"),
    )


def _within(bar: np.ndarray, count: int, seed: str) -> np.ndarray:
    """So many bars that begin at the day's open, end at its close and stay between its extremes."""
    source = np.random.default_rng(int(text_hash(seed)[:12], 16))
    open_, high, low, close, volume = bar
    steps = np.cumsum(source.standard_normal(count))
    # A bridge: the walk is bent so that it ends where the day does.
    bridge = steps - steps[-1] * np.arange(1, count + 1) / count
    scale = (high - low) / (4 * max(1e-9, float(np.ptp(bridge))))
    line = open_ + (close - open_) * np.arange(1, count + 1) / count
    closes = np.clip(line + scale * bridge, low, high)
    opens = np.concatenate(([open_], closes[:-1]))
    noise = np.abs(source.normal(0, 0.2, (2, count))) * scale
    highs = np.minimum(np.maximum(opens, closes) + noise[0], high)
    lows = np.maximum(np.minimum(opens, closes) - noise[1], low)
    volumes = np.full(count, max(1.0, volume // count))
    return np.column_stack([opens, highs, lows, closes, volumes])
