"""QCAlgorithm's methods for the framework and for universes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from ..alias import both_styles
from ..enums import Resolution, SecurityType
from ..known import Lean, not_modelled
from ..symbol import KeyValuePair
from .alphas import CompositeAlphaModel, NullAlphaModel, as_alpha
from .collection import InsightManager
from .construction import as_construction
from .course import Framework
from .execution import as_execution
from .insight import Insight
from .periods import SPANS
from .risk import CompositeRiskManagementModel, NullRiskManagementModel, as_risk
from .selection import (
    CompositeUniverseSelectionModel,
    NullUniverseSelectionModel,
    as_selection,
)
from .universe import Universe


class FrameworkMethods:
    """Choosing models, emitting insights, adding universes."""

    _desk: Any

    @property
    def _framework(self) -> Framework:
        found: Framework = self._desk.framework
        return found

    # Models.

    @property
    def alpha(self) -> Any:
        return self._framework.alpha

    @alpha.setter
    def alpha(self, model: Any) -> None:
        self.set_alpha(model)

    def set_alpha(self, alpha: Any) -> None:
        self._framework.choose("alpha", as_alpha(alpha))

    def add_alpha(self, alpha: Any) -> None:
        present, alpha = self._framework.alpha, as_alpha(alpha)
        if isinstance(present, CompositeAlphaModel):
            present.add_alpha(alpha)
        elif type(present) is NullAlphaModel:
            self._framework.choose("alpha", alpha)
        else:
            self._framework.choose("alpha", CompositeAlphaModel(present, alpha))

    @property
    def portfolio_construction(self) -> Any:
        return self._framework.construction

    @portfolio_construction.setter
    def portfolio_construction(self, model: Any) -> None:
        self.set_portfolio_construction(model)

    def set_portfolio_construction(self, portfolio_construction: Any) -> None:
        self._framework.choose("construction", as_construction(portfolio_construction))

    @property
    def execution(self) -> Any:
        return self._framework.execution

    @execution.setter
    def execution(self, model: Any) -> None:
        self.set_execution(model)

    def set_execution(self, execution: Any) -> None:
        self._framework.choose("execution", as_execution(execution))

    @property
    def risk_management(self) -> Any:
        return self._framework.risk

    @risk_management.setter
    def risk_management(self, model: Any) -> None:
        self.set_risk_management(model)

    def set_risk_management(self, risk_management: Any) -> None:
        self._framework.choose("risk", as_risk(risk_management))

    def add_risk_management(self, risk_management: Any) -> None:
        present, added = self._framework.risk, as_risk(risk_management)
        if isinstance(present, CompositeRiskManagementModel):
            present.add_risk_management(added)
        elif type(present) is NullRiskManagementModel:
            self._framework.choose("risk", added)
        else:
            self._framework.choose("risk", CompositeRiskManagementModel(present, added))

    @property
    def debug_mode(self) -> bool:
        return self._framework.debug

    @debug_mode.setter
    def debug_mode(self, value: bool) -> None:
        self._framework.debug = bool(value)

    # Insights.

    @property
    def insights(self) -> InsightManager:
        return self._framework.insights

    @property
    def insights_generated(self) -> Any:
        return self._framework.generated

    @insights_generated.setter
    def insights_generated(self, hook: Any) -> None:
        self._framework.generated = hook

    def emit_insights(self, *insights: Any) -> None:
        """Act on insights of the strategy's own, now."""
        given: list[Insight] = []
        for item in insights:
            given.extend(item if isinstance(item, Iterable) else [item])
        self._framework.emit(self, given)

    # Universes.

    @property
    def universe_selection(self) -> Any:
        return self._framework.selection

    @universe_selection.setter
    def universe_selection(self, model: Any) -> None:
        self.set_universe_selection(model)

    def set_universe_selection(self, universe_selection: Any) -> None:
        self._framework.selection = as_selection(universe_selection)

    def add_universe_selection(self, universe_selection: Any) -> None:
        framework, added = self._framework, as_selection(universe_selection)
        present = framework.selection
        if isinstance(present, CompositeUniverseSelectionModel):
            present.add_universe_selection(added)
        elif type(present) is NullUniverseSelectionModel:
            framework.selection = added
        else:
            framework.selection = CompositeUniverseSelectionModel(present, added)

    @property
    def universe_manager(self) -> UniverseManager:
        return UniverseManager(self._framework)

    def add_universe(self, *args: Any, **named: Any) -> Universe:
        """`(name, selector)`, `(name, resolution, selector)`, or LEAN's long form with settings."""
        given = [*args, *named.values()]
        if len(given) == 1 and isinstance(given[0], Universe):
            self._framework.universes.take(given, own=True)
            return given[0]
        texts = [item for item in given if type(item) is str and item.lower() != "usa"]
        selector = next((item for item in reversed(given) if callable(item)), None)
        if not texts or selector is None or any(isinstance(item, type) for item in given):
            not_modelled("QCAlgorithm.add_universe", "needs fundamental or other data")
        kinds = [item for item in given if isinstance(item, type(SecurityType.EQUITY))]
        if kinds and kinds[0] != SecurityType.EQUITY:
            not_modelled("QCAlgorithm.add_universe", f"SecurityType.{kinds[0].name}")
        made = Universe(texts[0], selector, self._settings(given), _interval(given))
        self._framework.universes.take([made], own=True)
        return made

    def _settings(self, given: list[Any]) -> Any:
        own = [item for item in given if hasattr(item, "minimum_time_in_universe")]
        return own[0] if own else self._desk.universe


def _interval(given: list[Any]) -> timedelta:
    resolution = next(
        (item for item in given if isinstance(item, type(Resolution.DAILY))), Resolution.DAILY
    )
    return SPANS[resolution]


@both_styles
class UniverseManager(Lean):
    """`self.universe_manager`: universes by name, and the securities that are in any of them."""

    def __init__(self, framework: Framework) -> None:
        self._framework = framework

    @property
    def count(self) -> int:
        return len(self._framework.universes.by_name)

    @property
    def active_securities(self) -> Any:
        return self._framework._desk.securities

    def contains_key(self, name: str) -> bool:
        return name in self._framework.universes.by_name

    def keys(self) -> list[str]:
        return list(self._framework.universes.by_name)

    def values(self) -> list[Universe]:
        return list(self._framework.universes.by_name.values())

    def items(self) -> list[tuple[str, Universe]]:
        return list(self._framework.universes.by_name.items())

    def __getitem__(self, name: str) -> Universe:
        return self._framework.universes.by_name[name]

    def __contains__(self, name: str) -> bool:
        return self.contains_key(name)

    def __iter__(self) -> Iterator[KeyValuePair]:
        return iter([KeyValuePair(*pair) for pair in self.items()])

    def __len__(self) -> int:
        return self.count
