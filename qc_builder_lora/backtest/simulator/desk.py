"""Answers a strategy's requests, one function a kind; what it may not have is refused here."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import islice
from typing import Any

from qc_builder_lora.backtest.simulator.account import Holding
from qc_builder_lora.backtest.simulator.calendar import DAY, zone
from qc_builder_lora.backtest.simulator.channel import Channel, Forged, Output
from qc_builder_lora.backtest.simulator.charts import Charts
from qc_builder_lora.backtest.simulator.counter import Counter, furnish
from qc_builder_lora.backtest.simulator.engine import Engine, Security
from qc_builder_lora.backtest.simulator.feed import RESOLUTIONS, Mode, NoData, Source
from qc_builder_lora.backtest.simulator.past import MOST_BARS, collect, hole, past_actions, window
from qc_builder_lora.backtest.simulator.rules import rule_days
from qc_builder_lora.backtest.simulator.schema import check
from qc_builder_lora.backtest.simulator.shelf import Shelf
from qc_builder_lora.backtest.simulator.span import standing
from qc_builder_lora.backtest.simulator.stream import Stream
from qc_builder_lora.backtest.surface.wire import pack

_HOUR = 3600
_MOST_SECURITIES = 500
_MOST_LOG_LINES = 20_000
_MOST_KEPT = 500_000
_MOST_ORDERS = 100_000


class Failed(Exception):
    """The strategy has failed, by its own account."""

    def __init__(self, phase: str, reason: str) -> None:
        super().__init__(reason)
        self.phase = phase


class NotModelled(Exception):
    """The strategy uses what the simulator does not model."""

    def __init__(self, phase: str, reason: str) -> None:
        super().__init__(reason)
        self.phase = phase


class Desk(Counter):
    """Serves one strategy while it has the word."""

    def __init__(
        self, engine: Engine, channel: Channel, output: Output, shelf: Shelf, memory_mb: int
    ) -> None:
        self.engine = engine
        self.channel = channel
        self.output = output
        self.shelf = shelf
        self.schedules: dict[int, tuple[list[Any], list[Any]]] = {}
        self.selections: dict[int, int] = {}
        """Of every schedule: 1 where it is a universe's selection, 2 where that goes by rules."""
        self._streams = 0
        self.fresh: list[int] = []
        """Schedules that the clock has not taken up yet."""
        self.logs: list[str] = []
        self.charts = Charts()
        self.statistics: dict[str, str] = {}
        """What the strategy adds to the summary."""
        self.runtime: dict[str, str] = {}
        """What it adds to the runtime statistics."""
        self.figures: Callable[[], dict[str, str]] = dict
        """The summary so far."""
        self.wake_at: int | None = None
        """UTC seconds at which a consolidator's period is over, where one waits for that."""
        self.phase = "load"
        self._memory_mb = memory_mb
        self._kept = 0
        super().__init__()

    def converse(self, frame: bytes) -> None:
        """Send a frame and serve requests until the strategy is done with it."""
        self.channel.send(frame)
        self.serve_until("done")

    def tell(self, message: list[Any]) -> None:
        """Send a message and serve requests until the strategy is done with it."""
        self.converse(pack(message))

    def serve_until(self, last: str) -> list[Any]:
        """Serve requests up to a message of that kind."""
        while True:
            message = self.channel.receive()
            kind = message[0]
            if kind == "done" and len(message) == 1 and last == "done":
                self.wake_at = None
                return message
            check(message)
            if kind == "done" and last == "done":
                self.wake_at = self.engine.exchange.utc(message[1])
            if kind == last:
                return message
            serve = getattr(self, f"_on_{kind}", None)
            if serve is None:
                raise Forged(f"an untimely message {kind!r}")
            serve(*message[1:])

    def _answer(self, value: Any) -> None:
        self.channel.send(pack(["ok", value]))

    def _refuse(self, reason: str) -> None:
        self.channel.send(pack(["no", reason]))

    # How a strategy ends early.

    def _on_failed(self, phase: str, kind: str, text: str, line: int | None, source: str) -> None:
        if kind == "MemoryError":
            text = (text + f" (more than the {self._memory_mb} MB allowed)").strip()
        reason = f"{kind}: {text}" if text else kind
        if line is not None:
            reason += f" (line {line}: {source})" if source else f" (line {line})"
        raise Failed(self.phase, reason)

    def _on_unknown(self, phase: str, api: str, detail: str) -> None:
        raise NotModelled(self.phase, f"{api} ({detail})" if detail else api)

    def _on_quit(self, message: str) -> None:
        self.engine.quitting = True
        self._on_log("debug", f"Quit: {message}" if message else "Quit")

    def _on_phase(self, phase: str) -> None:
        if phase == "initialize" and self.phase == "load":
            self.phase = phase

    # Words and pictures.

    def _on_log(self, level: str, text: str) -> None:
        if len(self.logs) >= _MOST_LOG_LINES or not self.output.spend(len(text) + 20):
            self.output.truncated = True
            return
        now = self.engine.now
        moment = f"{_stamp(now.local)} " if self.engine.initialized else ""
        self.logs.append(f"{moment}{'Error: ' if level == 'error' else ''}{text}")

    def _note(self, text: str) -> None:
        """A line of ours above all others, that no flood of the strategy's own can push out."""
        self.logs.insert(0, text)

    def _on_plot(self, chart: str, series: str, value: float) -> None:
        self.charts.add(chart, series, self.engine.now.utc, value)

    def _on_statistic(self, name: str, value: str) -> None:
        if len(self.statistics) < 1000:
            self.statistics[name] = value

    def _on_runtime(self, name: str, value: str) -> None:
        if len(self.runtime) < 1000:
            self.runtime[name] = value

    def _on_figures(self) -> None:
        self._answer(self.figures())

    # What initialize chooses.

    def _on_set(self, key: str, value: Any) -> None:
        plan = self.engine.plan
        if self.engine.initialized and key not in ("trading_days", "close_buffer_s"):
            raise Forged(f"a setting {key!r} after initialize")
        if key == "cash":
            self.engine.account.cash = float(value)
        elif key == "benchmark":
            plan.benchmark = str(value)
        elif key == "stale_price_s":
            plan.stale_price_s = float(value)
        elif key == "precise":
            plan.precise = bool(value)
        elif key in ("start", "end", "warm_up_bars", "warm_up_seconds",
                     "warm_up_resolution", "trading_days", "max_orders",
                     "close_buffer_s", "own_benchmark", "own_rates"):  # fmt: skip
            if key == "max_orders" and value > _MOST_ORDERS:
                raise NotModelled(self.phase, f"more than {_MOST_ORDERS} orders ({value} asked)")
            setattr(plan, key, int(value))
        else:
            raise Forged(f"a setting {key!r}")

    def _on_zone(self, name: str) -> None:
        try:
            self.engine.zone = zone(name)
        except LookupError as error:
            return self._refuse(str(error))
        return self._answer(None)

    def _on_security(
        self, ticker: str, mode: int, leverage: float, resolution: int, fill_forward: bool,
        extended: bool,
    ) -> None:  # fmt: skip
        """A security, with its first subscriptions."""
        engine = self.engine
        if len(engine.securities) >= _MOST_SECURITIES:
            raise NoData(f"more than {_MOST_SECURITIES} securities")
        holding = Holding(ticker)
        furnish(holding, engine)
        if leverage >= 1:
            holding.lever(leverage)
        security = engine.add_security(self.shelf.company(ticker), _mode(mode), holding)
        made = self._feed(security, resolution, fill_forward, extended)
        if engine.initialized:
            engine.announce(security, engine.now.exchange // DAY)
        self._answer([security.index, list(holding.margin_model), list(holding.fee_model), made])

    def _on_subscribe(
        self, index: int, resolution: int, fill_forward: bool, extended: bool
    ) -> None:
        """More bars of a security there is."""
        self._answer(self._feed(self._item(index), resolution, fill_forward, extended))

    def _on_unsubscribe(self, index: int) -> None:
        """No more bars of a security."""
        self.engine.unsubscribe(self._item(index))
        self._answer(None)

    def _feed(
        self, security: Security, resolution: int, fill_forward: bool, extended: bool
    ) -> list[list[Any]]:
        """New subscriptions: number, and trade or quote."""
        engine = self.engine
        if resolution not in RESOLUTIONS:
            raise Forged("a resolution")
        made = []
        for kind in ("trade", "quote") if resolution < _HOUR else ("trade",):
            source = self.source(security.ticker, security.mode, resolution, kind)
            if engine.initialized:
                source.cover(engine.now.exchange // DAY, engine.last_day, engine.hours)
            self._streams += 1
            number = self._streams - 1
            stream = Stream(number, security.index, source, extended,
                            resolution if fill_forward else 0)  # fmt: skip
            engine.subscribe(stream)
            made.append([number, kind])
        return made

    def _item(self, index: int) -> Security:
        if not 0 <= index < len(self.engine.securities):
            raise Forged(f"a security number {index}")
        return self.engine.securities[index]

    def _on_normalization(self, index: int, mode: int) -> None:
        item = self._item(index)
        if item.trade is not item.seed:
            what = "Security.set_data_normalization_mode after its first bar"
            raise NotModelled(self.phase, what)
        self._renormalise(item, _mode(mode))
        self._answer(None)

    def _unknown(self, what: str) -> Exception:
        return NotModelled(self.phase, what)

    def _renormalise(self, item: Security, mode: Mode) -> None:
        item.mode = mode
        for stream in item.streams:
            before = stream.source
            stream.source = self.source(item.ticker, mode, before.resolution, before.kind)

    def source(self, ticker: str, mode: Mode, resolution: int, kind: str = "trade") -> Source:
        """Bars as this strategy wants its daily ones to end; NoData says which file is missing."""
        found = self.shelf.source(ticker, mode, resolution, kind)
        return found if self.engine.plan.precise else found.by_midnight

    # The past and the calendar.

    def _on_history(
        self, subjects: list[int | str], kind: str, resolution: int, fill: bool | None,
        extended: bool | None, mode: int | None, *span: int | str | None,
    ) -> None:  # fmt: skip
        """Bars of securities by number, or of tickers that need not be subscribed."""
        engine = self.engine
        now = standing(engine)
        if kind == "action":
            names = [x if isinstance(x, str) else self._item(x).ticker for x in subjects]
            found = [past_actions(engine, self.shelf.company(name), span, now) for name in names]
            return self._answer(found)
        rows, total = [], 0
        for subject in subjects:
            source, filled, beyond = self._source(subject, kind, resolution)
            filled = filled if fill is None else fill
            beyond = beyond if extended is None else extended
            if mode is not None:
                source = self.source(source.ticker, _mode(mode), source.resolution, source.kind)
            wanted = window(engine.hours, span, now.exchange, now.exchange - now.local,
                            source.resolution, beyond, engine.plan.precise)  # fmt: skip
            rows.append(collect(source, wanted, engine.hours, engine.exchange, fill=filled,
                                extended=beyond))  # fmt: skip
            if not rows[-1][0] and (why := hole(source, wanted, engine.hours)):
                self._on_log("debug", f"Note: an empty history: {why}")
            total += len(rows[-1][0])
            if total > MOST_BARS:
                raise NotModelled(self.phase, f"history of more than {MOST_BARS} bars")
        return self._answer(rows)

    def _source(self, subject: int | str, kind: str, resolution: int) -> tuple[Source, bool, bool]:
        """Where history comes from, and whether that is filled forward and in extended hours."""
        if isinstance(subject, str):
            if not resolution:
                raise Forged("history of a ticker without a resolution")
            return self.source(subject, Mode.ADJUSTED, resolution, kind), True, False
        item = self._item(subject)
        streams = [stream for stream in item.streams if stream.source.kind == kind]
        finest = min(streams or item.streams, key=lambda stream: stream.resolution)
        wanted = resolution or finest.resolution
        source = self.source(item.ticker, item.mode, wanted, kind)
        return source, finest.fill > 0, finest.extended

    def _on_hours(self, what: str, moment: int) -> None:
        hours, day = self.engine.hours, moment // DAY
        try:
            answers: dict[str, Callable[[], Any]] = {
                "open_at": lambda: int(hours.is_open(moment)),
                "date_open": lambda: int(hours.is_open_day(day)),
                "next_open": lambda: hours.next_open(moment),
                "next_close": lambda: hours.next_close(moment),
                "next_day": lambda: hours.next_day(day) * DAY,
                "previous_day": lambda: hours.previous_day(day) * DAY,
                "session": lambda: self._session(day, False),
                "session_extended": lambda: self._session(day, True),
                "utc": lambda: self.engine.exchange.utc(moment),
                "local": lambda: self.engine.exchange.local(moment),
                "sessions": lambda: self._sessions(day),
            }
            self._answer(answers[what]())
        except (KeyError, IndexError):
            self._refuse(f"the calendar has no answer for {what}")

    def _on_rates(self, day: int) -> None:
        """Risk free rates by the day they were set, up to now; the day up to which they hold."""
        days, rates = self.shelf.rates()
        today = self.engine.now.utc // DAY
        known = max(bisect_right(days, today), 1)
        self._answer([days[:known], rates[:known], max(today, day)])

    def _sessions(self, first: int) -> list[list[int]]:
        """Opening, close and offset from UTC of the trading days of a year, New York seconds."""
        hours, exchange = self.engine.hours, self.engine.exchange
        found = []
        for day in range(first, first + 366):
            if hours.is_open_day(day):
                opening, close = (day * DAY + edge for edge in hours.session(day, False))
                found.append([opening, close, opening - exchange.utc(opening)])
        return found

    def _on_dates(self, rule: list[Any], first: int) -> None:
        """The next days of a date rule: the calendar's, so that nothing of the future is told."""
        try:
            days = islice(rule_days(rule, first, first + 4000, self.engine.hours), 100)
            self._answer(list(days))
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise Forged("a date rule") from error

    def _session(self, day: int, extended: bool) -> list[int]:
        hours = self.engine.hours
        day = day if hours.is_open_day(day) else hours.previous_day(day)
        return [day * DAY + edge for edge in hours.session(day, extended)]

    def _on_schedule(self, number: int, dates: list[Any], times: list[Any], selects: int) -> None:
        if number != len(self.schedules) or number > 10_000:
            raise Forged("a schedule number")
        self._keep(sum(len(part) if isinstance(part, list) else 1 for part in (*dates, *times)))
        self.schedules[number] = (dates, times)
        self.selections[number] = selects
        self.fresh.append(number)
        self._answer(None)

    def _on_unschedule(self, number: int) -> None:
        if number in self.schedules:
            self.schedules[number] = ([], [])

    def _keep(self, items: int) -> None:
        """Count what a strategy makes us keep: it may not fill our memory in place of its own."""
        self._kept += items
        if self._kept > _MOST_KEPT:
            raise Forged(f"more than {_MOST_KEPT} dates of schedules")


def _mode(number: int) -> Mode:
    try:
        return Mode(number)
    except ValueError as error:
        raise Forged("a data normalization mode") from error


def _stamp(local: int) -> str:
    from datetime import datetime, timedelta

    return str(datetime(1970, 1, 1) + timedelta(seconds=local))
