"""Settlement, margin interest and data filters of a strategy's own, and what they are asked with.

LEAN scans the first two at the first slice of every hour, and settles with the first at every fill.
Money that they move goes through the simulator, which says in the log that the strategy moved it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from .alias import both_styles, snake
from .known import Lean, not_modelled
from .orders import CashAmount

if TYPE_CHECKING:
    from .security import Security
    from .tickets import OrderEvent

METHODS = {
    "settlement": ("apply_funds", "scan"),
    "margin_interest": ("apply_margin_interest_rate",),
    "data_filter": ("filter",),
}
"""What a model of each kind is asked; without them LEAN does not take it either."""
MOVING_MONEY = frozenset({"settlement", "margin_interest"})
_SETTERS = {
    "settlement": "set_settlement_model", "margin_interest": "set_margin_interest_rate_model",
    "data_filter": "set_data_filter",
}  # fmt: skip


@both_styles
class ApplyFundsSettlementModelParameters(Lean):
    """What a settlement model is asked with for a fill: the money that it brings or takes."""

    def __init__(
        self, portfolio: Any, security: Security, application_time_utc: datetime,
        cash_amount: CashAmount, fill: OrderEvent | None = None,
    ) -> None:  # fmt: skip
        self.portfolio, self.security = portfolio, security
        self.utc_time, self.cash_amount, self.fill = application_time_utc, cash_amount, fill


@both_styles
class ScanSettlementModelParameters(Lean):
    """What a settlement model is asked with every hour."""

    def __init__(self, portfolio: Any, security: Security, time_utc: datetime) -> None:
        self.portfolio, self.security, self.utc_time = portfolio, security, time_utc


@both_styles
class MarginInterestRateParameters(Lean):
    """What a margin interest model is asked with every hour."""

    def __init__(self, security: Security, time: datetime) -> None:
        self.security, self.time = security, time


@both_styles
class MarginInterestRateModel(Lean):
    """LEAN's own for equities: no interest."""

    def apply_margin_interest_rate(self, parameters: Any) -> None:
        """Nothing."""


MarginInterestRateModel.NULL = MarginInterestRateModel.Null = MarginInterestRateModel()  # type: ignore[attr-defined]


@both_styles
class SecurityDataFilter(Lean):
    """LEAN's own: every bar is let through."""

    def filter(self, vehicle: Any, data: Any) -> bool:
        return True


class EquityDataFilter(SecurityDataFilter):
    """As SecurityDataFilter."""


@both_styles
class ConvertibleCashAmount(CashAmount):
    """An amount of money, and the currency's place in the cash book."""

    __slots__ = ("cash",)

    def __init__(self, amount: float, cash: Any) -> None:
        super().__init__(amount, "USD")
        self.cash = cash

    @property
    def in_account_currency(self) -> float:
        return self.amount


def is_own(kind: str, model: Any) -> bool:
    """Whether the strategy has written it; UNKNOWN where it lacks what LEAN asks it for."""
    if type(model).__module__ != "__main__":
        if not isinstance(model, MarginInterestRateModel | SecurityDataFilter):
            not_modelled(f"Security.{_SETTERS[kind]}", type(model).__name__)
        return False
    have = {snake(name) for name in dir(model)}
    lacking = [name for name in METHODS[kind] if name not in have]
    if lacking:
        not_modelled(f"Security.{_SETTERS[kind]}", f"{type(model).__name__} without {lacking[0]}")
    return True


NAMES: dict[str, Any] = {
    "IMarginInterestRateModel": MarginInterestRateModel,
    "ISecurityDataFilter": SecurityDataFilter,
}
"""LEAN's interfaces, which a strategy may name as a base."""
