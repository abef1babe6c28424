"""Portfolios by optimisation over past returns: mean-variance, risk parity, Black-Litterman."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from ..alias import both_styles
from ..enums import Resolution
from .construction import PortfolioBias, PortfolioConstructionModel, respects
from .insight import Insight
from .optimisers import (
    MaximumSharpeRatioPortfolioOptimizer,
    MinimumVariancePortfolioOptimizer,
    RiskParityPortfolioOptimizer,
    as_optimiser,
)
from .returns import ReturnsSymbolData, covariance, follow_returns, numpy, returns_matrix
from .weighting import rule_of


class _Optimising(PortfolioConstructionModel):
    """Keeps past returns of every security, and turns an optimiser's weights into shares."""

    lookback, period = 1, 63
    resolution: Any = Resolution.DAILY
    portfolio_bias: Any = PortfolioBias.LONG_SHORT

    def _begin(
        self, rebalance: Any, named: dict[str, Any], bias: Any, lookback: int, period: int,
        resolution: Any, optimizer: Any,
    ) -> None:  # fmt: skip
        PortfolioConstructionModel.__init__(self, rule_of(rebalance, named, type(self).__name__))
        self.portfolio_bias = bias
        self.lookback = lookback
        self.period = period
        self.resolution = resolution
        self._optimise = as_optimiser(optimizer)
        self._known: dict[Any, ReturnsSymbolData] = {}

    def on_securities_changed(self, algorithm: Any, changes: Any) -> None:
        super().on_securities_changed(algorithm, changes)
        follow_returns(self._known, algorithm, changes, self.lookback, self.period, self.resolution)

    def determine_target_percent(self, active_insights: list[Insight]) -> dict[Insight, float]:
        if not active_insights:
            return {}
        symbols = [insight.symbol for insight in active_insights]
        weights = self._optimise(returns_matrix(self._known, symbols))
        return self._shares(active_insights, weights)

    def _shares(self, insights: list[Insight], weights: Any) -> dict[Insight, float]:
        return {
            insight: float(weight) if respects(self.portfolio_bias, weight) else 0.0
            for insight, weight in zip(insights, weights, strict=False)
        }

    def _magnitude(self, insight: Insight) -> float:
        if insight.magnitude is None:
            raise ValueError(
                f"{type(self).__name__} does not accept 'null' as Insight.Magnitude. Please make "
                "sure your Alpha Model is generating Insights with the Magnitude property set."
            )
        return float(insight.magnitude)


def _limits(bias: Any) -> tuple[float, float]:
    return (
        0.0 if bias == PortfolioBias.LONG else -1.0,
        0.0 if bias == PortfolioBias.SHORT else 1.0,
    )


@both_styles
class MeanVarianceOptimizationPortfolioConstructionModel(_Optimising):
    """Markowitz's portfolio, by default the one of least variance at a target return."""

    def __init__(
        self, rebalance: Any = Resolution.DAILY, portfolio_bias: Any = PortfolioBias.LONG_SHORT,
        lookback: int = 1, period: int = 63, resolution: Any = Resolution.DAILY,
        target_return: float = 0.02, optimizer: Any = None, **named: Any,
    ) -> None:  # fmt: skip
        if optimizer is None:
            limits = _limits(portfolio_bias)
            optimizer = MinimumVariancePortfolioOptimizer(*limits, target_return)
        self._begin(rebalance, named, portfolio_bias, lookback, period, resolution, optimizer)

    def should_create_target_for_insight(self, insight: Insight) -> bool:
        if not self.filter_invalid_insight_magnitude(self.algorithm, [insight]):
            return False
        known = self._known.get(insight.symbol)
        if known is not None:
            known.add(self.algorithm.time, self._magnitude(insight))
        return True


@both_styles
class RiskParityPortfolioConstructionModel(_Optimising):
    """The same risk from every security."""

    def __init__(
        self, rebalance: Any = Resolution.DAILY, portfolio_bias: Any = PortfolioBias.LONG_SHORT,
        lookback: int = 1, period: int = 252, resolution: Any = Resolution.DAILY,
        optimizer: Any = None, **named: Any,
    ) -> None:  # fmt: skip
        if portfolio_bias == PortfolioBias.SHORT:
            raise ValueError(
                "Long position must be allowed in RiskParityPortfolioConstructionModel."
            )
        optimizer = optimizer or RiskParityPortfolioOptimizer()
        self._begin(rebalance, named, portfolio_bias, lookback, period, resolution, optimizer)

    def on_securities_changed(self, algorithm: Any, changes: Any) -> None:
        for security in changes.removed_securities:
            if security.symbol in self._known:
                algorithm.deregister_indicator(self._known[security.symbol].roc)
        before = set(self._known)
        super().on_securities_changed(algorithm, changes)
        for symbol in self._known:
            if symbol not in before:
                algorithm.register_indicator(symbol, self._known[symbol].roc, self.resolution)


@both_styles
class BlackLittermanOptimizationPortfolioConstructionModel(_Optimising):
    """Equilibrium returns, moved by the views of the alpha models, then optimised."""

    def __init__(
        self, rebalance: Any = Resolution.DAILY, portfolio_bias: Any = PortfolioBias.LONG_SHORT,
        lookback: int = 1, period: int = 63, resolution: Any = Resolution.DAILY,
        risk_free_rate: float = 0.0, delta: float = 2.5, tau: float = 0.05, optimizer: Any = None,
        **named: Any,
    ) -> None:  # fmt: skip
        self.risk_free_rate = risk_free_rate
        self.delta = delta
        self.tau = tau
        if optimizer is None:
            limits = _limits(portfolio_bias)
            optimizer = MaximumSharpeRatioPortfolioOptimizer(*limits, risk_free_rate)
        self._begin(rebalance, named, portfolio_bias, lookback, period, resolution, optimizer)

    def should_create_target_for_insight(self, insight: Insight) -> bool:
        return bool(self.filter_invalid_insight_magnitude(self.algorithm, [insight]))

    def get_target_insights(self) -> list[Insight]:
        """The last of each symbol from each alpha model: every model has its view."""
        insights = self.algorithm.insights.get_active_insights(self.algorithm.utc_time)
        last: dict[tuple[Any, Any], Insight] = {}
        for insight in sorted(insights, key=lambda item: item.generated_time_utc):
            if self.should_create_target_for_insight(insight):
                last[insight.source_model, insight.symbol] = insight
        return [last[key] for key in sorted(last, key=lambda key: (str(key[0]), key[1]))]

    def determine_target_percent(self, active_insights: list[Insight]) -> dict[Insight, float]:
        links, views = self._views(active_insights)
        if links is None:
            return {}
        for insight in active_insights:
            known = self._known.get(insight.symbol)
            if known is not None:
                known.add(self.algorithm.time, self._magnitude(insight))
        symbols = list(dict.fromkeys(insight.symbol for insight in active_insights))
        returns = returns_matrix(self._known, symbols)
        expected, spread = self.get_equilibrium_returns(returns)
        expected, spread = self._posterior(expected, spread, links, views)
        weights = self._optimise(returns, expected, spread)
        first = {insight.symbol: insight for insight in reversed(active_insights)}
        return self._shares([first[symbol] for symbol in symbols], weights)

    def get_equilibrium_returns(self, returns: Any) -> tuple[Any, Any]:
        """What the market's equal-weighted portfolio implies, a year, and the covariance."""
        np = numpy()
        size = returns.shape[1]
        weights = np.full(size, 1.0 / size)
        spread = covariance(returns) * 252
        annual = float(np.sum(((1 + returns.mean(axis=0)) ** 252 - 1) * weights))
        aversion = (annual - self.risk_free_rate) / float(weights @ spread @ weights)
        return aversion * spread @ weights, spread

    def _views(self, insights: list[Insight]) -> tuple[Any, Any]:
        """Link matrix and view vector, one row an alpha model; None without a view."""
        np = numpy()
        symbols = list(dict.fromkeys(insight.symbol for insight in insights))
        links, views = [], []
        for _, group in groupby(insights, key=lambda item: item.source_model):
            members = list(group)
            signed = {item.symbol: int(item.direction) * abs(self._magnitude(item))
                      for item in members}  # fmt: skip
            view = max(
                sum(value for value in signed.values() if value > 0),
                -sum(value for value in signed.values() if value < 0),
            )
            if view == 0:
                continue
            views.append([view])
            links.append([signed.get(symbol, 0.0) / view for symbol in symbols])
        return (np.array(links), np.array(views)) if views else (None, None)

    def _posterior(self, expected: Any, spread: Any, links: Any, views: Any) -> tuple[Any, Any]:
        """The master formula, with uncertainty of the views in proportion to their variance."""
        np = numpy()
        scaled = self.tau * spread
        own = links @ scaled @ links.T
        omega = own * np.eye(len(views))
        if np.linalg.det(omega) == 0:
            return expected, spread
        gain = scaled @ links.T @ np.linalg.inv(own + omega)
        moved = expected + (gain @ (views - (links @ expected)[:, None]))[:, 0]
        return moved, (spread + scaled - gain @ links @ scaled) * self.delta
