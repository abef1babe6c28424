"""Risk overlays: a simple entry with a rule that limits the loss."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.families.shapes import (
    ONE_ASSET,
    PRICE,
    long_or_flat,
    one_asset,
)
from qc_builder_lora.harvest.corpus.family import Family

STOP_AND_TARGET = Family(
    name="stop_and_target",
    theme="risk",
    class_name="StopAndTarget",
    parameters={
        "period": (20, 30, 50, 60, 100),
        "stop": (0.03, 0.04, 0.05, 0.06, 0.08, 0.1),
        "target": (0.08, 0.1, 0.12, 0.15, 0.2),
    },
    valid=lambda p: p["target"] > p["stop"],
    initialize=one_asset("self._average = self.sma(self._symbol, $period)", warm_up="$period"),
    rest=long_or_flat(
        "price > self._average.current.value",
        "(gain < -$stop or gain > $target)",
        PRICE,
        "gain = self.portfolio[self._symbol].unrealized_profit_percent",
    ),
    phrasings=(
        "Buy $ticker above its $period-day average with a stop loss of $stop_percent% and a take profit of $target_percent%.",
        "$ticker, entry above SMA($period), stop $stop_percent%, target $target_percent%.",
        "Write a strategy on $ticker that enters over the $period-day simple moving average and leaves at a $stop_percent percent loss or a $target_percent percent gain.",
        "strategy: stop and target\nsymbol: $ticker\nentry: close above sma($period)\nstop_loss: $stop\ntake_profit: $target",
        "Long $ticker over the $period day SMA, cut losses at $stop_percent% and take profits at $target_percent%.",
        "Bracket exit: $ticker bought above its $period day mean, stop loss $stop_percent%, profit target $target_percent%.",
    ),
)

TRAILING_STOP = Family(
    name="trailing_stop",
    theme="risk",
    class_name="TrailingStop",
    parameters={
        "period": (20, 30, 40, 50, 60, 80, 100),
        "trail": (0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.15),
    },
    initialize=one_asset(
        "self._average = self.ema(self._symbol, $period)", "self._peak = 0.0", warm_up="$period"
    ),
    rest="""
        def on_data(self, data):
            if self.is_warming_up:
                return
            price = self.securities[self._symbol].price
            self._peak = max(self._peak, price)
            if price > self._average.current.value and not self.portfolio.invested:
                self.set_holdings(self._symbol, 1.0)
                self._peak = price
            elif price < self._peak * (1 - $trail) and self.portfolio.invested:
                self.liquidate()
    """,
    phrasings=(
        "Buy $ticker above its $period-day EMA and protect it with a trailing stop of $trail_percent%.",
        "$ticker with EMA($period) entry and $trail_percent% trailing stop.",
        "Write an algorithm that enters $ticker over the $period-day exponential average and sells when the price is $trail_percent percent under its peak since entry.",
        "strategy: trailing stop\nsymbol: $ticker\nentry: close above ema($period)\ntrailing_stop: $trail",
        "Ride $ticker above EMA($period) until it falls $trail_percent% from its high.",
        "Trailing stop strategy for $ticker: get in over the $period day EMA, get out $trail_percent% below the highest price since.",
    ),
)

DRAWDOWN_SWITCH = Family(
    name="drawdown_switch",
    theme="risk",
    class_name="DrawdownSwitch",
    parameters={
        "limit": (0.05, 0.08, 0.1, 0.12, 0.15, 0.2),
        "pause": (10, 15, 20, 30, 40, 60),
    },
    initialize=ONE_ASSET + "self._peak = 0.0\nself._wait = 0\n",
    rest="""
        def on_data(self, data):
            value = self.portfolio.total_portfolio_value
            self._peak = max(self._peak, value)
            self._wait -= 1
            if self._wait < 0 and not self.portfolio.invested:
                self.set_holdings(self._symbol, 1.0)
                self._peak = value
            elif value < self._peak * (1 - $limit) and self.portfolio.invested:
                self.liquidate()
                self._wait = $pause
    """,
    phrasings=(
        "Hold $ticker, but when the portfolio falls $limit_percent% from its peak sell everything and wait $pause trading days.",
        "Buy and hold $ticker with a drawdown kill switch at $limit_percent%, pause $pause days.",
        "Write a strategy that stays long $ticker and liquidates for $pause days whenever portfolio drawdown exceeds $limit_percent percent.",
        "strategy: drawdown switch\nsymbol: $ticker\nmax_drawdown: $limit\npause_days: $pause",
        "Stay invested in $ticker unless the drawdown passes $limit_percent%; then sit out $pause days.",
        "Drawdown control on $ticker: limit $limit_percent%, cooling off $pause days.",
    ),
)

RSI_WITH_TREND = Family(
    name="rsi_with_trend",
    theme="risk",
    class_name="RsiWithTrend",
    parameters={
        "trend": (50, 80, 100, 150, 200),
        "period": (2, 3, 4, 5),
        "low": (15, 20, 25, 30),
        "high": (60, 65, 70, 75, 80),
    },
    initialize=one_asset(
        "self._trend = self.sma(self._symbol, $trend)",
        "self._rsi = self.rsi(self._symbol, $period)",
        warm_up="$trend",
    ),
    rest=long_or_flat(
        "price > self._trend.current.value and rsi < $low",
        "rsi > $high",
        PRICE,
        "rsi = self._rsi.current.value",
    ),
    phrasings=(
        "Buy dips in $ticker only in an uptrend: price above SMA($trend) and RSI($period) below $low; sell when RSI is above $high.",
        "RSI pullback with trend filter on $ticker: SMA $trend, RSI $period, buy under $low, sell over $high.",
        "Write an algorithm for $ticker that combines a $trend-day moving average filter with a $period-day RSI, entering below $low and exiting above $high.",
        "strategy: rsi pullback\nsymbol: $ticker\ntrend_sma: $trend\nrsi_period: $period\nbuy_below: $low\nsell_above: $high",
        "Connors style pullback: $ticker above its $trend day SMA with RSI($period) < $low, exit at RSI > $high.",
        "In an uptrend ($trend day SMA) buy $ticker when RSI($period) falls under $low and sell above $high.",
    ),
)

FAMILIES = (STOP_AND_TARGET, TRAILING_STOP, DRAWDOWN_SWITCH, RSI_WITH_TREND)
