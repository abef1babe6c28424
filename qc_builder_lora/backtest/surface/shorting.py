"""How many shares may be sold short: without limit, or as a strategy's own provider says.

An order beyond the limit is refused by LEAN in ways that are not modelled: it is unknown.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from .alias import both_styles, spelled
from .known import Lean, not_modelled

if TYPE_CHECKING:
    from .desk import Desk
    from .security import Security


@both_styles
class NullShortableProvider(Lean):
    """Everything can be borrowed, for nothing."""

    def fee_rate(self, symbol: Any, local_time: datetime) -> float:
        """What borrowing costs, a fraction a year."""
        return 0.0

    def rebate_rate(self, symbol: Any, local_time: datetime) -> float:
        """What the lender pays back, a fraction a year."""
        return 0.0

    def shortable_quantity(self, symbol: Any, local_time: datetime) -> int | None:
        """Shares that can be borrowed; None for any number."""
        return None


def own_provider(provider: Any) -> Any:
    """A provider of a strategy's own, or LEAN's empty one."""
    if isinstance(provider, NullShortableProvider):
        return provider
    if type(provider).__module__ != "__main__" or not callable(
        getattr(provider, "shortable_quantity", getattr(provider, "ShortableQuantity", None))
    ):
        not_modelled("Security.set_shortable_provider", type(provider).__name__)
    return provider


def check_short(desk: Desk, security: Security, quantity: float) -> None:
    """Unknown where a sale goes beyond what the provider lends."""
    provider = security.shortable_provider
    if quantity >= 0 or type(provider) is NullShortableProvider:
        return
    limit = spelled(provider, "shortable_quantity")(security.symbol, desk.exchange_time)
    if limit is None:
        return
    ordered = sum(
        ticket.quantity_remaining for ticket in desk.trading.open_tickets(security.symbol)
    )
    after = security.holdings.quantity + ordered + quantity
    if after < -float(limit):
        not_modelled("OrderResponseErrorCode.EXCEEDS_SHORTABLE_QUANTITY", str(security.symbol))


SHORTING: dict[str, Any] = {"NullShortableProvider": NullShortableProvider}
"""As `from AlgorithmImports import *` gives them."""
