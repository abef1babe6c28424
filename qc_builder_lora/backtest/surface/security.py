"""Securities: a mirror of what the simulator keeps, and the models chosen for each."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from .alias import both_styles
from .bars import TradeBar
from .cache import SecurityCache
from .enums import Resolution, SecurityType
from .holdings import SecurityHolding
from .keywords import lean_names
from .known import Lean, not_modelled
from .margin import PATTERN_DAY, numbers_of, rates
from .model import OWN, Model
from .money_models import MOVING_MONEY, is_own
from .own_models import GetMaximumOrderQuantityForTargetBuyingPowerParameters
from .properties import Properties
from .session import Session
from .shorting import NullShortableProvider, own_provider
from .standard import adopted, standard
from .symbol import Symbol, SymbolDict
from .volatility import VolatilityModel, listener

if TYPE_CHECKING:
    from .quotes import QuoteBar
    from .subscriptions import SubscriptionDataConfig


@both_styles
class Security(Properties, Lean):
    """One subscribed equity."""

    LEAN = "Equity"
    type = SecurityType.EQUITY

    def __init__(self, symbol: Symbol, desk: Any) -> None:
        self.symbol = symbol
        self.desk = desk
        self.price = self.open = self.high = self.low = self.close = 0.0
        self.volume = 0.0
        self.bid_size = self.ask_size = self._bid = self._ask = 0.0
        self.has_data = False
        self.seeds_in: int | None = None
        """Normalisation of its last known price while it is seeded; None for its own."""
        self.is_tradable = True
        self.is_delisted = False
        self.data_normalization_mode: Any = None
        self.subscriptions: list[SubscriptionDataConfig] = []
        self.models: dict[str, Any] = {}
        """Models by their kind, where the strategy has chosen or asked for one."""
        self.margin_model: tuple[Any, ...] = ()
        """LEAN's buying power model beneath whatever the strategy has put in its place."""
        self.fee_numbers: tuple[Any, ...] = ()
        self.holdings = SecurityHolding(self)
        self._desk = desk
        self._last: TradeBar | None = None
        self._session: Session | None = None
        self._last_quote: QuoteBar | None = None
        self.shortable_provider: Any = NullShortableProvider()
        self.volatility_model: Any = VolatilityModel.NULL
        self._told: Any = None

    def take(self, bar: TradeBar) -> None:
        """Move to a new bar."""
        self._last = bar
        self.open = bar.open
        self.high = bar.high
        self.low = bar.low
        self.price = self.close = bar.close
        self.volume = bar.volume
        self.has_data = True
        if self._told is not None:
            self._told(self, bar)

    def take_quote(self, bar: QuoteBar) -> None:
        """Move to a new quote."""
        self._last_quote = bar
        if bar.bid is not None:
            self._bid, self.bid_size = bar.bid.close, bar.last_bid_size
        if bar.ask is not None:
            self._ask, self.ask_size = bar.ask.close, bar.last_ask_size
        if self._told is not None:
            self._told(self, bar)

    @property
    def bid_price(self) -> float:
        """As LEAN: the last price where there was no quote."""
        return self._bid or self.price

    @property
    def ask_price(self) -> float:
        """The same."""
        return self._ask or self.price

    @property
    def subscription_data_config(self) -> SubscriptionDataConfig | None:
        """LEAN's old name for the first of its subscriptions."""
        return self.subscriptions[0] if self.subscriptions else None

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

    def delist(self) -> None:
        """Its company is gone."""
        self.is_delisted, self.is_tradable = True, False

    @property
    def invested(self) -> bool:
        return self.holdings.quantity != 0

    @property
    def hold_stock(self) -> bool:
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
    def session(self) -> Session:
        if self._session is None:
            self._session = Session(self)
        return self._session

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

    # Models.

    def close_fee(self, quantity: float) -> float:
        """What trading `quantity` now would cost, by the security's fee model."""
        fee: float = self._desk.trading.fee_of(self, quantity)
        return fee

    @property
    def leverage(self) -> float:
        return rates(self.margin_model, calm=self._desk.calm(self)).leverage

    @leverage.setter
    def leverage(self, leverage: float) -> None:
        self.set_leverage(leverage)

    def set_leverage(self, leverage: float) -> None:
        if self.margin_model and self.margin_model[0] == PATTERN_DAY:
            # LEAN's model for day trading does not let itself be levered.
            return
        self._desk.trading.set_model(self, "leverage", [float(leverage)])
        self.margin_model = ("SecurityMarginModel", *numbers_of(float(leverage)))

    def maximum_order_quantity(self, share: float, minimum: float) -> float:
        """Shares to order so that the position's margin is a share of the portfolio."""
        asked = GetMaximumOrderQuantityForTargetBuyingPowerParameters(
            self._desk.portfolio, self, share, minimum
        )
        model = self.models.get("buying_power")
        if model is None or not model.own:
            quantity: float = self._desk.trading.quantity_for(self, share, minimum)
            return quantity
        return float(model.get_maximum_order_quantity_for_target_buying_power(asked).quantity)

    def set_data_normalization_mode(self, mode: Any) -> None:
        self._desk.ask(["normalization", self.symbol.number, int(mode)])
        self.data_normalization_mode = mode

    def set_market_price(self, point: Any) -> None:
        """Seed the price before the first bar, as a security seeder does."""
        if point is not None:
            quotes = hasattr(point, "last_bid_size")
            self._desk.ask(["seed", self.symbol.number, float(point.close), quotes])
            (self.take_quote if quotes else self.take)(point)

    @lean_names("feel_model")
    def set_fee_model(self, model: Any) -> None:
        self._set("fee", model)

    @lean_names("slippage_model")
    def set_slippage_model(self, model: Any) -> None:
        self._set("slippage", model)

    @lean_names("fill_model")
    def set_fill_model(self, model: Any) -> None:
        self._set("fill", model)

    @lean_names("buying_power_model")
    def set_buying_power_model(self, model: Any) -> None:
        self._set("buying_power", model)

    @lean_names("margin_model")
    def set_margin_model(self, model: Any) -> None:
        self._set("buying_power", model)

    @lean_names("settlement_model")
    def set_settlement_model(self, model: Any) -> None:
        if type(model).__module__ == "__main__":
            self._set_own("settlement", model)
        else:
            self._set("settlement", model)

    @lean_names("volatility_model")
    def set_volatility_model(self, model: Any) -> None:
        if type(model).__name__ == "StandIn" or not hasattr(model, "volatility"):
            not_modelled("Security.set_volatility_model", type(model).__name__)
        self.volatility_model, self._told = model, listener(model)

    def set_shortable_provider(self, shortable_provider: Any) -> None:
        self.shortable_provider = own_provider(shortable_provider)

    def set_margin_interest_rate_model(self, model: Any) -> None:
        self._set_own("margin_interest", model)

    def set_data_filter(self, data_filter: Any) -> None:
        self._set_own("data_filter", data_filter)

    def _set_own(self, kind: str, model: Any) -> None:
        own = is_own(kind, model)
        self._desk.trading.set_model(self, kind, [OWN] if own else [type(model).__name__])
        self.models[kind] = model
        if own and kind in MOVING_MONEY:
            self._desk.own_models.moves_money = True

    def refresh_data_normalization_mode_property(self) -> None:
        """Nothing to refresh here."""

    def _set(self, kind: str, model: Any) -> None:
        if kind == "slippage" and not isinstance(model, Model):
            model = adopted(model)
        described = getattr(model, "describe", None)
        if described is None or getattr(model, "KIND", "") != kind:
            not_modelled(f"Security.set_{kind}_model", type(model).__name__)
        numbers = described()
        if numbers[0] == OWN and kind == "buying_power":
            numbers = [*numbers, *model._numbers]
        self._desk.trading.set_model(self, kind, numbers)
        self.models[kind] = model
        self._note(kind, model, tuple(numbers))

    def _note(self, kind: str, model: Any, numbers: tuple[Any, ...]) -> None:
        if kind == "buying_power":
            own = numbers[0] == OWN
            self.margin_model = ("BuyingPowerModel", *model._numbers) if own else numbers
        elif kind == "fee":
            self.fee_numbers = numbers

    def _model(self, kind: str) -> Any:
        if kind not in self.models:
            self.models[kind] = standard(kind, self)
        return self.models[kind]

    @property
    def fee_model(self) -> Any:
        return self._model("fee")

    @fee_model.setter
    def fee_model(self, model: Any) -> None:
        self._set("fee", model)

    @property
    def slippage_model(self) -> Any:
        return self._model("slippage")

    @slippage_model.setter
    def slippage_model(self, model: Any) -> None:
        self._set("slippage", model)

    @property
    def fill_model(self) -> Any:
        return self._model("fill")

    @fill_model.setter
    def fill_model(self, model: Any) -> None:
        self._set("fill", model)

    @property
    def buying_power_model(self) -> Any:
        return self._model("buying_power")

    @buying_power_model.setter
    def buying_power_model(self, model: Any) -> None:
        self._set("buying_power", model)

    @property
    def margin_interest_rate_model(self) -> Any:
        return self._model("margin_interest")

    @margin_interest_rate_model.setter
    def margin_interest_rate_model(self, model: Any) -> None:
        self.set_margin_interest_rate_model(model)

    @property
    def data_filter(self) -> Any:
        return self._model("data_filter")

    @data_filter.setter
    def data_filter(self, data_filter: Any) -> None:
        self.set_data_filter(data_filter)

    @property
    def settlement_model(self) -> Any:
        return self._model("settlement")

    @settlement_model.setter
    def settlement_model(self, model: Any) -> None:
        self.set_settlement_model(model)

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
            f"{ticker.partition(' ')[0]}\")'"
        )

    @property
    def total(self) -> list[Any]:
        return list(self.values())
