"""The course of one backtest: which moment comes next, and what happens at it.

Scheduled events fire at their own times between bars, with the prices of the bar before; the
daily sample at midnight is one of them, as in LEAN. Corporate actions arrive at midnight of their
day, as a moment of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from qc_builder_lora.backtest.simulator.actions import DELISTED, RENAMED, WARNED, Action
from qc_builder_lora.backtest.simulator.calendar import DAY
from qc_builder_lora.backtest.simulator.desk import Desk
from qc_builder_lora.backtest.simulator.feed import Source
from qc_builder_lora.backtest.simulator.margin_calls import Call
from qc_builder_lora.backtest.simulator.samples import Samples
from qc_builder_lora.backtest.simulator.span import HOUR, bounds
from qc_builder_lora.backtest.simulator.stream import NEVER, Stream
from qc_builder_lora.backtest.simulator.timetable import Rules, Timetable
from qc_builder_lora.backtest.simulator.upkeep import Upkeep
from qc_builder_lora.backtest.surface.wire import LENGTH, pack

_SAMPLE = -1
_END_OF_DAY = -2


class Clock:
    """Runs a strategy from its first bar to its last."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.engine = desk.engine
        self.samples = Samples(desk)
        self.upkeep = Upkeep(desk.engine)
        self._table = Timetable(desk.engine)
        self._told: list[int] = []
        desk.figures = self.samples.statistics

    def run(self) -> None:
        """Everything after initialize; raises what ends a backtest early."""
        engine, plan = self.engine, self.engine.plan
        first, start, end = bounds(engine, self.desk.logs)
        self.samples.begin(start, end)
        opening = engine.zone.utc(start * DAY)
        if not plan.precise:
            for stream in engine.lineup:
                stream.source = stream.source.by_midnight
        engine.begin(first, start, end, self._warm_source)
        self.upkeep.begin(start, end)
        begins = engine.exchange.utc(first)
        engine.move_to(begins)
        if begins >= opening:
            engine.warming_up = False
            self._tell(["warm", engine.now.plain()])
            self._tell(["warmed"])
        self._tell(["begin", engine.now.plain()])
        self._take_up(_SAMPLE, engine.zone.utc(start * DAY))
        if plan.flags.get("on_end_of_day"):
            self._take_up(_END_OF_DAY, engine.now.utc)
        self._take_up_fresh()
        if not engine.quitting:
            self._run_to_the_end(opening)
        self._finish()

    def _run_to_the_end(self, opening: int) -> None:
        engine = self.engine
        last = engine.zone.utc((engine.last_day + 1) * DAY)
        pulses = self._pulses(opening)
        pulse = next(pulses, NEVER)
        finished = False
        table = self._table
        while (following := min(engine.next_moment(), pulse, table.next_selection)) <= last:
            if finished:
                # LEAN tells so as late as this: with the second slice after the start.
                self._tell(["warmed"])
            finished = engine.warming_up and following >= opening
            if finished:
                self._events(opening, including=False)
                engine.move_to(opening)
                engine.warming_up = False
                self._tell(["warm", engine.now.plain()])
            following = self._after_events(following)
            self._wake(following)
            engine.move_to(following)
            if following == engine.next_moment():
                self._moment()
            else:
                self._pulse()
            if engine.quitting or engine.account.value <= 0:
                break
            while pulse <= following:
                pulse = next(pulses, NEVER)
        else:
            self._end_late()

    def _end_late(self) -> None:
        """Stand at the last time that a universe had, though nothing is selected at it."""
        if self._table.afterwards:
            self._events(self._table.afterwards, including=False)
            self.engine.move_to(self._table.afterwards)
            self._close_moment()

    def _after_events(self, following: int) -> int:
        """Fire what is scheduled before a moment; a sooner one where an event subscribed to it."""
        while self._table.next < following:
            self._events(self._table.next, including=True)
            following = min(following, self.engine.next_moment(), self._table.next_selection)
        return following

    def _pulses(self, opening: int) -> Iterator[int]:
        """The closes of the benchmark's days: moments even where the strategy has no bars.

        LEAN feeds its benchmark by the hour; only on the first day, when the warm-up ends, can
        anything depend on that.
        """
        engine = self.engine
        if self.samples.benchmark is None:
            return
        first = engine.exchange.local(opening) // DAY
        for day in engine.hours.between(first, engine.last_day):
            close = day * DAY + engine.hours.close(day)
            hourly = engine.warming_up or self.upkeep.scans
            if hourly and self.samples.hours_of_benchmark is not None:
                yield from map(engine.exchange.utc, range(close - close % DAY + 10 * HOUR, close,
                                                          HOUR))  # fmt: skip
            yield engine.exchange.utc(close)

    def _pulse(self) -> None:
        """A moment without bars."""
        now = self.engine.now
        self.engine.account.late = 0.0
        if self.upkeep.scans:
            self._tell(["wake", now.plain()])
            self.upkeep.scan()
        self._deliver()
        self._events(now.utc, including=True)
        self.engine.move_to(now.utc)
        self._call_margin(self.upkeep.call())
        self._deliver()
        self._close_moment()

    def _tell(self, message: list[Any]) -> None:
        self.desk.tell(message)
        self._take_up_fresh()

    def _warm_source(self, stream: Stream) -> Source | None:
        """The bars that warm a subscription up: its own, or those of the resolution asked for."""
        length, source = self.engine.plan.warm_up_resolution, stream.source
        if not length or length == source.resolution:
            return source
        if source.kind == "quote" and length >= HOUR:
            return None
        return self.desk.source(source.ticker, source.mode, length, source.kind)

    # Scheduled events.

    def _take_up_fresh(self) -> None:
        for number in self.desk.fresh:
            self._take_up(number, self.engine.now.utc)
        self.desk.fresh.clear()

    def _take_up(self, number: int, utc: int) -> None:
        """Begin to fire an event, from a moment on."""
        if number == _SAMPLE:
            rules: Rules = (["every_day", None], ["at", 0])
        elif number == _END_OF_DAY:
            # LEAN: SecurityEndOfDayDelta, ten minutes before the close.
            rules = (["every_day", 0], ["before_close", 0, 10])
        else:
            rules = self.desk.schedules[number]
        self._table.take_up(number, rules, utc, selects=self.desk.selections.get(number, 0))

    def _events(self, until: int, *, including: bool) -> None:
        """Fire what is scheduled before a moment, or up to and including it."""
        for utc, number in self._table.until(until, including=including):
            self.engine.move_to(utc)
            if number == _SAMPLE:
                self.samples.take()
            elif number == _END_OF_DAY:
                for index in range(len(self.engine.securities)):
                    self._tell(["day_end", index, self.engine.now.plain()])
            elif self.desk.schedules[number][0]:
                # Whether another follows at once: what universes select is told of together.
                more = self._table.next == utc and self._table.next_number >= 0
                self._tell(["fire", number, self.engine.now.plain(), more])

    def _wake(self, until: int) -> None:
        """Let consolidators emit the periods that ended before a moment, after its events."""
        before = -1
        # A consolidator that does not emit although its time is over is not asked for ever.
        while (due := self.desk.wake_at) is not None and before < due < until:
            before = due
            self.engine.move_to(due)
            self._tell(["wake", self.engine.now.plain()])

    # One moment at which bars end or corporate actions happen.

    def _moment(self) -> None:
        engine, now = self.engine, self.engine.now
        engine.account.late = 0.0
        if self.samples.benchmark is not None:
            self.upkeep.look_ahead()
        actions = engine.due_actions()
        numbers, frames, filled = engine.advance()
        if not frames and not actions:
            # The strategy's own filter let nothing through: LEAN has no slice.
            return
        told = "null" if numbers == self._told else str(numbers)
        self._told = numbers
        head = f"{now.text()},{told},[{','.join(frames)}],{filled}"
        self.upkeep.see_prices()
        scans = self.upkeep.scans
        # A margin call comes after the fills, which are possible only where something is open.
        busy = bool(actions) or not engine.book.idle or self._event_is_due(now.utc) or scans
        call = Call(warn=False) if busy else self.upkeep.call()
        if busy or call.warn or call.orders:
            self.desk.channel.send(_frame(f'["prices",{head}]'))
            if scans:
                self.upkeep.scan()
            self._rename(actions)
            self._deliver()
            self._delist(actions)
            self._events(now.utc, including=True)
            engine.move_to(now.utc)
            self._call_margin(self.upkeep.call() if busy else call)
            self.desk.converse(_frame(f'["go",{json.dumps(self._act(actions))}]'))
        else:
            self.desk.converse(_frame(f'["step",{head}]'))
        self._take_up_fresh()
        self._deliver()
        self._close_moment()

    def _event_is_due(self, utc: int) -> bool:
        return self._table.next <= utc

    def _deliver(self) -> None:
        """Carry requests out, fill what fills, and tell of it."""
        if self.engine.book.idle:
            return
        self.engine.book.synchronize()
        self.desk.flush()
        self._take_up_fresh()

    def _call_margin(self, call: Call) -> None:
        if not call.orders:
            if call.warn:
                self._tell(["margin_warning"])
            return
        wishes = self.upkeep.wishes(call)
        if self.engine.plan.flags.get("on_margin_call"):
            self.desk.margin_orders = None
            self._tell(["margin_call", [[wish.index, wish.quantity] for wish in wishes]])
            wishes = self.desk.margin_orders or []
        for line in self.upkeep.execute(wishes):
            self.desk.complain(line)
        self.desk.flush()

    def _close_moment(self) -> None:
        if self.upkeep.close():
            self._tell(["account", self.engine.account.plain(), []])
        self.samples.take_equity()

    def _act(self, actions: list[tuple[int, Action]]) -> list[list[Any]]:
        engine = self.engine
        changed = {index for index, action in actions if self.upkeep.act(index, action)}
        if changed:
            holdings = [
                [index, engine.securities[index].holding.plain()] for index in sorted(changed)
            ]
            self._tell(["account", engine.account.plain(), holdings])
        return [self._told_of(index, action) for index, action in actions]

    def _told_of(self, index: int, action: Action) -> list[Any]:
        value = action.value
        if action.kind in (WARNED, DELISTED):
            value = self.engine.securities[index].holding.price
        return [index, action.kind, value, action.reference, action.warning, *action.names]

    def _rename(self, actions: list[tuple[int, Action]]) -> None:
        """A new name: told first, then the open orders under the old one are cancelled."""
        changes = [(index, action) for index, action in actions if action.kind == RENAMED]
        if changes and self.engine.plan.flags.get("on_symbol_changed_events"):
            self._tell(["renamed", [self._told_of(index, action) for index, action in changes]])
        for index, _ in changes:
            self.engine.book.cancel_all(index, "Open order cancelled on symbol changed event")

    def _delist(self, actions: list[tuple[int, Action]]) -> None:
        """The day after a company's last, once the orders of the moment have been tried."""
        for index, action in actions:
            if action.kind == DELISTED:
                self.engine.securities[index].delisted = True
                self._tell(["delisted", index])
                self.engine.book.delist(index)
                self.desk.flush()

    def _finish(self) -> None:
        self._tell(["end"])
        self.upkeep.close(last=True)
        self.samples.take()
        if self.engine.plan.own_rates:
            self.samples.statistics()  # While there is somebody to ask.
        self.desk.channel.send(pack(["bye"]))


def _frame(text: str) -> bytes:
    body = text.encode()
    return LENGTH.pack(len(body)) + body
