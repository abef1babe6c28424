"""Securities and the portfolio: a mirror of what the simulator keeps, never its source."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from .alias import both_styles
from .bars import TradeBar
from .enums import Resolution, SecurityType
from .known import Lean, not_modelled
from .symbol import Symbol, SymbolDict

if TYPE_CHECKING:
    from .model import Model
    from .quotes import QuoteBar
    from .subscriptions import SubscriptionDataConfig


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
        self.target: Any = None
        """The framework's last target."""

    def take(self, state: list[float]) -> None:
        """Copy the simulator's figures."""
        (self.quantity, self.average_price, self.profit, self.total_fees,
         self.last_trade_profit, self.total_sale_volume) = state  # fmt: skip

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

    def total_close_profit(self) -> float:
        if not self.quantity:
            return 0.0
        fee = self._security.close_fee(self.quantity)
        return (self.price - self.average_price) * self.quantity - fee

    @property
    def unrealized_profit_percent(self) -> float:
        cost = self.absolute_holdings_cost
        return self.unrealized_profit / cost if cost else 0.0

    @property
    def net_profit(self) -> float:
        return self.profit - self.total_fees

    @property
    def leverage(self) -> float:
        return self._security.leverage

    def __repr__(self) -> str:
        return f"{self.symbol}: {self.quantity:g} @ ${self.average_price:g}"


@both_styles
class SecurityCache(Lean):
    """The last bar of a security."""

    def __init__(self, security: Security) -> None:
        self._security = security

    def get_data(self, *types: Any) -> Any:
        return self._security.get_last_data()


@both_styles
class Security(Lean):
    """One subscribed equity."""

    LEAN = "Equity"
    type = SecurityType.EQUITY

    def __init__(self, symbol: Symbol, desk: Any, leverage: float) -> None:
        self.symbol = symbol
        self.price = self.open = self.high = self.low = self.close = 0.0
        self.volume = 0.0
        self.bid_price = self.bid_size = self.ask_price = self.ask_size = 0.0
        self.leverage = leverage
        self.has_data = False
        self.is_tradable = True
        self.is_delisted = False
        self.data_normalization_mode: Any = None
        self.subscriptions: list[SubscriptionDataConfig] = []
        self.fee_per_share: tuple[Any, ...] = ()
        self.holdings = SecurityHolding(self)
        self._desk = desk
        self._last: TradeBar | None = None
        self._last_quote: QuoteBar | None = None
        self._models: dict[str, Model] = {}

    def take(self, bar: TradeBar) -> None:
        """Move to a new bar."""
        self._last = bar
        self.open = bar.open
        self.high = bar.high
        self.low = bar.low
        self.price = self.close = bar.close
        self.volume = bar.volume
        self.has_data = True

    def take_quote(self, bar: QuoteBar) -> None:
        """Move to a new quote."""
        self._last_quote = bar
        if bar.bid is not None:
            self.bid_price, self.bid_size = bar.bid.close, bar.last_bid_size
        if bar.ask is not None:
            self.ask_price, self.ask_size = bar.ask.close, bar.last_ask_size

    @property
    def resolution(self) -> Any:
        """The finest of its subscriptions."""
        return min((item.resolution for item in self.subscriptions), default=Resolution.DAILY)

    @property
    def is_extended_market_hours(self) -> bool:
        return any(item.extended_market_hours for item in self.subscriptions)

    @property
    def is_fill_data_forward(self) -> bool:
        return any(item.fill_data_forward for item in self.subscriptions)

    def split(self, factor: float) -> None:
        """On raw data a split moves the last price before the next bar does."""
        for name in ("price", "open", "high", "low", "close"):
            setattr(self, name, getattr(self, name) * factor)

    @property
    def invested(self) -> bool:
        return self.holdings.quantity != 0

    @property
    def exchange(self) -> Any:
        return self._desk.exchange_of(self.symbol)

    @property
    def local_time(self) -> datetime:
        found: datetime = self._desk.exchange_time
        return found

    @property
    def cache(self) -> SecurityCache:
        return SecurityCache(self)

    @property
    def symbol_properties(self) -> SymbolProperties:
        return SymbolProperties()

    @property
    def quote_currency(self) -> Any:
        return self._desk.portfolio.cash_book["USD"]

    @property
    def is_internal_feed(self) -> bool:
        return False

    def get_last_data(self) -> TradeBar | None:
        return self._last

    def close_fee(self, quantity: float) -> float:
        """What closing `quantity` now would cost, by the security's fee model."""
        fee: float = self._desk.trading.fee_of(self, quantity)
        return fee

    def set_leverage(self, leverage: float) -> None:
        self._desk.trading.set_model(self, "leverage", [float(leverage)])
        self.leverage = float(leverage)

    def set_data_normalization_mode(self, mode: Any) -> None:
        self._desk.trading.set_model(self, "normalization", [int(mode)])

    def set_market_price(self, point: Any) -> None:
        """Seed the price before the first bar, as a security seeder does."""
        if point is not None:
            self.take(point)

    def set_fee_model(self, model: Any) -> None:
        self._set("fee", model)

    def set_slippage_model(self, model: Any) -> None:
        self._set("slippage", model)

    def set_fill_model(self, model: Any) -> None:
        self._set("fill", model)

    def set_buying_power_model(self, model: Any) -> None:
        self._set("buying_power", model)

    def set_margin_model(self, model: Any) -> None:
        self._set("buying_power", model)

    def set_settlement_model(self, model: Any) -> None:
        self._set("settlement", model)

    def set_shortable_provider(self, provider: Any) -> None:
        not_modelled("Security.set_shortable_provider")

    def refresh_data_normalization_mode_property(self) -> None:
        """Nothing to refresh here."""

    def _set(self, kind: str, model: Any) -> None:
        described = getattr(model, "describe", None)
        if described is None or getattr(model, "KIND", "") != kind:
            not_modelled(f"Security.set_{kind}_model", type(model).__name__)
        self._desk.trading.set_model(self, kind, described())
        self._models[kind] = model
        if kind == "buying_power" and model.leverage:
            self.leverage = model.leverage

    @property
    def fee_model(self) -> Any:
        return self._models.get("fee")

    @fee_model.setter
    def fee_model(self, model: Any) -> None:
        self._set("fee", model)

    @property
    def slippage_model(self) -> Any:
        return self._models.get("slippage")

    @slippage_model.setter
    def slippage_model(self, model: Any) -> None:
        self._set("slippage", model)

    def __repr__(self) -> str:
        return str(self.symbol)


@both_styles
class SymbolProperties(Lean):
    """A US equity's: whole shares, cents."""

    lot_size = 1.0
    minimum_price_variation = 0.01
    contract_multiplier = 1.0
    quote_currency = "USD"
    description = ""


@both_styles
class SecurityManager(SymbolDict):
    """`self.securities`."""

    LEAN = "SecurityManager"

    def _absent(self, ticker: str) -> str:
        return (
            f"This asset symbol ({ticker}) was not found in your security list. Please add this "
            "security or check it exists before using it with 'Securities.ContainsKey(\""
            f"{ticker}\")'"
        )

    @property
    def total(self) -> list[Any]:
        return list(self.values())
