"""Risk-management formulas for one position: each combines with every signal of `risk_rules`."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.families.risk_rules import risk_family

_RETURNS = "self._change = self.roc(self._symbol, 1)"
_DEVIATION = (
    _RETURNS,
    "self._deviation = IndicatorExtensions.of(StandardDeviation($period), self._change)",
)
_KELLY = (
    _RETURNS,
    "self._mean = IndicatorExtensions.of(SimpleMovingAverage($period), self._change)",
    "self._variance = IndicatorExtensions.of(Variance($period), self._change)",
)
_LAST_RETURNS = (_RETURNS, "self._returns = RollingWindow[float]($period)")

FIXED_FRACTIONAL = risk_family(
    name="fixed_fractional",
    class_name="FixedFractional",
    title="fixed fractional position size",
    parameters={"risk": (0.005, 0.01, 0.015, 0.02), "stop": (0.03, 0.05, 0.06, 0.08)},
    rule="Risk $risk_percent% of the portfolio on each trade with a stop $stop_percent% below the entry, and put at most 95% into one.",
    terse="risk $risk_percent% of equity a trade, stop loss $stop_percent%, at most 95% invested",
    yaml="risk_per_trade: $risk\nstop_loss: $stop\nmax_weight: 0.95",
    before=(
        "value = self.portfolio.total_portfolio_value",
        "quantity = int(min(value * $risk / (price * $stop), 0.95 * value / price))",
        "stop = self.portfolio[self._symbol].average_price * (1 - $stop)",
    ),
    enter=("self.market_order(self._symbol, quantity)",),
    allowed="quantity > 0",
    out="price < stop",
)

ATR_STOP = risk_family(
    name="atr_stop",
    class_name="AtrStop",
    title="ATR stop",
    parameters={"atr": (10, 14, 20), "times": (1.5, 2.0, 2.5, 3.0)},
    rule="Place a stop $times times the $atr-day average true range below the entry price.",
    terse="stop $times x ATR($atr) below the entry",
    yaml="stop: atr\natr_period: $atr\natr_multiple: $times",
    lines=("self._atr = self.atr(self._symbol, $atr)", "self._distance = 0.0"),
    warm_up="$atr + 1",
    before=("stop = self.portfolio[self._symbol].average_price - self._distance",),
    on_entry=("self._distance = $times * self._atr.current.value",),
    out="price < stop",
)

ATR_TRAIL = risk_family(
    name="atr_trail",
    class_name="AtrTrail",
    title="ATR trailing stop",
    parameters={"atr": (10, 14, 20, 22), "times": (2.0, 2.5, 3.0, 4.0)},
    rule="Trail a stop $times times ATR($atr) under the price, which only ever moves up.",
    terse="trailing stop of $times x ATR($atr)",
    yaml="trailing_stop: atr\natr_period: $atr\natr_multiple: $times",
    lines=("self._atr = self.atr(self._symbol, $atr)", "self._stop = 0.0"),
    warm_up="$atr + 1",
    held=("self._stop = max(self._stop, price - $times * self._atr.current.value)",),
    on_entry=("self._stop = price - $times * self._atr.current.value",),
    out="price < self._stop",
)

PERCENT_TRAIL = risk_family(
    name="percent_trail",
    class_name="PercentTrail",
    title="trailing stop",
    parameters={"trail": (0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12)},
    rule="Sell as well when the price is $trail_percent% under its highest close since the entry.",
    terse="trailing stop $trail_percent%",
    yaml="trailing_stop: $trail",
    lines=("self._stop = 0.0",),
    held=("self._stop = max(self._stop, price * (1 - $trail))",),
    on_entry=("self._stop = price * (1 - $trail)",),
    out="price < self._stop",
)

VOLATILITY_SIZED = risk_family(
    name="volatility_sized",
    class_name="VolatilitySized",
    title="volatility target",
    parameters={"period": (10, 20, 30, 40, 60), "target": (0.08, 0.1, 0.12, 0.15, 0.2)},
    rule="Size the position to an annual volatility of $target_percent%, measured over $period days, at most 100%.",
    terse="size for $target_percent% annual volatility over $period days, no leverage",
    yaml="target_volatility: $target\nvolatility_window: $period\nmax_weight: 1.0",
    lines=_DEVIATION,
    warm_up="$period + 2",
    enter=(
        "volatility = max(self._deviation.current.value, 0.0001) * math.sqrt(252)",
        "self.set_holdings(self._symbol, min(1.0, $target / volatility))",
    ),
)

KELLY = risk_family(
    name="kelly",
    class_name="KellySize",
    title="Kelly position size",
    parameters={"period": (60, 90, 120, 180), "most": (0.75, 1.0)},
    rule="Size by the Kelly criterion, mean over variance of the last $period daily returns, between 0 and $most; no trade where it is not positive.",
    terse="Kelly fraction from $period daily returns, capped at $most",
    yaml="sizing: kelly\nreturn_window: $period\nmax_weight: $most",
    lines=_KELLY,
    warm_up="$period + 2",
    before=(
        "kelly = self._mean.current.value / max(self._variance.current.value, 1e-9)",
        "weight = min($most, kelly)",
    ),
    enter=("self.set_holdings(self._symbol, weight)",),
    allowed="weight > 0",
)

HALF_KELLY = risk_family(
    name="half_kelly",
    class_name="HalfKellySize",
    title="half-Kelly position size",
    parameters={"period": (60, 90, 120, 180), "most": (0.5, 0.75, 1.0)},
    rule="Hold half the Kelly fraction (mean over variance of the last $period daily returns), never more than $most and nothing below zero.",
    terse="half Kelly from $period daily returns, capped at $most",
    yaml="sizing: half kelly\nreturn_window: $period\nmax_weight: $most",
    lines=_KELLY,
    warm_up="$period + 2",
    before=(
        "kelly = self._mean.current.value / max(self._variance.current.value, 1e-9)",
        "weight = min($most, 0.5 * kelly)",
    ),
    enter=("self.set_holdings(self._symbol, weight)",),
    allowed="weight > 0",
)

KILL_SWITCH = risk_family(
    name="kill_switch",
    class_name="KillSwitch",
    title="maximum drawdown kill switch",
    parameters={"limit": (0.08, 0.1, 0.12, 0.15, 0.2, 0.25)},
    rule="If the portfolio ever falls $limit_percent% from its peak, sell everything and stop trading for good.",
    terse="kill switch at $limit_percent% drawdown, no trading after it",
    yaml="max_drawdown: $limit\nafter_breach: stop trading",
    lines=("self._peak = 0.0", "self._stopped = False"),
    before=(
        "value = self.portfolio.total_portfolio_value",
        "self._peak = max(self._peak, value)",
        "self._stopped = self._stopped or value < self._peak * (1 - $limit)",
    ),
    allowed="not self._stopped",
    out="self._stopped",
)

VALUE_AT_RISK = risk_family(
    name="value_at_risk",
    class_name="ValueAtRiskSize",
    title="value at risk limit",
    parameters={
        "period": (60, 90, 120, 250),
        "limit": (0.01, 0.015, 0.02, 0.025),
        "level": (95, 99),
    },
    rule="Hold so much that the one-day historical value at risk ($level%, $period days) is at most $limit_percent% of the portfolio, without leverage.",
    terse="one-day VaR($level%) over $period days at most $limit_percent% of equity, no leverage",
    yaml="var_limit: $limit\nvar_confidence: $level\nvar_window: $period\nmax_weight: 1.0",
    lines=_LAST_RETURNS,
    warm_up="$period + 2",
    always=("self._returns.add(self._change.current.value)",),
    enter=(
        "loss = max(-np.percentile(list(self._returns), 100 - $level), 0.0001)",
        "self.set_holdings(self._symbol, float(min(1.0, $limit / loss)))",
    ),
)

EXPECTED_SHORTFALL = risk_family(
    name="expected_shortfall",
    class_name="ShortfallSize",
    title="expected shortfall limit",
    parameters={"period": (60, 90, 120, 250), "limit": (0.015, 0.02, 0.025, 0.03)},
    rule="Hold so much that the mean of the worst 5% of the last $period daily returns costs at most $limit_percent% of the portfolio, without leverage.",
    terse="expected shortfall (worst 5% of $period days) at most $limit_percent% of equity, no leverage",
    yaml="shortfall_limit: $limit\nshortfall_window: $period\nworst_share: 0.05\nmax_weight: 1.0",
    lines=_LAST_RETURNS,
    warm_up="$period + 2",
    always=("self._returns.add(self._change.current.value)",),
    enter=(
        "worst = sorted(self._returns)[: int(0.05 * $period)]",
        "loss = max(-sum(worst) / len(worst), 0.0001)",
        "self.set_holdings(self._symbol, min(1.0, $limit / loss))",
    ),
)

TIME_STOP = risk_family(
    name="time_stop",
    class_name="TimeStop",
    title="time stop",
    parameters={"days": (3, 5, 8, 10, 15, 20, 30)},
    rule="Leave the trade after $days trading days at the latest.",
    terse="time stop after $days trading days",
    yaml="time_stop_days: $days",
    lines=("self._held = 0",),
    held=("self._held += 1",),
    on_entry=("self._held = 0",),
    out="self._held >= $days",
)

SCALING_OUT = risk_family(
    name="scaling_out",
    class_name="ScalingOut",
    title="scaling out",
    parameters={"gain": (0.03, 0.04, 0.05, 0.06, 0.08, 0.1), "part": (0.25, 0.5)},
    rule="Sell $part_percent% of the position once it is up $gain_percent%, and the rest on the exit signal.",
    terse="take profit on $part_percent% of the position at +$gain_percent%",
    yaml="scale_out_gain: $gain\nscale_out_part: $part",
    lines=("self._scaled = False",),
    held=(
        "holding = self.portfolio[self._symbol]",
        "if holding.unrealized_profit_percent > $gain and not self._scaled:",
        "    self.market_order(self._symbol, -int(holding.quantity * $part))",
        "    self._scaled = True",
    ),
    on_entry=("self._scaled = False",),
)

BREAK_EVEN = risk_family(
    name="break_even",
    class_name="BreakEven",
    title="break-even stop",
    parameters={"stop": (0.03, 0.04, 0.05, 0.06), "gain": (0.03, 0.04, 0.05, 0.08)},
    rule="Start with a stop $stop_percent% below the entry and move it to the entry price once the trade is up $gain_percent%.",
    terse="stop $stop_percent%, to break-even after +$gain_percent%",
    yaml="stop_loss: $stop\nbreak_even_after: $gain",
    lines=("self._safe = False",),
    before=(
        "entry = self.portfolio[self._symbol].average_price",
        "stop = entry if self._safe else entry * (1 - $stop)",
    ),
    held=("self._safe = self._safe or price > entry * (1 + $gain)",),
    on_entry=("self._safe = False",),
    out="price < stop",
)

COOLING_OFF = risk_family(
    name="cooling_off",
    class_name="CoolingOff",
    title="cooling off after a loss",
    parameters={"stop": (0.03, 0.04, 0.05, 0.06, 0.08), "pause": (5, 10, 15, 20)},
    rule="Cut a loss at $stop_percent% and then stay out for $pause trading days.",
    terse="stop loss $stop_percent%, then $pause days of pause",
    yaml="stop_loss: $stop\npause_days: $pause",
    lines=("self._pause = 0",),
    before=(
        "self._pause -= 1",
        "stop = self.portfolio[self._symbol].average_price * (1 - $stop)",
        "if price < stop:",
        "    self._pause = $pause",
    ),
    allowed="self._pause <= 0",
    out="price < stop",
)

FAMILIES = (
    FIXED_FRACTIONAL,
    ATR_STOP,
    ATR_TRAIL,
    PERCENT_TRAIL,
    VOLATILITY_SIZED,
    KELLY,
    HALF_KELLY,
    KILL_SWITCH,
    VALUE_AT_RISK,
    EXPECTED_SHORTFALL,
    TIME_STOP,
    SCALING_OUT,
    BREAK_EVEN,
    COOLING_OFF,
)
