"""From when to when a backtest runs: the warm-up, the period, and whether there are bars for it."""

from __future__ import annotations

from datetime import date

from qc_builder_lora.backtest.simulator.calendar import DAY, OPEN, date_of, day_of
from qc_builder_lora.backtest.simulator.engine import Engine
from qc_builder_lora.backtest.simulator.feed import Days, NoData

DEFAULT_START = day_of(date(1998, 1, 1))
"""LEAN's start date where a strategy sets none."""


def bounds(engine: Engine, notes: list[str]) -> tuple[int, int, int]:
    """First day of the warm-up, first and last day of the backtest; NoData where bars lack."""
    plan = engine.plan
    start = DEFAULT_START if plan.start is None else plan.start
    if plan.end is None:
        raise NoData("the strategy sets no end date; LEAN would run until yesterday")
    if plan.end < start:
        raise NoData(f"the end date {date_of(plan.end)} lies before the start date "
                     f"{date_of(start)}")  # fmt: skip
    first = _warm_up_start(engine, start)
    for security in engine.securities:
        for stream in security.streams:
            stream.source.cover(start, plan.end, engine.hours)
            late = stream.source.starts_late(first) if first < start else ""
            if late and stream.is_trade:
                ticker = security.ticker
                notes.append(
                    f"Note: the warm-up asks for bars of {ticker} from {date_of(first)}, {late}"
                )
            _note_missing(stream.source, start, plan.end, notes)
    return first, start, plan.end


def _note_missing(source: object, start: int, end: int, notes: list[str]) -> None:
    if not isinstance(source, Days) or source.kind != "trade":
        return
    missing = source.missing(start, end)
    if missing:
        notes.append(
            f"Note: no bars of {source.ticker} on {len(missing)} trading days, filled forward as "
            f"LEAN does: {missing[0]} does not exist"
        )


def _warm_up_start(engine: Engine, start: int) -> int:
    plan = engine.plan
    if plan.warm_up_bars:
        return engine.hours.bars_before(start, plan.warm_up_bars)
    if plan.warm_up_seconds:
        moment = start * DAY - plan.warm_up_seconds
        # A bar belongs to the warm-up when it begins in it.
        return moment // DAY + (1 if moment % DAY > OPEN else 0)
    return start
