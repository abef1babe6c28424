"""LEAN's fees for US equities: one formula for the simulator, which charges them, and for the
strategy's side, which only previews them (`unrealized_profit`, the size of an order).
"""

from __future__ import annotations

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


def fee(model: tuple[object, ...], quantity: float, value: float) -> float:
    """USD by the fee model `(name, *numbers)`; () is LEAN's default."""
    if model and model[0] == "ConstantFeeModel":
        return float(model[1])  # type: ignore[arg-type]
    return interactive_brokers(quantity, value)
