"""Pairs: trade the ratio of two prices back to its mean."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.family import Family

PAIRS_RATIO = Family(
    name="pairs_ratio",
    theme="pairs",
    class_name="PairsRatio",
    parameters={
        "period": (20, 30, 40, 50, 60, 90),
        "entry": (1.0, 1.5, 1.75, 2.0, 2.5),
        "exit": (0.1, 0.25, 0.5),
    },
    assets=(2, 2),
    initialize="""
        self._first = self.add_equity("$ticker", Resolution.DAILY).symbol
        self._second = self.add_equity("$second", Resolution.DAILY).symbol
        self._ratios = []
    """,
    rest="""
        def on_data(self, data):
            if not data.contains_key(self._first) or not data.contains_key(self._second):
                return
            ratio = self.securities[self._first].price / self.securities[self._second].price
            self._ratios = (self._ratios + [ratio])[-$period:]
            if len(self._ratios) < $period:
                return
            score = (ratio - np.mean(self._ratios)) / np.std(self._ratios)
            if abs(score) > $entry and not self.portfolio.invested:
                side = -0.5 if score > 0 else 0.5
                self.set_holdings(self._first, side)
                self.set_holdings(self._second, -side)
            elif abs(score) < $exit and self.portfolio.invested:
                self.liquidate()
    """,
    phrasings=(
        "Pairs trade $ticker against $second: when the z-score of the price ratio over $period days is beyond $entry, short the rich one and buy the cheap one, half each; close within $exit.",
        "Ratio pairs trade $ticker/$second, window $period, entry z $entry, exit z $exit, 50% a leg.",
        "Write a statistical arbitrage strategy on the $ticker/$second price ratio over $period days, entering at $entry standard deviations with 50% a leg and exiting at $exit.",
        "strategy: pairs trading\npair: [$ticker, $second]\nwindow: $period\nentry_z: $entry\nexit_z: $exit\nweight_per_leg: 0.5",
        "Market neutral pair of $ticker and $second: trade the $period day ratio when it is $entry sigma away, 50% a leg, flat at $exit sigma.",
        "Pairs trading between $ticker and $second over $period days, z thresholds $entry and $exit, 50% a leg.",
        "Half long the cheap and half short the dear of $ticker and $second when their ratio leaves $entry deviations ($period days), out at $exit.",
    ),
)

FAMILIES = (PAIRS_RATIO,)
