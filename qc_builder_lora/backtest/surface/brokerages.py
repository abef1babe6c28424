"""What LEAN's brokerage models say of US equities: fees, leverage, which orders they take.

One table for the simulator, which holds orders to it, and for the strategy's side, which names the
models. A brokerage that is not here is not modelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_ALL = (0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11)
"""LEAN's OrderType: market, limit, stop market, stop limit, market on open, market on close, limit
if touched, those of several legs, trailing stop."""
_ON_AUCTIONS = frozenset({4, 5})


@dataclass(frozen=True)
class Brokerage:
    """One brokerage model; times of day in seconds."""

    name: str
    order_types: tuple[int, ...] = _ALL
    fee_model: tuple[Any, ...] = ()
    """() is the Interactive Brokers model, LEAN's default."""
    slippage_model: tuple[Any, ...] = ()
    unsure: tuple[str, ...] = ()
    """Tickers whose slippage LEAN has had other numbers for: they are not modelled."""
    leverage: float = 2.0
    """Of a margin account."""
    benchmark: bool = True
    """Whether SPY is the benchmark where the strategy names none; else it is a flat zero."""
    market_on_open: tuple[int | None, int] | None = None
    """From when a market on open order is taken (None: from the close), until how long before the
    opening; None where it is taken at any time."""
    crosses_zero: bool = True
    """Whether an order for the auctions may turn a position around."""
    cash_account: bool = True
    """Whether a cash account can be had."""

    def takes(self, order_type: int) -> bool:
        """Whether this kind of order is taken at all."""
        return order_type in self.order_types

    def refuses_crossing(self, order_type: int, held: float, quantity: float) -> bool:
        """Whether an order that turns the position around is refused."""
        if self.crosses_zero or order_type not in _ON_AUCTIONS:
            return False
        return held * quantity < 0 and held * (held + quantity) < 0


_TWO_MINUTES = 120
DEFAULT = Brokerage("DefaultBrokerageModel")
BROKERAGES: dict[str, Brokerage] = {
    "DEFAULT": DEFAULT,
    "INTERACTIVE_BROKERS_BROKERAGE": Brokerage(
        "InteractiveBrokersBrokerageModel", benchmark=False, market_on_open=(None, _TWO_MINUTES)
    ),
    "ALPACA": Brokerage(
        "AlpacaBrokerageModel", (0, 1, 2, 3, 4, 5, 11), ("AlpacaFeeModel", 0.0),
        market_on_open=(19 * 3600, _TWO_MINUTES), crosses_zero=False, cash_account=False,
    ),
    "AXOS": Brokerage(
        "AxosClearingBrokerageModel", (0, 1, 5), ("AxosFeeModel", 0.0035), benchmark=False
    ),
    "ALPHA_STREAMS": Brokerage(
        "AlphaStreamsBrokerageModel", slippage_model=("ConstantSlippageModel", 0.0001),
        leverage=1.1, cash_account=False, unsure=("PPLT", "DGAZ", "EDV", "SOXL"),
    ),
}  # fmt: skip
"""By the names of LEAN's BrokerageName."""
