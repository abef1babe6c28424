"""Execution models: how targets become orders. The base, the empty, and at once."""

from __future__ import annotations

from typing import Any

from ..alias import both_styles
from ..known import not_modelled
from .spelling import Overridable, adopt
from .statics import OrderSizing, margin_suffices
from .target import PortfolioTarget, PortfolioTargetCollection


@both_styles
class ExecutionModel(Overridable):
    """Base of execution models; subclasses give `execute`."""

    LEAN = "ExecutionModel"
    asynchronous = True

    def __init__(self, asynchronous: bool = True) -> None:
        self.asynchronous = asynchronous

    def execute(self, algorithm: Any, targets: Any) -> None:
        raise NotImplementedError(
            "Types deriving from 'ExecutionModel' must implement the 'void Execute(QCAlgorithm, "
            "IPortfolioTarget[]) method."
        )

    def on_securities_changed(self, algorithm: Any, changes: Any) -> None:
        """Told of securities that come and go."""

    def on_order_event(self, algorithm: Any, order_event: Any) -> None:
        """Told of every change of an order."""


def as_execution(model: Any) -> Any:
    """A model, or an object that looks like one."""
    required = ("execute", "on_securities_changed")
    return adopt(model, ExecutionModel, "IExecutionModel", required)


@both_styles
class NullExecutionModel(ExecutionModel):
    """Orders nothing."""

    def execute(self, algorithm: Any, targets: Any) -> None:
        """Let the targets be."""


@both_styles
class ImmediateExecutionModel(ExecutionModel):
    """A market order for what each target lacks."""

    _targets: PortfolioTargetCollection | None = None

    @property
    def targets_collection(self) -> PortfolioTargetCollection:
        """Targets that are not reached yet; made when first asked for, `__init__` or not."""
        if self._targets is None:
            self._targets = PortfolioTargetCollection()
        return self._targets

    def execute(self, algorithm: Any, targets: Any) -> None:
        waiting = self.targets_collection
        waiting.add_range(targets)
        if waiting.is_empty:
            return
        for target in waiting.order_by_margin_impact(algorithm):
            security = algorithm.securities[target.symbol]
            quantity = OrderSizing.get_unordered_quantity(algorithm, target, security)
            if not quantity:
                continue
            least = algorithm.settings.minimum_order_margin_portfolio_percentage
            if margin_suffices(security, quantity, algorithm.portfolio, least):
                order(algorithm, self, target, quantity)
            elif PortfolioTarget.minimum_order_margin_percentage_warning_sent is None:
                PortfolioTarget.minimum_order_margin_percentage_warning_sent = False
        waiting.clear_fulfilled(algorithm)


def order(algorithm: Any, model: ExecutionModel, target: Any, quantity: float) -> None:
    """Send one market order on behalf of a target."""
    tag = getattr(target, "tag", "")
    algorithm.market_order(target.symbol, quantity, model.asynchronous, tag)


@both_styles
class SpreadExecutionModel(ExecutionModel):
    """A market order while bid and ask are close together."""

    def __init__(self, accepting_spread_percent: float = 0.005, asynchronous: bool = True) -> None:
        super().__init__(asynchronous)
        self._targets = PortfolioTargetCollection()
        self.accepting_spread_percent = abs(accepting_spread_percent)

    def execute(self, algorithm: Any, targets: Any) -> None:
        self._targets.add_range(targets)
        for target in self._targets.order_by_margin_impact(algorithm):
            quantity = OrderSizing.get_unordered_quantity(algorithm, target)
            if quantity and self.price_is_favorable(algorithm.securities[target.symbol]):
                order(algorithm, self, target, quantity)
        self._targets.clear_fulfilled(algorithm)

    def price_is_favorable(self, security: Any) -> bool:
        """Whether the market is open and the spread is within the accepted share of the price."""
        if not security.exchange.exchange_open:
            return False
        bid, ask = quote(security, "SpreadExecutionModel")
        return bool(
            security.price > 0 and bid > 0 and ask > 0
            and (ask - bid) / security.price <= self.accepting_spread_percent
        )  # fmt: skip


def quote(security: Any, model: str) -> tuple[float, float]:
    """Bid and ask; `unknown` where the simulator has no quotes of a security."""
    bid, ask = getattr(security, "bid_price", None), getattr(security, "ask_price", None)
    if bid is None or ask is None:
        not_modelled(model, "needs quotes")
    return float(bid), float(ask)
