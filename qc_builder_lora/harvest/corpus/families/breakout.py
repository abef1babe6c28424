"""Breakouts: buy strength beyond a range, measured on the bars before today's."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.families.shapes import PRICE, long_or_flat, one_asset
from qc_builder_lora.harvest.corpus.family import Family

DONCHIAN_BREAKOUT = Family(
    name="donchian_breakout",
    theme="breakout",
    class_name="DonchianBreakout",
    parameters={"entry": (20, 30, 40, 50, 55, 60, 80), "exit": (5, 10, 15, 20)},
    valid=lambda p: p["exit"] < p["entry"],
    # Yesterday's level: a window that holds today's bar is never broken.
    initialize=one_asset(
        "self._high = self.max(self._symbol, $entry)",
        "self._low = self.min(self._symbol, $exit)",
        warm_up="$entry + 1",
    ),
    rest=long_or_flat(
        "price > high",
        "price < low",
        PRICE,
        "high = self._high.previous.value",
        "low = self._low.previous.value",
    ),
    phrasings=(
        "Buy $ticker when it closes above the high of the previous $entry days and sell when it closes below the low of the previous $exit days.",
        "Donchian channel breakout on $ticker, entry $entry days, exit $exit days.",
        "Write a turtle style breakout strategy for $ticker with a $entry-day high for entry and a $exit-day low for exit.",
        "strategy: channel breakout\nsymbol: $ticker\nentry_window: $entry\nexit_window: $exit\ndirection: long only",
        "Go long $ticker on a new $entry day high; liquidate on a new $exit day low.",
        "Breakout strategy: enter $ticker at a new $entry-day high and leave at a $exit-day low.",
        "Turtle trading rules for $ticker: buy $entry day breakouts, exit on $exit day breakdowns.",
        "When $ticker breaks above its $entry day maximum invest fully, and close when it breaks its $exit day minimum.",
        "Price channel system, $ticker, $entry up, $exit down, long only.",
    ),
)

BAND_BREAKOUT = Family(
    name="band_breakout",
    theme="breakout",
    class_name="BandBreakout",
    parameters={"period": (10, 15, 20, 30, 40, 50), "width": (1.0, 1.5, 2.0)},
    initialize=one_asset("self._bands = self.bb(self._symbol, $period, $width)", warm_up="$period"),
    rest=long_or_flat(
        "price > upper",
        "price < middle",
        PRICE,
        "upper = self._bands.upper_band.current.value",
        "middle = self._bands.middle_band.current.value",
    ),
    phrasings=(
        "Buy $ticker when it breaks above the upper Bollinger band ($period, $width) and sell when it falls back under the middle band.",
        "Bollinger breakout on $ticker, period $period, deviations $width, long only.",
        "Write a volatility breakout algorithm: long $ticker over its upper band of $period days and $width standard deviations, out below the moving average.",
        "strategy: bollinger breakout\nsymbol: $ticker\nperiod: $period\ndeviations: $width\nentry: close above upper band\nexit: close below middle band",
        "Momentum with Bollinger Bands on $ticker: enter on a close over the upper band ($period days, $width sigma), exit under the middle.",
        "Buy upper band breakouts of $ticker (Bollinger $period, $width).",
    ),
)

ATR_BREAKOUT = Family(
    name="atr_breakout",
    theme="breakout",
    class_name="AtrBreakout",
    parameters={
        "average": (20, 30, 40, 50, 60),
        "atr": (10, 14, 20),
        "multiple": (0.5, 1.0, 1.5, 2.0),
    },
    initialize=one_asset(
        "self._average = self.ema(self._symbol, $average)",
        "self._atr = self.atr(self._symbol, $atr)",
        warm_up="$average",
    ),
    rest=long_or_flat(
        "price > average + $multiple * self._atr.current.value",
        "price < average",
        PRICE,
        "average = self._average.current.value",
    ),
    phrasings=(
        "Buy $ticker when the price is more than $multiple ATR($atr) above its $average-day EMA and sell when it is below the EMA.",
        "ATR breakout for $ticker: EMA $average, ATR $atr, multiple $multiple.",
        "Write a Keltner style breakout strategy on $ticker: enter above EMA($average) plus $multiple times the $atr-day average true range, exit below EMA($average).",
        "strategy: atr breakout\nsymbol: $ticker\nema_period: $average\natr_period: $atr\natr_multiple: $multiple",
        "Keltner channel breakout, $ticker, EMA $average, $multiple x ATR($atr), exit at the EMA.",
        "Go long $ticker once it is $multiple average true ranges ($atr days) over the $average day EMA.",
    ),
)

FAMILIES = (DONCHIAN_BREAKOUT, BAND_BREAKOUT, ATR_BREAKOUT)
