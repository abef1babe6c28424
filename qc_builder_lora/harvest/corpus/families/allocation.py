"""Allocation: weights that are set on a calendar, not by a signal."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.families.shapes import (
    ONE_ASSET,
    one_asset,
    scheduled,
    several_assets,
)
from qc_builder_lora.harvest.corpus.family import Family

BUY_AND_HOLD = Family(
    name="buy_and_hold",
    theme="allocation",
    class_name="BuyAndHold",
    parameters={"weight": (0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 1.0)},
    initialize=ONE_ASSET,
    rest="""
        def on_data(self, data):
            if not self.portfolio.invested:
                self.set_holdings(self._symbol, $weight)
    """,
    phrasings=(
        "Buy $ticker with $weight_percent% of the portfolio on the first day and hold it.",
        "Buy and hold $ticker, weight $weight_percent%.",
        "Write a QuantConnect algorithm that simply buys and holds $ticker with $weight_percent percent of the money.",
        "strategy: buy and hold\nsymbol: $ticker\nposition_size: $weight",
        "Invest $weight_percent% in $ticker once and never sell.",
        "Benchmark strategy: hold $ticker at $weight_percent% throughout.",
    ),
)

EQUAL_WEIGHT = Family(
    name="equal_weight",
    theme="allocation",
    class_name="EqualWeight",
    parameters={"period": ("month", "week"), "minutes": (5, 10, 15, 30, 45, 60)},
    assets=(2, 4),
    names=lambda p: {"rule": f"{p['period']}_start", "often": f"{p['period']}ly"},
    initialize=several_assets(warm_up="1", rule="$rule", at="$minutes"),
    rest="""
        def _rebalance(self):
            for symbol in self._symbols:
                self.set_holdings(symbol, 1.0 / len(self._symbols))
    """,
    phrasings=(
        "Hold $tickers with equal weights and rebalance at the start of every $period, $minutes minutes after the open.",
        "Equal weight portfolio of $tickers, rebalanced $often, $minutes minutes after market open.",
        "Write a strategy that splits capital evenly over $tickers, again each $period, $minutes minutes after the open.",
        "strategy: equal weight\nuniverse: [$tickers]\nrebalance: $often\nminutes_after_open: $minutes",
        "Invest equally in $tickers and rebalance every $period, $minutes minutes into the session.",
        "Equally weighted $tickers with $often rebalancing ($minutes min after open).",
        "Keep the same amount of money in each of $tickers; adjust once a $period, $minutes minutes after the bell.",
    ),
)

FIXED_WEIGHTS = Family(
    name="fixed_weights",
    theme="allocation",
    class_name="FixedWeights",
    parameters={"weight": (0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8)},
    assets=(2, 2),
    names=lambda p: {
        "other": f"{1 - p['weight']:g}",
        "other_percent": f"{100 - p['weight'] * 100:g}",
    },
    initialize='self._first = self.add_equity("$ticker", Resolution.DAILY).symbol\n'
    'self._second = self.add_equity("$second", Resolution.DAILY).symbol\n'
    "self.set_warm_up(1)\n" + scheduled("self._first"),
    rest="""
        def _rebalance(self):
            self.set_holdings(self._first, $weight)
            self.set_holdings(self._second, $other)
    """,
    phrasings=(
        "Keep $weight_percent% in $ticker and $other_percent% in $second, rebalanced monthly.",
        "$weight_percent/$other_percent portfolio of $ticker and $second with monthly rebalancing.",
        "Write an algorithm that allocates $weight_percent percent to $ticker and $other_percent percent to $second at each month start.",
        "strategy: fixed allocation\nweights:\n  $ticker: $weight\n  $second: $other\nrebalance: monthly",
        "$weight_percent% $ticker $other_percent% $second, rebalance every month.",
        "Every month set $ticker to $weight and $second to $other of the portfolio.",
        "Strategic allocation: $ticker $weight_percent%, $second $other_percent%, back to target monthly.",
    ),
)

ACCUMULATION = Family(
    name="accumulation",
    theme="allocation",
    class_name="Accumulation",
    parameters={"shares": (5, 10, 15, 20, 25, 30, 40, 50), "period": ("month", "week")},
    names=lambda p: {"rule": f"{p['period']}_start", "often": f"{p['period']}ly"},
    initialize=one_asset(warm_up="1") + scheduled("self._symbol", "$rule"),
    rest="""
        def _rebalance(self):
            if self.portfolio.cash > $shares * self.securities[self._symbol].price:
                self.market_order(self._symbol, $shares)
    """,
    phrasings=(
        "Buy $shares shares of $ticker at the start of every $period as long as there is cash.",
        "Share accumulation: $shares shares of $ticker $often, cash permitting.",
        "Write an accumulation strategy that places a market order for $shares $ticker shares each $period if cash allows.",
        "strategy: accumulation\nsymbol: $ticker\nshares: $shares\nfrequency: $often\ncondition: enough cash",
        "Add $shares $ticker shares every $period until the money is gone.",
        "Regular buying of $ticker: $shares shares a $period while the cash lasts.",
    ),
)

FAMILIES = (BUY_AND_HOLD, EQUAL_WEIGHT, FIXED_WEIGHTS, ACCUMULATION)
