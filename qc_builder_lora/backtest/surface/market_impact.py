"""LEAN's MarketImpactSlippageModel: Almgren's square-root-like law, with noise from a seed.

After Almgren, Thum, Hauptmann and Li, "Direct estimation of equity market impact" (2005), with the
constants of LEAN's model. It is worked out beside the strategy, from history up to the clock, and
the simulator takes it like any model of a strategy's own: a slip below zero is unknown there.

LEAN's published run of it (Algorithm.CSharp/MarketImpactSlippageModelRegressionAlgorithm.cs) is met
to 0.002 % of the end equity, not to the digit: why is not known, and the log of every run says so.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from .bars import TradeBar
from .consolidators import TradeBarConsolidator
from .dice import Random
from .enums import Resolution
from .indicators import RollingWindow
from .model import OWN, SlippageModel
from .past import history

_DAYS_BACK = timedelta(days=370)
_NEARLY = (
    "Note: MarketImpactSlippageModel follows LEAN's published figures to some 0.002 % of the "
    "equity, not to the digit"
)
_TRADING_DAY = 6.5 / 24
"""Days: what LEAN's exchange hours give as the regular duration of a US equity's market."""


class MarketImpactSlippageModel(SlippageModel):
    """Slippage by an order's share of the average daily volume, as a random part of its impact."""

    own = frozenset({"get_slippage_approximation"})

    def __init__(
        self, algorithm: Any, non_negative: bool = True, latency: float = 0.075,
        impact_time: float = 1800.0, alpha: float = 0.891, beta: float = 0.6,
        gamma: float = 0.314, eta: float = 0.142, delta: float = 0.267, random_seed: int = 50,
    ) -> None:  # fmt: skip
        if latency <= 0:
            raise ValueError("Latency cannot be less than or equal to 0.")
        if impact_time <= 0:
            raise ValueError("impactTime cannot be less than or equal to 0.")
        self._non_negative = bool(non_negative)
        self._execution = latency / 86_400 / _TRADING_DAY
        self._lasts = self._execution + impact_time / 86_400 / _TRADING_DAY
        self._alpha, self._beta, self._gamma, self._eta = alpha, beta, gamma, eta
        self._dice = Random(random_seed)
        self._days: _Days | None = None

    def describe(self) -> list[Any]:
        return [OWN, *sorted(self.own)]

    def get_slippage_approximation(self, asset: Any, order: Any) -> float:
        """USD a share."""
        if self._days is None:
            self._days = _Days(asset)
        days = self._days
        if not days.volume:
            return 0.0
        share = order.absolute_quantity / self._execution / days.volume
        noise = days.sigma * math.sqrt(self._lasts)
        # The permanent impact proper goes by the shares outstanding: of an equity without
        # fundamental data LEAN knows none, and it is nothing.
        permanent = self._gaussian() * noise
        temporary = days.sigma * self._eta * share**self._beta + self._gaussian() * noise
        part = (temporary + permanent * 0.5) * self._dice.next_double()
        part = min(max(part, -1.0), 1.0)
        return float((max(part, 0.0) if self._non_negative else part) * asset.price)

    GetSlippageApproximation = get_slippage_approximation

    def _gaussian(self) -> float:
        first, second = 1 - self._dice.next_double(), 1 - self._dice.next_double()
        return math.sqrt(-2.0 * math.log(first)) * math.cos(2.0 * math.pi * second)


class _Days:
    """Volatility and average volume of a security's days, a year back and on from there."""

    def __init__(self, security: Any) -> None:
        self.sigma = self.volume = 0.0
        self._volumes, self._prices = RollingWindow(10), RollingWindow(252)
        consolidator = TradeBarConsolidator(timedelta(days=1))
        consolidator.data_consolidated += self._take
        desk = security.desk
        desk.log("debug", _NEARLY)
        desk.consolidate(security, consolidator)
        span = (desk.time - _DAYS_BACK, desk.time, Resolution.DAILY)
        for bar in history(desk, (security, *span), {}, TradeBar):
            consolidator.update(bar)

    def _take(self, _: Any, bar: Any) -> None:
        self._prices.add(bar.close)
        self._volumes.add(bar.volume)
        if self._prices.samples < 2:
            return
        # LEAN goes by the number of samples, beyond what the window holds: nothing is there.
        changes = [self._change(index) for index in range(self._prices.samples - 1)]
        self.sigma = _deviation(changes)
        volumes = list(self._volumes)
        self.volume = sum(volumes) / len(volumes)

    def _change(self, index: int) -> float:
        before = self._prices[index + 1]
        # Of what is not there LEAN has 0, which we have None for.
        return float((self._prices[index] - before) / before) if before else 0.0


def _deviation(values: list[float]) -> float:
    if len(values) < 2:
        return math.nan
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
