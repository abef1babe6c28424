"""LEAN's fees for US equities: one formula for the simulator, which charges them, and for the
strategy's side, which only previews them (`unrealized_profit`, the size of an order).

A fee model is `(name, *numbers)`; () is LEAN's default. Not here: tiered pricing, which depends on
the month's volume.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

# Interactive Brokers, fixed tier, as LEAN models it (InteractiveBrokersFeeModel).
PER_SHARE = 0.005
MINIMUM = 1.0
MAXIMUM_SHARE_OF_VALUE = 0.005


def interactive_brokers(quantity: float, value: float) -> float:
    """USD for `quantity` shares worth `value` USD; the cap yields to the minimum, as in LEAN."""
    fee = PER_SHARE * abs(quantity)
    if fee < MINIMUM:
        return MINIMUM
    return min(fee, MAXIMUM_SHARE_OF_VALUE * abs(value))


def _constant(numbers: Sequence[float], quantity: float, value: float) -> float:
    return numbers[0] if numbers else 0.0


def _per_share(numbers: Sequence[float], quantity: float, value: float) -> float:
    return numbers[0] * abs(quantity)


Formula = Callable[[Sequence[float], float, float], float]
# Models that charge nothing for equities, or a fixed amount an order, hold that amount.
MODELS: dict[str, Formula] = {
    "InteractiveBrokersFeeModel": lambda numbers, quantity, value: interactive_brokers(
        quantity, value
    ),
    "ConstantFeeModel": _constant,
    "FeeModel": _constant,
    "AlpacaFeeModel": _constant,
    "CharlesSchwabFeeModel": _constant,
    "TDAmeritradeFeeModel": _constant,
    "TradeStationFeeModel": _constant,
    "WebullFeeModel": _constant,
    "AxosFeeModel": _per_share,
    "WolverineFeeModel": _per_share,
    "RBIFeeModel": _per_share,
    "ExanteFeeModel": _per_share,
}


def fee(model: Sequence[Any], quantity: float, value: float) -> float:
    """USD that a fee model charges for an order of `quantity` shares worth `value` USD."""
    if not model:
        return interactive_brokers(quantity, value)
    return MODELS[str(model[0])](model[1:], quantity, value)
