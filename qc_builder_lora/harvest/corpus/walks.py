"""Bars for code that names tickers and years of its own choice: seeded random walks alone.

A documentation example trades SPY by the minute in 2024; that it runs and trades can be seen on any
prices. The walks say nothing about any market, and no figure of them is shown as one.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from qc_builder_lora.backtest.simulator.calendar import (
    OPEN,
    Hours,
    date_of,
    day_of,
    load_hours,
)
from qc_builder_lora.harvest.corpus.bars import made_once, walk, write_bars
from qc_builder_lora.ids import text_hash

DAILY = (date(2000, 1, 3), date(2025, 12, 31))
HOURLY = (date(2018, 1, 2), date(2025, 12, 31))
MINUTES = (date(2024, 8, 1), date(2024, 12, 31))
"""First and last day of each; most pages trade the last four months of 2024."""
_EQUITY = Path("equity") / "usa"
_MANIFEST = "walks.json"
_NAMED = re.compile(r"""\badd_?equity\(\s*["']([A-Za-z][A-Za-z.]{0,9})["']""", re.IGNORECASE)
_ALWAYS = ("SPY", "QQQ", "AAPL", "IBM")
_MOST = 60
"""Tickers; each takes about a second to make, and a megabyte."""
_MINUTE, _HOUR = 60, 3600


def tickers_in(codes: Iterable[str]) -> list[str]:
    """The US equities that most code adds by name, and a few that it may add otherwise; sorted."""
    named = Counter(one.upper() for code in codes for one in set(_NAMED.findall(code)))
    most = sorted(named, key=lambda one: (-named[one], one))[:_MOST]
    return sorted({*most, *_ALWAYS})


def walk_data(sample: Path, target: Path, tickers: Sequence[str]) -> Path:
    """A LEAN data folder with walks of these tickers by the day, hour and minute; made once.

    `sample` is a data folder of which all but the bars is taken: interest rates.
    """

    def fill(folder: Path) -> None:
        shutil.copytree(sample / "alternative", folder / "alternative")
        hours = load_hours(folder)
        for ticker in tickers:
            _write(folder / _EQUITY, ticker.lower(), hours)

    return made_once(target, _MANIFEST, {"tickers": list(tickers), "version": 1}, fill)


def _write(folder: Path, ticker: str, hours: Hours) -> None:
    days = hours.between(*map(day_of, DAILY))
    bars = walk(ticker.upper(), len(days))
    texts = [f"{date_of(day):%Y%m%d} 00:00" for day in days]
    write_bars(folder / "daily" / f"{ticker}.zip", f"{ticker}.csv", texts, bars)
    _write_hours(folder, ticker, days, bars, hours)
    first, last = map(day_of, MINUTES)
    for number, day in enumerate(days):
        if first <= day <= last:
            _write_minutes(folder / "minute" / ticker, ticker, day, bars[number], hours)


def _write_hours(
    folder: Path, ticker: str, days: Sequence[int], bars: np.ndarray, hours: Hours
) -> None:
    texts, parts = [], []
    first, last = map(day_of, HOURLY)
    for number, day in enumerate(days):
        if first <= day <= last:
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
