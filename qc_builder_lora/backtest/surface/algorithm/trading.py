"""QCAlgorithm's orders."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..desk import Desk
from ..enums import OrderType
from ..framework.target import PortfolioTarget
from ..known import not_modelled
from ..orders import OrderProperties, OrderTicket
from ..portfolio import Portfolio
from ..symbol import Symbol, ticker_of
from ..trading import Transactions


class TradingMethods:
    """Order methods; every one gives an OrderTicket."""

    _desk: Desk

    @property
    def portfolio(self) -> Portfolio:
        return self._desk.portfolio

    @property
    def transactions(self) -> Transactions:
        return self._desk.trading.transactions

    @property
    def default_order_properties(self) -> OrderProperties:
        return self._desk.order_properties

    @default_order_properties.setter
    def default_order_properties(self, properties: OrderProperties) -> None:
        self._desk.order_properties = properties

    def _submit(
        self, symbol: Any, kind: Any, quantity: float, prices: dict[str, float], tag: str,
        properties: Any,
    ) -> OrderTicket:  # fmt: skip
        desk = self._desk
        return desk.trading.submit(
            desk.security(symbol), kind, quantity, **prices, tag=tag or "",
            properties=properties or desk.order_properties,
        )  # fmt: skip

    def market_order(
        self,
        symbol: Any,
        quantity: float,
        asynchronous: bool = False,
        tag: str = "",
        order_properties: Any = None,
    ) -> OrderTicket:
        desk = self._desk
        properties = order_properties or desk.order_properties
        return desk.trading.market(desk.security(symbol), quantity, tag or "", properties)

    def order(
        self,
        symbol: Any,
        quantity: float | None = None,
        asynchronous: bool = False,
        tag: str = "",
        order_properties: Any = None,
    ) -> OrderTicket:
        if quantity is None:
            not_modelled("QCAlgorithm.order", "with a SubmitOrderRequest")
        return self.market_order(symbol, quantity, asynchronous, tag, order_properties)

    def buy(self, symbol: Any, quantity: float) -> OrderTicket:
        return self.market_order(symbol, abs(quantity))

    def sell(self, symbol: Any, quantity: float) -> OrderTicket:
        return self.market_order(symbol, -abs(quantity))

    def market_on_open_order(
        self, symbol: Any, quantity: float, asynchronous: Any = False, tag: str = "",
        order_properties: Any = None,
    ) -> OrderTicket:  # fmt: skip
        asynchronous, tag = _tag(asynchronous, tag)
        return self._submit(symbol, OrderType.MARKET_ON_OPEN, quantity, {}, tag, order_properties)

    def market_on_close_order(
        self, symbol: Any, quantity: float, asynchronous: Any = False, tag: str = "",
        order_properties: Any = None,
    ) -> OrderTicket:  # fmt: skip
        asynchronous, tag = _tag(asynchronous, tag)
        return self._submit(symbol, OrderType.MARKET_ON_CLOSE, quantity, {}, tag, order_properties)

    def limit_order(
        self, symbol: Any, quantity: float, limit_price: float, asynchronous: Any = False,
        tag: str = "", order_properties: Any = None,
    ) -> OrderTicket:  # fmt: skip
        asynchronous, tag = _tag(asynchronous, tag)
        prices = {"limit": limit_price}
        return self._submit(symbol, OrderType.LIMIT, quantity, prices, tag, order_properties)

    def stop_market_order(
        self, symbol: Any, quantity: float, stop_price: float, asynchronous: Any = False,
        tag: str = "", order_properties: Any = None,
    ) -> OrderTicket:  # fmt: skip
        asynchronous, tag = _tag(asynchronous, tag)
        prices = {"stop": stop_price}
        return self._submit(symbol, OrderType.STOP_MARKET, quantity, prices, tag, order_properties)

    def stop_limit_order(
        self, symbol: Any, quantity: float, stop_price: float, limit_price: float,
        asynchronous: Any = False, tag: str = "", order_properties: Any = None,
    ) -> OrderTicket:  # fmt: skip
        asynchronous, tag = _tag(asynchronous, tag)
        prices = {"stop": stop_price, "limit": limit_price}
        return self._submit(symbol, OrderType.STOP_LIMIT, quantity, prices, tag, order_properties)

    def limit_if_touched_order(
        self, symbol: Any, quantity: float, trigger_price: float, limit_price: float,
        asynchronous: Any = False, tag: str = "", order_properties: Any = None,
    ) -> OrderTicket:  # fmt: skip
        asynchronous, tag = _tag(asynchronous, tag)
        prices = {"trigger": trigger_price, "limit": limit_price}
        return self._submit(
            symbol, OrderType.LIMIT_IF_TOUCHED, quantity, prices, tag, order_properties
        )

    # By share of the portfolio.

    def calculate_order_quantity(self, symbol: Any, target: float) -> float:
        desk = self._desk
        return desk.trading.target_quantity(desk.security(symbol), target)

    def set_holdings(
        self,
        symbol: Any,
        percentage: Any = None,
        liquidate_existing_holdings: bool = False,
        asynchronous: bool = False,
        tag: str | None = None,
        order_properties: Any = None,
    ) -> list[OrderTicket]:
        properties = order_properties or self._desk.order_properties
        if isinstance(symbol, list | tuple) and all(
            isinstance(item, PortfolioTarget) for item in symbol
        ):
            sweep = bool(percentage) or liquidate_existing_holdings
            return self._hold_all(list(symbol), sweep, tag, properties)
        if percentage is None:
            raise TypeError("No method matches given arguments for SetHoldings: no percentage")
        desk = self._desk
        security = desk.security(symbol)
        delta = desk.trading.target_quantity(security, percentage)
        made = (
            self._sweep([security.symbol], tag, properties) if liquidate_existing_holdings else []
        )
        return made + desk.trading.reach(security, delta, tag or "", properties)

    def _hold_all(
        self, targets: list[PortfolioTarget], sweep: bool, tag: str | None, properties: Any
    ) -> list[OrderTicket]:
        desk = self._desk
        made = self._sweep([item.symbol for item in targets], tag, properties) if sweep else []
        deltas = []
        for item in targets:
            security = desk.security(item.symbol)
            deltas.append((security, desk.trading.target_quantity(security, item.quantity)))
        # Those that reduce a position come first, the largest first: they free margin.
        deltas = [(security, delta) for security, delta in deltas if delta]
        deltas.sort(key=lambda pair: _impact(*pair))
        for security, delta in deltas:
            made += desk.trading.reach(security, delta, tag or "", properties)
        return made

    def _sweep(self, keep: list[Any], tag: str | None, properties: Any) -> list[OrderTicket]:
        kept = {ticker_of(item).upper() for item in keep}
        others = sorted(item for item in list(self._desk.securities.keys()) if item not in kept)
        return self._desk.trading.liquidate(others, tag, properties)

    def liquidate(
        self,
        symbol: Any = None,
        asynchronous: Any = False,
        tag: str | None = None,
        order_properties: Any = None,
    ) -> list[OrderTicket]:
        if isinstance(asynchronous, str):
            asynchronous, tag = False, asynchronous
        desk = self._desk
        if symbol is None:
            symbols: list[Symbol] = sorted(desk.securities.keys())
        elif isinstance(symbol, Iterable) and not isinstance(symbol, str):
            symbols = [desk.security(item).symbol for item in symbol]
        else:
            symbols = [desk.security(symbol).symbol] if ticker_of(symbol) in desk.securities else []
        return desk.trading.liquidate(symbols, tag, order_properties or desk.order_properties)

    def set_maximum_orders(self, number: int) -> None:
        if not self._desk.locked:
            self._desk.send(["set", "max_orders", int(number)])

    def is_market_open(self, symbol: Any) -> bool:
        return self._desk.exchange_open()

    def shortable(self, symbol: Any, *rest: Any) -> bool:
        return True


def _tag(asynchronous: Any, tag: str) -> tuple[bool, str]:
    """LEAN's older overloads take the tag where the newer ones take `asynchronous`."""
    if isinstance(asynchronous, str):
        return False, asynchronous
    return bool(asynchronous), tag


def _impact(security: Any, delta: float) -> tuple[int, float]:
    holding = security.holdings.quantity
    reduces = holding * delta < 0
    return (0 if reduces else 1, -abs(delta * security.price))
