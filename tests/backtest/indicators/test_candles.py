"""The candlestick patterns against TA-Lib's, on wild random candles without ties."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from qc_builder_lora.backtest.surface.bars import TradeBar
from qc_builder_lora.backtest.surface.indicators.candles import PATTERNS

talib = pytest.importorskip("talib", reason="TA-Lib is not installed")
OTHERWISE = {
    "IdenticalThreeCrows": "IDENTICAL3CROWS", "GapSideBySideWhite": "GAPSIDESIDEWHITE",
    "TwoCrows": "2CROWS", "ThreeBlackCrows": "3BLACKCROWS", "ThreeInside": "3INSIDE",
    "ThreeLineStrike": "3LINESTRIKE", "ThreeOutside": "3OUTSIDE",
    "ThreeStarsInSouth": "3STARSINSOUTH", "ThreeWhiteSoldiers": "3WHITESOLDIERS",
    "ConcealedBabySwallow": "CONCEALBABYSWALL", "HighWaveCandle": "HIGHWAVE",
    "HikkakeModified": "HIKKAKEMOD", "LongLineCandle": "LONGLINE", "ShortLineCandle": "SHORTLINE",
    "UniqueThreeRiver": "UNIQUE3RIVER", "UpsideGapTwoCrows": "UPSIDEGAP2CROWS",
    "UpDownGapThreeMethods": "XSIDEGAP3METHODS", "RiseFallThreeMethods": "RISEFALL3METHODS",
}  # fmt: skip
# LEAN has no half-certain patterns, which TA-Lib marks with 80.
STRICT = {"Engulfing", "Harami", "HaramiCross"}


@pytest.fixture(scope="module")
def wild() -> list[TradeBar]:
    chance, price, made = random.Random(7), 50.0, []
    for row in range(3000):
        size = chance.choice([0.05, 0.1, 0.2, 0.5, 1, 2, 3])
        step = chance.choice([0, 0, 0, 1, -1]) * chance.choice([0, 0.1, 0.3, 1, 2])
        opened = round(price + step * chance.random(), 9)
        close = round(opened + chance.choice([-1, 1]) * size * chance.random(), 9)
        reach = [chance.choice([0, 0, 0.1, 0.5, 2]) * chance.random() for _ in range(2)]
        high = round(max(opened, close) + reach[0], 9)
        low = round(min(opened, close) - reach[1], 9)
        time = datetime(2000, 1, 3, 9, 30) + timedelta(days=row)
        made.append(TradeBar(time, "X", opened, high, low, close, 100.0, timedelta(hours=6.5)))
        price = min(max(close, 20), 90)
    return made


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_a_pattern_is_seen_where_talib_sees_it(
    name: str, wild: list[TradeBar], columns: Any, trace: Any
) -> None:
    c = columns(wild)
    function = getattr(talib, "CDL" + OTHERWISE.get(name, name.upper()))
    expected = function(c["open"], c["high"], c["low"], c["close"])
    if name in STRICT:
        expected = np.where(np.abs(expected) == 80, 0, expected)
    pattern = PATTERNS[name]()
    values, ready = trace(pattern, wild)
    assert np.array_equal(values * 100, expected)
    assert int(np.argmax(ready)) + 1 == pattern.warm_up_period
