"""The course of one backtest: which moment comes next, and what happens at it.

Scheduled events fire at their own times between bars, with the prices of the bar before; the
daily sample at midnight is one of them, as in LEAN. Corporate actions arrive at midnight of their
day, as a moment of their own.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from datetime import date
from typing import Any

from qc_builder_lora.backtest.simulator.calendar import DAY, OPEN, date_of, day_of
from qc_builder_lora.backtest.simulator.desk import Desk
from qc_builder_lora.backtest.simulator.feed import NoData, Series
from qc_builder_lora.backtest.simulator.folder import rate_at
from qc_builder_lora.backtest.simulator.rules import event_times
from qc_builder_lora.backtest.simulator.statistics import Record, summary
from qc_builder_lora.backtest.surface.wire import LENGTH

DEFAULT_START = day_of(date(1998, 1, 1))
"""LEAN's start date where a strategy sets none."""
_SAMPLE = -1
_END_OF_DAY = -2


class Clock:
    """Runs a strategy from its first bar to its last."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.engine = desk.engine
        self.record = Record(0.0)
        self.benchmark: Series | None = None
        self._queue: list[tuple[int, int, int]] = []
        self._sources: dict[int, Iterator[int]] = {}
        self._volume = 0.0
        self._next_equity = 0
        self._spacing = 0

    def run(self) -> None:
        """Everything after initialize; raises what ends a backtest early."""
        engine, plan = self.engine, self.engine.plan
        first, start, end = self._bounds()
        self.record = Record(engine.account.cash, trading_days=plan.trading_days)
        engine.initialized = True
        engine.skip_to(first)
        self._benchmark(start, end)
        opening = engine.zone.utc(start * DAY)
        self._spacing = max(240, (end + 1 - start) * DAY // 4000)
        engine.move_to(engine.zone.utc(first * DAY) if first < start else opening)
        self._tell(["begin", engine.now.plain()])
        self._take_up(_SAMPLE, engine.zone.utc(start * DAY))
        if plan.flags.get("on_end_of_day"):
            self._take_up(_END_OF_DAY, engine.now.utc)
        self._take_up_fresh()
        if first >= start:
            self._warmed(opening)
        for day in engine.hours.between(first, end):
            if engine.warming_up and engine.close_of(day) > opening:
                self._events(opening, including=False)
                self._warmed(opening)
            self._day(day)
            if engine.quitting or engine.account.value <= 0:
                break
        self._finish()

    def _tell(self, message: list[Any]) -> None:
        self.desk.tell(message)
        self._take_up_fresh()

    def _bounds(self) -> tuple[int, int, int]:
        """First day of the warm-up, first and last day of the backtest; NoData where bars lack."""
        engine, plan = self.engine, self.engine.plan
        start = DEFAULT_START if plan.start is None else plan.start
        if plan.end is None:
            raise NoData("the strategy sets no end date; LEAN would run until yesterday")
        if plan.end < start:
            raise NoData(f"the end date {date_of(plan.end)} lies before the start date "
                         f"{date_of(start)}")  # fmt: skip
        for item in engine.subscriptions:
            item.series.cover(start, plan.end, engine.hours)
        first = start
        if plan.warm_up_bars:
            first = engine.hours.bars_before(start, plan.warm_up_bars)
        elif plan.warm_up_seconds:
            moment = start * DAY - plan.warm_up_seconds
            # A bar belongs to the warm-up when it begins in it.
            first = moment // DAY + (1 if moment % DAY > OPEN else 0)
        for item in engine.subscriptions:
            if first < start and item.series.days and item.series.days[0] > first:
                self.desk.logs.append(
                    f"Note: the warm-up asks for bars of {item.ticker} from {date_of(first)}, "
                    f"{item.series.path} begins on {date_of(item.series.days[0])}"
                )
        return first, start, plan.end

    def _benchmark(self, start: int, end: int) -> None:
        ticker = self.engine.plan.benchmark or "SPY"
        try:
            found = self.desk.shelf.series(ticker, False)
            found.cover(start, end, self.engine.hours)
        except NoData as error:
            self.desk.logs.append(f"Note: no figures against the benchmark {ticker}: {error}")
            return
        self.benchmark = found

    def _warmed(self, utc: int) -> None:
        self.engine.move_to(utc)
        self.engine.warming_up = False
        self._tell(["warmed", self.engine.now.plain()])

    # Scheduled events.

    def _take_up_fresh(self) -> None:
        for number in self.desk.fresh:
            self._take_up(number, self.engine.now.utc)
        self.desk.fresh.clear()

    def _take_up(self, number: int, utc: int) -> None:
        """Begin to fire an event, from a moment on."""
        engine, end = self.engine, self.engine.plan.end or 0
        first = engine.zone.local(utc) // DAY - 1
        if number == _SAMPLE:
            rules: tuple[list[Any], list[Any]] = (["every_day", None], ["at", 0])
        elif number == _END_OF_DAY:
            # LEAN: SecurityEndOfDayDelta, ten minutes before the close.
            rules = (["every_day", 0], ["before_close", 0, 10])
        else:
            rules = self.desk.schedules[number]
        try:
            source = event_times(*rules, first, end + 1, engine.hours, engine.zone, engine.exchange)
            self._sources[number] = iter(item for item in source if item >= utc)
            self._refill(number)
        except (ValueError, TypeError, IndexError, OverflowError) as error:
            from qc_builder_lora.backtest.simulator.channel import Forged

            raise Forged(f"a scheduling rule: {error}") from error

    def _refill(self, number: int) -> None:
        following = next(self._sources[number], None)
        if following is not None:
            order = number if number >= 0 else 1_000_000
            heapq.heappush(self._queue, (following, order, number))

    def _events(self, until: int, *, including: bool) -> None:
        """Fire what is scheduled before a moment, or up to and including it."""
        queue = self._queue
        while queue and (queue[0][0] < until or (including and queue[0][0] == until)):
            utc, _, number = heapq.heappop(queue)
            self._refill(number)
            self.engine.move_to(utc)
            if number == _SAMPLE:
                self._sample()
            elif number == _END_OF_DAY:
                for index in range(len(self.engine.subscriptions)):
                    self._tell(["day_end", index, self.engine.now.plain()])
            elif self.desk.schedules[number][0]:
                self._tell(["fire", number, self.engine.now.plain()])

    def _timers(self, until: int) -> None:
        """Let consolidators emit the periods that ended before a moment, after its events."""
        for utc in self.engine.due_timers(until):
            self.engine.move_to(utc)
            self._tell(["wake", self.engine.now.plain()])

    # One trading day.

    def _day(self, day: int) -> None:
        engine = self.engine
        actions = engine.actions(day)
        if actions:
            midnight = engine.exchange.utc(day * DAY)
            self._events(midnight, including=False)
            self._timers(midnight)
            engine.move_to(midnight)
            self._moment(day, [], [], [], actions)
        close = engine.close_of(day)
        self._events(close, including=False)
        self._timers(close)
        engine.move_to(close)
        indices, frames, filled = engine.advance(day)
        if frames:
            self._moment(day, indices, frames, filled, [])

    def _moment(
        self, day: int, indices: list[int], frames: list[str], filled: list[int],
        actions: list[Any],
    ) -> None:  # fmt: skip
        engine, now = self.engine, self.engine.now
        every = len(indices) == len(engine.subscriptions)
        head = (
            f"{now.text()},{day * DAY + OPEN},"
            f"{day * DAY + engine.hours.close(day)},{'null' if every else indices},"
            f"[{','.join(frames)}],{filled}"
        )
        busy = bool(engine.book.pending) or (self._queue and self._queue[0][0] <= now.utc)
        if busy or actions:
            self.desk.channel.send(_frame(f'["prices",{head}]'))
            self._deliver()
            self._events(now.utc, including=True)
            engine.move_to(now.utc)
            shown = self._act(actions)
            self.desk.converse(_frame(f'["go",{json.dumps(shown)}]'))
        else:
            self.desk.converse(_frame(f'["step",{head},[]]'))
        self._take_up_fresh()
        if engine.book.pending:
            self._deliver()
        self._sample_equity()

    def _deliver(self) -> None:
        """Fills, told one by one to a strategy that listens, together to one that does not."""
        if self.engine.plan.flags.get("on_order_event"):
            for event in self.engine.book.scan():
                self._tell(["events", [event]])
            return
        events = list(self.engine.book.scan())
        if events:
            self._tell(["events", events])

    def _act(self, actions: list[Any]) -> list[list[Any]]:
        engine = self.engine
        changed = {index for index, action in actions if engine.book.act(index, action)}
        if changed:
            holdings = [
                [index, engine.subscriptions[index].holding.plain()] for index in sorted(changed)
            ]
            self._tell(["account", engine.account.plain(), holdings])
        return [
            [index, action.kind, action.value, action.reference, action.warning]
            for index, action in actions
        ]

    # Samples.

    def _sample(self) -> None:
        """LEAN's daily sample: value, benchmark, and the turnover since the last one."""
        engine, record = self.engine, self.record
        if engine.warming_up:
            return
        utc, value = engine.now.utc, engine.account.value
        if record.daily and value:
            record.turnover.append((engine.account.sale_volume - self._volume) / value)
        self._volume = engine.account.sale_volume
        record.daily.append((utc, value, self._benchmark_price()))
        record.equity[utc] = value

    def _benchmark_price(self) -> float | None:
        if self.benchmark is None:
            return None
        engine = self.engine
        now = engine.now.exchange
        day = now // DAY
        if now < day * DAY + engine.hours.close(day):
            day -= 1
        row = self.benchmark.row_at(day)
        return self.benchmark.close[row] if row >= 0 else 0.0

    def _sample_equity(self) -> None:
        engine = self.engine
        if not engine.warming_up and engine.now.utc > self._next_equity:
            self._next_equity = engine.now.utc + self._spacing
            self.record.equity[engine.now.utc] = engine.account.value

    def _finish(self) -> None:
        self._tell(["end"])
        self._sample()
        record, account = self.record, self.engine.account
        record.profits = account.profits
        record.fees = account.fees
        record.orders = len(self.engine.book.orders)

    def statistics(self) -> dict[str, str]:
        """LEAN's summary."""
        days, rates = self.desk.shelf.rates()
        return summary(self.record, lambda utc: rate_at(days, rates, utc // DAY))


def _frame(text: str) -> bytes:
    body = text.encode()
    return LENGTH.pack(len(body)) + body
