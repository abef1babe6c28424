"""Corporate actions as a slice has them, out of what the simulator tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .bars import Actions, Delisting, Dividend, Split, SymbolChangedEvent
from .enums import DataNormalizationMode, enum

if TYPE_CHECKING:
    from .desk import Desk


def corporate_actions(desk: Desk, told: list[list[Any]]) -> Actions:
    """Each `[index, kind, value, reference, warning, old name, new name]`."""
    found = Actions()
    for index, *action in told:
        security = desk.by_index[index]
        where, made = _made(found, security, desk.exchange_time, *action)
        dict.__setitem__(where, security.symbol, made)
        if action[0] == "delisted":
            # Told of at the next moment, as LEAN does.
            desk.framework.universes.remove(security)
    return found


def _made(
    found: Actions, security: Any, time: Any, kind: str, value: float, reference: float,
    warning: bool, old: str, new: str,
) -> tuple[Any, Any]:  # fmt: skip
    symbol = security.symbol
    if kind == "dividend":
        return found.dividends, Dividend(symbol, time, value, reference)
    if kind == "renamed":
        return found.changes, SymbolChangedEvent(symbol, time, old, new)
    if kind == "split":
        if not warning and security.data_normalization_mode == DataNormalizationMode.RAW:
            security.split(value)
        return found.splits, Split(symbol, time, value, reference, 0 if warning else 1)
    types = enum("DelistingType")
    which = types.DELISTED if kind == "delisted" else types.WARNING
    return found.delistings, Delisting(symbol, time, value, which)
