"""Universe selection models: which universes there are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ..alias import both_styles
from ..enums import SecurityType
from ..known import not_modelled
from .insight import guid
from .spelling import Overridable, adopt, symbol_of
from .universe import ONCE, ScheduledUniverse, Universe


@both_styles
class UniverseSelectionModel(Overridable):
    """Base of selection models; subclasses give `create_universes`."""

    LEAN = "UniverseSelectionModel"

    def create_universes(self, algorithm: Any) -> Any:
        raise NotImplementedError(
            "Types deriving from 'UniverseSelectionModel' must implement the "
            "'IEnumerable<Universe> CreateUniverses(QCAlgorithm) method."
        )

    def get_next_refresh_time_utc(self) -> datetime:
        """When the universes shall be created anew: never."""
        return datetime.max

    @property
    def refreshes(self) -> bool:
        """Whether the strategy gave a refresh time of its own."""
        own = getattr(self.get_next_refresh_time_utc, "__func__", None)
        return own is not UniverseSelectionModel.get_next_refresh_time_utc


def as_selection(model: Any) -> Any:
    """A model, or an object that looks like one."""
    return adopt(model, UniverseSelectionModel, "IUniverseSelectionModel", ("create_universes",))


@both_styles
class NullUniverseSelectionModel(UniverseSelectionModel):
    """No universe of its own."""

    def create_universes(self, algorithm: Any) -> Any:
        return []


@both_styles
class ManualUniverseSelectionModel(UniverseSelectionModel):
    """Certain securities, from the start to the end."""

    def __init__(self, *symbols: Any, **named: Any) -> None:
        things = list(symbols) or [named.pop("symbols", [])]
        settings = named.pop("universe_settings", None)
        if len(things) == 2 and hasattr(things[1], "minimum_time_in_universe"):
            settings = things.pop()
        if len(things) == 1 and not isinstance(things[0], str):
            things = list(things[0])
        self._symbols = [symbol_of(thing) for thing in things]
        self._settings = settings
        self._name = f"manual-universe-selection-model-equity-usa-{guid()}"

    def create_universes(self, algorithm: Any) -> Any:
        settings = self._settings or algorithm.universe_settings
        symbols = self._symbols
        return [Universe(self._name, lambda now: symbols, settings, ONCE)]


@both_styles
class CustomUniverseSelectionModel(UniverseSelectionModel):
    """Tickers that a function chooses every day, or every so often."""

    def __init__(self, *args: Any, **named: Any) -> None:
        """`(name, selector)`, or `(type, name, market, selector, settings, interval)`."""
        names: tuple[str, ...] = ("name", "selector")
        if not (args and isinstance(args[0], str)) and (args or "security_type" in named):
            names = ("security_type", "name", "market", "selector", "universe_settings", "interval")
        given = dict(zip(names, args, strict=False)) | named
        if given.get("security_type", SecurityType.EQUITY) != SecurityType.EQUITY:
            not_modelled("CustomUniverseSelectionModel", f"{given['security_type']}")
        self._name = given["name"]
        self._selector: Callable[[datetime], Any] | None = given.get("selector")
        self._settings = given.get("universe_settings")
        self._interval = given.get("interval") or timedelta(days=1)

    def create_universes(self, algorithm: Any) -> Any:
        settings = self._settings or algorithm.universe_settings
        return [
            Universe(self._name, lambda now: self.select(algorithm, now), settings, self._interval)
        ]

    def select(self, algorithm: Any, date: datetime) -> Any:
        """The tickers at a moment of New York's clock."""
        if self._selector is None:
            raise ValueError("The selector of CustomUniverseSelectionModel was not set.")
        return self._selector(date)


@both_styles
class InceptionDateUniverseSelectionModel(CustomUniverseSelectionModel):
    """Each ticker from its own date on."""

    def __init__(self, name: str, tickers_by_date: dict[str, datetime]) -> None:
        super().__init__(name, None)
        self._dates = dict(tickers_by_date)

    def select(self, algorithm: Any, date: datetime) -> Any:
        return [ticker for ticker, begin in self._dates.items() if begin <= date]


@both_styles
class ScheduledUniverseSelectionModel(UniverseSelectionModel):
    """Symbols that a function chooses at the times of a date rule and a time rule."""

    def __init__(self, *args: Any, **named: Any) -> None:
        self._given = (args, named)
        self._name = f"schedule-universe-selection-model-{guid()}"

    def create_universes(self, algorithm: Any) -> Any:
        args, named = self._given
        universe = ScheduledUniverse(*args, **named)
        universe.name = self._name
        return [universe]


@both_styles
class CompositeUniverseSelectionModel(UniverseSelectionModel):
    """The universes of several models."""

    def __init__(self, *universe_selection_models: Any) -> None:
        models = universe_selection_models
        if len(models) == 1 and isinstance(models[0], list | tuple):
            models = tuple(models[0])
        self._models = [as_selection(model) for model in models]

    def create_universes(self, algorithm: Any) -> Any:
        return [item for model in self._models for item in model.create_universes(algorithm)]

    def get_next_refresh_time_utc(self) -> datetime:
        times: list[datetime] = [model.get_next_refresh_time_utc() for model in self._models]
        return min(times)

    @property
    def refreshes(self) -> bool:
        return any(model.refreshes for model in self._models)

    def add_universe_selection(self, universe_selection_model: Any) -> None:
        self._models.append(as_selection(universe_selection_model))
