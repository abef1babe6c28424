"""Volatility and calendar regimes: how much to hold, and when."""

from __future__ import annotations

import calendar

from qc_builder_lora.harvest.corpus.families.shapes import (
    ONE_ASSET,
    long_or_flat,
    one_asset,
    ordinals,
    scheduled,
    several_assets,
)
from qc_builder_lora.harvest.corpus.family import Family

CALM_MARKET = Family(
    name="calm_market",
    theme="volatility",
    class_name="CalmMarket",
    parameters={"short": (10, 15, 20), "long": (60, 90, 120, 180), "ratio": (0.8, 0.9, 1.0, 1.1)},
    initialize=one_asset(
        "self._change = self.roc(self._symbol, 1)",
        "self._short = IndicatorExtensions.of(StandardDeviation($short), self._change)",
        "self._long = IndicatorExtensions.of(StandardDeviation($long), self._change)",
        warm_up="$long + 2",
    ),
    rest=long_or_flat(
        "calm",
        "not calm",
        "calm = self._short.current.value < $ratio * self._long.current.value",
    ),
    phrasings=(
        "Hold $ticker while its $short-day volatility is below $ratio times its $long-day volatility, otherwise cash.",
        "Volatility regime filter on $ticker: $short against $long days, ratio $ratio.",
        "Write an algorithm that is invested in $ticker only in calm markets: the standard deviation of daily returns over $short days under $ratio times that over $long days.",
        "strategy: volatility regime\nsymbol: $ticker\nshort_window: $short\nlong_window: $long\nmaximum_ratio: $ratio",
        "Stay in $ticker when it is quieter than usual ($short vs $long day volatility, factor $ratio), leave when it is not.",
        "Own $ticker if recent volatility ($short days) is under $ratio of the normal one ($long days).",
    ),
)

PORTFOLIO_VOLATILITY = Family(
    name="portfolio_volatility",
    theme="volatility",
    class_name="PortfolioVolatility",
    parameters={"window": (20, 30, 40, 60), "target": (0.08, 0.1, 0.12, 0.15)},
    assets=(2, 4),
    initialize=several_assets(
        "self._change = {s: self.roc(s, 1) for s in self._symbols}",
        "self._returns = []",
        warm_up="$window + 2",
        rule="week_start",
    ),
    rest="""
        def on_data(self, data):
            self._returns.append([self._change[s].current.value for s in self._symbols])
            self._returns = self._returns[-$window:]

        def _rebalance(self):
            if self.is_warming_up or len(self._returns) < $window:
                return
            volatility = np.mean(self._returns, axis=1).std() * math.sqrt(252)
            weight = min(1.0, $target / max(volatility, 0.0001)) / len(self._symbols)
            for symbol in self._symbols:
                self.set_holdings(symbol, weight)
    """,
    phrasings=(
        "Hold $tickers in equal parts, scaled every week so that the portfolio's $window-day volatility is $target_percent% a year, at most fully invested.",
        "Portfolio volatility target $target_percent% on $tickers, window $window, weekly, no leverage.",
        "Write a strategy that keeps $tickers equally weighted and scales the whole portfolio weekly to an annual volatility of $target, estimated over $window days, without leverage.",
        "strategy: portfolio volatility target\nuniverse: [$tickers]\nwindow: $window\ntarget_volatility: $target\nmax_exposure: 1.0\nrebalance: weekly",
        "Equal weights in $tickers times target over realised volatility ($target_percent%, $window days), capped at 100%, weekly.",
        "Weekly volatility targeting of an equal-weight basket of $tickers: $target_percent% a year over $window days, at most 100% invested.",
    ),
)

ATR_SIZED_TREND = Family(
    name="atr_sized_trend",
    theme="volatility",
    class_name="AtrSizedTrend",
    parameters={"period": (30, 50, 80, 100), "atr": (10, 14, 20), "risk": (0.005, 0.01, 0.015)},
    initialize=one_asset(
        "self._average = self.sma(self._symbol, $period)",
        "self._atr = self.atr(self._symbol, $atr)",
        warm_up="$period + 1",
    ),
    rest="""
        def on_data(self, data):
            if self.is_warming_up:
                return
            price = self.securities[self._symbol].price
            if price > self._average.current.value and not self.portfolio.invested:
                move = max(self._atr.current.value, 0.01) / price
                self.set_holdings(self._symbol, min(1.0, $risk / move))
            elif price < self._average.current.value and self.portfolio.invested:
                self.liquidate()
    """,
    phrasings=(
        "Buy $ticker above its $period-day average with a size such that one $atr-day ATR is $risk_percent% of the portfolio (never more than all of it), and sell below the average.",
        "Trend on $ticker, SMA $period, position sized by ATR($atr) at $risk_percent% risk, no leverage.",
        "Write an algorithm for $ticker that enters over SMA($period) with weight $risk / (ATR($atr) / price), at most 1, and exits under the average.",
        "strategy: atr position size\nsymbol: $ticker\nsma_period: $period\natr_period: $atr\nrisk_per_atr: $risk\nmax_weight: 1.0",
        "Size $ticker so that a normal day ($atr-day ATR) moves the portfolio by $risk_percent%, 100% at most; in above the $period-day mean, out below it.",
        "$ticker over its $period day SMA, volatility sized: $risk_percent% of equity per ATR($atr), up to fully invested.",
    ),
)

MONTH_LIST = Family(
    name="month_list",
    theme="seasonality",
    class_name="MonthList",
    parameters={
        "months": (
            (1, 4, 7, 10),
            (3, 6, 9, 12),
            (1, 2, 3, 4),
            (10, 11, 12),
            (1, 11, 12),
            (4, 7, 12),
        ),
        "weight": (0.5, 0.75, 1.0),
    },
    names=lambda p: {
        "codes": ", ".join(map(str, p["months"])),
        "spoken": ", ".join(calendar.month_name[m] for m in p["months"]),
    },
    initialize=ONE_ASSET,
    rest=long_or_flat(
        "season", "not season", "season = self.time.month in ($codes)", weight="$weight"
    ),
    phrasings=(
        "Hold $ticker with $weight_percent% of the portfolio in $spoken and nothing in the other months.",
        "Monthly seasonality of $ticker: long in $spoken, size $weight_percent%.",
        "Write a calendar strategy that owns $ticker (weight $weight) only in the months $spoken.",
        "strategy: good months\nsymbol: $ticker\nmonths: [$codes]\nposition_size: $weight",
        "Be in $ticker during $spoken at $weight_percent%, in cash otherwise.",
        "Trade the best months of $ticker, which are $spoken; $weight_percent% invested then.",
    ),
)

MID_MONTH = Family(
    name="mid_month",
    theme="seasonality",
    class_name="MidMonth",
    parameters={"start": (8, 9, 10, 11, 12), "end": (14, 15, 16, 17, 18, 19, 20)},
    names=ordinals,
    initialize=ONE_ASSET,
    rest=long_or_flat("inside", "not inside", "inside = $start <= self.time.day <= $end"),
    phrasings=(
        "Own $ticker from day $start to day $end of every month and be in cash the rest of it.",
        "Mid-month effect on $ticker, days $start to $end.",
        "Write an algorithm that is long $ticker only when the day of the month is between $start and $end.",
        "strategy: mid month\nsymbol: $ticker\nfirst_day: $start\nlast_day: $end",
        "Hold $ticker in the middle of the month: in on the $start_th, out after the $end_th.",
        "Calendar window in $ticker, from the $start_th through the $end_th of each month.",
    ),
)

QUARTER_REBALANCE = Family(
    name="quarter_rebalance",
    theme="seasonality",
    class_name="QuarterRebalance",
    parameters={"lookback": (40, 60, 63, 90, 126), "keep": (0.3, 0.4, 0.5)},
    assets=(2, 2),
    names=lambda p: {
        "rest_weight": f"{1 - p['keep']:g}",
        "rest_percent": f"{100 - 100 * p['keep']:g}",
    },
    initialize='self._first = self.add_equity("$ticker", Resolution.DAILY).symbol\n'
    'self._second = self.add_equity("$second", Resolution.DAILY).symbol\n'
    "self._moves = {s: self.momp(s, $lookback) for s in (self._first, self._second)}\n"
    "self.set_warm_up($lookback + 1)\n" + scheduled("self._first"),
    rest="""
        def _rebalance(self):
            if self.is_warming_up or self.time.month % 3 != 1:
                return
            ahead = max(self._moves, key=lambda s: self._moves[s].current.value)
            behind = self._second if ahead == self._first else self._first
            self.set_holdings(behind, $keep)
            self.set_holdings(ahead, $rest_weight)
    """,
    phrasings=(
        "At the start of every quarter give $rest_percent% to the stronger of $ticker and $second over $lookback days and the remaining part to the other.",
        "Quarterly tilt between $ticker and $second: $rest_percent% to the $lookback-day winner.",
        "Write a strategy that rebalances $ticker and $second each January, April, July and October, with $rest_weight for the better $lookback-day return and $keep for the other.",
        "strategy: quarterly tilt\npair: [$ticker, $second]\nlookback: $lookback\nwinner_weight: $rest_weight\nloser_weight: $keep\nrebalance: quarterly",
        "Every quarter: winner of $ticker and $second ($lookback days) at $rest_percent%, loser at the rest.",
        "Momentum tilt, quarterly, $ticker against $second, lookback $lookback, weights $rest_weight and $keep.",
    ),
)

FAMILIES = (
    CALM_MARKET,
    PORTFOLIO_VOLATILITY,
    ATR_SIZED_TREND,
    MONTH_LIST,
    MID_MONTH,
    QUARTER_REBALANCE,
)
