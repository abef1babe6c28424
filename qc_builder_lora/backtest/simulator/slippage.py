"""How far a fill lies from the market's price: LEAN's slippage models, in USD a share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qc_builder_lora.backtest.simulator.orders import Bar, Order

KNOWN = ("NullSlippageModel", "ConstantSlippageModel", "VolumeShareSlippageModel")


def slippage(model: Sequence[Any], order: Order, bar: Bar | None) -> float:
    """Against the order, whichever way it goes; `bar` is the security's last trade bar."""
    if not model or bar is None or model[0] == "NullSlippageModel":
        return 0.0
    if model[0] == "ConstantSlippageModel":
        return float(model[1]) * bar.close
    return _volume_share(float(model[1]), float(model[2]), order, bar)


def _volume_share(limit: float, impact: float, order: Order, bar: Bar) -> float:
    share = min(abs(order.quantity) / bar.volume, limit) if bar.volume > 0 else limit
    return share * share * impact * bar.close
