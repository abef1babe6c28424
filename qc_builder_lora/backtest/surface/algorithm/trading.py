"""QCAlgorithm's orders."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..desk import Desk
from ..enums import OrderType
from ..framework.target import PortfolioTarget
from ..keywords import lean_names
from ..margin import first_stop
from ..orders import OrderProperties
from ..portfolio import Portfolio
from ..symbol import Symbol, ticker_of
from ..tickets import OrderTicket, SubmitOrderRequest
from ..trading import number
from ..transactions import Transactions
from .combos import ComboMethods


class TradingMethods(ComboMethods):
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
        self, symbol: Any, kind: Any, quantity: Any, options: tuple[Any, Any, Any],
        *, by_share: bool = False, **prices: Any,
    ) -> OrderTicket:  # fmt: skip
        """`options` are asynchronous, tag and properties, as the strategy gave them."""
        desk = self._desk
        asynchronous, tag, properties = options
        if isinstance(asynchronous, str):
            # LEAN's older overloads take the tag where the newer ones take `asynchronous`.
            asynchronous, tag, properties = False, asynchronous, tag or properties
        return desk.trading.submit(
            desk.security(symbol), kind, quantity, tag=tag or "", by_share=by_share,
            properties=properties or desk.order_properties, asynchronous=bool(asynchronous),
            **prices,
        )  # fmt: skip

    def market_order(
        self, symbol: Any, quantity: float, asynchronous: Any = False, tag: Any = "",
        order_properties: Any = None,
    ) -> OrderTicket:  # fmt: skip
        options = (asynchronous, tag, order_properties)
        return self._submit(symbol, OrderType.MARKET, quantity, options)

    def order(
        self, symbol: Any, quantity: Any = None, asynchronous: Any = False, tag: Any = "",
        order_properties: Any = None,
    ) -> OrderTicket:  # fmt: skip
        if isinstance(symbol, SubmitOrderRequest):
            return self.submit_order_request(symbol)
        return self.market_order(symbol, quantity, asynchronous, tag, order_properties)

    def submit_order_request(self, request: SubmitOrderRequest) -> OrderTicket:
        return self._desk.trading.send(request)

    def buy(self, symbol: Any, quantity: float) -> OrderTicket:
        return self.market_order(symbol, abs(number(quantity, "quantity")))

    def sell(self, symbol: Any, quantity: float) -> OrderTicket:
        return self.market_order(symbol, -abs(number(quantity, "quantity")))

    def market_on_open_order(
        self, symbol: Any, quantity: float, asynchronous: Any = False, tag: Any = "",
        order_properties: Any = None,
    ) -> OrderTicket:  # fmt: skip
        options = (asynchronous, tag, order_properties)
        return self._submit(symbol, OrderType.MARKET_ON_OPEN, quantity, options)

    def market_on_close_order(
        self, symbol: Any, quantity: float, asynchronous: Any = False, tag: Any = "",
        order_properties: Any = None,
    ) -> OrderTicket:  # fmt: skip
        options = (asynchronous, tag, order_properties)
        return self._submit(symbol, OrderType.MARKET_ON_CLOSE, quantity, options)

    def limit_order(
        self, symbol: Any, quantity: float, limit_price: float, asynchronous: Any = False,
        tag: Any = "", order_properties: Any = None,
    ) -> OrderTicket:  # fmt: skip
        options = (asynchronous, tag, order_properties)
        return self._submit(symbol, OrderType.LIMIT, quantity, options, limit_price=limit_price)

    def stop_market_order(
        self, symbol: Any, quantity: float, stop_price: float, asynchronous: Any = False,
        tag: Any = "", order_properties: Any = None,
    ) -> OrderTicket:  # fmt: skip
        options = (asynchronous, tag, order_properties)
        return self._submit(symbol, OrderType.STOP_MARKET, quantity, options, stop_price=stop_price)

    def trailing_stop_order(
        self, symbol: Any, quantity: float, *args: Any, **named: Any
    ) -> OrderTicket:
        """`(symbol, quantity, [stop_price,] trailing_amount, trailing_as_percentage, …)`."""
        values = list(args)
        stop = named.get("stop_price")
        if stop is None and len(values) > 1 and not isinstance(values[1], bool):
            # A number after the first: the first is the stop, where LEAN's longer form has it.
            stop = values.pop(0)
        names = ["trailing_amount", "trailing_as_percentage", "asynchronous", "tag",
                 "order_properties"]  # fmt: skip
        free = [name for name in names if name not in named]
        given = {**dict(zip(free, values, strict=False)), **named}
        amount, by_share = given["trailing_amount"], bool(given["trailing_as_percentage"])
        if stop is None:
            price = self._desk.security(symbol).price
            stop = first_stop(price, number(amount, "trailing_amount"), by_share, quantity > 0)
        options = (given.get("asynchronous", False), given.get("tag", ""),
                   given.get("order_properties"))  # fmt: skip
        return self._submit(
            symbol, OrderType.TRAILING_STOP, quantity, options, by_share=by_share,
            stop_price=stop, trailing_amount=amount,
        )  # fmt: skip

    def stop_limit_order(
        self, symbol: Any, quantity: float, stop_price: float, limit_price: float,
        asynchronous: Any = False, tag: Any = "", order_properties: Any = None,
    ) -> OrderTicket:  # fmt: skip
        options = (asynchronous, tag, order_properties)
        return self._submit(
            symbol, OrderType.STOP_LIMIT, quantity, options,
            stop_price=stop_price, limit_price=limit_price,
        )  # fmt: skip

    def limit_if_touched_order(
        self, symbol: Any, quantity: float, trigger_price: float, limit_price: float,
        asynchronous: Any = False, tag: Any = "", order_properties: Any = None,
    ) -> OrderTicket:  # fmt: skip
        options = (asynchronous, tag, order_properties)
        return self._submit(
            symbol, OrderType.LIMIT_IF_TOUCHED, quantity, options,
            trigger_price=trigger_price, limit_price=limit_price,
        )  # fmt: skip

    # By share of the portfolio.

    def calculate_order_quantity(self, symbol: Any, target: float) -> float:
        desk = self._desk
        return desk.trading.target_quantity(desk.security(symbol), target)

    @lean_names("targets liquidate_existing_holdings asynchronous tag order_properties")
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
        trading, desk = self._desk.trading, self._desk
        made = self._sweep([item.symbol for item in targets], tag, properties) if sweep else []
        deltas = []
        for item in targets:
            security = desk.security(item.symbol)
            deltas.append((security, trading.target_quantity(security, item.quantity)))
        # Those that reduce a position come first, the largest first: they free margin.
        deltas = [pair for pair in deltas if abs(pair[1]) >= 1 and pair[0].has_data]
        deltas.sort(key=lambda pair: self._impact(*pair))
        for security, delta in deltas:
            made += trading.reach(security, delta, tag or "", properties)
        return made

    def _impact(self, security: Any, delta: float) -> tuple[bool, float]:
        tickets = self._desk.trading.open_tickets(security.symbol)
        there = security.holdings.quantity + sum(item.quantity_remaining for item in tickets)
        reduces = there != 0 and abs(delta + there) < abs(there)
        return (not reduces, -abs(delta * security.price))

    def _sweep(self, keep: list[Any], tag: str | None, properties: Any) -> list[OrderTicket]:
        kept = {ticker_of(item).upper() for item in keep}
        others = sorted(item for item in list(self._desk.securities.keys()) if item not in kept)
        return self._desk.trading.liquidate(others, tag, properties)

    @lean_names("symbols asynchronous tag order_properties", "symbol_to_liquidate tag")
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

    @lean_names("max")
    def set_maximum_orders(self, number: int) -> None:
        if not self._desk.locked:
            self._desk.send(["set", "max_orders", int(number)])

    def is_market_open(self, symbol: Any) -> bool:
        return self._desk.exchange_open()

    def shortable(self, symbol: Any, *rest: Any) -> bool:
        return True
