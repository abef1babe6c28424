"""How positions are built and left: brackets of orders, units, savings plans, bands, weekly bars."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.families.shapes import (
    SEVERAL_ASSETS,
    long_or_flat,
    one_asset,
    scheduled,
)
from qc_builder_lora.harvest.corpus.family import Family

BRACKET_ORDERS = Family(
    name="bracket_orders",
    theme="risk",
    class_name="BracketOrders",
    parameters={
        "period": (20, 30, 50, 80),
        "stop": (0.03, 0.04, 0.05, 0.06, 0.08),
        "target": (0.06, 0.08, 0.1, 0.12, 0.15),
        "weight": (0.5, 0.75, 0.9),
    },
    valid=lambda p: p["target"] > p["stop"],
    initialize=one_asset("self._average = self.sma(self._symbol, $period)", warm_up="$period"),
    rest="""
        def on_data(self, data):
            if self.is_warming_up or self.portfolio.invested:
                return
            if self.transactions.get_open_orders(self._symbol):
                return
            if self.securities[self._symbol].price > self._average.current.value:
                self.set_holdings(self._symbol, $weight)

        def on_order_event(self, order_event):
            if order_event.status != OrderStatus.FILLED:
                return
            quantity = order_event.fill_quantity
            price = order_event.fill_price
            if quantity > 0:
                stop, target = price * (1 - $stop), price * (1 + $target)
                self.stop_market_order(self._symbol, -quantity, round(stop, 2))
                self.limit_order(self._symbol, -quantity, round(target, 2))
            else:
                self.transactions.cancel_open_orders(self._symbol)
    """,
    phrasings=(
        "Buy $ticker with $weight_percent% of the portfolio above its $period-day average; on the fill place a stop order $stop_percent% below and a limit order $target_percent% above it, and cancel the other when one fills.",
        "Bracket orders on $ticker: SMA($period) entry, size $weight_percent%, stop $stop_percent%, target $target_percent%.",
        "Write a QuantConnect algorithm that enters $ticker over its $period-day simple moving average (weight $weight) and manages the trade with real orders: a stop market order $stop_percent percent under the fill price and a limit order $target_percent percent over it, one cancels the other.",
        "strategy: bracket orders\nsymbol: $ticker\nentry: close above sma($period)\nposition_size: $weight\nstop_order: $stop\nlimit_order: $target\none_cancels_other: true",
        "OCO exit in LEAN for $ticker ($weight_percent% invested above the $period-day mean): stop market at -$stop_percent%, limit at +$target_percent%, from the fill price.",
        "Use on_order_event: when the purchase of $ticker fills (entered above SMA $period with $weight_percent%), send a stop $stop_percent% lower and a limit $target_percent% higher; the one that fills cancels the other.",
    ),
    further=(
        "How do I attach a stop loss order ($stop_percent%) and a take profit order ($target_percent%) to a position in LEAN? Trade $ticker above its $period-day average with $weight_percent% of equity as the example.",
        "Entry $ticker > SMA($period), $weight_percent%. Exits are resting orders: stop market $stop_percent% under the fill, limit $target_percent% over, OCO.",
    ),
)

TURTLE_UNITS = Family(
    name="turtle_units",
    theme="breakout",
    class_name="TurtleUnits",
    parameters={
        "entry": (20, 40, 55),
        "exit": (10, 15),
        "atr": (14, 20),
        "risk": (0.0025, 0.004, 0.005),
        "units": (2, 3, 4),
        "step": (0.5, 1.0),
        "stop": (2.0, 2.5, 3.0),
    },
    initialize=one_asset(
        "self._high = self.max(self._symbol, $entry)",
        "self._low = self.min(self._symbol, $exit)",
        "self._atr = self.atr(self._symbol, $atr)",
        "self._units = 0",
        "self._last = 0.0",
        "self._stop = 0.0",
        warm_up="$entry + 1",
    ),
    rest="""
        def on_data(self, data):
            if self.is_warming_up:
                return
            price = self.securities[self._symbol].price
            atr = max(self._atr.current.value, 0.01)
            if self._units == 0:
                if price > self._high.previous.value:
                    self._buy_unit(price, atr)
            elif price < self._stop or price < self._low.previous.value:
                self.liquidate()
                self._units = 0
            elif self._units < $units and price > self._last + $step * atr:
                self._buy_unit(price, atr)

        def _buy_unit(self, price, atr):
            value = self.portfolio.total_portfolio_value
            quantity = int(min($risk * value / atr, value / price / $units))
            if quantity == 0:
                return
            self.market_order(self._symbol, quantity)
            self._units += 1
            self._last = price
            self._stop = price - $stop * atr
    """,
    phrasings=(
        "Turtle system on $ticker: buy a unit on a new $entry-day high, add one each time the price has risen $step ATR($atr) since the last, up to $units units. A unit moves the portfolio by $risk_percent% per ATR and is at most its share of the whole; sell everything $stop ATR below the last purchase or on a new $exit-day low.",
        "Turtle units, $ticker: $entry in, $exit out, ATR $atr, unit $risk_percent% per ATR, $units units (together no more than 100%), add at $step ATR, stop $stop ATR.",
        "Write a pyramiding breakout algorithm for $ticker. Entry on a close above the previous $entry-day high, exit on one below the previous $exit-day low or $stop times ATR($atr) under the last fill; up to $units equal units, one more per $step ATR of gain, each sized to $risk_percent percent of equity per ATR and no more than one part in $units of it.",
        "strategy: turtle units\nsymbol: $ticker\nentry_days: $entry\nexit_days: $exit\natr_period: $atr\nrisk_per_unit: $risk\nmax_units: $units\nadd_every_atr: $step\nstop_atr: $stop\nmax_weight: 1.0",
        "Pyramid into $ticker as the Turtles did ($entry/$exit breakouts, N = ATR($atr)): units of $risk_percent% per N, one more every $step N, $units at most and never leveraged, stop $stop N from the last one.",
        "Breakout with added units in $ticker: first at the $entry-day high, then every $step ATR($atr), $units in all without leverage, $risk_percent% of equity for each ATR; leave at the $exit-day low or $stop ATR below the latest unit.",
    ),
)

DOLLAR_COST_AVERAGE = Family(
    name="dollar_cost_average",
    theme="allocation",
    class_name="DollarCostAverage",
    parameters={"dollars": (1000, 1500, 2000, 2500, 4000, 5000), "period": ("month", "week")},
    names=lambda p: {
        "rule": f"{p['period']}_start",
        "often": f"{p['period']}ly",
        "sum": f"{p['dollars']:,}",
    },
    initialize=one_asset(warm_up="1") + scheduled("self._symbol", "$rule"),
    rest="""
        def _rebalance(self):
            price = self.securities[self._symbol].price
            if price == 0:
                return
            quantity = int(min($dollars, self.portfolio.cash) / price)
            if quantity > 0:
                self.market_order(self._symbol, quantity)
    """,
    phrasings=(
        "Buy $ticker for $dollars dollars at the start of every $period, as many whole shares as that gives, until the cash is used up.",
        "Dollar cost averaging: $dollars dollars of $ticker $often.",
        "Write a savings plan for $ticker: each $period put $dollars dollars, or what is left of the cash, into whole shares by a market order.",
        "strategy: dollar cost averaging\nsymbol: $ticker\namount: $dollars\nfrequency: $often",
        "DCA into $ticker with $dollars USD a $period, never selling.",
        "Every $period spend $dollars dollars on $ticker whatever its price is; stop when the money is gone.",
    ),
    further=(
        "I save by investing $dollars dollars in $ticker each $period. Simulate that in LEAN: whole shares only, no sales.",
        "Set up an automatic $often purchase of $ticker for a fixed amount of $dollars dollars.",
    ),
)

REBALANCE_BANDS = Family(
    name="rebalance_bands",
    theme="allocation",
    class_name="RebalanceBands",
    parameters={"band": (0.02, 0.03, 0.04, 0.05, 0.06, 0.08), "gross": (0.8, 0.9, 0.95, 1.0)},
    assets=(2, 4),
    initialize=SEVERAL_ASSETS,
    rest="""
        def on_data(self, data):
            if not all(data.contains_key(s) for s in self._symbols):
                return
            target = $gross / len(self._symbols)
            value = self.portfolio.total_portfolio_value
            weights = [self.portfolio[s].holdings_value / value for s in self._symbols]
            if max(abs(weight - target) for weight in weights) > $band:
                for symbol in self._symbols:
                    self.set_holdings(symbol, target)
    """,
    phrasings=(
        "Hold $tickers in equal parts, $gross_percent% of the portfolio together, and rebalance only when a weight is more than $band_percent percentage points off its target.",
        "Equal weights of $tickers ($gross_percent% in all), tolerance band $band_percent points.",
        "Write a threshold rebalancing strategy: $tickers share $gross_percent percent of the portfolio equally; check daily and restore all weights once any has drifted by more than $band.",
        "strategy: rebalancing bands\nuniverse: [$tickers]\nweights: equal\ngross_exposure: $gross\nband: $band\ncheck: daily",
        "Rebalance $tickers by bands, not by the calendar: back to equal weights ($gross_percent% invested) when one is over $band_percent points away.",
        "Keep $tickers equally weighted with a no-trade zone of $band_percent points around each target; total exposure $gross_percent%.",
    ),
    further=(
        "Calendar rebalancing trades too much for me. Portfolio $tickers, equal, $gross_percent% invested: trade only if some weight has moved more than $band_percent points from target.",
        "Drift-triggered rebalancing, names $tickers, exposure $gross, trigger $band.",
    ),
)

MARKET_FILTER = Family(
    name="market_filter",
    theme="mean reversion",
    class_name="MarketFilter",
    parameters={
        "trend": (50, 100, 150, 200),
        "period": (2, 3, 5),
        "low": (20, 25, 30, 35),
        "high": (60, 65, 70, 75),
    },
    assets=(2, 2),
    initialize='self._symbol = self.add_equity("$ticker", Resolution.DAILY).symbol\n'
    'self._market = self.add_equity("$second", Resolution.DAILY).symbol\n'
    "self._trend = self.sma(self._market, $trend)\n"
    "self._rsi = self.rsi(self._symbol, $period)\n"
    "self.set_warm_up($trend)\n",
    rest=long_or_flat(
        "healthy and rsi < $low",
        "(rsi > $high or not healthy)",
        "healthy = self.securities[self._market].price > self._trend.current.value",
        "rsi = self._rsi.current.value",
    ),
    phrasings=(
        "Buy dips of $ticker, RSI($period) below $low, only while $second is above its $trend-day average; sell when the RSI is above $high or $second falls below the average.",
        "RSI($period) dips in $ticker, $low in, $high out, with $second over SMA($trend) as market filter.",
        "Write an algorithm that trades $ticker with a $period-day RSI (long under $low, out over $high) and uses $second as the market: no position in $ticker unless $second is over its $trend-day simple moving average.",
        "strategy: rsi with market filter\nsymbol: $ticker\nmarket: $second\nmarket_sma: $trend\nrsi_period: $period\nbuy_below: $low\nsell_above: $high\nexit_if_market_below_sma: true",
        "$second decides whether we trade at all (above its $trend-day mean); if so buy $ticker at RSI($period) < $low and sell at RSI > $high, and sell as well when $second turns down.",
        "Regime from $second (SMA $trend), entries in $ticker: RSI of $period days under $low; leave over $high or when the regime ends.",
    ),
    further=(
        "I only want to buy weakness in $ticker when the market, $second, is healthy: above its $trend-day average. RSI($period), levels $low and $high, and out at once if $second is not healthy any more.",
        "Trade $ticker, never $second. $second above SMA($trend) permits longs, below it forces cash. Signal: RSI($period) under $low buys, over $high sells.",
    ),
)

WEEKLY_TREND = Family(
    name="weekly_trend",
    theme="trend",
    class_name="WeeklyTrend",
    parameters={"fast": (3, 4, 5, 6, 8), "slow": (10, 12, 15, 20, 26)},
    initialize=one_asset(
        "self._fast = ExponentialMovingAverage($fast)",
        "self._slow = ExponentialMovingAverage($slow)",
        "self.consolidate(self._symbol, Calendar.WEEKLY, self._on_week)",
        warm_up="7 * $slow",
    ),
    rest="""
        def _on_week(self, bar):
            self._fast.update(bar.end_time, bar.close)
            self._slow.update(bar.end_time, bar.close)
            if self.is_warming_up or not self._slow.is_ready:
                return
            fast = self._fast.current.value
            slow = self._slow.current.value
            if fast > slow and not self.portfolio.invested:
                self.set_holdings(self._symbol, 1.0)
            elif fast < slow and self.portfolio.invested:
                self.liquidate()
    """,
    phrasings=(
        "Trade $ticker on weekly bars: long while the $fast-week EMA is above the $slow-week EMA, otherwise in cash.",
        "Weekly EMA crossover on $ticker, $fast and $slow weeks, long only.",
        "Write a LEAN strategy that consolidates daily bars of $ticker to weekly ones, keeps exponential moving averages of $fast and $slow weeks, and is invested when the shorter one is higher.",
        "strategy: weekly trend\nsymbol: $ticker\nbars: weekly\nfast_ema: $fast\nslow_ema: $slow\ndirection: long only",
        "Use a consolidator for weekly bars of $ticker and follow EMA($fast) over EMA($slow); decide once a week.",
        "Slow trend in $ticker: at the end of each week compare the $fast-week and the $slow-week exponential average, in if the first leads, out if not.",
    ),
    further=(
        "Daily signals are too noisy for me. $ticker with weekly candles, EMAs of $fast and $slow weeks, buy on the cross up, sell on the cross down.",
        "Weekly bars from daily data, $ticker, EMA $fast against EMA $slow. Flat when it is below.",
    ),
)

FAMILIES = (
    BRACKET_ORDERS,
    TURTLE_UNITS,
    DOLLAR_COST_AVERAGE,
    REBALANCE_BANDS,
    MARKET_FILTER,
    WEEKLY_TREND,
)
