"""Reality models that a strategy may choose by name, or write as subclasses of its own.

By name they are a word and numbers for the simulator, which does the arithmetic. A strategy's own
subclass is asked by the simulator each time (`own_models.py`); what it answers is checked there.
"""

from __future__ import annotations

from typing import Any

from .alias import both_styles, snake
from .known import Lean, not_modelled
from .margin import PATTERN_DAY, UNLIMITED, numbers_of
from .orders import CashAmount, OrderFee

OWN = "own"
"""What the simulator is told of a strategy's own model."""
RESERVING = frozenset({"get_maintenance_margin", "get_reserved_buying_power_for_position"})
"""Methods of a buying power model that say what a position ties up."""


class Model(Lean):
    """A choice that is sent to the simulator: a kind, a name and numbers."""

    KIND = ""
    OVERRIDABLE: frozenset[str] = frozenset()
    """Methods that a strategy's subclass may replace."""
    _numbers: tuple[float, ...] = ()
    own: frozenset[str] = frozenset()
    """Methods that a strategy's subclass has replaced, in snake case."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if cls.__module__ != "__main__":
            return
        ours = {snake(name) for name in _methods_of_base(cls)}
        replaced = {snake(name) for name in cls.__dict__ if not name.startswith("_")} & ours
        cls.own = cls.own | replaced
        for name in sorted(replaced - cls.OVERRIDABLE):
            not_modelled(f"{cls.__mro__[1].__name__}.{name}", f"replaced by {cls.__name__}")
        for name in replaced:
            # Whichever spelling the strategy used, we call the other too.
            pascal = "".join(part.capitalize() for part in name.split("_"))
            mine = cls.__dict__.get(name) or cls.__dict__.get(pascal)
            for spelling in (name, pascal):
                if spelling not in cls.__dict__:
                    setattr(cls, spelling, mine)

    def describe(self) -> list[Any]:
        """Name and numbers, as the simulator takes them; own methods by their names."""
        if self.own:
            return [OWN, *sorted(self.own)]
        base = next(cls for cls in type(self).__mro__ if cls.__module__ != "__main__")
        return [base.__name__, *self._numbers]


def _methods_of_base(cls: type) -> set[str]:
    from .known import members

    found: set[str] = set()
    for base in cls.__mro__[1:]:
        if base.__module__ != "__main__":
            found |= {name for name in vars(base) if not name.startswith("_")}
            found |= members(base.__name__)
    return found


@both_styles
class OrderFeeParameters(Lean):
    """What a fee model is asked with."""

    def __init__(self, security: Any, order: Any) -> None:
        self.security, self.order = security, order


@both_styles
class FeeModel(Model):
    """Base of the fee models; nothing is charged."""

    KIND = "fee"
    OVERRIDABLE = frozenset({"get_order_fee"})

    def __init__(self) -> None:
        """As it is."""

    def get_order_fee(self, parameters: Any) -> OrderFee:
        """What LEAN's model of that name charges."""
        from .fees import fee

        order, security = parameters.order, parameters.security
        base = next(cls for cls in type(self).__mro__ if cls.__module__ != "__main__")
        described = (base.__name__, *self._numbers)
        amount = fee(described, order.quantity, order.get_value(security))
        return OrderFee(CashAmount(amount, "USD"))


class ConstantFeeModel(FeeModel):
    """The same fee for every order."""

    def __init__(self, fee: float, currency: str = "USD") -> None:
        if currency != "USD":
            not_modelled("ConstantFeeModel in a foreign currency", currency)
        self._numbers = (abs(float(fee)),)


class InteractiveBrokersFeeModel(FeeModel):
    """LEAN's default for US equities; the monthly volumes of its arguments are not equities'."""

    def __init__(self, *monthly: float, **named: float) -> None:
        """As it is."""


class AlpacaFeeModel(FeeModel):
    """Nothing for equities."""


class CharlesSchwabFeeModel(FeeModel):
    """Nothing for equities."""


class TDAmeritradeFeeModel(FeeModel):
    """Nothing for equities."""


class WebullFeeModel(FeeModel):
    """Nothing for equities."""


class TradeStationFeeModel(FeeModel):
    """Nothing for residents of the United States, else 5 USD an order."""

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if snake(name) in ("us_resident", "usresident"):
            object.__setattr__(self, "_numbers", (0.0 if value else 5.0,))


class AxosFeeModel(FeeModel):
    """So much a share."""

    _A_SHARE = 0.0035

    def __init__(self, fees_per_share: float | None = None) -> None:
        self._numbers = (self._A_SHARE if fees_per_share is None else float(fees_per_share),)


class SlippageModel(Model):
    """Base of the slippage models."""

    KIND = "slippage"
    OVERRIDABLE = frozenset({"get_slippage_approximation"})


ISlippageModel = SlippageModel


class NullSlippageModel(SlippageModel):
    """No slippage, LEAN's default."""


NullSlippageModel.INSTANCE = NullSlippageModel.Instance = NullSlippageModel()  # type: ignore[attr-defined]


class ConstantSlippageModel(SlippageModel):
    """A fixed share of the price."""

    def __init__(self, slippage_percent: float) -> None:
        self._numbers = (float(slippage_percent),)

    def get_slippage_approximation(self, asset: Any, order: Any) -> float:
        """USD a share."""
        last = asset.get_last_data()
        return 0.0 if last is None else self._numbers[0] * last.value

    GetSlippageApproximation = get_slippage_approximation


class VolumeShareSlippageModel(SlippageModel):
    """The more of the bar's volume an order is, the further it slips."""

    def __init__(self, volume_limit: float = 0.025, price_impact: float = 0.1) -> None:
        self._numbers = (float(volume_limit), float(price_impact))


@both_styles
class BuyingPowerModel(Model):
    """Margin by a leverage, or by shares of the value: `(initial, maintenance, free)`."""

    KIND = "buying_power"
    OVERRIDABLE = frozenset({
        "has_sufficient_buying_power_for_order",
        "get_maximum_order_quantity_for_target_buying_power",
        *RESERVING,
    })  # fmt: skip

    def __init__(self, *numbers: float, **named: float) -> None:
        given = [float(item) for item in (*numbers, *named.values())]
        if len(given) >= 3:
            self._numbers = (given[0], given[1], given[2])
        else:
            leverage = given[0] if given else 1.0
            self._numbers = numbers_of(leverage, given[1] if len(given) > 1 else 0.0)

    @property
    def leverage(self) -> float:
        """How much may be held for a dollar."""
        return 1 / self._numbers[0] if self._numbers and self._numbers[0] else 1.0

    def get_leverage(self, security: Any) -> float:
        """The same, LEAN's method."""
        return self.leverage

    def get_reserved_buying_power_for_position(self, parameters: Any) -> Any:
        """USD that the position of a security ties up."""
        from .own_models import ReservedBuyingPowerForPosition

        security = parameters.security
        tied = security.desk.trading.rates_of(security).keep(
            security.holdings.quantity, security.price
        )
        return ReservedBuyingPowerForPosition(tied)

    def get_maximum_order_quantity_for_target_buying_power(self, parameters: Any) -> Any:
        """LEAN's quantity for a share of the portfolio as margin."""
        from .own_models import GetMaximumOrderQuantityResult

        security = parameters.security
        quantity = security.desk.trading.quantity_for(
            security, parameters.target_buying_power,
            parameters.minimum_order_margin_portfolio_percentage,
        )  # fmt: skip
        return GetMaximumOrderQuantityResult(quantity)

    def has_sufficient_buying_power_for_order(self, parameters: Any) -> Any:
        """What LEAN's own model would say."""
        from .own_models import HasSufficientBuyingPowerForOrderResult

        lack = parameters.security.desk.ask(["lacks", parameters.order.id])
        return HasSufficientBuyingPowerForOrderResult(not lack, lack)


class SecurityMarginModel(BuyingPowerModel):
    """As BuyingPowerModel."""


class PatternDayTradingMarginModel(BuyingPowerModel):
    """Fourfold leverage while the exchange is open, twofold when it is closed or about to."""

    def __init__(self, closed_market_leverage: float = 2.0, open_market_leverage: float = 4.0):
        self._numbers = (float(closed_market_leverage), float(open_market_leverage))

    @property
    def leverage(self) -> float:
        return self._numbers[1]


class ConstantBuyingPowerModel(BuyingPowerModel):
    """So many US dollars of margin a share."""

    def __init__(self, margin_requirement_per_unit_in_account_currency: float) -> None:
        self._numbers = (float(margin_requirement_per_unit_in_account_currency),)

    @property
    def leverage(self) -> float:
        return 1.0


class NullBuyingPowerModel(BuyingPowerModel):
    """No limit at all."""

    def __init__(self) -> None:
        self._numbers = ()

    @property
    def leverage(self) -> float:
        return 1.0


BuyingPowerModel.NULL = BuyingPowerModel.Null = NullBuyingPowerModel()  # type: ignore[attr-defined]
SecurityMarginModel.NULL = SecurityMarginModel.Null = NullBuyingPowerModel()  # type: ignore[attr-defined]
assert PatternDayTradingMarginModel.__name__ == PATTERN_DAY
assert NullBuyingPowerModel.__name__ == UNLIMITED


@both_styles
class SettlementModel(Model):
    """Base of the settlement models."""

    KIND = "settlement"
    OVERRIDABLE = frozenset({"apply_funds", "scan", "get_unsettled_cash"})

    def apply_funds(self, parameters: Any) -> None:
        """The money of a fill goes into the cash book, at once."""
        if self._numbers:
            not_modelled(f"{type(self).__name__}.apply_funds", "of a strategy's own")
        amount = parameters.cash_amount
        parameters.portfolio.cash_book[amount.currency].add_amount(amount.amount)

    def scan(self, parameters: Any) -> None:
        """Nothing is left to settle."""
        if self._numbers:
            not_modelled(f"{type(self).__name__}.scan", "of a strategy's own")


class ImmediateSettlementModel(SettlementModel):
    """Cash is there at once, LEAN's default for margin accounts."""


class DelayedSettlementModel(SettlementModel):
    """A sale's cash is there some trading days later, at a time of the day."""

    def __init__(self, number_of_days: int, time_of_day: Any) -> None:
        self._numbers = (float(number_of_days), float(time_of_day.total_seconds()))
