"""Static classes that models are written with: OrderSizing, Extensions, Time, SymbolCache."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import floor, log10
from typing import Any

from ..alias import both_styles
from ..enums import Resolution
from ..exchange import converted
from ..known import Lean
from ..symbol import Symbol
from .periods import END_OF_TIME, END_OF_TIME_SPAN, SPANS
from .target import on_the_way, whole_lots


@both_styles
class OrderSizing(Lean):
    """How much of a target is still to be ordered, and how much of that at once."""

    @staticmethod
    def get_unordered_quantity(
        algorithm: Any, target: Any, security: Any = None, account_for_fees: bool = False
    ) -> float:
        """What holdings and open orders lack of a target."""
        if security is None:
            security = algorithm.securities[target.symbol]
        missing = target.quantity - security.holdings.quantity
        return whole_lots(security, missing - on_the_way(algorithm, target.symbol))

    @staticmethod
    def get_order_size_for_percent_volume(
        security: Any, maximum_percent_current_volume: float, desired_order_size: float
    ) -> float:
        """At most a share of the present bar's volume."""
        most = maximum_percent_current_volume * security.volume
        size = whole_lots(security, min(most, abs(desired_order_size)))
        return size if desired_order_size > 0 else -size

    @staticmethod
    def get_order_size_for_maximum_value(
        security: Any, maximum_order_value_in_account_currency: float, desired_order_size: float
    ) -> float:
        """At most a value in US dollars."""
        if not security.price:
            return 0.0
        most = whole_lots(security, maximum_order_value_in_account_currency / security.price)
        size = min(most, abs(desired_order_size))
        return size if desired_order_size > 0 else -size

    @staticmethod
    def adjust_by_lot_size(security: Any, quantity: float) -> float:
        return whole_lots(security, quantity)


@both_styles
class BuyingPowerModelExtensions(Lean):
    """What the execution models ask of buying power."""

    @staticmethod
    def above_minimum_order_margin_portfolio_percentage(
        model: Any, security: Any, quantity: float, portfolio: Any, minimum: float
    ) -> bool:
        """Whether an order's margin is worth the order."""
        return margin_suffices(security, quantity, portfolio, minimum)


def margin_suffices(security: Any, quantity: float, portfolio: Any, minimum: float) -> bool:
    """Whether an order takes at least a share of the portfolio as margin."""
    if minimum == 0:
        return True
    margin = abs(quantity * security.price) / security.leverage
    return not portfolio.total_portfolio_value * minimum > margin


@both_styles
class Extensions(Lean):
    """A few of LEAN's extension methods."""

    @staticmethod
    def to_time_span(resolution: Any) -> timedelta:
        return SPANS[Resolution(resolution)]

    @staticmethod
    def get_enum_string(value: Any, kind: Any = None) -> str:
        return str(value if kind is None else kind(value))

    @staticmethod
    def round_to_significant_digits(value: float, digits: int) -> float:
        """Halves to even, as .NET's."""
        return round(value, digits - 1 - floor(log10(abs(value)))) if value else 0.0

    @staticmethod
    def smart_rounding(value: float) -> float:
        """Four decimals above 1000, else seven significant digits."""
        if value > 1000:
            return round(value, 4)
        return Extensions.round_to_significant_digits(value, 7)

    @staticmethod
    def normalize_to_str(value: float) -> str:
        return f"{float(value):.12g}"

    @staticmethod
    def order_targets_by_margin_impact(
        targets: Any, algorithm: Any, target_is_delta: bool = False
    ) -> list[Any]:
        from .target import by_margin_impact

        return by_margin_impact(targets, algorithm, target_is_delta)

    @staticmethod
    def convert_from_utc(time: datetime, to: Any, *rest: Any) -> datetime:
        """A UTC moment as the clocks of a zone show it."""
        return converted(time, to, "local")

    @staticmethod
    def convert_to_utc(time: datetime, source: Any, *rest: Any) -> datetime:
        """The UTC moment at which the clocks of a zone show a time."""
        return converted(time, source, "utc")

    @staticmethod
    def convert_to(time: datetime, source: Any, to: Any, *rest: Any) -> datetime:
        """From the clocks of one zone to those of another."""
        return converted(converted(time, source, "utc"), to, "local")

    @staticmethod
    def round_down(time: datetime, interval: timedelta) -> datetime:
        """The last whole interval since midnight of the year 1 before a moment, or at it."""
        return time - (time - datetime.min) % interval if interval else time

    @staticmethod
    def round_up(time: datetime, interval: timedelta) -> datetime:
        """The first whole interval after a moment, or at it."""
        return time + (datetime.min - time) % interval if interval else time


@both_styles
class Time(Lean):
    """Spans by name."""

    ONE_DAY = OneDay = SPANS[Resolution.DAILY]
    ONE_HOUR = OneHour = SPANS[Resolution.HOUR]
    ONE_MINUTE = OneMinute = SPANS[Resolution.MINUTE]
    ONE_SECOND = OneSecond = SPANS[Resolution.SECOND]
    ONE_YEAR = OneYear = timedelta(days=365)
    END_OF_TIME = EndOfTime = END_OF_TIME
    END_OF_TIME_TIME_SPAN = EndOfTimeTimeSpan = END_OF_TIME_SPAN
    BEGINNING_OF_TIME = BeginningOfTime = datetime(1998, 1, 1)

    @staticmethod
    def multiply(interval: timedelta, multiplier: float) -> timedelta:
        return interval * multiplier


@both_styles
class SymbolCache(Lean):
    """Symbols by ticker."""

    @staticmethod
    def get_symbol(ticker: str) -> Symbol:
        return ticker if isinstance(ticker, Symbol) else Symbol(str(ticker).split(" ")[0])

    @staticmethod
    def get_ticker(symbol: Any) -> str:
        return str(symbol)
