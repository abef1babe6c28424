"""Risk-management formulas for several positions: caps, correlations, and parity of risk."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.families.shapes import several_assets
from qc_builder_lora.harvest.corpus.family import Family

_RETURNS = (
    "self._change = {s: self.roc(s, 1) for s in self._symbols}",
    "self._returns = []",
)
_REMEMBER = """
    def on_data(self, data):
        self._returns.append([self._change[s].current.value for s in self._symbols])
        self._returns = self._returns[-$window:]
"""

EXPOSURE_CAP = Family(
    name="exposure_cap",
    theme="risk management",
    class_name="ExposureCap",
    parameters={
        "period": (30, 50, 80, 100),
        "each": (0.2, 0.25, 0.3, 0.4),
        "total": (0.6, 0.7, 0.8, 0.9),
    },
    valid=lambda p: p["each"] < p["total"],
    assets=(3, 4),
    initialize=several_assets(
        "self._average = {s: self.sma(s, $period) for s in self._symbols}",
        warm_up="$period",
        rule="week_start",
    ),
    rest="""
        def _rebalance(self):
            if self.is_warming_up:
                return
            rising = []
            for symbol in self._symbols:
                if self.securities[symbol].price > self._average[symbol].current.value:
                    rising.append(symbol)
            weight = min($each, $total / max(1, len(rising)))
            for symbol in self._symbols:
                self.set_holdings(symbol, weight if symbol in rising else 0.0)
    """,
    phrasings=(
        "Each week hold those of $tickers that are above their $period-day average, at most $each_percent% in one and $total_percent% in all.",
        "Exposure caps on $tickers: trend SMA $period, $each_percent% a name, $total_percent% gross, weekly.",
        "Write a strategy on $tickers that owns names over SMA($period) with equal weights, capped at $each per position and $total for the portfolio, rebalanced weekly.",
        "strategy: exposure caps\nuniverse: [$tickers]\ntrend_sma: $period\nmax_weight_each: $each\nmax_gross_exposure: $total\nrebalance: weekly",
        "Weekly trend portfolio of $tickers ($period-day SMA) with position cap $each_percent% and total cap $total_percent%.",
        "Risk limits: no more than $each_percent% per symbol and $total_percent% overall. Universe $tickers, long above the $period-day mean, weekly.",
    ),
)

CORRELATION_CAP = Family(
    name="correlation_cap",
    theme="risk management",
    class_name="CorrelationCap",
    parameters={
        "lookback": (40, 60, 90, 120),
        "window": (40, 60, 90),
        "limit": (0.3, 0.4, 0.5, 0.6, 0.7),
    },
    assets=(3, 4),
    initialize=several_assets(
        "self._momentum = {s: self.momp(s, $lookback) for s in self._symbols}",
        *_RETURNS,
        warm_up="$lookback + $window",
    ),
    rest=_REMEMBER
    + """
    def _rebalance(self):
        if self.is_warming_up or len(self._returns) < $window:
            return
        alike = np.corrcoef(np.transpose(self._returns))
        order = sorted(
            range(len(self._symbols)),
            key=lambda i: -self._momentum[self._symbols[i]].current.value,
        )
        chosen: list[int] = []
        for i in order:
            if all(alike[i][j] < $limit for j in chosen):
                chosen.append(i)
        for i, symbol in enumerate(self._symbols):
            self.set_holdings(symbol, 1.0 / len(chosen) if i in chosen else 0.0)
""",
    phrasings=(
        "Each month go through $tickers from the strongest $lookback-day momentum down and take a name only if its $window-day correlation with all taken before is below $limit; hold them equally.",
        "Correlation cap $limit on $tickers: momentum $lookback, correlation window $window, monthly.",
        "Write a portfolio strategy over $tickers that ranks by $lookback-day return and skips any name whose correlation over $window days with one already chosen is $limit or more, equal weights, rebalanced monthly.",
        "strategy: correlation cap\nuniverse: [$tickers]\nmomentum_days: $lookback\ncorrelation_window: $window\nmax_correlation: $limit\nrebalance: monthly",
        "Diversified momentum in $tickers: best first ($lookback days), no pair correlated above $limit ($window days), equal weights every month.",
        "Monthly: of $tickers hold the strong ones that do not move together, correlation limit $limit over $window days, momentum $lookback days.",
    ),
)

RISK_PARITY = Family(
    name="risk_parity",
    theme="risk management",
    class_name="RiskParity",
    parameters={"window": (40, 60, 90, 120, 180), "gross": (0.8, 0.9, 1.0)},
    assets=(2, 4),
    initialize=several_assets(*_RETURNS, warm_up="$window + 2"),
    rest=_REMEMBER
    + """
    def _rebalance(self):
        if self.is_warming_up or len(self._returns) < $window:
            return
        covariance = np.cov(np.transpose(self._returns))
        weights = np.ones(len(self._symbols)) / len(self._symbols)
        # Each step moves weight from what adds much risk to what adds little.
        for _ in range(100):
            share = np.maximum(weights * (covariance @ weights), 1e-12)
            weights = weights * np.sqrt(share.mean() / share)
            weights = weights / weights.sum()
        for symbol, weight in zip(self._symbols, weights):
            self.set_holdings(symbol, $gross * float(weight))
""",
    phrasings=(
        "Each month weight $tickers so that all contribute the same risk, from the covariance of $window daily returns, with a gross exposure of $gross.",
        "Risk parity on $tickers, covariance window $window, exposure $gross, monthly.",
        "Write an equal risk contribution portfolio of $tickers: estimate the covariance matrix over $window days, iterate to weights whose risk contributions are equal, scale to $gross and rebalance at month start.",
        "strategy: risk parity\nuniverse: [$tickers]\ncovariance_window: $window\ngross_exposure: $gross\nrebalance: monthly",
        "Equal risk contributions from $tickers, $window days of returns, invested $gross, monthly rebalancing.",
        "Build a risk parity strategy in $tickers using a $window-day covariance matrix and total exposure $gross.",
    ),
)

LOSS_LIMIT = Family(
    name="loss_limit",
    theme="risk management",
    class_name="LossLimit",
    parameters={
        "period": (20, 30, 50, 80),
        "limit": (0.03, 0.04, 0.05, 0.06, 0.08),
        "each": (0.25, 0.3),
    },
    assets=(3, 3),
    initialize=several_assets(
        "self._average = {s: self.ema(s, $period) for s in self._symbols}",
        "self._start = 0.0",
        "self._stopped = False",
        warm_up="$period * 2",
    ),
    rest="""
        def _rebalance(self):
            self._start = self.portfolio.total_portfolio_value
            self._stopped = False

        def on_data(self, data):
            if self.is_warming_up or self._stopped:
                return
            if self.portfolio.total_portfolio_value < self._start * (1 - $limit):
                self.liquidate()
                self._stopped = True
                return
            for symbol in self._symbols:
                up = self.securities[symbol].price > self._average[symbol].current.value
                if up and not self.portfolio[symbol].invested:
                    self.set_holdings(symbol, $each)
                elif not up and self.portfolio[symbol].invested:
                    self.liquidate(symbol)
    """,
    phrasings=(
        "Trade each of $tickers long above its $period-day EMA with $each_percent%, but once the month's loss reaches $limit_percent% sell everything until the next month.",
        "Monthly loss limit $limit_percent% on $tickers, EMA $period, $each_percent% a name.",
        "Write an algorithm that holds those of $tickers over EMA($period) with a weight of $each each and goes to cash for the remainder of any month in which the portfolio has lost $limit_percent percent.",
        "strategy: monthly loss limit\nuniverse: [$tickers]\nema_period: $period\nweight_each: $each\nmonthly_loss_limit: $limit",
        "Long $tickers above their $period day EMA ($each_percent% each); out until month end after a drawdown of $limit_percent% within the month.",
        "Circuit breaker: $limit_percent% down in a month means flat for the rest of it. Otherwise hold $tickers over EMA $period at $each_percent% each.",
    ),
)

FAMILIES = (EXPOSURE_CAP, CORRELATION_CAP, RISK_PARITY, LOSS_LIMIT)
