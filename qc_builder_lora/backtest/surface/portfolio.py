"""`self.portfolio`: a mirror of the simulator's figures, valued at the last prices seen."""

from __future__ import annotations

from typing import Any

from .alias import both_styles
from .known import Lean, not_modelled
from .margin_call import DefaultMarginCallModel, NullMarginCallModel
from .symbol import SymbolDict


@both_styles
class Cash(Lean):
    """An amount in the account's currency."""

    def __init__(self, portfolio: Portfolio, settled: bool = True) -> None:
        self._portfolio = portfolio
        self._settled = settled
        self.symbol = "USD"
        self.conversion_rate = 1.0
        self.currency_symbol = "$"

    @property
    def amount(self) -> float:
        return self._portfolio.cash if self._settled else self._portfolio.unsettled_cash

    @property
    def value_in_account_currency(self) -> float:
        return self.amount

    def set_amount(self, amount: float) -> None:
        self.add_amount(amount - self.amount)

    def add_amount(self, amount: float) -> float:
        """What there is with it; while it runs only where models of its own move money."""
        if not self._settled:
            not_modelled("SecurityPortfolioManager.unsettled_cash_book", "changed by a strategy")
        self._portfolio.pay(float(amount))
        return self.amount

    def __repr__(self) -> str:
        return f"USD: ${self.amount:,.2f}"


@both_styles
class CashBook(SymbolDict):
    """Currencies: US dollars alone."""

    LEAN = "CashBook"

    def __init__(self, portfolio: Portfolio, settled: bool = True) -> None:
        super().__init__({"USD": Cash(portfolio, settled)})
        self.account_currency = "USD"

    def _absent(self, ticker: str) -> str:
        not_modelled("cash in a foreign currency", ticker)

    @property
    def total_value_in_account_currency(self) -> float:
        total: float = self["USD"].amount
        return total

    def convert_to_account_currency(self, amount: float, currency: str) -> float:
        if currency.upper() != "USD":
            not_modelled("cash in a foreign currency", currency)
        return amount


@both_styles
class Portfolio(SymbolDict):
    """Holdings by Symbol, and the account's totals in US dollars."""

    LEAN = "SecurityPortfolioManager"

    def __init__(self, desk: Any) -> None:
        super().__init__()
        self._desk = desk
        self.cash = 100_000.0
        self.unsettled_cash = 0.0
        self.total_fees = 0.0
        self.total_net_profit = 0.0
        self.cash_book = CashBook(self)
        self.unsettled_cash_book = CashBook(self, settled=False)
        self._late: tuple[Any, float] = (None, 0.0)
        self._margin_call_model: Any = DefaultMarginCallModel()

    def take(self, account: list[float]) -> None:
        """Copy the simulator's figures."""
        self.cash, self.unsettled_cash, self.total_fees, self.total_net_profit = account
        self._late = (None, 0.0)

    def _absent(self, ticker: str) -> str:
        return (
            f"This asset symbol ({ticker}) was not found in your security list. Please add this "
            "security or check it exists before using it with 'Securities.ContainsKey(\""
            f"{ticker.partition(' ')[0]}\")'"
        )

    @property
    def total_holdings_value(self) -> float:
        return sum((abs(item.holdings_value) for item in self.values()), 0.0)

    @property
    def total_portfolio_value(self) -> float:
        total = self.cash - self._late_until(self._desk.utc_time) + self.unsettled_cash
        for holding in self.values():
            if holding.quantity:
                total += holding.quantity * holding.price
        return total

    @property
    def total_absolute_holdings_cost(self) -> float:
        return sum((item.absolute_holdings_cost for item in self.values()), 0.0)

    @property
    def total_unlevered_absolute_holdings_cost(self) -> float:
        return sum((abs(item.unlevered_holdings_cost) for item in self.values()), 0.0)

    @property
    def invested(self) -> bool:
        return any(item.quantity for item in self.values())

    @property
    def hold_stock(self) -> bool:
        return self.invested

    @property
    def total_unrealized_profit(self) -> float:
        return sum((item.unrealized_profit for item in self.values()), 0.0)

    @property
    def total_unrealised_profit(self) -> float:
        return self.total_unrealized_profit

    @property
    def total_profit(self) -> float:
        return sum((item.profit for item in self.values()), 0.0)

    @property
    def total_sale_volume(self) -> float:
        return sum((item.total_sale_volume for item in self.values()), 0.0)

    # Margin.

    @property
    def total_margin_used(self) -> float:
        margin_of = self._desk.trading.margin_of
        return sum((margin_of(item.security) for item in self.values() if item.quantity), 0.0)

    @property
    def margin_remaining(self) -> float:
        return self.total_portfolio_value - self.unsettled_cash - self.total_margin_used

    @property
    def total_portfolio_value_less_free_buffer(self) -> float:
        value = self.total_portfolio_value
        buffer: float = self._desk.settings.free_buffer(value)
        return value - buffer

    def get_margin_remaining(self, *args: Any) -> float:
        """Margin left, for the account or for one more order of a symbol in a direction."""
        if not args or isinstance(args[0], float):
            return self.margin_remaining
        return self.get_buying_power(*args)

    def get_buying_power(self, symbol: Any, direction: Any = 0) -> float:
        """Margin that an order of `symbol` may use; closing a position frees it twice."""
        holding = self[symbol]
        security, trading = holding.security, self._desk.trading
        free = self.margin_remaining
        if (holding.quantity > 0 and direction == 1) or (holding.quantity < 0 and direction == 0):
            free += trading.margin_of(security) + trading.opening_margin(security)
        kept: float = self.total_portfolio_value * trading.rates_of(security).free
        return max(free - kept, 0.0)

    @property
    def margin_call_model(self) -> Any:
        return self._margin_call_model

    @margin_call_model.setter
    def margin_call_model(self, model: Any) -> None:
        self.set_margin_call_model(model)

    def set_margin_call_model(self, model: Any) -> None:
        """LEAN's own, or the one without calls."""
        if not isinstance(model, NullMarginCallModel | DefaultMarginCallModel):
            not_modelled("SecurityPortfolioManager.set_margin_call_model", type(model).__name__)
        self._margin_call_model = model
        never = model.buffer is None
        self._desk.ask(["margin_calls", 0.0 if never else model.buffer, not never])

    def set_cash(self, *args: Any) -> None:
        """Change the account's cash; money paid in or out while it runs is not modelled."""
        if self._desk.locked:
            not_modelled("SecurityPortfolioManager.set_cash", "after initialize")
        self._desk.set_cash(*args)

    def _late_until(self, moment: Any) -> float:
        """Money paid in at this moment that LEAN does not count before the next slice or fill."""
        return self._late[1] if self._late[0] == moment else 0.0

    def pay(self, usd: float) -> None:
        """Money into the cash book, or out of it."""
        if not self._desk.locked:
            self.set_cash(self.cash + usd)
        elif self._desk.own_models.moves_money:
            asked = self._desk.own_models.asked
            late = self._late_until(self._desk.utc_time)
            self.take(self._desk.ask(["pay", usd, asked]))
            self._late = (self._desk.utc_time, late + (0.0 if asked else usd))
        else:
            not_modelled("SecurityPortfolioManager.set_cash", "after initialize")

    @property
    def transactions(self) -> Any:
        return self._desk.trading.transactions

    @property
    def securities(self) -> Any:
        return self._desk.securities

    @property
    def positions(self) -> Any:
        not_modelled("SecurityPortfolioManager.positions")
