"""Answers to `history`: bars that had ended by the clock, gaps filled forward as LEAN does."""

from __future__ import annotations

from collections.abc import Sequence

from qc_builder_lora.backtest.simulator.calendar import DAY, OPEN, Hours
from qc_builder_lora.backtest.simulator.feed import NoData, Series

MOST_BARS = 500_000
"""Bars in one answer; a longer history is refused rather than cut."""


def last_ended(hours: Hours, exchange_now: int) -> int:
    """The last trading day whose bars had ended at a New York moment."""
    day = exchange_now // DAY
    if hours.is_open_day(day) and day * DAY + hours.close(day) <= exchange_now:
        return day
    return hours.previous_day(day)


def days_wanted(
    hours: Hours, span: Sequence[int | str | None], exchange_now: int, shift: int
) -> list[int]:
    """Trading days that a span means; `shift` seconds turn the algorithm's time into New York's."""
    limit = last_ended(hours, exchange_now)
    kind, first = span[0], int(span[1] or 0)
    if kind == "count":
        if first <= 0:
            return []
        return hours.between(hours.bars_before(limit + 1, first), limit)
    if kind == "seconds":
        start, end = exchange_now - first, exchange_now
    elif kind == "range":
        start = first + shift
        end = exchange_now if len(span) < 3 or span[2] is None else int(span[2]) + shift
    else:
        raise NoData(f"history with a span of kind {kind!r}")
    days = hours.between(start // DAY, min(limit, end // DAY))
    return [
        day for day in days
        if day * DAY + OPEN >= start and day * DAY + hours.close(day) <= end
    ]  # fmt: skip


def rows(series: Series, days: Sequence[int], hours: Hours) -> list[list[float]]:
    """`[start, end, filled, open, high, low, close, volume]` for each day there is a bar for."""
    found: list[list[float]] = []
    for day in days:
        row = series.row_at(day)
        if row < 0:
            continue
        filled = series.days[row] != day
        if filled and series.delisted is not None and day > series.delisted:
            continue
        start = day * DAY
        found.append(
            [start + OPEN, start + hours.close(day), int(filled), series.open[row],
             series.high[row], series.low[row], series.close[row],
             0.0 if filled else series.volume[row]]
        )  # fmt: skip
    return found
