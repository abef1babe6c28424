"""Rankings of several tickers: rotation by one measure, and by several factors together."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.families.shapes import several_assets
from qc_builder_lora.harvest.corpus.family import Family

_DEVIATION = (
    "self._change = {s: self.roc(s, 1) for s in self._symbols}",
    "self._deviation = {}",
    "for s in self._symbols:",
    "    self._deviation[s] = IndicatorExtensions.of(StandardDeviation($period), self._change[s])",
)

LOW_VOLATILITY = Family(
    name="low_volatility",
    theme="rotation",
    class_name="LowVolatility",
    parameters={"period": (20, 30, 40, 60, 90, 120), "top": (1, 2)},
    assets=(3, 4),
    initialize=several_assets(*_DEVIATION, warm_up="$period + 2"),
    rest="""
        def _rebalance(self):
            if self.is_warming_up:
                return
            calm = sorted(self._symbols, key=lambda s: self._deviation[s].current.value)
            for symbol in calm[$top:]:
                self.liquidate(symbol)
            for symbol in calm[:$top]:
                self.set_holdings(symbol, 1.0 / $top)
    """,
    phrasings=(
        "Each month hold the $top of $tickers with the lowest $period-day volatility, equally weighted.",
        "Low volatility rotation among $tickers: window $period days, keep $top, monthly.",
        "Write a strategy that ranks $tickers by the standard deviation of their daily returns over $period days at every month start and invests equally in the calmest $top.",
        "strategy: low volatility rotation\nuniverse: [$tickers]\nwindow: $period\nhold: $top\nrebalance: monthly",
        "Every month move into the $top least volatile of $tickers, measured over $period days.",
        "Defensive rotation: own the $top quietest names of $tickers ($period day standard deviation).",
    ),
)

STEADY_MOMENTUM = Family(
    name="steady_momentum",
    theme="rotation",
    class_name="SteadyMomentum",
    parameters={"lookback": (40, 60, 90, 120, 180), "period": (20, 30, 40, 60), "top": (1, 2)},
    assets=(3, 4),
    initialize=several_assets(
        "self._momentum = {s: self.momp(s, $lookback) for s in self._symbols}",
        *_DEVIATION,
        warm_up="$lookback + $period",
    ),
    rest="""
        def _rebalance(self):
            if self.is_warming_up:
                return
            score = {}
            for symbol in self._symbols:
                risk = max(self._deviation[symbol].current.value, 0.0001)
                score[symbol] = self._momentum[symbol].current.value / risk
            ranked = sorted(self._symbols, key=lambda s: -score[s])
            for symbol in ranked[$top:]:
                self.liquidate(symbol)
            for symbol in ranked[:$top]:
                self.set_holdings(symbol, 1.0 / $top)
    """,
    phrasings=(
        "Each month hold the $top of $tickers with the best $lookback-day return per unit of $period-day volatility.",
        "Risk adjusted momentum: $tickers, return $lookback days, volatility $period days, top $top, monthly.",
        "Write a rotation strategy over $tickers that divides $lookback-day momentum by the standard deviation of $period daily returns and holds the $top best equally, rebalanced at month start.",
        "strategy: risk adjusted momentum\nuniverse: [$tickers]\nmomentum_days: $lookback\nvolatility_days: $period\nhold_top: $top\nrebalance: monthly",
        "Rotate monthly into the $top steadiest climbers of $tickers: $lookback-day gain over $period-day volatility.",
        "Rank $tickers by momentum ($lookback days) over risk ($period days) and own the top $top.",
    ),
)

LOSERS = Family(
    name="losers",
    theme="rotation",
    class_name="Losers",
    parameters={"lookback": (3, 5, 10, 15, 20), "bottom": (1, 2)},
    assets=(3, 4),
    initialize=several_assets(
        "self._momentum = {s: self.momp(s, $lookback) for s in self._symbols}",
        warm_up="$lookback + 1",
        rule="week_start",
    ),
    rest="""
        def _rebalance(self):
            if self.is_warming_up:
                return
            ranked = sorted(self._symbols, key=lambda s: self._momentum[s].current.value)
            for symbol in ranked[$bottom:]:
                self.liquidate(symbol)
            for symbol in ranked[:$bottom]:
                self.set_holdings(symbol, 1.0 / $bottom)
    """,
    phrasings=(
        "Each week hold the $bottom worst of $tickers over the last $lookback days, equally weighted.",
        "Weekly short-term reversal among $tickers: $lookback days, buy the bottom $bottom.",
        "Write a contrarian rotation strategy: at every week start rank $tickers by $lookback-day return and put everything into the weakest $bottom.",
        "strategy: weekly reversal\nuniverse: [$tickers]\nlookback: $lookback\nhold_bottom: $bottom\nrebalance: weekly",
        "Every week buy what fell most: the $bottom weakest of $tickers over $lookback days.",
        "Loser rotation over $tickers, lookback $lookback days, hold $bottom, weekly.",
    ),
)

WINNERS_MINUS_LOSERS = Family(
    name="winners_minus_losers",
    theme="momentum",
    class_name="WinnersMinusLosers",
    parameters={"lookback": (40, 60, 63, 90, 120, 126, 180, 252), "weight": (0.3, 0.4, 0.5)},
    assets=(3, 4),
    initialize=several_assets(
        "self._momentum = {s: self.momp(s, $lookback) for s in self._symbols}",
        warm_up="$lookback + 1",
    ),
    rest="""
        def _rebalance(self):
            if self.is_warming_up:
                return
            ranked = sorted(self._symbols, key=lambda s: self._momentum[s].current.value)
            for symbol in ranked[1:-1]:
                self.liquidate(symbol)
            self.set_holdings(ranked[0], -$weight)
            self.set_holdings(ranked[-1], $weight)
    """,
    phrasings=(
        "Each month go long the best and short the worst of $tickers by $lookback-day return, $weight_percent% each.",
        "Long-short momentum on $tickers, lookback $lookback, $weight_percent% a side, monthly.",
        "Write a market neutral momentum algorithm: every month start buy the strongest of $tickers over $lookback days and sell short the weakest with a weight of $weight each.",
        "strategy: winners minus losers\nuniverse: [$tickers]\nlookback: $lookback\nweight_per_side: $weight\nrebalance: monthly",
        "Monthly, $weight_percent% long the top name of $tickers and $weight_percent% short the bottom one, ranked on $lookback days.",
        "Cross-sectional momentum between $tickers ($lookback days): long first, short last, $weight_percent% per leg.",
    ),
)

RISK_ON_OFF = Family(
    name="risk_on_off",
    theme="rotation",
    class_name="RiskOnOff",
    parameters={"period": (50, 80, 100, 120, 150, 200)},
    assets=(2, 2),
    initialize=several_assets(
        "self._average = self.sma(self._symbols[0], $period)", warm_up="$period"
    ),
    rest="""
        def _rebalance(self):
            if self.is_warming_up:
                return
            risky, safe = self._symbols
            up = self.securities[risky].price > self._average.current.value
            self.liquidate(safe if up else risky)
            self.set_holdings(risky if up else safe, 1.0)
    """,
    phrasings=(
        "Each month hold $ticker if it is above its $period-day average, otherwise hold $second.",
        "Switch between $ticker and $second by the $period-day SMA of $ticker, monthly.",
        "Write a tactical strategy: at every month start be fully in $ticker when it trades over its $period-day simple moving average and fully in $second when it does not.",
        "strategy: risk on risk off\nrisky: $ticker\nsafe: $second\nperiod: $period\nrebalance: monthly",
        "Monthly switch: $ticker above SMA($period), else the refuge $second.",
        "Own $ticker in uptrends ($period days) and $second in downtrends, checked once a month.",
    ),
)

TWO_FACTORS = Family(
    name="two_factors",
    theme="multi-factor",
    class_name="TwoFactors",
    parameters={"lookback": (60, 90, 120, 180), "period": (20, 30, 40, 60), "top": (1, 2)},
    assets=(4, 4),
    initialize=several_assets(
        "self._momentum = {s: self.momp(s, $lookback) for s in self._symbols}",
        *_DEVIATION,
        warm_up="$lookback + $period",
    ),
    rest="""
        def _rebalance(self):
            if self.is_warming_up:
                return
            strong = sorted(self._symbols, key=lambda s: self._momentum[s].current.value)
            calm = sorted(self._symbols, key=lambda s: -self._deviation[s].current.value)
            ranked = sorted(self._symbols, key=lambda s: -strong.index(s) - calm.index(s))
            for symbol in ranked[$top:]:
                self.liquidate(symbol)
            for symbol in ranked[:$top]:
                self.set_holdings(symbol, 1.0 / $top)
    """,
    phrasings=(
        "Each month rank $tickers by $lookback-day momentum and by low $period-day volatility, add the two ranks and hold the best $top.",
        "Two factor ranking of $tickers: momentum $lookback, low volatility $period, top $top, monthly.",
        "Write a multi-factor strategy over $tickers that sums the rank of the $lookback-day return and the rank of low volatility over $period days, and invests equally in the $top highest sums every month.",
        "strategy: two factors\nuniverse: [$tickers]\nfactors:\n  momentum: $lookback\n  low_volatility: $period\nhold_top: $top\nrebalance: monthly",
        "Combine strength ($lookback days) and calm ($period days) of $tickers by rank and own the top $top each month.",
        "Monthly multi-factor rotation in $tickers, momentum plus low volatility, windows $lookback and $period, $top names.",
    ),
)

THREE_FACTORS = Family(
    name="three_factors",
    theme="multi-factor",
    class_name="ThreeFactors",
    parameters={"long": (120, 180, 252), "short": (5, 10, 15, 20), "trend": (50, 100, 150)},
    assets=(4, 4),
    initialize=several_assets(
        "self._long = {s: self.momp(s, $long) for s in self._symbols}",
        "self._short = {s: self.momp(s, $short) for s in self._symbols}",
        "self._trend = {s: self.sma(s, $trend) for s in self._symbols}",
        warm_up="$long + 1",
    ),
    rest="""
        def _rebalance(self):
            if self.is_warming_up:
                return
            factors = {}
            for s in self._symbols:
                above = self.securities[s].price / self._trend[s].current.value
                # What rose lately is expected to come back a little.
                factors[s] = (self._long[s].current.value, -self._short[s].current.value, above)
            score = dict.fromkeys(self._symbols, 0)
            for number in range(3):
                ordered = sorted(self._symbols, key=lambda s: factors[s][number])
                for place, symbol in enumerate(ordered):
                    score[symbol] += place
            best = sorted(self._symbols, key=lambda s: -score[s])[:2]
            for symbol in self._symbols:
                self.set_holdings(symbol, 0.5 if symbol in best else 0.0)
    """,
    phrasings=(
        "Each month score $tickers by three ranks: $long-day momentum, $short-day reversal and distance above the $trend-day average; hold the two best at 50% each.",
        "Three factor model on $tickers: momentum $long, reversal $short, trend $trend, best two at half each, monthly.",
        "Write a multi-factor algorithm that adds the cross-sectional ranks of the $long-day return, of the negative $short-day return and of price over SMA($trend) for $tickers and keeps the top two equally weighted, rebalanced monthly.",
        "strategy: three factors\nuniverse: [$tickers]\nfactors:\n  momentum: $long\n  reversal: $short\n  trend: $trend\nhold_top: 2\nweight_each: 0.5\nrebalance: monthly",
        "Composite rank of $tickers from long momentum ($long), short reversal ($short) and trend ($trend); own the top two, half each, set anew every month.",
        "Monthly, half each in the two of $tickers with the best combined rank of momentum over $long days, pullback over $short days and position against the $trend-day mean.",
    ),
)

TREND_WEIGHTED = Family(
    name="trend_weighted",
    theme="multi-factor",
    class_name="TrendWeighted",
    parameters={"fast": (10, 20, 30), "slow": (60, 80, 100, 120), "atr": (14, 20, 30)},
    assets=(2, 4),
    initialize=several_assets(
        "self._fast = {s: self.ema(s, $fast) for s in self._symbols}",
        "self._slow = {s: self.ema(s, $slow) for s in self._symbols}",
        "self._atr = {s: self.atr(s, $atr) for s in self._symbols}",
        warm_up="$slow",
        rule="week_start",
    ),
    rest="""
        def _rebalance(self):
            if self.is_warming_up:
                return
            score = {}
            for s in self._symbols:
                gap = self._fast[s].current.value - self._slow[s].current.value
                score[s] = max(0.0, gap / max(self._atr[s].current.value, 0.01))
            total = sum(score.values())
            for s in self._symbols:
                self.set_holdings(s, score[s] / total if total > 0 else 0.0)
    """,
    phrasings=(
        "Every week weight $tickers by how many $atr-day ATRs their $fast-day EMA is above the $slow-day EMA; what is below gets nothing.",
        "Trend weighted portfolio of $tickers: EMA $fast/$slow in units of ATR($atr), nothing in downtrends, weekly.",
        "Write an allocation strategy over $tickers that scores each by (EMA($fast) - EMA($slow)) / ATR($atr), sets negative scores to zero and weights in proportion to the rest every week.",
        "strategy: trend weights\nuniverse: [$tickers]\nfast_ema: $fast\nslow_ema: $slow\natr_period: $atr\nrebalance: weekly",
        "Weekly weights of $tickers proportional to trend strength, the gap of EMA $fast over EMA $slow divided by ATR $atr; none for a gap below zero.",
        "Put more into the stronger trends of $tickers: gap of $fast and $slow day EMAs measured in $atr-day average true ranges, zero where it is negative, fully invested otherwise, adjusted weekly.",
    ),
)

FAMILIES = (
    LOW_VOLATILITY,
    STEADY_MOMENTUM,
    LOSERS,
    WINNERS_MINUS_LOSERS,
    RISK_ON_OFF,
    TWO_FACTORS,
    THREE_FACTORS,
    TREND_WEIGHTED,
)
