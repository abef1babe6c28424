"""Portfolios by plain weights: equal, by insight weight, by confidence, and accumulative."""

from __future__ import annotations

from typing import Any

from ..alias import both_styles
from ..enums import Resolution
from ..known import not_modelled
from .construction import PortfolioBias, PortfolioConstructionModel, respects
from .insight import Insight

_RULES = (
    "rebalance", "rebalancing_func", "rebalancing_date_rules", "rebalance_resolution",
    "time_span",
)  # fmt: skip


def rule_of(rebalance: Any, named: dict[str, Any], what: str) -> Any:
    """The rebalancing rule under whichever of LEAN's names it was given."""
    for name in _RULES:
        if name in named:
            rebalance = named.pop(name)
    if named:
        raise TypeError(f"No method matches given arguments for {what}: {next(iter(named))}")
    return rebalance


@both_styles
class EqualWeightingPortfolioConstructionModel(PortfolioConstructionModel):
    """The same share for every security with an insight up or down."""

    def __init__(
        self,
        rebalance: Any = Resolution.DAILY,
        portfolio_bias: Any = PortfolioBias.LONG_SHORT,
        **named: Any,
    ) -> None:
        if "resolution" in named:
            rebalance = named.pop("resolution")
        super().__init__(rule_of(rebalance, named, type(self).__name__))
        self.portfolio_bias = portfolio_bias

    portfolio_bias = PortfolioBias.LONG_SHORT

    def determine_target_percent(self, active_insights: list[Insight]) -> dict[Insight, float]:
        counted = sum(
            1
            for insight in active_insights
            if insight.direction and self.respect_portfolio_bias(insight)
        )
        share = 1.0 / counted if counted else 0.0
        return {
            insight: (int(insight.direction) if self.respect_portfolio_bias(insight) else 0) * share
            for insight in active_insights
        }

    def respect_portfolio_bias(self, insight: Insight) -> bool:
        """Whether the insight's direction goes with the portfolio's bias."""
        return respects(self.portfolio_bias, int(insight.direction))


@both_styles
class InsightWeightingPortfolioConstructionModel(EqualWeightingPortfolioConstructionModel):
    """Shares by the insights' weights, scaled down where they add up to more than one."""

    def should_create_target_for_insight(self, insight: Insight) -> bool:
        return insight.weight is not None

    def determine_target_percent(self, active_insights: list[Insight]) -> dict[Insight, float]:
        total = sum(
            self.get_value(insight)
            for insight in active_insights
            if self.respect_portfolio_bias(insight)
        )
        factor = 1 / total if total > 1 else 1.0
        return {
            insight: (int(insight.direction) if self.respect_portfolio_bias(insight) else 0)
            * self.get_value(insight) * factor
            for insight in active_insights
        }  # fmt: skip

    def get_value(self, insight: Insight) -> float:
        """What the insight weighs."""
        return abs(float(insight.weight or 0.0))


@both_styles
class ConfidenceWeightedPortfolioConstructionModel(InsightWeightingPortfolioConstructionModel):
    """Shares by the insights' confidence."""

    def should_create_target_for_insight(self, insight: Insight) -> bool:
        return insight.confidence is not None

    def get_value(self, insight: Insight) -> float:
        return abs(float(insight.confidence or 0.0))


@both_styles
class AccumulativeInsightPortfolioConstructionModel(EqualWeightingPortfolioConstructionModel):
    """Every active insight moves its symbol's share by a fixed step."""

    def __init__(
        self,
        rebalance: Any = None,
        portfolio_bias: Any = PortfolioBias.LONG_SHORT,
        percent: float = 0.03,
        **named: Any,
    ) -> None:
        super().__init__(rebalance, portfolio_bias, **named)
        self.percent = abs(percent)

    def get_target_insights(self) -> list[Insight]:
        """All active insights, the oldest first: each of them counts."""
        insights = self.algorithm.insights.get_active_insights(self.algorithm.utc_time)
        wanted = filter(self.should_create_target_for_insight, insights)
        return sorted(wanted, key=lambda insight: insight.generated_time_utc)

    def determine_target_percent(self, active_insights: list[Insight]) -> dict[Insight, float]:
        shares: dict[Any, float] = {}
        last: dict[Any, Insight] = {}
        for insight in active_insights:
            share = shares.get(insight.symbol)
            if share is not None and not insight.direction:
                share = self._towards_zero(share)
            share = (share or 0.0) + self.percent * int(insight.direction)
            if not respects(self.portfolio_bias, share):
                share = 0.0
            shares[insight.symbol] = share
            last[insight.symbol] = insight
        return {insight: shares[symbol] for symbol, insight in last.items()}

    def _towards_zero(self, share: float) -> float:
        if abs(share) < self.percent:
            return 0.0
        return share - self.percent if share > 0 else share + self.percent


class SectorWeightingPortfolioConstructionModel:
    """Needs each company's sector, which the simulator's data does not have."""

    def __init__(self, *args: Any, **named: Any) -> None:
        not_modelled("SectorWeightingPortfolioConstructionModel", "needs fundamental data")
