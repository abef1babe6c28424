"""The last prices that are known of a security before its first bar: trades, then quotes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .quotes import quote_bars

if TYPE_CHECKING:
    from .desk import Desk
    from .security import Security


def last_known(desk: Desk, security: Security) -> list[Any]:
    """The last bar of each kind that it is subscribed to; none where there is no history."""
    trades = desk.bars([security], ["count", 1], mode=security.seeds_in)[0]
    found: list[Any] = trades[-1:]
    if not all(item.is_trade for item in security.subscriptions):
        rows = desk.rows([security.symbol.number], ["count", 1], kind="quote")[0]
        found += quote_bars(security.symbol, rows)[-1:]
    return found
