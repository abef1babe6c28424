"""From when to when a backtest runs: the warm-up, the period, and whether there are bars for it."""

from __future__ import annotations

from datetime import date

from qc_builder_lora.backtest.simulator.calendar import DAY, date_of, day_of
from qc_builder_lora.backtest.simulator.engine import Engine, Moment
from qc_builder_lora.backtest.simulator.feed import Days, NoData
from qc_builder_lora.backtest.simulator.past import start_of

HOUR = 3600
DEFAULT_START = day_of(date(1998, 1, 1))
"""LEAN's start date where a strategy sets none."""


def standing(engine: Engine) -> Moment:
    """Where the clock stands; in initialize, at midnight of the start date."""
    if not engine.initialized:
        start = DEFAULT_START if engine.plan.start is None else engine.plan.start
        engine.move_to(engine.zone.utc(start * DAY))
    return engine.now


def bounds(engine: Engine, notes: list[str]) -> tuple[int, int, int]:
    """When the warm-up begins in New York, first and last day; NoData where bars lack."""
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
            late = stream.source.starts_late(first // DAY) if first < start * DAY else ""
            if late and stream.is_trade:
                notes.append(
                    f"Note: the warm-up asks for bars of {security.ticker} from "
                    f"{date_of(first // DAY)}, {late}"
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
    """New York seconds; the opening itself where there is no warm-up."""
    plan = engine.plan
    opening = engine.exchange.local(engine.zone.utc(start * DAY))
    if plan.warm_up_seconds:
        return opening - plan.warm_up_seconds
    if not plan.warm_up_bars:
        return opening
    # The security whose bars reach back the farthest decides, as in LEAN.
    begins = []
    for stream in engine.lineup:
        length = plan.warm_up_resolution or stream.resolution
        extended = stream.extended and length != HOUR
        begins.append(start_of(engine.hours, opening, plan.warm_up_bars, length, extended,
                               plan.precise))  # fmt: skip
    return min(begins, default=opening - plan.warm_up_bars * (plan.warm_up_resolution or 60))
