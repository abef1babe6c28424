"""Portfolio construction: from insights to targets, and when it is time for new ones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ..alias import both_styles
from ..enums import Resolution, enum
from ..schedule import DateRule
from .insight import Insight
from .periods import END_OF_TIME, SPANS
from .sessions import EPOCH
from .spelling import Overridable, adopt
from .target import PortfolioTarget

PortfolioBias = enum("PortfolioBias")
Rebalance = Callable[[datetime], Any]
"""From a UTC moment to the next one at which targets are due, or None where it is not known yet."""


def rebalancing(rule: Any, model: PortfolioConstructionModel) -> Rebalance | None:
    """A rule as a function: a resolution, a time span, a date rule, a function, or nothing."""
    if isinstance(rule, type(Resolution.DAILY)):
        rule = SPANS[rule]
    if isinstance(rule, timedelta):
        span = rule
        return (lambda utc: utc + span) if span else None
    if isinstance(rule, DateRule):
        return _Dates(rule, model)
    return rule if callable(rule) else None


class _Dates:
    """The days of a date rule, one after the other, as LEAN's IDateRule.ToFunc gives them."""

    def __init__(self, rule: DateRule, model: PortfolioConstructionModel) -> None:
        self._rule = rule
        self._model = model
        self._days: list[datetime] = []

    def __call__(self, utc: datetime) -> datetime:
        if not self._days:
            self._days = self._from(utc)
        if utc >= self._days[0]:
            last = self._days.pop(0)
            if not self._days:
                self._days = [day for day in self._from(last) if day > last] or [END_OF_TIME]
        return self._days[0]

    def _from(self, moment: datetime) -> list[datetime]:
        day = (moment - EPOCH).days
        found = self._model.algorithm._desk.ask(["dates", self._rule.rule, day])
        return [EPOCH + timedelta(days=number) for number in found] or [END_OF_TIME]


@both_styles
class PortfolioConstructionModel(Overridable):
    """Base: the last active insight of each symbol gets a share of the portfolio.

    Subclasses give `determine_target_percent`, or `create_targets` as a whole.
    """

    LEAN = "PortfolioConstructionModel"
    # On the class, so that a subclass that does not call this __init__ works, as in LEAN.
    algorithm: Any = None
    _on_securities = _on_insights = True
    _rebalance: Rebalance | None = None
    _due: datetime | None = None
    _securities_changed = False

    def __init__(self, rebalancing_func: Any = None) -> None:
        self._rebalance = rebalancing(rebalancing_func, self)

    @property
    def rebalance_on_security_changes(self) -> bool:
        return self._on_securities

    @rebalance_on_security_changes.setter
    def rebalance_on_security_changes(self, value: bool) -> None:
        self._on_securities = value

    @property
    def rebalance_on_insight_changes(self) -> bool:
        return self._on_insights

    @rebalance_on_insight_changes.setter
    def rebalance_on_insight_changes(self, value: bool) -> None:
        self._on_insights = value

    @property
    def Algorithm(self) -> Any:  # noqa: N802
        return self.algorithm

    def set_rebalancing_func(self, rebalance: Any) -> None:
        """A function, a date rule or a time span."""
        self._rebalance = rebalancing(rebalance, self)

    def create_targets(self, algorithm: Any, insights: Any) -> Any:
        """Targets for the active insights, and none of a symbol whose insights have expired."""
        self.algorithm = algorithm
        if not self.is_rebalance_due(insights, algorithm.utc_time):
            return []
        active = list(self.get_target_insights())
        shares = self.determine_target_percent(active)
        targets, failed = [], set()
        for insight in active:
            if insight not in shares:
                continue
            # The insight's tag stays its own: LEAN's published orders of tagged insights have none.
            target = PortfolioTarget.percent(algorithm, insight.symbol, float(shares[insight]))
            if target is None:
                failed.add(insight.symbol)
            else:
                targets.append(target)
        return targets + self._flat(algorithm, failed)

    def _flat(self, algorithm: Any, failed: set[Any]) -> list[PortfolioTarget]:
        now, insights = algorithm.utc_time, algorithm.insights
        expired = dict.fromkeys(item.symbol for item in insights.remove_expired_insights(now))
        return [
            PortfolioTarget(symbol, 0)
            for symbol in expired
            if symbol not in failed and not insights.has_active_insights(symbol, now)
        ]

    def on_securities_changed(self, algorithm: Any, changes: Any) -> None:
        if self.algorithm is None:
            self.algorithm = algorithm
        self._securities_changed = bool(changes.count)
        algorithm.insights.expire([item.symbol for item in changes.removed_securities])

    def get_target_insights(self) -> list[Insight]:
        """The last generated of each symbol's active insights that a target is wanted for."""
        now = self.algorithm.utc_time
        last: dict[Any, Insight] = {}
        for insight in self.algorithm.insights.get_active_insights(now):
            if not self.should_create_target_for_insight(insight):
                continue
            known = last.get(insight.symbol)
            if known is None or insight.generated_time_utc >= known.generated_time_utc:
                last[insight.symbol] = insight
        return list(last.values())

    def should_create_target_for_insight(self, insight: Insight) -> bool:
        return True

    def determine_target_percent(self, active_insights: list[Insight]) -> dict[Insight, float]:
        raise NotImplementedError(
            "Types deriving from 'PortfolioConstructionModel' must implement the "
            "'Dictionary<Insight, double> DetermineTargetPercent(ICollection<Insight>)' method."
        )

    def is_rebalance_due(self, insights: Any, algorithm_utc: datetime) -> bool:
        """Whether new targets are wanted now; without a rule they always are."""
        if self._rebalance is None:
            self.refresh_rebalance(algorithm_utc)
            return True
        if self._due is None:
            self._due = self._rebalance(algorithm_utc)
            if self._due is not None and self._due <= algorithm_utc:
                # Asked again at the next moment: a function must not be asked twice at one.
                self._due = None
                self._securities_changed = False
                return True
        if (
            (self._due is not None and self._due <= algorithm_utc)
            or (self.rebalance_on_security_changes and self._securities_changed)
            or (self.rebalance_on_insight_changes and self._insights_changed(insights))
        ):
            self.refresh_rebalance(algorithm_utc)
            return True
        return False

    def _insights_changed(self, insights: Any) -> bool:
        if len(insights):
            return True
        expiry = self.algorithm.insights.get_next_expiry_time()
        return expiry is not None and expiry < self.algorithm.utc_time

    def refresh_rebalance(self, algorithm_utc: datetime) -> None:
        if self._rebalance is not None:
            self._due = self._rebalance(algorithm_utc)
        self._securities_changed = False

    @staticmethod
    def filter_invalid_insight_magnitude(algorithm: Any, insights: list[Insight]) -> list[Insight]:
        """Without the insights whose magnitude the settings do not allow as a share."""
        settings = algorithm.settings
        most = settings.max_absolute_portfolio_target_percentage
        least = settings.min_absolute_portfolio_target_percentage
        kept = []
        for insight in insights:
            size = abs(insight.magnitude or 0.0)
            if size > most or 0 < size < least:
                algorithm.error(
                    "PortfolioConstructionModel.FilterInvalidInsightMagnitude():The insight "
                    f"target Magnitude: {insight.magnitude:g}, will not comply with the current "
                    f"'Algorithm.Settings' 'MaxAbsolutePortfolioTargetPercentage': {most:g} or "
                    f"'MinAbsolutePortfolioTargetPercentage': {least:g}. Skipping insight."
                )
            else:
                kept.append(insight)
        return kept


def as_construction(model: Any) -> Any:
    """A model, or an object that looks like one."""
    required = ("create_targets", "on_securities_changed")
    return adopt(model, PortfolioConstructionModel, "IPortfolioConstructionModel", required)


@both_styles
class NullPortfolioConstructionModel(PortfolioConstructionModel):
    """Wants nothing."""

    def create_targets(self, algorithm: Any, insights: Any) -> Any:
        return []


def respects(bias: Any, direction: float) -> bool:
    """Whether a direction, or a share's sign, goes with a portfolio's bias."""
    return bool(bias == PortfolioBias.LONG_SHORT or (direction > 0) - (direction < 0) == int(bias))
