"""Bars for the indicators' tests: seeded random ones, and ten years of AAPL's."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.backtest.surface.bars import TradeBar

SESSION = timedelta(hours=6.5)
Columns = dict[str, Any]


def random_bars(count: int, seed: int, symbol: str = "AAPL") -> list[TradeBar]:
    """A walk of prices in cents, with gaps, and volumes; one bar a day."""
    chance, price, made = random.Random(seed), 100.0, []
    time = datetime(2010, 1, 4, 9, 30)
    for _ in range(count):
        opened = round(price * (1 + chance.gauss(0, 0.004)), 2)
        close = round(opened * (1 + chance.gauss(0, 0.015)), 2)
        high = round(max(opened, close) * (1 + abs(chance.gauss(0, 0.006))), 2)
        low = round(min(opened, close) * (1 - abs(chance.gauss(0, 0.006))), 2)
        volume = float(chance.randrange(10**5, 10**6))
        made.append(TradeBar(time, symbol, opened, high, low, close, volume, SESSION))
        price, time = close, time + timedelta(days=1)
    return made


def real_bars(simulator: Simulator, ticker: str, count: int) -> list[TradeBar]:
    """Bars of the sample data, a day apart whatever their date."""
    series, made = simulator._shelf.series(ticker), []
    for row in range(700, 700 + count):
        start = datetime(2003, 1, 1, 9, 30) + timedelta(days=row)
        prices = (series.open[row], series.high[row], series.low[row], series.close[row])
        made.append(TradeBar(start, ticker, *prices, series.volume[row], SESSION))
    return made


@pytest.fixture(scope="session")
def samples(sample: Simulator) -> dict[str, list[TradeBar]]:
    """`random` and `real`."""
    return {"random": random_bars(1200, 1), "real": real_bars(sample, "AAPL", 2500)}


@pytest.fixture(scope="session")
def bars(samples: dict[str, list[TradeBar]]) -> list[TradeBar]:
    return samples["real"]


@pytest.fixture(scope="session")
def columns() -> Callable[[list[TradeBar]], Columns]:
    """Bars as arrays of numbers."""

    def of(bars: list[TradeBar]) -> Columns:
        names = ("open", "high", "low", "close", "volume")
        return {key: np.array([getattr(bar, key) for bar in bars], dtype=float) for key in names}

    return of


@pytest.fixture(scope="session")
def walk() -> Callable[..., list[TradeBar]]:
    """`walk(count, seed, symbol)`: seeded random bars."""
    return random_bars


Trace = tuple[Any, Any]


@pytest.fixture(scope="session")
def trace() -> Callable[..., Trace]:
    """Feed an indicator bars: its value after each of them, and whether it was ready."""

    def of(indicator: Any, bars: list[TradeBar], pick: Any = lambda made: made.value) -> Trace:
        values, ready = [], []
        for bar in bars:
            ready.append(indicator.feed_bar(bar))
            values.append(pick(indicator))
        return np.array(values), np.array(ready)

    return of
