"""Reality models that a strategy may choose by name; the arithmetic is the simulator's.

A strategy's own subclass of one is not modelled: its code would have to run where the money is.
"""

from __future__ import annotations

from typing import Any

from .alias import both_styles
from .known import Lean, not_modelled


class Model(Lean):
    """A choice that is sent to the simulator: a kind, a name and numbers."""

    KIND = ""
    leverage = 0.0
    _numbers: tuple[float, ...] = ()

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if cls.__module__ == "__main__":
            not_modelled(f"a subclass of {cls.__mro__[1].__name__}", cls.__name__)

    def describe(self) -> list[Any]:
        """Name and numbers, as the simulator takes them."""
        return [type(self).__name__, *self._numbers]


class FeeModel(Model):
    """Base of the fee models."""

    KIND = "fee"


@both_styles
class ConstantFeeModel(FeeModel):
    """The same fee for every order."""

    def __init__(self, fee: float, currency: str = "USD") -> None:
        if currency != "USD":
            not_modelled("ConstantFeeModel in a foreign currency", currency)
        self._numbers = (abs(float(fee)),)


@both_styles
class InteractiveBrokersFeeModel(FeeModel):
    """LEAN's default for US equities."""

    def __init__(self, *monthly: float) -> None:
        if monthly:
            not_modelled("InteractiveBrokersFeeModel with monthly volumes")


class SlippageModel(Model):
    """Base of the slippage models."""

    KIND = "slippage"


@both_styles
class NullSlippageModel(SlippageModel):
    """No slippage, LEAN's default."""

    def __init__(self) -> None:
        self._numbers = ()


@both_styles
class ConstantSlippageModel(SlippageModel):
    """A fixed share of the price."""

    def __init__(self, slippage_percent: float) -> None:
        self._numbers = (float(slippage_percent),)


class FillModel(Model):
    """Base of the fill models."""

    KIND = "fill"


@both_styles
class EquityFillModel(FillModel):
    """LEAN's default for US equities."""


class BuyingPowerModel(Model):
    """Margin by a fixed leverage."""

    KIND = "buying_power"

    def __init__(self, leverage: float = 1.0, required_free_buying_power_percent: float = 0.0):
        if required_free_buying_power_percent:
            not_modelled("BuyingPowerModel.required_free_buying_power_percent")
        self.leverage = float(leverage)
        self._numbers = (self.leverage,)


class SecurityMarginModel(BuyingPowerModel):
    """As BuyingPowerModel."""


class ImmediateSettlementModel(Model):
    """Cash is there at once, LEAN's default for margin accounts."""

    KIND = "settlement"
