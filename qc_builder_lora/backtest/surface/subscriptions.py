"""Subscriptions of a strategy: which bars of a security arrive, and who listens to them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from .alias import both_styles
from .bars import TradeBar
from .enums import Resolution, enum
from .known import Lean
from .quotes import QuoteBar

if TYPE_CHECKING:
    from .security import Security

Listener = Callable[[Any], Any]
SECONDS = {
    Resolution.SECOND: 1, Resolution.MINUTE: 60, Resolution.HOUR: 3600, Resolution.DAILY: 86400,
}  # fmt: skip


class Counted(list[Any]):
    """A C# collection: `.count` is how many there are."""

    @property
    def count(self) -> int:  # type: ignore[override]
        return len(self)

    Count = count


@both_styles
class SubscriptionDataConfig(Lean):
    """One kind of bars of one security at one resolution."""

    def __init__(
        self, number: int, security: Security, kind: str, resolution: Any, fill_forward: bool,
        extended: bool,
    ) -> None:  # fmt: skip
        self.number = number
        self.security = security
        self.symbol = security.symbol
        self.is_trade = kind == "trade"
        self.resolution = resolution
        self.increment = timedelta(seconds=SECONDS[resolution])
        self.is_daily = resolution == Resolution.DAILY
        self.fill_data_forward = fill_forward
        self.extended_market_hours = extended
        self.listeners: list[Listener] = []
        self.is_internal_feed = False
        self.is_custom_data = False
        self.exchange_time_zone = self.data_time_zone = "America/New_York"

    @property
    def type(self) -> type:
        return TradeBar if self.is_trade else QuoteBar

    @property
    def tick_type(self) -> Any:
        ticks = enum("TickType")
        return ticks.TRADE if self.is_trade else ticks.QUOTE

    @property
    def security_type(self) -> Any:
        return self.security.type

    @property
    def consolidators(self) -> Counted:
        """Who is fed by it: consolidators, and indicators on its own bars."""
        return Counted(self.listeners)

    @property
    def mapped_symbol(self) -> str:
        return str(self.symbol)

    @property
    def data_normalization_mode(self) -> Any:
        return self.security.data_normalization_mode

    def __repr__(self) -> str:
        return f"{self.symbol},#{self.number},{self.type.__name__},{self.resolution}"


@both_styles
class SubscriptionManager(Lean):
    """`self.subscription_manager`: what is subscribed to, and consolidators of a strategy's own."""

    def __init__(self, desk: Any) -> None:
        self._desk = desk

    @property
    def subscriptions(self) -> Counted:
        """All that bars still come in of."""
        return Counted(
            item for item in self._desk.subscriptions if item in item.security.subscriptions
        )

    @property
    def count(self) -> int:
        return len(self.subscriptions)

    @property
    def subscription_data_config_service(self) -> SubscriptionManager:
        return self

    def get_subscription_data_configs(self, symbol: Any, *rest: Any) -> Counted:
        """Those of one security."""
        return Counted(self._desk.security(symbol).subscriptions)

    def add_consolidator(self, symbol: Any, consolidator: Any, *rest: Any) -> None:
        self._desk.consolidate(self._desk.security(symbol), consolidator)

    def remove_consolidator(self, symbol: Any, consolidator: Any) -> None:
        self._desk.drop(consolidator)
