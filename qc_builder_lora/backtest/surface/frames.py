"""History as LEAN's data frames; pandas is imported only when a strategy asks for one.

The index is (symbol, time), time being a bar's end; columns stand in the order of the alphabet.
A column in which there is nothing but zeros is left out, as LEAN does.
"""

from __future__ import annotations

from math import nan
from typing import Any

from .bars import TradeBar
from .known import not_modelled

COLUMNS = ("close", "high", "low", "open", "volume")
_PRICES = COLUMNS[:4]
_SIDES = ("ask", "bid")
_ACTIONS = {
    "Dividend": ("distribution", "reference_price"),
    "Split": ("reference_price", "split_factor", "type"),
    "Delisting": ("type",),
    "SymbolChangedEvent": ("new_symbol", "old_symbol"),
}


def pandas() -> Any:
    """The library, or `unknown`: LEAN always has it."""
    try:
        from importlib import import_module

        library = import_module("pandas")
    except ImportError:
        not_modelled("pandas", "is not installed beside the simulator")
    return library


def _index(pd: Any, symbols: list[Any], times: list[Any]) -> Any:
    return pd.MultiIndex.from_arrays([symbols, times], names=["symbol", "time"])


def bars_frame(trades: list[list[TradeBar]], quotes: list[list[Any]] | None = None) -> Any:
    """Trades; with quotes both sides of them too, and their middle where nothing was traded."""
    pd = pandas()
    if quotes is not None and any(quotes):
        return _both(pd, trades, quotes)
    bars = [bar for row in trades for bar in row]
    if not bars:
        return pd.DataFrame()
    index = _index(pd, [bar.symbol for bar in bars], [bar.end_time for bar in bars])
    values = {name: [getattr(bar, name) for bar in bars] for name in COLUMNS}
    return _without_zeros(pd.DataFrame(values, index=index, dtype="float64"))


def _without_zeros(frame: Any) -> Any:
    empty = (frame.fillna(0) == 0).all()
    return frame.loc[:, ~empty] if empty.any() else frame


def _quote_row(bar: Any) -> dict[str, float]:
    row = {name: getattr(bar, name) for name in _PRICES}
    for side in _SIDES:
        prices = getattr(bar, side)
        row[f"{side}size"] = getattr(bar, f"last_{side}_size")
        for name in _PRICES:
            row[f"{side}{name}"] = nan if prices is None else getattr(prices, name)
    return row


def quotes_frame(quotes: list[list[Any]]) -> Any:
    """Both sides, their sizes, and the middle."""
    pd = pandas()
    return _rows_frame(pd, [(bar, _quote_row(bar)) for row in quotes for bar in row])


def _both(pd: Any, trades: list[list[TradeBar]], quotes: list[list[Any]]) -> Any:
    rows = []
    for traded, quoted in zip(trades, quotes, strict=True):
        found: dict[Any, tuple[Any, dict[str, float]]] = {}
        for bar in quoted:
            found[bar.end_time] = (bar, _quote_row(bar))
        for trade in traded:
            row = found.setdefault(trade.end_time, (trade, {}))[1]
            row.update({name: getattr(trade, name) for name in COLUMNS})
        rows += [found[time] for time in sorted(found)]
    return _rows_frame(pd, rows)


def _rows_frame(pd: Any, rows: list[tuple[Any, dict[str, float]]]) -> Any:
    if not rows:
        return pd.DataFrame()
    names = sorted({name for _, row in rows for name in row})
    index = _index(pd, [bar.symbol for bar, _ in rows], [bar.end_time for bar, _ in rows])
    values = {name: [row.get(name, nan) for _, row in rows] for name in names}
    return _without_zeros(pd.DataFrame(values, index=index, dtype="float64"))


def actions_frame(actions: list[list[Any]]) -> Any:
    """Corporate actions of one type, its members without underscores."""
    pd = pandas()
    found = [item for row in actions for item in row]
    if not found:
        return pd.DataFrame()
    index = _index(pd, [item.symbol for item in found], [item.end_time for item in found])
    names = _ACTIONS[type(found[0]).__name__]
    series = {
        # Enums and tickers stay what they are.
        name.replace("_", ""): pd.Series(
            [getattr(item, name) for item in found], index=index,
            dtype="float64" if isinstance(getattr(found[0], name), float) else object,
        )
        for name in names
    }  # fmt: skip
    return pd.DataFrame(series)


def values_frame(times: list[Any], columns: dict[str, list[float]]) -> Any:
    """Index time; one column a value: what `indicator_history` gives."""
    pd = pandas()
    return pd.DataFrame(columns, index=pd.Index(times, name="time"), dtype="float64")
