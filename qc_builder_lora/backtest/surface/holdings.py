"""Holdings: a mirror of what the simulator keeps of each position, never its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .alias import both_styles
from .known import Lean
from .symbol import Symbol

if TYPE_CHECKING:
    from .security import Security


@both_styles
class SecurityHolding(Lean):
    """What is held of one security; money in US dollars."""

    def __init__(self, security: Security) -> None:
        self._security = security
        self.quantity = 0.0
        self.average_price = 0.0
        self.profit = 0.0
        self.total_fees = 0.0
        self.last_trade_profit = 0.0
        self.total_sale_volume = 0.0
        self.total_dividends = 0.0
        self.target: Any = None
        """The framework's last target."""

    def take(self, state: list[float]) -> None:
        """Copy the simulator's figures."""
        (self.quantity, self.average_price, self.profit, self.total_fees,
         self.last_trade_profit, self.total_sale_volume, self.total_dividends) = state  # fmt: skip

    @property
    def symbol(self) -> Symbol:
        return self._security.symbol

    @property
    def security(self) -> Security:
        return self._security

    @property
    def invested(self) -> bool:
        return self.quantity != 0

    @property
    def hold_stock(self) -> bool:
        return self.quantity != 0

    @property
    def is_long(self) -> bool:
        return self.quantity > 0

    @property
    def is_short(self) -> bool:
        return self.quantity < 0

    @property
    def absolute_quantity(self) -> float:
        return abs(self.quantity)

    @property
    def price(self) -> float:
        return self._security.price

    @property
    def holdings_value(self) -> float:
        return self.quantity * self._security.price

    @property
    def absolute_holdings_value(self) -> float:
        return abs(self.holdings_value)

    @property
    def holdings_cost(self) -> float:
        return self.quantity * self.average_price

    @property
    def unlevered_holdings_cost(self) -> float:
        return self.holdings_cost / self._security.leverage

    @property
    def absolute_holdings_cost(self) -> float:
        return abs(self.holdings_cost)

    @property
    def unrealized_profit(self) -> float:
        """As LEAN: less the fee of closing the position at the present price."""
        return self.total_close_profit()

    def total_close_profit(
        self, include_fees: bool = True, exit_price: float | None = None, **more: Any
    ) -> float:
        """What closing the position would bring, at the present price or another."""
        if not self.quantity:
            return 0.0
        fee = self._security.close_fee(-self.quantity) if include_fees else 0.0
        quoted = self._security.bid_price if self.quantity > 0 else self._security.ask_price
        price = (quoted or self.price) if exit_price is None else exit_price
        return (price - self.average_price) * self.quantity - fee

    @property
    def unrealized_profit_percent(self) -> float:
        cost = self.absolute_holdings_cost
        return self.unrealized_profit / cost if cost else 0.0

    @property
    def type(self) -> Any:
        return self._security.type

    def get_quantity_value(self, quantity: float, price: float | None = None) -> Any:
        """What a quantity is worth, in the account's currency."""
        from .money_models import ConvertibleCashAmount

        worth = quantity * (self.price if price is None else price)
        return ConvertibleCashAmount(worth, self._security.quote_currency)

    @property
    def net_profit(self) -> float:
        return self.profit - self.total_fees

    @property
    def leverage(self) -> float:
        return self._security.leverage

    def __repr__(self) -> str:
        return f"{self.symbol}: {self.quantity:g} @ ${self.average_price:g}"
