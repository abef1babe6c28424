"""Statistical arbitrage: spreads with a hedge ratio, and names against the rest of their group."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.families.shapes import SEVERAL_ASSETS, several_assets
from qc_builder_lora.harvest.corpus.family import Family

HEDGED_SPREAD = Family(
    name="hedged_spread",
    theme="statistical arbitrage",
    class_name="HedgedSpread",
    parameters={"window": (40, 60, 90, 120), "entry": (1.0, 1.5, 2.0), "exit": (0.25, 0.5)},
    assets=(2, 2),
    initialize=SEVERAL_ASSETS + "self._logs = []\n",
    rest="""
        def on_data(self, data):
            if not all(data.contains_key(s) for s in self._symbols):
                return
            self._logs.append([math.log(self.securities[s].price) for s in self._symbols])
            self._logs = self._logs[-$window:]
            if len(self._logs) < $window:
                return
            first, second = np.transpose(self._logs)
            beta = np.polyfit(second, first, 1)[0]
            spread = first - beta * second
            score = (spread[-1] - spread.mean()) / max(spread.std(), 1e-9)
            if abs(score) > $entry and not self.portfolio.invested:
                side = -0.5 if score > 0 else 0.5
                self.set_holdings(self._symbols[0], side)
                self.set_holdings(self._symbols[1], -side * min(1.0, max(-1.0, beta)))
            elif abs(score) < $exit and self.portfolio.invested:
                self.liquidate()
    """,
    phrasings=(
        "Trade the spread of log $ticker less beta times log $second, beta fitted over $window days: half the portfolio in $ticker against beta times that (at most as much) in $second when its z-score is beyond $entry, close within $exit.",
        "Regression pairs trade $ticker/$second: window $window, entry $entry, exit $exit, 50% a leg.",
        "Write a statistical arbitrage strategy on $ticker and $second with a hedge ratio from a rolling regression of log prices over $window days, opening at $entry standard deviations of the residual, with half the money in $ticker and beta times half, at most half, in $second, and closing at $exit.",
        "strategy: hedged spread\npair: [$ticker, $second]\nregression_window: $window\nentry_z: $entry\nexit_z: $exit\nweight_per_leg: 0.5",
        "Cointegration style pair of $ticker and $second: rolling beta ($window days), residual z-score in at $entry and out at $exit, half the equity in $ticker, at most half in $second by beta.",
        "Market neutral: residual of $ticker on $second over $window days, fade it at $entry sigma with 50% a leg (the second by beta, no more), flat at $exit sigma.",
    ),
)

GROUP_REVERSAL = Family(
    name="group_reversal",
    theme="statistical arbitrage",
    class_name="GroupReversal",
    parameters={"lookback": (3, 5, 10, 15, 20), "gross": (0.8, 1.0)},
    assets=(3, 4),
    initialize=several_assets(
        "self._move = {s: self.roc(s, $lookback) for s in self._symbols}",
        warm_up="$lookback + 1",
        rule="week_start",
    ),
    rest="""
        def _rebalance(self):
            if self.is_warming_up:
                return
            moves = {s: self._move[s].current.value for s in self._symbols}
            mean = sum(moves.values()) / len(moves)
            total = sum(abs(m - mean) for m in moves.values())
            if total == 0:
                return
            for symbol, move in moves.items():
                self.set_holdings(symbol, $gross * (mean - move) / total)
    """,
    phrasings=(
        "Every week go long what lagged and short what led among $tickers: weights proportional to the group's mean $lookback-day return less their own, gross exposure $gross.",
        "Dollar neutral reversal on $tickers, $lookback days, gross $gross, weekly.",
        "Write a statistical arbitrage algorithm over $tickers: weekly weights equal to the average return of $lookback days minus each return, scaled so that absolute weights add up to $gross.",
        "strategy: group reversal\nuniverse: [$tickers]\nlookback: $lookback\ngross_exposure: $gross\nrebalance: weekly",
        "Contrarian dollar-neutral book of $tickers against their own average over $lookback days with gross $gross.",
        "Lo and MacKinlay style contrarian portfolio in $tickers, $lookback-day returns, gross exposure $gross, weekly rebalancing.",
    ),
)

RESIDUAL_REVERSION = Family(
    name="residual_reversion",
    theme="statistical arbitrage",
    class_name="ResidualReversion",
    parameters={"window": (40, 60, 90), "entry": (1.0, 1.25, 1.5), "exit": (0.1, 0.25, 0.5)},
    assets=(3, 4),
    initialize=SEVERAL_ASSETS + "self._logs = []\n",
    rest="""
        def on_data(self, data):
            if not all(data.contains_key(s) for s in self._symbols):
                return
            self._logs.append([math.log(self.securities[s].price) for s in self._symbols])
            self._logs = self._logs[-$window:]
            if len(self._logs) < $window:
                return
            logs = np.array(self._logs)
            away = logs - logs.mean(axis=1, keepdims=True)
            scores = (away[-1] - away.mean(axis=0)) / np.maximum(away.std(axis=0), 1e-9)
            for symbol, score in zip(self._symbols, scores):
                held = self.portfolio[symbol].invested
                if score < -$entry and not held:
                    self.set_holdings(symbol, 1.0 / len(self._symbols))
                elif score > -$exit and held:
                    self.liquidate(symbol)
    """,
    phrasings=(
        "Buy any of $tickers whose log price is more than $entry standard deviations below the group's mean relative to the last $window days; sell it above -$exit.",
        "Relative value in $tickers: window $window, entry z -$entry, exit z -$exit, long only.",
        "Write a strategy that measures for each of $tickers how far its log price is from the group average against $window days, buys those below -$entry sigma with equal parts and sells above -$exit sigma.",
        "strategy: residual reversion\nuniverse: [$tickers]\nwindow: $window\nentry_z: -$entry\nexit_z: -$exit",
        "Own the laggards of $tickers: residual to the group mean under -$entry ($window days), out over -$exit.",
        "Long only relative mean reversion over $tickers, z-score of the residual with $window days, levels -$entry and -$exit.",
    ),
)

CORRELATION_BREAK = Family(
    name="correlation_break",
    theme="statistical arbitrage",
    class_name="CorrelationBreak",
    parameters={"window": (20, 30, 40, 60), "gap": (0.02, 0.03, 0.04, 0.05), "days": (3, 5, 10)},
    assets=(2, 2),
    initialize=SEVERAL_ASSETS
    + "self._moves = {s: self.roc(s, $days) for s in self._symbols}\n"
    + "self._average = {s: self.sma(s, $window) for s in self._symbols}\n"
    + "self.set_warm_up($window + 1)\n",
    rest="""
        def on_data(self, data):
            if self.is_warming_up:
                return
            first, second = self._symbols
            gap = self._moves[first].current.value - self._moves[second].current.value
            laggard, leader = (second, first) if gap > 0 else (first, second)
            rising = self.securities[laggard].price > self._average[laggard].current.value
            if abs(gap) > $gap and rising and not self.portfolio.invested:
                self.set_holdings(laggard, 0.5)
                self.set_holdings(leader, -0.5)
            elif abs(gap) < 0.25 * $gap and self.portfolio.invested:
                self.liquidate()
    """,
    phrasings=(
        "When the $days-day returns of $ticker and $second differ by more than $gap_percent%, buy the laggard (if above its $window-day average) and short the leader, half the portfolio each; close when the gap is a quarter of that.",
        "Lead-lag pair $ticker/$second: $days days, gap $gap_percent%, out at a quarter of it, trend filter $window, half each.",
        "Write a pairs algorithm on $ticker and $second that trades a $gap_percent percent divergence of $days-day returns towards the laggard, provided it is over its $window-day mean, half the portfolio a leg, and flattens at a quarter of the divergence.",
        "strategy: return divergence\npair: [$ticker, $second]\nreturn_days: $days\nentry_gap: $gap\nexit_gap_share: 0.25\ntrend_window: $window\nweight_per_leg: 0.5",
        "Divergence trade between $ticker and $second ($days-day returns, $gap_percent% in, a quarter of that out), laggard must be above SMA($window), half long and half short.",
        "Long the laggard, short the leader of $ticker and $second once they are $gap_percent% apart in $days days, half each, until a quarter of the gap is left; the laggard has to be above its $window-day average.",
    ),
)

FAMILIES = (HEDGED_SPREAD, GROUP_REVERSAL, RESIDUAL_REVERSION, CORRELATION_BREAK)
