"""Everything a strategy's process keeps for one backtest, behind QCAlgorithm's methods.

It is kept apart from QCAlgorithm so that no attribute a strategy invents can collide with it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from .alias import spelled
from .bars import TradeBar, trade_bars
from .brokerages import BROKERAGES
from .consolidators import ConsolidatorBase, consolidator_for, takes_quotes
from .enums import DataNormalizationMode, Resolution
from .exchange import SecurityExchange, converted
from .exchange import use as use_for_sessions
from .extras import SecurityChanges
from .framework.course import Framework
from .interest import use as use_for_rates
from .known import not_modelled
from .margin import PATTERN_DAY, numbers_of
from .object_store import ObjectStore
from .orders import OrderProperties
from .own_brokerage import refused
from .own_models import OwnModels
from .portfolio import Portfolio
from .schedule import ScheduleManager
from .security import Security, SecurityManager
from .seeding import last_known
from .settings import AlgorithmSettings, UniverseSettings
from .subscriptions import SECONDS, Listener, SubscriptionDataConfig
from .symbol import Symbol, ticker_of
from .tickets import OrderEvent
from .trading import Trading
from .wire import Wire

EPOCH = datetime(1970, 1, 1)


class Refused(ValueError):
    """The simulator refused a request, as LEAN would have with an exception."""


class Desk:
    """The state of one backtest on the strategy's side."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        use_for_sessions(self.ask)
        use_for_rates(self.ask)
        self.time = self.utc_time = self.exchange_time = EPOCH
        self.open_now = False
        self.settings = AlgorithmSettings(wire.send)
        self.securities = SecurityManager()
        self.portfolio = Portfolio(self)
        self.trading = Trading(self)
        self.own_models = OwnModels(self)
        self.schedule = ScheduleManager(self)
        self.by_index: list[Security] = []
        self.subscriptions: list[SubscriptionDataConfig] = []
        self.consolidators: dict[int, tuple[Any, Any]] = {}
        self.fed: dict[int, list[Listener]] = {}
        """What an indicator, by its id, listens with to a security's own bars."""
        self.foreign: dict[int, Any] = {}
        """A strategy's own indicators, by their id, as they are wrapped."""
        self.parameters: dict[str, str] = {}
        self.start = datetime(1998, 1, 1)
        self.end: datetime | None = None
        self.fixed: dict[str, Any] = {}
        self.locked = False
        self.warming_up = True
        self.warm_up: int | timedelta | None = None
        """Bars or time before the start, as the strategy asked."""
        self.quitting = False
        self.current_slice: Any = None
        self.benchmark: Any = None
        self.on_order_event: Callable[[OrderEvent], Any] | None = None
        self.security_initializer: Callable[[Security], Any] | None = None
        self.order_properties = OrderProperties()
        self.object_store = ObjectStore()
        self.brokerage, self.cash_account = "DEFAULT", False
        self.universe = UniverseSettings()
        self.name = ""
        self.tags: set[str] = set()
        self.framework = Framework(self)
        self.added: list[Security] = []
        """Securities of which `on_securities_changed` has not been told."""
        self.watched: set[Symbol] = set()
        """Those whose days end for the strategy: told of, and not of their leaving."""
        self.removed: list[Security] = []
        self.on_changes: Callable[[SecurityChanges], Any] | None = None

    # Talking to the simulator.

    def send(self, message: list[Any]) -> None:
        """A message that needs no answer."""
        self.wire.send(message)

    def ask(self, message: list[Any]) -> Any:
        """A request; Refused with the simulator's reason where it says no.

        What happens to orders on the way there, and what it asks of the strategy's own models, is
        served before the answer comes.
        """
        self.wire.send(message)
        while True:
            kind, *rest = self.wire.receive()
            if kind == "ok":
                return rest[0]
            if kind == "no":
                raise Refused(rest[0])
            self.serve(kind, rest)

    def serve(self, kind: str, rest: list[Any]) -> None:
        """What the simulator says in the midst of a request."""
        if kind == "numbered":
            self.trading.numbered(*rest)
        elif kind == "own":
            self.wire.send(["answer", self.own_models.answer(*rest)])
        elif kind == "events":
            self.trading.take(*rest)
            self.wire.done(self.wake_at() if self.consolidators else None)
        elif kind == "refused":
            refused(self, *rest)
        else:
            raise ValueError(f"an untimely {kind!r}")

    def log(self, level: str, text: Any) -> None:
        """One line to the log, cut at a length that no log needs to exceed."""
        self.send(["log", level, str(text)[:20_000]])

    # The clock.

    def set_clock(self, utc: int, local: int, exchange: int, is_open: bool) -> None:
        """Move to a moment, given in seconds since 1970 of three clocks."""
        self.utc_time = EPOCH + timedelta(seconds=utc)
        self.time = EPOCH + timedelta(seconds=local)
        self.exchange_time = EPOCH + timedelta(seconds=exchange)
        self.open_now = is_open

    def begin_at(self, start: datetime) -> None:
        """In initialize the clocks stand at the start date."""
        self.time = self.exchange_time = start
        self.utc_time = converted(start, "America/New_York", "utc")

    def utc_from(self, seconds: int) -> datetime:
        """A UTC moment as LEAN shows it: without a zone."""
        return EPOCH + timedelta(seconds=seconds)

    def exchange_open(self) -> bool:
        """Whether the regular session is on."""
        return self.open_now

    def choose_brokerage(self, name: str, cash: bool) -> None:
        """The models of a brokerage, for the securities there are and those to come."""
        self.ask(["brokerage", name, cash])
        self.brokerage, self.cash_account = name, cash
        fees = BROKERAGES[name].fee_model
        for security in self.by_index:
            leverage = security.leverage
            security.fee_numbers = fees
            security.models.clear()
            security.margin_model = ("SecurityMarginModel", *numbers_of(leverage))

    def calm(self, security: Security) -> bool:
        """Whether the exchange is open and stays so for ten minutes, where a model asks."""
        if not security.margin_model or security.margin_model[0] != PATTERN_DAY:
            return True
        later = int((self.exchange_time - EPOCH).total_seconds()) + 600
        return self.open_now and bool(self.ask(["hours", "open_at", later]))

    def exchange_of(self, symbol: Symbol) -> SecurityExchange:
        """The exchange of a security."""
        return SecurityExchange(self, symbol)

    # Securities.

    def security(self, thing: Any) -> Security:
        """The subscribed security that a symbol, ticker or security names."""
        found: Security = self.securities[ticker_of(thing)]
        return found

    def subscribe(
        self, ticker: str, resolution: Any, normalization: Any, leverage: float,
        fill_forward: bool, extended: bool,
    ) -> Security:  # fmt: skip
        """Add one equity, or further bars to the one there is."""
        if resolution not in SECONDS:
            not_modelled(f"Resolution.{Resolution(resolution).name}", f"for {ticker}")
        how = [SECONDS[resolution], bool(fill_forward), bool(extended)]
        symbol = Symbol(ticker)
        if symbol in self.securities:
            security: Security = self.securities[symbol]
            if not any(item.resolution == resolution for item in security.subscriptions):
                comes_back = not security.subscriptions
                if comes_back:
                    self._back(security)
                made = self.ask(["subscribe", security.symbol.number, *how])
                self._feed(security, made, resolution, fill_forward, extended)
                if comes_back:
                    # Left over is the benchmark's own subscription, which LEAN then asks.
                    measure = str(self.benchmark or "SPY") == str(symbol)
                    security.seeds_in = int(DataNormalizationMode.ADJUSTED) if measure else None
                    self._initialize(security)
                    security.seeds_in = None
            return security
        index, margin, fees, made = self.ask(
            ["security", str(symbol), int(normalization), float(leverage), *how]
        )
        symbol.number = index
        security = Security(symbol, self)
        security.margin_model, security.fee_numbers = tuple(margin), tuple(fees)
        security.data_normalization_mode = normalization
        self.by_index.append(security)
        self._feed(security, made, resolution, fill_forward, extended)
        dict.__setitem__(self.securities, symbol, security)
        dict.__setitem__(self.portfolio, symbol, security.holdings)
        self.added.append(security)
        self._initialize(security)
        return security

    def _initialize(self, security: Security) -> None:
        """As LEAN: anew each time a security comes in."""
        self.own_models.furnish(security)
        if self.security_initializer is not None:
            self.security_initializer(security)
        if self.settings.seed_initial_prices and not security.price:
            self.seed(security)

    def join(self, symbol: Symbol, settings: Any) -> Security:
        """Subscribe to what a universe selects, by its settings, unless it is there already."""
        known = self.securities.get(symbol)
        if known is not None and known.subscriptions:
            return known  # type: ignore[no-any-return]
        return self.subscribe(
            str(symbol), settings.resolution, settings.data_normalization_mode, settings.leverage,
            settings.fill_forward, settings.extended_market_hours,
        )  # fmt: skip

    def _back(self, security: Security) -> None:
        """A security whose bars had been stopped comes in again."""
        security.is_tradable = True
        self.added.append(security)

    def stop(self, security: Security) -> None:
        """No more bars of a security; its holding and its last price stay."""
        self.ask(["unsubscribe", security.symbol.number])
        for config in security.subscriptions:
            config.listeners.clear()
        security.subscriptions.clear()
        security.is_tradable = False

    def deliver_changes(self) -> None:
        """Tell the strategy and its models of securities that came and went."""
        if self.on_changes is None or not (self.added or self.removed):
            return
        changes = SecurityChanges(self.added, self.removed)
        self.watched.update(item.symbol for item in self.added)
        self.watched.difference_update(item.symbol for item in self.removed)
        self.added, self.removed = [], []
        self.on_changes(changes)

    def _feed(
        self, security: Security, made: list[list[Any]], resolution: Any, fill_forward: bool,
        extended: bool,
    ) -> None:  # fmt: skip
        for number, kind in made:
            config = SubscriptionDataConfig(
                number, security, kind, resolution, fill_forward, extended
            )
            self.subscriptions.append(config)
            security.subscriptions.append(config)

    def subscription(self, security: Security, *, quotes: bool = False) -> SubscriptionDataConfig:
        """The one that consolidators and indicators of a security listen to: trades, the first."""
        wanted = [item for item in security.subscriptions if item.is_trade is not quotes]
        if not wanted:
            raise ValueError(f"{security.symbol} has no subscription of that kind of bars")
        return wanted[0]

    def seed(self, security: Security) -> None:
        """Give a security its last known price."""
        for bar in last_known(self, security):
            security.set_market_price(bar)

    def listen(self, security: Security, listener: Listener) -> None:
        """Call `listener(bar)` for every bar, before on_data, in order of registration."""
        self.subscription(security).listeners.append(listener)

    def consolidator(
        self, security: Security, span: Any, *, quotes: bool = False
    ) -> ConsolidatorBase:
        """What a strategy means by a span, for the bars of a security."""
        config = self.subscription(security, quotes=quotes)
        return consolidator_for(
            span, config.resolution, quotes=quotes, extended=config.extended_market_hours,
            strict=self.settings.daily_precise_end_time,
        )  # fmt: skip

    def consolidate(self, security: Security, consolidator: Any) -> None:
        """Feed a consolidator, and have it scanned when its period is over."""
        quotes = takes_quotes(consolidator)
        config = self.subscription(security, quotes=quotes)

        take, scan = spelled(consolidator, "update"), spelled(consolidator, "scan")

        def update(bar: Any) -> None:
            take(bar)
            scan(self.exchange_time)

        self.consolidators[id(consolidator)] = (consolidator, update)
        config.listeners.append(update)

    def drop(self, consolidator: Any) -> None:
        """Feed a consolidator no more."""
        _, update = self.consolidators.pop(id(consolidator), (None, None))
        self.forget([update])

    def wake_at(self) -> int | None:
        """New York seconds at which the first period of a consolidator is over; None for none."""
        ends = [
            end for consolidator, _ in self.consolidators.values()
            if (end := getattr(consolidator, "ends_at", None)) is not None
        ]  # fmt: skip
        return int((min(ends) - EPOCH).total_seconds()) if ends else None

    def wake(self) -> None:
        """Let consolidators emit what is over by now."""
        for consolidator, _ in list(self.consolidators.values()):
            spelled(consolidator, "scan")(self.exchange_time)

    def forget(self, listeners: list[Any]) -> None:
        """Stop calling them."""
        for config in self.subscriptions:
            config.listeners[:] = [item for item in config.listeners if item not in listeners]

    def rows(
        self, subjects: list[int | str], span: list[Any], *, kind: str = "trade", seconds: int = 0,
        fill: bool | None = None, extended: bool | None = None, mode: int | None = None,
    ) -> list[list[list[Any]]]:  # fmt: skip
        """History as columns, start, end, filled and prices, for each subject."""
        found: list[list[list[Any]]] = self.ask(
            ["history", subjects, kind, seconds, fill, extended, mode, *span]
        )
        return found

    def bars(self, securities: list[Security], span: list[Any], **how: Any) -> list[list[TradeBar]]:
        """History up to the clock: `["count", n]`, `["seconds", s]` or `["range", from, to]`."""
        found = self.rows([item.symbol.number for item in securities], span, **how)
        return [
            trade_bars(security.symbol, columns)
            for security, columns in zip(securities, found, strict=True)
        ]

    # Account and events.

    def take_account(self, account: list[float]) -> None:
        """Copy the simulator's cash, fees and net profit."""
        self.portfolio.take(account)

    def order_event(self, event: OrderEvent) -> None:
        """Tell the strategy of a change of one of its orders."""
        if self.on_order_event is not None:
            self.on_order_event(event)

    def ask_to_warm_up(self) -> timedelta | None:
        """Tell the simulator of the warm-up; the length of its bars where they are not the own."""
        if isinstance(self.warm_up, timedelta):
            self.send(["set", "warm_up_seconds", int(self.warm_up.total_seconds())])
        elif self.warm_up is not None:
            self.send(["set", "warm_up_bars", int(self.warm_up)])
        resolution = self.settings.warmup_resolution
        if resolution is None or self.warm_up is None:
            return None
        if resolution not in SECONDS:
            not_modelled(f"Resolution.{Resolution(resolution).name}", "in set_warm_up")
        self.send(["set", "warm_up_resolution", SECONDS[resolution]])
        return timedelta(seconds=SECONDS[resolution])

    def set_cash(self, *args: Any) -> None:
        """`set_cash(100000)` or `set_cash("USD", 100000)`."""
        if isinstance(args[0], str):
            if args[0].upper() != "USD":
                not_modelled("cash in a foreign currency", args[0])
            args = args[1:]
        amount = float(self.fixed.get("cash") or args[0])
        self.portfolio.cash = amount
        self.send(["set", "cash", amount])

    def only_initialize(self, what: str) -> None:
        """LEAN refuses some settings once initialize has returned."""
        if self.locked:
            raise Refused(f"Algorithm.{what}(): Cannot change after algorithm initialized.")

    def quit(self, message: str) -> None:
        """End after the present moment, as LEAN does."""
        self.quitting = True
        self.send(["quit", message[:1000]])
