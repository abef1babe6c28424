"""A strategy's own models, asked by the simulator: fills, fees, slippage, buying power.

The simulator decides: it takes no fill better than the market was, no fee below zero, and looks
after the cash itself. What it asks for arrives in the midst of whatever the strategy is doing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from .alias import both_styles, spelled
from .enums import OrderStatus, OrderType
from .known import Lean
from .model import Model, OrderFeeParameters
from .money_models import (
    ApplyFundsSettlementModelParameters,
    MarginInterestRateParameters,
    ScanSettlementModelParameters,
)
from .orders import CashAmount, Order, OrderFee, picture
from .own_brokerage import OwnBrokerage
from .symbol import SymbolDict
from .tickets import OrderEvent

if TYPE_CHECKING:
    from .desk import Desk
    from .security import Security


@both_styles
class Fill(Lean):
    """The order events that a fill model makes."""

    def __init__(self, order_events: Any) -> None:
        many = isinstance(order_events, Iterable)
        self.order_events: list[OrderEvent] = list(order_events) if many else [order_events]

    @property
    def order_event(self) -> OrderEvent:
        return self.order_events[0]

    def __iter__(self) -> Iterator[OrderEvent]:
        return iter(self.order_events)


@both_styles
class FillModelParameters(Lean):
    """What a fill model is asked with."""

    def __init__(self, security: Any, order: Any, *rest: Any) -> None:
        self.security, self.order = security, order
        self.config_provider: Any = None
        self.stale_price_time_span = timedelta(hours=1)
        self.securities_for_orders = SymbolDict({order: security})


_METHODS = {
    OrderType.MARKET: "market_fill",
    OrderType.LIMIT: "limit_fill",
    OrderType.STOP_MARKET: "stop_market_fill",
    OrderType.STOP_LIMIT: "stop_limit_fill",
    OrderType.TRAILING_STOP: "trailing_stop_fill",
    OrderType.LIMIT_IF_TOUCHED: "limit_if_touched_fill",
    OrderType.MARKET_ON_OPEN: "market_on_open_fill",
    OrderType.MARKET_ON_CLOSE: "market_on_close_fill",
}
_COMBOS = {
    OrderType.COMBO_MARKET: "combo_market_fill",
    OrderType.COMBO_LIMIT: "combo_limit_fill",
    OrderType.COMBO_LEG_LIMIT: "combo_leg_limit_fill",
}


@both_styles
class FillModel(Model):
    """Base of the fill models; what a method does not replace is LEAN's own rule."""

    KIND = "fill"
    OVERRIDABLE = frozenset({"fill", *_METHODS.values(), *_COMBOS.values()})

    parameters: Any = None

    def __init__(self) -> None:
        """As it is."""

    def fill(self, parameters: Any) -> Fill:
        """By the method for the order's type."""
        self.parameters = parameters
        if parameters.order.type in _COMBOS:
            together = getattr(self, _COMBOS[parameters.order.type])
            return Fill(together(parameters.order, parameters))
        method = getattr(self, _METHODS[parameters.order.type])
        return Fill(method(parameters.security, parameters.order))

    def _default(self, asset: Security, order: Order) -> OrderEvent:
        """LEAN's rule, worked out by the simulator; slippage is in its price."""
        name = next(cls.__name__ for cls in type(self).__mro__ if cls.__module__ != "__main__")
        found = asset.desk.ask(["default_fill", order.id, name])
        event = OrderEvent(order, order.status, utc_time=asset.desk.utc_time)
        if found is not None:
            event.status = OrderStatus.FILLED
            event.fill_price, event.fill_quantity, event.message = found
        return event

    def market_fill(self, asset: Any, order: Any) -> OrderEvent:
        return self._default(asset, order)

    def limit_fill(self, asset: Any, order: Any) -> OrderEvent:
        return self._default(asset, order)

    def stop_market_fill(self, asset: Any, order: Any) -> OrderEvent:
        return self._default(asset, order)

    def stop_limit_fill(self, asset: Any, order: Any) -> OrderEvent:
        return self._default(asset, order)

    def trailing_stop_fill(self, asset: Any, order: Any) -> OrderEvent:
        return self._default(asset, order)

    def limit_if_touched_fill(self, asset: Any, order: Any) -> OrderEvent:
        return self._default(asset, order)

    def market_on_open_fill(self, asset: Any, order: Any) -> OrderEvent:
        return self._default(asset, order)

    def market_on_close_fill(self, asset: Any, order: Any) -> OrderEvent:
        return self._default(asset, order)

    def _default_group(self, order: Order, parameters: Any) -> list[OrderEvent]:
        """LEAN's rule for all legs together: an event for each, or none."""
        legs = {leg.id: (leg, asset) for leg, asset in parameters.securities_for_orders.items()}
        desk = parameters.security.desk
        made = []
        for number, price, quantity, message in desk.ask(["default_group_fill", order.id]):
            event = OrderEvent(legs[number][0], OrderStatus.FILLED, utc_time=desk.utc_time)
            event.fill_price, event.fill_quantity, event.message = price, quantity, message
            made.append(event)
        return made

    def combo_market_fill(self, order: Any, parameters: Any) -> list[OrderEvent]:
        return self._default_group(order, parameters)

    def combo_limit_fill(self, order: Any, parameters: Any) -> list[OrderEvent]:
        return self._default_group(order, parameters)

    def combo_leg_limit_fill(self, order: Any, parameters: Any) -> list[OrderEvent]:
        return self._default_group(order, parameters)


class EquityFillModel(FillModel):
    """LEAN's default for US equities."""


class ImmediateFillModel(FillModel):
    """LEAN's model for everything else: the same, but for the range of the quotes."""


class LatestPriceFillModel(ImmediateFillModel):
    """Not told apart from trades and quotes: not modelled."""

    OVERRIDABLE = frozenset()


@both_styles
class HasSufficientBuyingPowerForOrderResult(Lean):
    """Whether an order can be afforded, and why not."""

    def __init__(self, is_sufficient: bool, reason: str = "") -> None:
        self.is_sufficient, self.reason = bool(is_sufficient), reason or ""


@both_styles
class HasSufficientBuyingPowerForOrderParameters(Lean):
    """What a buying power model is asked with."""

    def __init__(self, portfolio: Any, security: Any, order: Any) -> None:
        self.portfolio, self.security, self.order = portfolio, security, order

    def sufficient(self) -> HasSufficientBuyingPowerForOrderResult:
        """There is enough."""
        return HasSufficientBuyingPowerForOrderResult(True)

    def insufficient(self, reason: str) -> HasSufficientBuyingPowerForOrderResult:
        """There is not, and why."""
        return HasSufficientBuyingPowerForOrderResult(False, reason)


@both_styles
class GetMaximumOrderQuantityResult(Lean):
    """A quantity to order."""

    def __init__(self, quantity: float, reason: str = "", is_error: bool = False) -> None:
        self.quantity, self.reason, self.is_error = float(quantity), reason, is_error


@both_styles
class GetMaximumOrderQuantityForTargetBuyingPowerParameters(Lean):
    """What a buying power model is asked with for `set_holdings`."""

    def __init__(
        self, portfolio: Any, security: Any, target: float, minimum: float, silence: bool = False
    ) -> None:
        self.portfolio, self.security = portfolio, security
        self.target_buying_power = target
        self.minimum_order_margin_portfolio_percentage = minimum
        self.silence_non_error_reasons = silence


@both_styles
class MaintenanceMargin(Lean):
    """An amount of margin in USD."""

    def __init__(self, value: float) -> None:
        self.value = float(value)


@both_styles
class ReservedBuyingPowerForPosition(Lean):
    """USD that a position ties up."""

    def __init__(self, absolute_used_buying_power: float) -> None:
        self.absolute_used_buying_power = float(absolute_used_buying_power)


@both_styles
class PositionParameters(Lean):
    """What a buying power model is asked with for a position there is."""

    def __init__(self, security: Any) -> None:
        holding = security.holdings
        self.security = security
        self.quantity, self.absolute_quantity = holding.quantity, abs(holding.quantity)
        self.holdings_value = holding.holdings_value
        self.absolute_holdings_value = abs(holding.holdings_value)
        self.holdings_cost = holding.holdings_cost
        self.absolute_holdings_cost = abs(holding.holdings_cost)

    def result_in_account_currency(self, reserved: float) -> ReservedBuyingPowerForPosition:
        """USD, wrapped as LEAN wants it."""
        return ReservedBuyingPowerForPosition(reserved)


class ReservedBuyingPowerForPositionParameters(PositionParameters):
    """What `get_reserved_buying_power_for_position` is asked with."""


@both_styles
class FuncBenchmark(Lean):
    """A benchmark whose value a function gives for a moment."""

    def __init__(self, benchmark: Callable[[datetime], Any]) -> None:
        self._benchmark = benchmark

    def evaluate(self, time: datetime) -> float:
        return float(self._benchmark(time))


class OwnModels:
    """Answers the simulator's questions with the strategy's own models."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.benchmark: Callable[[datetime], Any] | None = None
        self.brokerage: OwnBrokerage | None = None
        self.rates: Any = None
        """The strategy's risk free interest rate model, where it has chosen one."""
        self.moves_money = False
        """Whether it has a settlement or margin interest model of its own."""
        self.asked = False
        """Whether one of these is at work."""
        self.made: Callable[..., Any] = lambda *told: None
        """A bar out of a subscription, the simulator's row, whether it is filled, and its end."""

    def furnish(self, security: Security) -> None:
        """The models of the strategy's own brokerage, where it has one."""
        if self.brokerage is not None:
            self.brokerage.furnish(security)

    def answer(self, kind: str, index: int, order_id: Any) -> Any:
        """JSON values; an exception of the model as LEAN takes it, which goes on without."""
        if self.brokerage is not None and kind in ("submits", "updates"):
            # What this raises ends the backtest.
            return self.brokerage.answer(kind, self._desk.by_index[index], order_id)
        if kind in _ENDING:
            self.asked = True
            _ENDING[kind](self, self._desk.by_index[index], order_id)
            self.asked = False
            return 1
        if kind == "data_filter":
            return self._lets_through(self._desk.by_index[index], *order_id)
        try:
            return self._answer(kind, index, order_id)
        except Exception as error:  # noqa: BLE001 - whatever the strategy's model raises
            return {"error": f"{type(error).__name__}: {error}"[:1000]}

    def _answer(self, kind: str, index: int, order_id: int) -> Any:
        if kind == "benchmark" and self.benchmark is not None:
            # The number is the moment, in seconds since 1970.
            return float(self.benchmark(self._desk.utc_from(order_id)))
        if kind == "interest rate":
            return float(spelled(self.rates, "get_interest_rate")(self._desk.utc_from(order_id)))
        security = self._desk.by_index[index]
        model = security.models[kind]
        if kind == "buying_power" and not order_id:
            return self.reserved(model, security)
        ticket = self._desk.trading.tickets[order_id]
        self._desk.trading.refresh(ticket)
        order = picture(ticket)
        if kind == "fill":
            return self._fill(model, security, order)
        if kind == "fee":
            return charged(model.get_order_fee(OrderFeeParameters(security, order)))
        if kind == "slippage":
            return float(model.get_slippage_approximation(security, order))
        asked = HasSufficientBuyingPowerForOrderParameters(self._desk.portfolio, security, order)
        result = model.has_sufficient_buying_power_for_order(asked)
        return [bool(result.is_sufficient), str(result.reason)[:500]]

    # What these raise ends the backtest.

    def _lets_through(
        self, security: Security, number: int, row: list[float], filled: bool, end: int
    ) -> int:
        desk = self._desk
        bar = self.made(desk.subscriptions[number], row, filled, desk.utc_from(end))
        return int(bool(spelled(security.models["data_filter"], "filter")(security, bar)))

    def _settle(self, security: Security, told: list[Any]) -> None:
        order_id, quantity, price, fee = told
        desk = self._desk
        event = OrderEvent(desk.trading.tickets[order_id], OrderStatus.FILLED, quantity, price, fee,
                           utc_time=desk.utc_time)  # fmt: skip
        money = CashAmount(-quantity * price, "USD")
        spelled(security.models["settlement"], "apply_funds")(
            ApplyFundsSettlementModelParameters(
                desk.portfolio, security, desk.utc_time, money, event
            )
        )

    def _scan_settlement(self, security: Security, _: Any) -> None:
        desk = self._desk
        spelled(security.models["settlement"], "scan")(
            ScanSettlementModelParameters(desk.portfolio, security, desk.utc_time)
        )

    def _charge_interest(self, security: Security, _: Any) -> None:
        spelled(security.models["margin_interest"], "apply_margin_interest_rate")(
            MarginInterestRateParameters(security, self._desk.utc_time)
        )

    def reserved(self, model: Any, security: Security) -> float:
        """USD that a position ties up by the strategy's model."""
        asked = PositionParameters(security)
        if "get_reserved_buying_power_for_position" in model.own:
            found = model.get_reserved_buying_power_for_position(asked)
            return float(found.absolute_used_buying_power)
        return float(model.get_maintenance_margin(asked).value)

    def _asked(self, security: Security, order: Order) -> FillModelParameters:
        asked, group = FillModelParameters(security, order), order.group_order_manager
        if group is not None:
            desk = self._desk
            tickets = (desk.trading.tickets[number] for number in sorted(group.order_ids))
            asked.securities_for_orders = SymbolDict(
                {order if ticket.order_id == order.id else picture(ticket):
                 desk.securities[ticket.symbol] for ticket in tickets}
            )  # fmt: skip
        return asked

    def _fill(self, model: Any, security: Security, order: Order) -> list[list[Any]]:
        result = model.fill(self._asked(security, order))
        events = list(result) if isinstance(result, Iterable) else [result]
        return [
            [int(event.status), float(event.fill_quantity), float(event.fill_price),
             float(event.order_fee.value.amount), str(event.message or "")[:1000],
             int(event.order_id)]
            for event in events
        ]  # fmt: skip


_ENDING: dict[str, Callable[[OwnModels, Security, Any], None]] = {
    "settlement": OwnModels._settle,
    "settlement_scan": OwnModels._scan_settlement,
    "margin_interest": OwnModels._charge_interest,
}


def charged(fee: OrderFee) -> float:
    """USD of a fee."""
    if str(fee.value.currency).upper() != "USD":
        raise ValueError(f"a fee in {fee.value.currency}: the account is in USD")
    return float(fee.value.amount)
