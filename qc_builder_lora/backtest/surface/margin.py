"""Margin of US equities: how much of its value a position ties up, by LEAN's buying power models.

One formula for the simulator, which decides, and for the strategy's side, which sizes its orders.
A model is `(name, *numbers)`; () is LEAN's default, twofold leverage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

LEVERAGE = 2.0
"""LEAN's default for a margin account's equities (DefaultBrokerageModel)."""
UNLIMITED = "NullBuyingPowerModel"
PATTERN_DAY = "PatternDayTradingMarginModel"
_FRACTIONS = ("BuyingPowerModel", "SecurityMarginModel")
KNOWN = (*_FRACTIONS, PATTERN_DAY, "ConstantBuyingPowerModel", UNLIMITED)


@dataclass(frozen=True)
class Rates:
    """What a position ties up: shares of its value, or USD a share where `per_share`."""

    initial: float
    maintenance: float
    free: float = 0.0
    """Share of the portfolio that must stay unused."""
    per_share: bool = False

    @property
    def leverage(self) -> float:
        """How much may be held for a dollar."""
        return 1 / self.initial if self.initial else 1.0

    def start(self, quantity: float, price: float) -> float:
        """USD that opening `quantity` takes, signed."""
        return quantity * self.initial * (1.0 if self.per_share else price)

    def keep(self, quantity: float, price: float) -> float:
        """USD that holding `quantity` ties up."""
        return abs(quantity) * self.maintenance * (1.0 if self.per_share else price)


def rates(model: Sequence[Any], *, calm: bool = True) -> Rates:
    """The rates in force. `calm`: the exchange is open and does not close within ten minutes."""
    return _rates(tuple(model), calm)


@lru_cache(maxsize=256)
def _rates(model: tuple[Any, ...], calm: bool) -> Rates:
    # Asked several times of every open order at every moment.
    if not model:
        return Rates(1 / LEVERAGE, 1 / LEVERAGE)
    name, numbers = str(model[0]), [float(item) for item in model[1:]]
    if name == PATTERN_DAY:
        share = 1 / numbers[1] if calm else 1 / numbers[0]
        return Rates(share, share)
    if name == "ConstantBuyingPowerModel":
        return Rates(numbers[0], numbers[0], per_share=True)
    if name == UNLIMITED:
        return Rates(0.0, 0.0)
    initial, maintenance, free = (*numbers, 0.0)[:3]
    return Rates(initial, maintenance, free)


def numbers_of(leverage: float, free: float = 0.0) -> tuple[float, float, float]:
    """Initial share, maintenance share and free share of a fixed leverage."""
    return 1 / leverage, 1 / leverage, free


def first_stop(price: float, distance: float, by_share: bool, buys: bool) -> float:
    """The stop that lies a distance from the price: above it for a buyer, below for a seller.

    Both sides need it: LEAN sets it when the order is made, and moves it when the price moves.
    """
    if by_share:
        return price * (1 + distance if buys else 1 - distance)
    return price + distance if buys else price - distance
