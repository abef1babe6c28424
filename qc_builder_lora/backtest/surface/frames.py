"""History as LEAN's data frames; pandas is imported only when a strategy asks for one."""

from __future__ import annotations

from typing import Any

from .bars import TradeBar
from .known import not_modelled

COLUMNS = ("close", "high", "low", "open", "volume")


def pandas() -> Any:
    """The library, or `unknown`: LEAN always has it."""
    try:
        from importlib import import_module

        library = import_module("pandas")
    except ImportError:
        not_modelled("pandas", "is not installed beside the simulator")
    return library


def bars_frame(rows: list[list[TradeBar]]) -> Any:
    """Index (symbol, time), time being the bar's end; columns close, high, low, open, volume."""
    pd = pandas()
    bars = [bar for row in rows for bar in row]
    if not bars:
        return pd.DataFrame()
    index = pd.MultiIndex.from_arrays(
        [[bar.symbol for bar in bars], [bar.end_time for bar in bars]], names=["symbol", "time"]
    )
    values = {name: [getattr(bar, name) for bar in bars] for name in COLUMNS}
    return pd.DataFrame(values, index=index, dtype="float64")


def values_frame(times: list[Any], columns: dict[str, list[float]]) -> Any:
    """Index time; one column a value: what `indicator_history` gives."""
    pd = pandas()
    return pd.DataFrame(columns, index=pd.Index(times, name="time"), dtype="float64")
