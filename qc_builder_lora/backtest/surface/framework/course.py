"""The framework's part in each moment: insights, then targets, then risk, then orders.

It runs in the warm-up too, as LEAN's does: insights are kept, but no target is executed.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from ..indicators.base import EventHook
from .alphas import AlphaModelExtensions, NullAlphaModel
from .collection import GeneratedInsightsCollection, InsightManager
from .construction import NullPortfolioConstructionModel, PortfolioConstructionModel
from .execution import ExecutionModel, ImmediateExecutionModel
from .insight import Insight, InsightType
from .risk import NullRiskManagementModel
from .selection import NullUniverseSelectionModel
from .sessions import Sessions
from .universe import Universes


class Framework:
    """The models of one strategy, and its insights."""

    def __init__(self, desk: Any) -> None:
        self._desk = desk
        self.alpha: Any = NullAlphaModel()
        self.construction: Any = NullPortfolioConstructionModel()
        self.execution: Any = ImmediateExecutionModel()
        self.risk: Any = NullRiskManagementModel()
        self.selection: Any = NullUniverseSelectionModel()
        self.insights = InsightManager(desk)
        self.sessions = Sessions(desk.ask)
        self.universes = Universes(desk)
        self.generated = EventHook()
        self.active = False
        """Whether the strategy chose any model: without one there is nothing to do."""
        self.debug = False
        self._warned = False

    def choose(self, part: str, model: Any) -> None:
        """Set one of the models."""
        setattr(self, part, model)
        self.active = True

    def post_initialize(self, algorithm: Any) -> None:
        """Once initialize has returned: the settings' word on rebalancing, and the universes."""
        settings, model = algorithm.settings, self.construction
        for name in ("rebalance_portfolio_on_security_changes",
                     "rebalance_portfolio_on_insight_changes"):  # fmt: skip
            wanted = getattr(settings, name)
            if wanted is None:
                continue
            if isinstance(model, PortfolioConstructionModel):
                setattr(model, name.replace("_portfolio", ""), bool(wanted))
        self.universes.take(self.selection.create_universes(algorithm), own=False)

    def on_securities_changed(self, algorithm: Any, changes: Any) -> None:
        """In LEAN's order through the models."""
        if self.debug:
            algorithm.debug(f"{algorithm.time}: {changes}")
        for model in (self.alpha, self.construction, self.execution, self.risk):
            model.on_securities_changed(algorithm, changes)

    def on_order_event(self, algorithm: Any, event: Any) -> None:
        heard = self.execution.on_order_event
        # A strategy's own model in Python is told of the event alone, LEAN's own of both.
        takes = len(inspect.signature(heard).parameters)
        heard(event) if takes == 1 else heard(algorithm, event)

    @property
    def hears_orders(self) -> bool:
        """Whether the execution model listens to order events."""
        own = getattr(self.execution.on_order_event, "__func__", None)
        return own is not ExecutionModel.on_order_event

    def on_data(self, algorithm: Any, now: Any) -> None:
        """Every moment, after the strategy's own on_data."""
        self._refresh(algorithm)
        if self.insights.scores:
            self.insights.step(algorithm.utc_time)
        if not self.active or not now.has_data:
            return
        insights = list(self.alpha.update(algorithm, now) or ())
        if insights:
            insights = self._take(algorithm, insights)
        self._process(algorithm, insights)

    def _refresh(self, algorithm: Any) -> None:
        selection = self.selection
        if selection.refreshes and algorithm.utc_time >= selection.get_next_refresh_time_utc():
            self.universes.take(selection.create_universes(algorithm), own=False)

    def emit(self, algorithm: Any, insights: Iterable[Insight]) -> None:
        """Insights that the strategy itself emits are acted upon at once."""
        if algorithm.is_warming_up:
            if not self._warned:
                algorithm.error("Warning: insights emitted during algorithm warmup are ignored.")
                self._warned = True
            return
        self._process(algorithm, self._take(algorithm, list(insights)))

    def _take(self, algorithm: Any, insights: list[Insight]) -> list[Insight]:
        for insight in insights:
            security = algorithm.securities[insight.symbol]
            insight.generated_time_utc = algorithm.utc_time
            if insight.type == InsightType.PRICE:
                insight.reference_value = security.price
            if not insight.source_model:
                insight.source_model = AlphaModelExtensions.get_model_name(self.alpha)
            insight.settle(self.sessions)
        self.insights.add_range(insights)
        self.generated.fire(algorithm, GeneratedInsightsCollection(algorithm.utc_time, insights))
        if self.debug:
            shown = " | ".join(map(str, sorted(insights, key=lambda item: str(item.symbol))))
            algorithm.log(f"{algorithm.time}: {shown}")
        return insights

    def _process(self, algorithm: Any, insights: list[Insight]) -> None:
        targets = _targets(self.construction.create_targets(algorithm, insights))
        self._mark(algorithm, targets, "PORTFOLIO")
        overrides = _targets(self.risk.manage_risk(algorithm, targets))
        self._mark(algorithm, overrides, "RISK")
        adjusted: dict[Any, Any] = {}
        for target in overrides + targets:
            adjusted.setdefault(target.symbol, target)
        self.execution.execute(algorithm, list(adjusted.values()))

    def _mark(self, algorithm: Any, targets: list[Any], what: str) -> None:
        for target in targets:
            algorithm.securities[target.symbol].holdings.target = target
        if self.debug and targets:
            algorithm.log(f"{algorithm.time}: {what}: {' | '.join(sorted(map(str, targets)))}")


def _targets(found: Any) -> list[Any]:
    return [target for target in found or () if target is not None]
