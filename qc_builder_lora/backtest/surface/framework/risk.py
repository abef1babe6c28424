"""Risk management: targets that override those of the portfolio when too much is at stake."""

from __future__ import annotations

from typing import Any

from ..alias import both_styles
from ..known import not_modelled
from .spelling import Overridable, adopt
from .target import PortfolioTarget


@both_styles
class RiskManagementModel(Overridable):
    """Base of risk models; subclasses give `manage_risk`."""

    LEAN = "RiskManagementModel"

    def manage_risk(self, algorithm: Any, targets: Any) -> Any:
        raise NotImplementedError(
            "Types deriving from 'RiskManagementModel' must implement the "
            "'IEnumerable<IPortfolioTarget> ManageRisk(QCAlgorithm, IPortfolioTarget[]) method."
        )

    def on_securities_changed(self, algorithm: Any, changes: Any) -> None:
        """Told of securities that come and go."""


def as_risk(model: Any) -> Any:
    """A model, or an object that looks like one."""
    required = ("manage_risk", "on_securities_changed")
    return adopt(model, RiskManagementModel, "IRiskManagementModel", required)


@both_styles
class NullRiskManagementModel(RiskManagementModel):
    """Overrides nothing."""

    def manage_risk(self, algorithm: Any, targets: Any) -> Any:
        return []


@both_styles
class CompositeRiskManagementModel(RiskManagementModel):
    """Several models one after the other; a later one overrides an earlier one."""

    def __init__(self, *risk_management_models: Any) -> None:
        models = risk_management_models
        if len(models) == 1 and isinstance(models[0], list | tuple):
            models = tuple(models[0])
        if not models:
            raise ValueError(
                "Must specify at least 1 risk management model for the CompositeRiskManagementModel"
            )
        self._models = [as_risk(model) for model in models]

    def manage_risk(self, algorithm: Any, targets: Any) -> Any:
        current = list(targets)
        for model in self._models:
            overrides = list(model.manage_risk(algorithm, current) or ())
            kept = {target.symbol: target for target in reversed(overrides + current)}
            order = dict.fromkeys(target.symbol for target in overrides + current)
            current = [kept[symbol] for symbol in order]
        return current

    def on_securities_changed(self, algorithm: Any, changes: Any) -> None:
        for model in self._models:
            model.on_securities_changed(algorithm, changes)

    def add_risk_management(self, risk_management_model: Any) -> None:
        self._models.append(as_risk(risk_management_model))


def flatten(algorithm: Any, symbol: Any) -> PortfolioTarget:
    """Take a symbol's insights back, and hold nothing of it."""
    algorithm.insights.cancel([symbol])
    return PortfolioTarget(symbol, 0)


class _PerSecurity(RiskManagementModel):
    """Looks at every holding on its own."""

    def manage_risk(self, algorithm: Any, targets: Any) -> Any:
        return [
            flatten(algorithm, security.symbol)
            for security in list(algorithm.securities.values())
            if self._too_much(security)
        ]

    def _too_much(self, security: Any) -> bool:
        raise NotImplementedError


@both_styles
class MaximumDrawdownPercentPerSecurity(_PerSecurity):
    """Closes a holding that has lost more than a share of its cost."""

    def __init__(self, maximum_drawdown_percent: float = 0.05) -> None:
        self._most = -abs(maximum_drawdown_percent)

    def _too_much(self, security: Any) -> bool:
        holdings = security.holdings
        return bool(holdings.invested and holdings.unrealized_profit_percent < self._most)


@both_styles
class MaximumUnrealizedProfitPercentPerSecurity(_PerSecurity):
    """Closes a holding that has gained more than a share of its cost."""

    def __init__(self, maximum_unrealized_profit_percent: float = 0.05) -> None:
        self._most = abs(maximum_unrealized_profit_percent)

    def _too_much(self, security: Any) -> bool:
        holdings = security.holdings
        return bool(holdings.invested and holdings.unrealized_profit_percent > self._most)


@both_styles
class TrailingStopRiskManagementModel(_PerSecurity):
    """Closes a holding whose value has fallen by a share from its best."""

    def __init__(self, maximum_drawdown_percent: float = 0.05) -> None:
        self._most = abs(maximum_drawdown_percent)
        self._best: dict[Any, tuple[bool, float]] = {}

    def _too_much(self, security: Any) -> bool:
        symbol, holdings = security.symbol, security.holdings
        if not holdings.invested:
            self._best.pop(symbol, None)
            return False
        is_long, value = holdings.is_long, holdings.absolute_holdings_value
        state = self._best.get(symbol)
        if state is None or state[0] != is_long:
            state = self._best[symbol] = (is_long, holdings.absolute_holdings_cost)
        best = state[1]
        if (is_long and best < value) or (not is_long and best > value):
            self._best[symbol] = (is_long, value)
            return False
        if abs((best - value) / best) > self._most:
            del self._best[symbol]
            return True
        return False


@both_styles
class MaximumDrawdownPercentPortfolio(RiskManagementModel):
    """Closes what new targets are for, once the portfolio has fallen by a share."""

    def __init__(self, maximum_drawdown_percent: float = 0.05, is_trailing: bool = False) -> None:
        self._most = -abs(maximum_drawdown_percent)
        self._is_trailing = is_trailing
        self._high: float | None = None

    def manage_risk(self, algorithm: Any, targets: Any) -> Any:
        value = algorithm.portfolio.total_portfolio_value
        if self._high is None:
            self._high = value
        if self._is_trailing and self._high < value:
            self._high = value
            return []
        if value / self._high - 1 < self._most and len(targets):
            # It begins anew with the next rebalancing.
            self._high = None
            return [flatten(algorithm, target.symbol) for target in targets]
        return []


class MaximumSectorExposureRiskManagementModel:
    """Needs each company's sector, which the simulator's data does not have."""

    def __init__(self, *args: Any, **named: Any) -> None:
        not_modelled("MaximumSectorExposureRiskManagementModel", "needs fundamental data")
