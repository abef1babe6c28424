"""Small classes of LEAN that strategies name now and then."""

from __future__ import annotations

from typing import Any

from .alias import both_styles, pascal
from .colors import Color
from .keywords import lean_names
from .known import Lean, members


@both_styles
class Market(Lean):
    """Markets by name."""

    USA = "usa"


# The others may be named; what trades there is not modelled.
_METHODS = frozenset({
    "add", "decode", "encode", "equals", "get_hash_code", "get_type", "memberwise_clone",
    "reference_equals", "supported_markets", "to_string", "usa",
})  # fmt: skip
for _market in members("Market") - _METHODS:
    setattr(Market, _market.upper(), _market.replace("_", ""))
    setattr(Market, pascal(_market), _market.replace("_", ""))


@both_styles
class BrokerageModelSecurityInitializer(Lean):
    """Seeds the price of each security that is added."""

    def __init__(self, brokerage_model: Any = None, seeder: Any = None) -> None:
        self._seeder = seeder

    def initialize(self, security: Any) -> None:
        if self._seeder is not None:
            self._seeder.seed_security(security)


@both_styles
class FuncSecuritySeeder(Lean):
    """Seeds with what a function gives for a security."""

    def __init__(self, function: Any) -> None:
        self._function = function

    def seed_security(self, security: Any) -> bool:
        found = self._function(security)
        bars = found if isinstance(found, list) else [found]
        for bar in bars:
            security.set_market_price(bar)
        return any(bar is not None for bar in bars)


@both_styles
class SecurityChanges(Lean):
    """What `on_securities_changed` is told."""

    def __init__(self, added: list[Any], removed: list[Any]) -> None:
        # LEAN gives both in order of their tickers.
        self.added_securities = sorted(added, key=lambda item: str(item.symbol))
        self.removed_securities = sorted(removed, key=lambda item: str(item.symbol))

    @property
    def count(self) -> int:
        return len(self.added_securities) + len(self.removed_securities)

    def __repr__(self) -> str:
        words = [
            f"{word}: {','.join(str(item.symbol) for item in items)}"
            for word, items in (
                ("Added", self.added_securities), ("Removed", self.removed_securities)
            )
            if items
        ]  # fmt: skip
        return f"SecurityChanges: {' '.join(words) or 'None'}"


@both_styles
class Chart(Lean):
    """A chart's name; its look is not kept."""

    def __init__(self, name: str = "", symbol: Any = None) -> None:
        self.name = name

    def add_series(self, series: Any) -> None:
        """Series are recorded by what is plotted on them."""


@both_styles
class Series(Lean):
    """A series' name; its look is not kept."""

    @lean_names("name type unit color symbol", "name type index unit")
    def __init__(self, name: str = "", *rest: Any) -> None:
        self.name = name


class _TimeZones:
    """Time zones by name: all that LEAN's TimeZones has."""

    NEW_YORK = NewYork = "America/New_York"
    UTC = Utc = "UTC"


_ZONES = (
    "Africa/Cairo Africa/Johannesburg America/Anchorage America/Argentina/Buenos_Aires "
    "America/Chicago America/Denver America/Detroit America/Los_Angeles America/Mexico_City "
    "America/Phoenix America/Sao_Paulo America/Toronto America/Vancouver Asia/Hong_Kong "
    "Asia/Jerusalem Asia/Shanghai Asia/Tokyo Australia/Brisbane Australia/Melbourne "
    "Australia/Sydney Europe/Amsterdam Europe/Athens Europe/Berlin Europe/Bucharest Europe/Dublin "
    "Europe/Helsinki Europe/Istanbul Europe/London Europe/Madrid Europe/Minsk Europe/Moscow "
    "Europe/Paris Europe/Rome Europe/Zurich Pacific/Auckland Pacific/Honolulu"
)
for _name in _ZONES.split():
    _city = _name.rpartition("/")[2]
    setattr(_TimeZones, _city.upper(), _name)
    setattr(_TimeZones, _city.replace("_", ""), _name)
# Five hours behind all the year round; the database of time zones has the sign the other way.
_TimeZones.EASTERN_STANDARD = _TimeZones.EasternStandard = "Etc/GMT+5"  # type: ignore[attr-defined]


class Currencies(Lean):
    """The codes of the currencies that LEAN has members for; the account is in US dollars."""

    USD, EUR, GBP, INR, IDR = "USD", "EUR", "GBP", "INR", "IDR"
    CNH, CHF, HKD, JPY = "CNH", "CHF", "HKD", "JPY"
    NULL_CURRENCY = NullCurrency = "QCC"
    """LEAN's word for no currency."""


EXTRAS: dict[str, Any] = {
    "Currencies": Currencies,
    "Market": Market,
    "BrokerageModelSecurityInitializer": BrokerageModelSecurityInitializer,
    "FuncSecuritySeeder": FuncSecuritySeeder,
    "SecurityChanges": SecurityChanges,
    "Chart": Chart,
    "Color": Color,
    "Series": Series,
    "CandlestickSeries": Series,
    "TimeZones": _TimeZones,
}
