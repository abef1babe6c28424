"""Mean reversion by other measures: where a bar closes, how often it fell, how far it is."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.families.shapes import (
    ONE_ASSET,
    PRICE,
    long_or_flat,
    one_asset,
)
from qc_builder_lora.harvest.corpus.family import Family

BAR_STRENGTH = Family(
    name="bar_strength",
    theme="mean reversion",
    class_name="BarStrength",
    parameters={"low": (0.05, 0.1, 0.15, 0.2, 0.25), "high": (0.7, 0.75, 0.8, 0.85, 0.9)},
    initialize=ONE_ASSET,
    rest="""
        def on_data(self, data):
            if not data.bars.contains_key(self._symbol):
                return
            bar = data.bars[self._symbol]
            if bar.high == bar.low:
                return
            strength = (bar.close - bar.low) / (bar.high - bar.low)
            if strength < $low and not self.portfolio.invested:
                self.set_holdings(self._symbol, 1.0)
            elif strength > $high and self.portfolio.invested:
                self.liquidate()
    """,
    phrasings=(
        "Buy $ticker when its internal bar strength (close - low) / (high - low) is below $low and sell when it is above $high.",
        "IBS mean reversion on $ticker, entry $low, exit $high.",
        "Write a LEAN strategy that buys $ticker when it closes in the lowest $low_percent percent of the day's range and sells when it closes above $high_percent percent of it.",
        "strategy: internal bar strength\nsymbol: $ticker\nbuy_below: $low\nsell_above: $high",
        "Fade weak closes of $ticker: in at IBS under $low, out at IBS over $high.",
        "Use where $ticker closes within its daily range: buy under $low, sell over $high, long only.",
    ),
)

DOWN_STREAK = Family(
    name="down_streak",
    theme="mean reversion",
    class_name="DownStreak",
    parameters={"days": (2, 3, 4), "up": (1, 2), "weight": (0.5, 0.75, 1.0)},
    initialize=ONE_ASSET + "self._last = 0.0\nself._streak = 0\n",
    rest="""
        def on_data(self, data):
            if not data.bars.contains_key(self._symbol):
                return
            close = data.bars[self._symbol].close
            if self._last:
                step = int(np.sign(close - self._last))
                self._streak = self._streak + step if self._streak * step > 0 else step
            self._last = close
            if self._streak <= -$days and not self.portfolio.invested:
                self.set_holdings(self._symbol, $weight)
            elif self._streak >= $up and self.portfolio.invested:
                self.liquidate()
    """,
    phrasings=(
        "Buy $ticker with $weight_percent% of the portfolio after $days lower closes in a row and sell after $up higher closes in a row.",
        "Down streak reversal: $ticker, $days down days in, $up up days out, size $weight_percent%.",
        "Write an algorithm that counts consecutive down closes of $ticker, buys after $days of them with a weight of $weight and sells after $up up closes.",
        "strategy: losing streak reversal\nsymbol: $ticker\ndown_days: $days\nup_days: $up\nposition_size: $weight",
        "After $days red days of $ticker go long with $weight_percent%, exit after $up green days.",
        "Buy the $days-day losing streak in $ticker ($weight_percent% invested), leave after $up winning days.",
    ),
)

WILLIAMS_REVERSION = Family(
    name="williams_reversion",
    theme="mean reversion",
    class_name="WilliamsReversion",
    parameters={
        "period": (5, 7, 10, 14, 20),
        "low": (-95, -90, -85, -80),
        "high": (-50, -40, -30, -20),
    },
    initialize=one_asset("self._wilr = self.wilr(self._symbol, $period)", warm_up="$period"),
    rest=long_or_flat("level < $low", "level > $high", "level = self._wilr.current.value"),
    phrasings=(
        "Buy $ticker when Williams %R over $period days is below $low and sell when it is above $high.",
        "Williams %R($period) reversion on $ticker, buy $low, sell $high.",
        "Write a strategy for $ticker with the Williams percent range of $period days, entering under $low and leaving over $high.",
        "strategy: williams percent r\nsymbol: $ticker\nperiod: $period\nbuy_below: $low\nsell_above: $high",
        "Oversold $ticker by Williams %R: lookback $period, in at $low, out at $high.",
        "Trade $ticker long only on %R($period) with levels $low and $high.",
    ),
)

CCI_REVERSION = Family(
    name="cci_reversion",
    theme="mean reversion",
    class_name="CciReversion",
    parameters={
        "period": (10, 14, 20, 30),
        "low": (-200, -150, -125, -100),
        "high": (0, 25, 50, 100),
    },
    initialize=one_asset("self._cci = self.cci(self._symbol, $period)", warm_up="$period"),
    rest=long_or_flat("level < $low", "level > $high", "level = self._cci.current.value"),
    phrasings=(
        "Buy $ticker when its $period-day commodity channel index is below $low and sell when it is above $high.",
        "CCI($period) mean reversion, $ticker, entry $low, exit $high.",
        "Write an algorithm that trades $ticker with the CCI of $period days: long under $low, flat over $high.",
        "strategy: cci reversion\nsymbol: $ticker\ncci_period: $period\nbuy_below: $low\nsell_above: $high",
        "Dip buying in $ticker by CCI: period $period, lower level $low, upper level $high.",
        "Use the commodity channel index ($period) on $ticker to buy below $low and sell above $high.",
    ),
)

MONEY_FLOW_REVERSION = Family(
    name="money_flow_reversion",
    theme="mean reversion",
    class_name="MoneyFlowReversion",
    parameters={"period": (7, 10, 14, 20), "low": (20, 25, 30, 35), "high": (60, 65, 70, 75, 80)},
    initialize=one_asset("self._flow = self.mfi(self._symbol, $period)", warm_up="$period + 1"),
    rest=long_or_flat("flow < $low", "flow > $high", "flow = self._flow.current.value"),
    phrasings=(
        "Buy $ticker when its $period-day money flow index is below $low and sell when it is above $high.",
        "MFI($period) on $ticker: buy under $low, sell over $high.",
        "Write a strategy on $ticker that uses the money flow index of $period days, volume included, entering under $low and exiting over $high.",
        "strategy: money flow index\nsymbol: $ticker\nmfi_period: $period\nbuy_below: $low\nsell_above: $high",
        "Volume weighted oversold signal for $ticker: MFI of $period days, in below $low, out above $high.",
        "Trade $ticker on money flow, lookback $period, thresholds $low and $high, long only.",
    ),
)

GAP_REVERSION = Family(
    name="gap_reversion",
    theme="mean reversion",
    class_name="GapReversion",
    parameters={"gap": (0.005, 0.01, 0.015, 0.02), "days": (1, 2, 3, 5)},
    initialize=ONE_ASSET + "self._last = 0.0\nself._held = 0\n",
    rest="""
        def on_data(self, data):
            if not data.bars.contains_key(self._symbol):
                return
            bar = data.bars[self._symbol]
            gap = bar.open / self._last - 1 if self._last else 0.0
            self._last = bar.close
            self._held += 1
            if gap < -$gap and not self.portfolio.invested:
                self.set_holdings(self._symbol, 1.0)
                self._held = 0
            elif self._held >= $days and self.portfolio.invested:
                self.liquidate()
    """,
    phrasings=(
        "Buy $ticker after it opened more than $gap_percent% below the previous close and hold it for $days trading days.",
        "Gap down reversal on $ticker: gap $gap_percent%, holding period $days days.",
        "Write an algorithm that buys $ticker when the day's open gapped down by at least $gap_percent percent, and sells $days trading days later.",
        "strategy: gap reversal\nsymbol: $ticker\nminimum_gap: $gap\nholding_days: $days",
        "Fade down gaps of $ticker larger than $gap_percent% and leave after $days days.",
        "When $ticker opens $gap_percent% or more under yesterday's close go long for $days days.",
    ),
)

DISTANCE_REVERSION = Family(
    name="distance_reversion",
    theme="mean reversion",
    class_name="DistanceReversion",
    parameters={
        "period": (10, 15, 20, 30, 50),
        "distance": (0.02, 0.03, 0.04, 0.05),
        "back": (0.015, 0.005, 0.01),
    },
    initialize=one_asset("self._average = self.sma(self._symbol, $period)", warm_up="$period"),
    rest=long_or_flat(
        "away < -$distance",
        "away > -$back",
        PRICE,
        "away = price / self._average.current.value - 1",
    ),
    phrasings=(
        "Buy $ticker when it is more than $distance_percent% below its $period-day average and sell when it is less than $back_percent% below it.",
        "Distance from SMA($period) on $ticker: buy at -$distance_percent%, sell at -$back_percent%.",
        "Write a mean reversion strategy that buys $ticker $distance_percent percent under its $period-day simple moving average and liquidates within $back_percent percent of it.",
        "strategy: distance from average\nsymbol: $ticker\nperiod: $period\nentry_distance: $distance\nexit_distance: $back",
        "$ticker stretched $distance_percent% under its $period day mean is a buy; close the trade at $back_percent% under.",
        "Rubber band trade in $ticker, average of $period days, stretch $distance_percent%, release $back_percent%.",
    ),
)

FAMILIES = (
    BAR_STRENGTH,
    DOWN_STREAK,
    WILLIAMS_REVERSION,
    CCI_REVERSION,
    MONEY_FLOW_REVERSION,
    GAP_REVERSION,
    DISTANCE_REVERSION,
)
