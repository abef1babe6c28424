"""Indicators that TA-Lib has not, or has otherwise, against their definitions written in numpy.

Each reference is the textbook's formula over whole columns, with no state carried from bar to bar
but where the definition itself is a recurrence. Where LEAN departs from the textbook the comment
says how, and the formula is LEAN's.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from qc_builder_lora.backtest.surface import indicators as ind
from qc_builder_lora.backtest.surface.enums import MovingAverageType, enum

SIMPLE, EXPONENTIAL = MovingAverageType.SIMPLE, MovingAverageType.EXPONENTIAL
WILDERS = MovingAverageType.WILDERS
TOOL = enum("SwissArmyKnifeTool")
K = ind.CLASSES
Array = Any
Columns = dict[str, Any]


def over(x: Array, period: int, function: Callable[[Array], Any]) -> Array:
    """A function of the last `period` values; NaN until there are as many."""
    found = np.full(len(x), np.nan)
    windows = sliding_window_view(x, period)
    found[period - 1 :] = [function(row) for row in windows]
    return found


def sma(x: Array, period: int) -> Array:
    return over(x, period, np.mean)


def wma(x: Array, period: int) -> Array:
    weights = np.arange(1, period + 1) / (period * (period + 1) / 2)
    return over(x, period, lambda row: row @ weights)


def total(x: Array, period: int) -> Array:
    return over(x, period, np.sum)


def highest(x: Array, period: int) -> Array:
    return over(x, period, np.max)


def lowest(x: Array, period: int) -> Array:
    return over(x, period, np.min)


def begun(x: Array) -> int:
    """Where the values begin."""
    return int(np.argmax(~np.isnan(x)))


def smooth(x: Array, period: int, k: float) -> Array:
    """k·value + (1 - k)·itself, from the mean of the first `period` values on."""
    first, found = begun(x) + period - 1, np.full(len(x), np.nan)
    found[first] = x[first - period + 1 : first + 1].mean()
    for row in range(first + 1, len(x)):
        found[row] = k * x[row] + (1 - k) * found[row - 1]
    return found


def ema(x: Array, period: int) -> Array:
    return smooth(x, period, 2 / (period + 1))


def wilder(x: Array, period: int) -> Array:
    return smooth(x, period, 1 / period)


def back(x: Array, steps: int) -> Array:
    """The values of some bars ago."""
    return np.concatenate([np.full(steps, np.nan), x[: len(x) - steps]])


def later(x: Array, bars: int) -> Array:
    """Without the first values that LEAN does not count as ready."""
    return np.where(np.arange(len(x)) < begun(x) + bars, np.nan, x)


def ranges(c: Columns) -> Array:
    """True ranges; of the first bar its own range, which LEAN counts."""
    before = back(c["close"], 1)
    wide = np.fmax(abs(c["high"] - before), abs(c["low"] - before))
    return np.fmax(c["high"] - c["low"], wide)


def typical(c: Columns) -> Array:
    return (c["high"] + c["low"] + c["close"]) / 3


def middle(c: Columns) -> Array:
    return (c["high"] + c["low"]) / 2


def rsi(x: Array, period: int) -> Array:
    change = np.diff(x, prepend=np.nan)
    gain, loss = wilder(np.where(change > 0, change, 0.0 * change), period), wilder(
        np.where(change < 0, -change, 0.0 * change), period
    )  # fmt: skip
    return 100 - 100 / (1 + gain / loss)


def change(x: Array, period: int) -> Array:
    return x / back(x, period) - 1


def flow(c: Columns) -> Array:
    """Volume by where the bar closed in its range."""
    span = c["high"] - c["low"]
    return (2 * c["close"] - c["high"] - c["low"]) / span * c["volume"]


def position(x: Array, low: Array, high: Array) -> Array:
    return (x - low) / (high - low)


def kama_like(ratios: Array, x: Array, first: int, fast: int, slow: int) -> Array:
    found = np.full(len(x), np.nan)
    found[first - 1] = x[first - 1]
    for row in range(first, len(x)):
        pace = (ratios[row] * (2 / (fast + 1) - 2 / (slow + 1)) + 2 / (slow + 1)) ** 2
        found[row] = found[row - 1] + pace * (x[row] - found[row - 1])
    found[first - 1] = np.nan
    return found


def efficiency(x: Array, period: int) -> Array:
    steps = total(np.abs(np.diff(x, prepend=np.nan))[1:], period)
    return np.abs(x - back(x, period)) / np.concatenate([[np.nan], steps])


def vidya(c: Columns) -> Array:
    # Chande's oscillator smoothed as Wilder does; begins after the close before it is ready.
    x, period = c["close"], 9
    step = np.diff(x, prepend=np.nan)
    up, down = wilder(np.maximum(step, 0), period), wilder(np.maximum(-step, 0), period)
    pace, found = abs(up - down) / (up + down) * 2 / (period + 1), np.full(len(x), np.nan)
    last = x[period - 1]
    for row in range(period, len(x)):
        last = found[row] = pace[row] * x[row] + (1 - pace[row]) * last
    return found


def mcginley(c: Columns) -> Array:
    x, found = c["close"], np.full(len(c["close"]), np.nan)
    found[13] = x[:14].mean()
    for row in range(14, len(x)):
        last = found[row - 1]
        found[row] = last + (x[row] - last) / (14 * (x[row] / last) ** 4)
    return found


def frama(c: Columns) -> Array:
    # LEAN moves one bar later than it says to be ready; until then it is the middle of the bar.
    period, half, x = 16, 8, middle(c)
    found, w = np.full(len(x), np.nan), math.log(2 / 199)
    found[period - 1] = x[period - 1]
    for row in range(period, len(x)):

        def span(first: int, last: int, row: int = row) -> Any:
            part = slice(row - period + 1 + first, row - period + 1 + last)
            return (c["high"][part].max() - c["low"][part].min()) / (last - first)

        ratio = (span(0, half) + span(half, period)) / span(0, period)
        alpha = min(max(math.exp(w * (math.log2(ratio) - 1)), 0.01), 1)
        found[row] = alpha * x[row] + (1 - alpha) * found[row - 1]
    return found


def alma(c: Columns) -> Array:
    # Legoux's bell; LEAN rounds its peak down to a whole bar.
    places = np.arange(9)
    weights = np.exp(-((places - math.floor(0.85 * 8)) ** 2) / (2 * (9 / 6) ** 2))
    return over(c["close"], 9, lambda row: row @ weights / weights.sum())


def zlema(c: Columns) -> Array:
    # A lag of (10 - 1) / 2, which rounds to the even 4.
    return ema(2 * c["close"] - back(c["close"], 4), 10)


def t3(c: Columns) -> Array:
    def generalised(x: Array) -> Array:
        once = ema(x, 5)
        return 1.7 * once - 0.7 * ema(once, 5)

    return generalised(generalised(generalised(c["close"])))


def regression_channel(sign: int) -> Callable[[Columns], Array]:
    def reference(c: Columns) -> Array:
        place = np.arange(20)
        line = over(c["close"], 20, lambda row: np.polyval(np.polyfit(place, row, 1), 19))
        return line + sign * 2 * over(c["close"], 20, np.std)

    return reference


def keltner(sign: int) -> Callable[[Columns], Array]:
    return lambda c: sma(typical(c), 20) + sign * 1.5 * sma(ranges(c), 20)


def chande_kroll(kind: str) -> Callable[[Columns], Array]:
    def reference(c: Columns) -> Array:
        reach = 1.5 * wilder(ranges(c), 10)
        if kind == "short":
            return highest(highest(c["high"], 10)[9:] - reach[9:], 9)
        return lowest(lowest(c["low"], 10)[9:] + reach[9:], 9)

    return lambda c: np.concatenate([np.full(9, np.nan), reference(c)])


def supertrend(c: Columns) -> Array:
    reach = 3 * wilder(ranges(c), 10)
    close, found = c["close"], np.full(len(c["close"]), np.nan)
    low = high = 0.0
    last_high = side = None
    for row in range(9, len(close)):
        lower, upper = middle(c)[row] - reach[row], middle(c)[row] + reach[row]
        before = close[row - 1]
        low = lower if lower > low or before < low else low
        # LEAN's upper band is nothing at first, so that a close above it always sets it.
        high = upper if upper < high or before > high else high
        if side is None or side == last_high:
            side = high if close[row] <= high else low
        else:
            side = low if close[row] >= low else high
        found[row], _last_low, last_high = side, low, high
    return found


def tsi(c: Columns) -> Array:
    step = np.diff(c["close"], prepend=np.nan)
    directed, size = (ema(ema(x, 25), 13) for x in (step, abs(step)))
    return 100 * directed / size


def coppock(c: Columns) -> Array:
    return wma_from(100 * (change(c["close"], 11) + change(c["close"], 14)), 10)


def wma_from(x: Array, period: int) -> Array:
    first = begun(x)
    return np.concatenate([np.full(first, np.nan), wma(x[first:], period)])


def sma_from(x: Array, period: int) -> Array:
    first = begun(x)
    return np.concatenate([np.full(first, np.nan), sma(x[first:], period)])


def total_from(x: Array, period: int) -> Array:
    first = begun(x)
    return np.concatenate([np.full(first, np.nan), total(x[first:], period)])


def kst(c: Columns) -> Array:
    pairs = ((10, 10), (15, 10), (20, 10), (30, 15))
    parts = [100 * sma_from(change(c["close"], roc), mean) for roc, mean in pairs]
    return sum(weight * part for weight, part in enumerate(parts, 1))


def connors(c: Columns) -> Array:
    x, streak, streaks = c["close"], 0, [0]
    for before, now in itertools.pairwise(x):
        turn = int(np.sign(now - before))
        streak = (streak if streak * turn >= 0 else 0) + turn
        streaks.append(streak)
    moved = change(x, 1)
    moved[0] = 0.0
    rank = np.full(len(x), np.nan)
    for row in range(100, len(x)):
        rank[row] = 100 * np.mean(moved[row - 100 : row] < moved[row])
    found = (rsi(x, 3) + rsi(np.array(streaks, dtype=float), 2) + rank) / 3
    # LEAN is ready with its hundredth change, which it has no rank for.
    found[99] = (rsi(x, 3)[99] + rsi(np.array(streaks, dtype=float), 2)[99]) / 3
    return found


def derivative(c: Columns) -> Array:
    smoothed = ema(ema(rsi(c["close"], 14), 5), 3)
    return smoothed - sma_from(smoothed, 9)


def dpo(c: Columns) -> Array:
    return back(c["close"], 11) - sma(c["close"], 20)


def schaff(c: Columns) -> Array:
    # LEAN feeds zeros and half-filled averages from the first bar on: it is compared once it
    # has settled.
    fast, slow = ema(c["close"], 23), ema(c["close"], 50)
    macd = np.nan_to_num(fast - slow)

    def cycle(x: Array) -> Array:
        span = highest(x, 10) - lowest(x, 10)
        return np.where(span > 0, 100 * (x - lowest(x, 10)) / np.where(span > 0, span, 1), 0.0)

    first = ema(np.nan_to_num(cycle(macd)), 3)
    return ema(np.nan_to_num(cycle(np.nan_to_num(first))), 3)


def vigor(c: Columns) -> Array:
    weights = np.array([1, 2, 2, 1]) / 6
    closes, spans = c["close"] - c["open"], c["high"] - c["low"]
    parts = [over(x, 4, lambda row: row @ weights) for x in (closes, spans)]
    return sma_from(parts[0], 10) / sma_from(parts[1], 10)


def vigor_signal(c: Columns) -> Array:
    return over_from(vigor(c), 4, lambda row: row @ np.array([1, 2, 2, 1]) / 6)


def over_from(x: Array, period: int, function: Callable[[Array], Any]) -> Array:
    first = begun(x)
    return np.concatenate([np.full(first, np.nan), over(x[first:], period, function)])


def fisher(c: Columns) -> Array:
    x = middle(c)
    place = position(x, lowest(x, 10), highest(x, 10))
    found, smoothed, last = np.full(len(x), np.nan), 0.0, 0.0
    for row in range(9, len(x)):
        smoothed = 0.66 * (place[row] - 0.5) + 0.67 * smoothed
        bound = min(max(smoothed, -0.999), 0.999)
        last = found[row] = math.atanh(bound) + 0.5 * last
    return found


def premier(c: Columns) -> Array:
    place = position(c["close"], lowest(c["low"], 8), highest(c["high"], 8))
    return np.tanh(ema(ema(10 * (place - 0.5), 5), 5) / 2)


def demarker(c: Columns) -> Array:
    up = np.maximum(np.diff(c["high"], prepend=c["high"][0]), 0)
    down = np.maximum(-np.diff(c["low"], prepend=c["low"][0]), 0)
    return sma(up, 14) / (sma(up, 14) + sma(down, 14))


def wave_trend(c: Columns) -> Array:
    apart = typical(c) - ema(typical(c), 10)
    return ema(apart / (0.015 * ema(abs(apart), 10)), 21)


def squeeze(c: Columns) -> Array:
    deviation = 2 * over(c["close"], 20, np.std)
    # The bands and the channel have one middle: the deviation against the range decides.
    found = np.where(deviation < 1.5 * sma(ranges(c), 20), 1.0, -1.0)
    return np.where(np.isnan(deviation), np.nan, found)


def force(c: Columns) -> Array:
    return ema(np.diff(c["close"], prepend=np.nan) * c["volume"], 13)


def ease(c: Columns) -> Array:
    moved = np.diff(middle(c), prepend=middle(c)[0])
    return sma(moved / (c["volume"] / 10000 / (c["high"] - c["low"])), 14)


def klinger(c: Columns) -> Array:
    price, span = typical(c), c["high"] - c["low"]
    force, trend_before, cumulated = np.full(len(price), np.nan), 0, 0.0
    for row in range(1, len(price)):
        trend = 1 if round(price[row] - price[row - 1], 9) > 0 else -1
        if trend_before:
            cumulated = span[row] + (cumulated if trend == trend_before and cumulated
                                     else span[row - 1])  # fmt: skip
            force[row] = c["volume"][row] * abs(2 * (span[row] / cumulated - 1)) * trend * 100
        trend_before = trend
    return ema(force, 34) - ema(force, 55)


def vwap(c: Columns) -> Array:
    price = (c["open"] + c["high"] + c["low"] + c["close"]) / 4
    return total(price * c["volume"], 15) / total(c["volume"], 15)


def rogers(c: Columns) -> Array:
    log = np.log
    up = log(c["high"] / c["close"]) * log(c["high"] / c["open"])
    down = log(c["low"] / c["close"]) * log(c["low"] / c["open"])
    return np.sqrt(sma(up + down, 10))


def choppiness(c: Columns) -> Array:
    span = highest(c["high"], 14) - lowest(c["low"], 14)
    return 100 * np.log10(total(ranges(c), 14) / span) / math.log10(14)


def mass(c: Columns) -> Array:
    once = ema(c["high"] - c["low"], 9)
    return total_from(once / ema(once, 9), 25)


def vortex(kind: str) -> Callable[[Columns], Array]:
    def reference(c: Columns) -> Array:
        one, other = ("high", "low") if kind == "plus" else ("low", "high")
        moved = np.abs(c[one] - back(c[other], 1))
        moved[0] = 0.0
        # LEAN sums the movement of the bars after the first, the range of the first too.
        return total(moved, 14) / total(ranges(c), 14)

    return reference


def heikin(kind: str) -> Callable[[Columns], Array]:
    def reference(c: Columns) -> Array:
        close = (c["open"] + c["high"] + c["low"] + c["close"]) / 4
        opened = np.empty(len(close))
        opened[0] = (c["open"][0] + c["close"][0]) / 2
        for row in range(1, len(close)):
            opened[row] = (opened[row - 1] + close[row - 1]) / 2
        high = np.maximum(c["high"], np.maximum(opened, close))
        low = np.minimum(c["low"], np.minimum(opened, close))
        return later({"open": opened, "high": high, "low": low, "close": close}[kind], 1)

    return reference


def hurst(c: Columns) -> Array:
    lags = np.arange(2, 20)

    def slope(row: Array) -> Any:
        spread = [np.std(row[lag:] - row[:-lag]) for lag in lags]
        return np.polyfit(np.log(lags), np.log(spread), 1)[0]

    return over(c["close"], 64, slope)


def sharpe(c: Columns) -> Array:
    moved = change(c["close"], 1)
    means, spread = sma_from(moved, 20), over_from(moved, 20, np.std)
    return later((means - 0.0001) / spread, 1)


def sortino(c: Columns) -> Array:
    moved = change(c["close"], 1)
    below = over_from(np.minimum(moved, 0) ** 2, 20, np.mean)
    return later(sma_from(moved, 20) / np.sqrt(below), 1)


def downside(c: Columns) -> Array:
    return np.sqrt(over_from(np.minimum(change(c["close"], 1), 0) ** 2, 20, np.mean))


def value_at_risk(c: Columns) -> Array:
    moved, found = change(c["close"], 1), np.full(len(c["close"]), np.nan)
    factor = NormalDist().inv_cdf(0.05)
    # LEAN is ready with two returns and widens from there on.
    for row in range(2, len(moved)):
        last = moved[max(1, row - 19) : row + 1]
        found[row] = last.mean() + factor * last.std(ddof=1)
    return found


def momersion(c: Columns) -> Array:
    step = np.diff(c["close"], prepend=np.nan)
    product = step * back(step, 1)

    def share(row: Array) -> float:
        if np.sum(row == 0) >= len(row) / 2:
            return 50.0
        return 100 * np.sum(row > 0) / np.sum(row != 0)

    return later(over_from(product, 20, share), 1)


def spike(c: Columns) -> Array:
    x = c["close"]
    logs = np.log(back(x, 1) / back(x, 2))
    # The returns up to the one before, of a window two shorter than the period.
    return np.diff(x, prepend=np.nan) / (over_from(logs, 18, np.std) * back(x, 1))


def swing_index(c: Columns) -> Array:
    found = np.full(len(c["close"]), np.nan)
    o, h, l, x = (c[name] for name in ("open", "high", "low", "close"))  # noqa: E741
    for row in range(1, len(x)):
        sizes = (abs(h[row] - x[row - 1]), abs(l[row] - x[row - 1]), h[row] - l[row])
        body = 0.25 * (x[row - 1] - o[row - 1])
        wide = (
            h[row] - x[row - 1] - 0.5 * (l[row] - x[row - 1]) + body,
            l[row] - x[row - 1] - 0.5 * (h[row] - x[row - 1]) + body,
            h[row] - l[row] + body,
        )
        moved = x[row] - x[row - 1] + 0.5 * (x[row] - o[row]) + body
        reach = abs(wide[int(np.argmax(sizes))])
        found[row] = 50 * moved / reach * max(sizes[:2]) / 20
    return found


def stoch_rsi(c: Columns) -> Array:
    strength = rsi(c["close"], 14)
    found = 100 * position(
        strength, over_from(strength, 14, np.min), over_from(strength, 14, np.max)
    )
    return sma_from(sma_from(found, 3), 3)


def swiss_gauss(c: Columns) -> Array:
    beta = 2.415 * (1 - math.cos(2 * math.pi / 20))
    alpha = -beta + math.sqrt(beta**2 + 2 * beta)
    found = np.zeros(len(c["close"]))
    for row, price in enumerate(c["close"]):
        last = found[row - 1] if row else 0.0
        before = found[row - 2] if row > 1 else 0.0
        found[row] = alpha**2 * price + 2 * (1 - alpha) * last - (1 - alpha) ** 2 * before
    return later(found, 19)


def ichimoku(kind: str) -> Callable[[Columns], Array]:
    def half(c: Columns, period: int) -> Array:
        return (highest(c["high"], period) + lowest(c["low"], period)) / 2

    def reference(c: Columns) -> Array:
        tenkan, kijun = half(c, 9), half(c, 26)
        lines = {
            "tenkan": tenkan,
            "kijun": kijun,
            "senkou_a": back((tenkan + kijun) / 2, 26),
            # LEAN's is one bar older: it is read before its parts move, and 0 when first ready.
            "senkou_b": back(half(c, 52), 27),
            "chikou": back(c["close"], 26),
        }
        return np.where(np.arange(len(tenkan)) < 77, np.nan, lines[kind])

    return reference


def _part(name: str) -> Callable[[Any], float]:
    return lambda made: getattr(made, name).value


# Name, indicator, its value, the definition; then what the comparison allows: `settle` bars.
CASES: list[tuple[Any, ...]] = [
    ("wwma", lambda: K["WilderMovingAverage"](20), None, lambda c: wilder(c["close"], 20)),
    ("ema of a factor", lambda: ind.ExponentialMovingAverage(10, 0.3), None,
     lambda c: smooth(c["close"], 10, 0.3)),
    ("hma", lambda: K["HullMovingAverage"](16), None,
     lambda c: wma_from(2 * wma(c["close"], 8) - wma(c["close"], 16), 4)),
    ("t3", lambda: K["T3MovingAverage"](5, 0.7), None, t3),
    ("alma", lambda: K["ArnaudLegouxMovingAverage"](9), None, alma),
    ("zlema", lambda: K["ZeroLagExponentialMovingAverage"](10), None, zlema),
    ("rma", lambda: K["RelativeMovingAverage"](5), None,
     lambda c: sma(c["close"], 15) - sma(c["close"], 10) + sma(c["close"], 5)),
    ("ker", lambda: K["KaufmanEfficiencyRatio"](10), None, lambda c: efficiency(c["close"], 10)),
    ("kama", lambda: K["KaufmanAdaptiveMovingAverage"](10, 3, 20), None,
     lambda c: kama_like(efficiency(c["close"], 10), c["close"], 10, 3, 20)),
    ("vidya", lambda: K["VariableIndexDynamicAverage"](9), None, vidya),
    ("mcginley", lambda: K["McGinleyDynamic"](14), None, mcginley),
    ("frama", lambda: K["FractalAdaptiveMovingAverage"](16), None, frama),
    ("regression channel upper", lambda: K["RegressionChannel"](20, 2), "upper_channel",
     regression_channel(1)),
    ("regression channel lower", lambda: K["RegressionChannel"](20, 2), "lower_channel",
     regression_channel(-1)),
    ("keltner upper", lambda: K["KeltnerChannels"](20, 1.5), "upper_band", keltner(1)),
    ("keltner lower", lambda: K["KeltnerChannels"](20, 1.5), "lower_band", keltner(-1)),
    ("donchian", lambda: K["DonchianChannel"](20, 10), None,
     lambda c: (highest(c["high"], 20) + lowest(c["low"], 10)) / 2),
    ("bollinger width", lambda: K["BollingerBands"](20, 2), "band_width",
     lambda c: 400 * over(c["close"], 20, np.std) / sma(c["close"], 20)),
    ("bollinger %b", lambda: K["BollingerBands"](20, 2), "percent_b",
     lambda c: (c["close"] - sma(c["close"], 20)) / (4 * over(c["close"], 20, np.std)) + 0.5),
    ("chande kroll short", lambda: K["ChandeKrollStop"](10, 1.5, 9), "short_stop",
     chande_kroll("short")),
    ("chande kroll long", lambda: K["ChandeKrollStop"](10, 1.5, 9), "long_stop",
     chande_kroll("long")),
    ("supertrend", lambda: K["SuperTrend"](10, 3), None, supertrend),
    ("atr, simple", lambda: K["AverageTrueRange"](14, SIMPLE), None, lambda c: sma(ranges(c), 14)),
    ("atr, wilder's", lambda: K["AverageTrueRange"](14), None, lambda c: wilder(ranges(c), 14)),
    ("average range", lambda: K["AverageRange"](20), None,
     lambda c: sma(c["high"] - c["low"], 20)),
    ("macd", lambda: K["MovingAverageConvergenceDivergence"](12, 26, 9), None,
     lambda c: later(ema(c["close"], 12) - ema(c["close"], 26), 8)),
    ("macd signal", lambda: K["MovingAverageConvergenceDivergence"](12, 26, 9), "signal",
     lambda c: ema(ema(c["close"], 12) - ema(c["close"], 26), 9)),
    ("tsi", lambda: K["TrueStrengthIndex"](25, 13, 7), None, tsi),
    ("coppock", K["CoppockCurve"], None, coppock),
    ("kst", lambda: K["KnowSureThing"](10, 10, 15, 10, 20, 10, 30, 15, 9), None, kst),
    ("connors rsi", lambda: K["ConnorsRelativeStrengthIndex"](3, 2, 100), None, connors),
    ("derivative oscillator", lambda: K["DerivativeOscillator"](14, 5, 3, 9), None, derivative),
    ("dpo", lambda: K["DetrendedPriceOscillator"](20), None, dpo),
    ("schaff", lambda: K["SchaffTrendCycle"](10, 23, 50), None, schaff, 200),
    ("stochastic rsi %d", lambda: K["StochasticRelativeStrengthIndex"](14, 14, 3, 3), "d",
     stoch_rsi, 33),
    ("rvi", lambda: K["RelativeVigorIndex"](10), None, vigor),
    ("rvi signal", lambda: K["RelativeVigorIndex"](10), "signal", vigor_signal, 20),
    ("fisher", lambda: K["FisherTransform"](10), None, fisher),
    ("awesome", lambda: K["AwesomeOscillator"](5, 34), None,
     lambda c: sma(middle(c), 5) - sma(middle(c), 34)),
    ("premier stochastic", lambda: K["PremierStochasticOscillator"](8, 5), None, premier),
    ("demarker", lambda: K["DeMarkerIndicator"](14), None, demarker),
    ("wave trend", lambda: K["WaveTrendOscillator"](10, 21, 4), None,
     lambda c: later(wave_trend(c), 3)),
    ("wave trend signal", lambda: K["WaveTrendOscillator"](10, 21, 4), "signal",
     lambda c: sma_from(wave_trend(c), 4)),
    ("squeeze", K["SqueezeMomentum"], None, squeeze),
    ("smoothed obv", lambda: K["SmoothedOnBalanceVolume"](10), None,
     lambda c: sma(np.cumsum(np.sign(np.diff(c["close"], prepend=0)) * c["volume"]), 10)),
    ("chaikin oscillator", lambda: K["ChaikinOscillator"](3, 10), None,
     lambda c: ema(np.cumsum(flow(c)), 3) - ema(np.cumsum(flow(c)), 10)),
    ("cmf", lambda: K["ChaikinMoneyFlow"](20), None,
     lambda c: total(flow(c), 20) / total(c["volume"], 20)),
    ("force index", lambda: K["ForceIndex"](13), None, force),
    ("ease of movement", lambda: K["EaseOfMovementValue"](14), None, ease),
    ("klinger", lambda: K["KlingerVolumeOscillator"](34, 55), None, klinger, 70),
    ("vwap", lambda: K["VolumeWeightedAveragePriceIndicator"](15), None, vwap),
    ("vwma", lambda: K["VolumeWeightedMovingAverage"](15), None,
     lambda c: total(c["close"] * c["volume"], 15) / total(c["volume"], 15)),
    ("intraday vwap of one bar a day", K["IntradayVwap"], None, typical),
    ("rogers-satchell", lambda: K["RogersSatchellVolatility"](10), None, rogers),
    ("choppiness", lambda: K["ChoppinessIndex"](14), None, choppiness),
    ("mass", K["MassIndex"], None, mass),
    ("vortex plus", lambda: K["Vortex"](14), "plus_vortex", vortex("plus"), 14),
    ("vortex minus", lambda: K["Vortex"](14), "minus_vortex", vortex("minus"), 14),
    ("internal bar strength", K["InternalBarStrength"], None,
     lambda c: (c["close"] - c["low"]) / (c["high"] - c["low"])),
    ("log return", lambda: K["LogReturn"](5), None,
     lambda c: np.log(c["close"] / back(c["close"], 5))),
    ("hurst", lambda: K["HurstExponent"](64), None, hurst),
    ("sharpe", lambda: K["SharpeRatio"](20, 0.0001), None, sharpe),
    ("sortino", lambda: K["SortinoRatio"](20), None, sortino),
    ("downside deviation", lambda: K["TargetDownsideDeviation"](20), None, downside),
    ("value at risk", lambda: K["ValueAtRisk"](20, 0.95), None, value_at_risk),
    ("momersion", lambda: K["Momersion"](20), None, momersion),
    ("price spike", lambda: K["AugenPriceSpike"](20), None, spike),
    ("swing index", lambda: K["WilderSwingIndex"](20), None, swing_index),
    ("accumulative swing index", lambda: K["WilderAccumulativeSwingIndex"](20), None,
     lambda c: np.concatenate([[np.nan], np.cumsum(swing_index(c)[1:])])),
    ("swiss army knife", lambda: K["SwissArmyKnife"](20, 0.1, TOOL.GAUSS), None, swiss_gauss),
    ("rolling sum", lambda: ind.SimpleMovingAverage(7), "rolling_sum",
     lambda c: total(c["close"], 7)),
    ("delay", lambda: K["Delay"](5), None, lambda c: back(c["close"], 5)),
    ("identity", lambda: ind.Identity("i"), None, lambda c: c["close"]),
    *((f"heikin ashi {kind}", K["HeikinAshi"], kind, heikin(kind))
      for kind in ("open", "high", "low", "close")),
    *((f"ichimoku {kind}", K["IchimokuKinkoHyo"], kind, ichimoku(kind))
      for kind in ("tenkan", "kijun", "senkou_a", "chikou")),
    ("ichimoku senkou_b", K["IchimokuKinkoHyo"], "senkou_b", ichimoku("senkou_b"), 78),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["random", "real"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_values_and_readiness_are_the_definitions(
    case: Any, kind: str, samples: Any, columns: Any, trace: Any
) -> None:
    _, make, part, reference, *settle = case
    bars = samples[kind][:800]
    expected = reference(columns(bars))
    values, ready = trace(make(), bars, _part(part) if part else lambda made: made.value)
    if not settle:
        assert int(np.argmax(ready)) == begun(expected), "the first bar at which it is ready"
    first = settle[0] if settle else begun(expected)
    assert ready[first:].all()
    assert np.isfinite(values).all()
    assert values[first:] == pytest.approx(expected[first:], rel=1e-8, abs=1e-8)


def test_seventy_indicators_are_held_against_an_independent_source() -> None:
    assert len({type(case[1]()) for case in CASES}) >= 60
