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
        kind, value, warning = action[0], action[1], action[3]
        raw = security.data_normalization_mode == DataNormalizationMode.RAW
        if kind == "split" and not warning and raw:
            security.split(value)
        where = getattr(found, _WHERE[kind])
        event = made(security.symbol, desk.exchange_time, *action)
        dict.__setitem__(where, security.symbol, event)
        if kind == "delisted":
            # Told of at the next moment, as LEAN does.
            desk.framework.universes.remove(security)
    return found


_WHERE = {
    "dividend": "dividends", "split": "splits", "renamed": "changes",
    "delisting_warning": "delistings", "delisted": "delistings",
}  # fmt: skip


def made(
    symbol: Any, time: Any, kind: str, value: float, reference: float, warning: bool, old: str,
    new: str,
) -> Any:  # fmt: skip
    """One action as LEAN's class for it."""
    if kind == "dividend":
        return Dividend(symbol, time, value, reference)
    if kind == "renamed":
        return SymbolChangedEvent(symbol, time, old, new)
    if kind == "split":
        return Split(symbol, time, value, reference, 0 if warning else 1)
    types = enum("DelistingType")
    which = types.DELISTED if kind == "delisted" else types.WARNING
    return Delisting(symbol, time, value, which)
