"""Run one strategy in this process: load its code, initialize, then step by step to the end.

The simulator leads. Every message from it is one thing to do; `done` is the answer when nothing
is left to do at that moment.
"""

from __future__ import annotations

import ast
import inspect
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

from .actions import corporate_actions
from .algorithm import QCAlgorithm
from .algorithm.callbacks import Callbacks
from .algorithm.core import use
from .alias import spelled
from .bars import Actions, Slice, TradeBars, make_bar
from .desk import EPOCH, Desk
from .extras import SecurityChanges
from .imports import FILE, install
from .keywords import in_snake_case
from .known import NotModelled, exported, on_not_modelled
from .margin_call import call_margin
from .quotes import QuoteBars, make_quote
from .subscriptions import SubscriptionDataConfig
from .wire import HungUp, Wire

NO_QUOTES = QuoteBars()
SESSION = timedelta(hours=6, minutes=30)
DAY = timedelta(days=1)


class BadStrategy(Exception):
    """The code holds no strategy that could run."""


class Strategy:
    """One backtest, on the strategy's side of the channel."""

    def __init__(self, wire: Wire, order: dict[str, Any]) -> None:
        self._wire = wire
        self._order = order
        self._desk = Desk(wire)
        self._phase = "load"
        self._numbers: list[int] = []
        self._warm_length: timedelta | None = None
        """Length of the bars of the warm-up, where it has its own."""
        self._bars, self._quotes = TradeBars(), NO_QUOTES
        self._arrived: list[tuple[SubscriptionDataConfig, Any]] = []
        self._start = self._end = EPOCH

    def run(self) -> None:
        """The whole backtest; tells the simulator how it ended, and never raises."""
        on_not_modelled(lambda api, detail: self._wire.send(["unknown", self._phase, api, detail]))
        try:
            algorithm = self._load()
            self._phase = "initialize"
            self._wire.send(["phase", "initialize"])
            self._initialize(algorithm)
            self._phase = "run"
            self._obey(algorithm)
        except (NotModelled, HungUp):
            # The one has been reported already, the other has nobody to report to.
            return
        except BaseException as error:  # noqa: BLE001 - whatever the strategy raises is its failure
            with suppress(HungUp):
                self._wire.send(["failed", self._phase, *_described(error)])

    def _load(self) -> Any:
        code = self._order["code"]
        _remember(code)
        tree = ast.parse(code, FILE)
        in_snake_case(tree)
        install(tree, self._order["folders"], self._order.get("files", {}))
        module = ModuleType("__main__")
        module.__file__ = FILE
        sys.modules["__main__"] = module
        exec(compile(tree, FILE, "exec"), module.__dict__)
        use(self._desk)
        made = _algorithm_class(module)()
        made.__dict__.setdefault("_desk", self._desk)
        return made

    def _initialize(self, algorithm: Any) -> None:
        desk = self._desk
        desk.own_models.made = self._made
        desk.parameters = self._order["parameters"]
        desk.fixed = {key: self._order[key] for key in ("start", "end", "cash") if self._order[key]}
        for which in ("start", "end"):
            if which in desk.fixed:
                setattr(desk, which, EPOCH + timedelta(days=desk.fixed[which]))
        if "cash" in desk.fixed:
            desk.portfolio.cash = float(desk.fixed["cash"])
        desk.on_changes = lambda changes: self._changed(algorithm, changes)
        desk.begin_at(desk.start)
        spelled(algorithm, "initialize")()
        spelled(algorithm, "post_initialize")()
        self._warm_length = self._desk.ask_to_warm_up()
        desk.framework.post_initialize(algorithm)
        if desk.own_models.brokerage is not None and desk.benchmark is None:
            desk.own_models.brokerage.measure(algorithm)
        desk.on_order_event = self._order_listener(algorithm)
        desk.locked = True
        flags = {"on_order_event": desk.on_order_event is not None}
        flags["on_end_of_day"] = self._end_of_day(algorithm) is not None
        for name in ("on_margin_call", "on_symbol_changed_events"):
            flags[name] = self._own(algorithm, name) is not None
        self._wire.send(["ready", flags])

    def _own(self, algorithm: Any, name: str) -> Callable[..., Any] | None:
        """The strategy's own handler, or None where it has LEAN's empty one."""
        method = spelled(algorithm, name)
        default = getattr(Callbacks, name)
        return None if getattr(method, "__func__", None) is default else method

    def _order_listener(self, algorithm: Any) -> Callable[..., Any] | None:
        """The strategy's own handler, then its execution model's."""
        own, framework = self._own(algorithm, "on_order_event"), self._desk.framework
        if not framework.hears_orders:
            return own

        def both(event: Any) -> None:
            if own is not None:
                own(event)
            framework.on_order_event(algorithm, event)

        return both

    def _end_of_day(self, algorithm: Any) -> Callable[..., Any] | None:
        own = self._own(algorithm, "on_end_of_day")
        if own is None:
            return None
        # Without a symbol it is LEAN's deprecated form, called once a day.
        takes = len(inspect.signature(own).parameters)
        return own if takes else lambda symbol: own() if symbol.number == 0 else None

    def _obey(self, algorithm: Any) -> None:
        """Do what each message says until `bye`; most are answered with `done`."""
        wire = self._wire
        on_data = spelled(algorithm, "on_data")
        others = self._rarer(algorithm)
        while True:
            message = wire.receive()
            kind = message[0]
            if kind == "step":
                self._prices(message)
                self._step(algorithm, on_data, [])
            elif kind == "prices":
                self._prices(message)
                continue
            elif kind == "go":
                self._step(algorithm, on_data, message[1])
            elif kind == "own":
                wire.send(["answer", self._desk.own_models.answer(*message[1:])])
                continue
            elif kind == "placed":
                self._desk.trading.placed(*message[1:])
                continue
            elif kind == "refused":
                self._desk.serve(kind, message[1:])
                continue
            elif kind == "end":
                spelled(algorithm, "on_end_of_algorithm")()
            elif kind == "bye":
                return
            else:
                others[kind](*message[1:])
            wire.done(self._desk.wake_at() if self._desk.consolidators else None)

    def _rarer(self, algorithm: Any) -> dict[str, Callable[..., Any]]:
        desk = self._desk
        on_end_of_day = self._end_of_day(algorithm)

        def fire(number: int, clock: list[Any], more: bool) -> None:
            desk.set_clock(*clock)
            selects = number in desk.framework.universes.events
            if not selects:
                desk.deliver_changes()
            desk.schedule.fire(number)
            if selects and not more:
                desk.deliver_changes()

        def wake(clock: list[Any]) -> None:
            desk.set_clock(*clock)
            desk.wake()

        def day_end(index: int, clock: list[Any]) -> None:
            desk.set_clock(*clock)
            symbol = desk.by_index[index].symbol
            if on_end_of_day is not None and symbol in desk.watched:
                on_end_of_day(symbol)

        def warm(clock: list[Any]) -> None:
            desk.set_clock(*clock)
            desk.warming_up = False

        return {
            "events": desk.trading.take,
            "fire": fire,
            "wake": wake,
            "day_end": day_end,
            "begin": lambda clock: self._begin(algorithm, clock),
            "warm": warm,
            "warmed": spelled(algorithm, "on_warmup_finished"),
            "account": self._account,
            "renamed": lambda told: spelled(algorithm, "on_symbol_changed_events")(
                corporate_actions(desk, told).changes
            ),
            "delisted": lambda index: desk.by_index[index].delist(),
            "margin_warning": spelled(algorithm, "on_margin_call_warning"),
            "margin_call": lambda orders: call_margin(
                desk, spelled(algorithm, "on_margin_call"), orders
            ),
        }

    def _begin(self, algorithm: Any, clock: list[Any]) -> None:
        self._desk.set_clock(*clock)
        self._desk.framework.universes.begin()
        self._desk.deliver_changes()

    def _changed(self, algorithm: Any, changes: SecurityChanges) -> None:
        own = self._own(algorithm, "on_securities_changed")
        if own is not None:
            own(changes)
        self._desk.framework.on_securities_changed(algorithm, changes)

    def _account(self, account: list[float], holdings: list[list[Any]]) -> None:
        """Corporate actions on raw data change cash and holdings without an order."""
        self._desk.take_account(account)
        for index, holding in holdings:
            self._desk.by_index[index].holdings.take(holding)

    def _prices(self, message: list[Any]) -> None:
        """`[kind, clock, subscriptions, rows, filled]`; null means the subscriptions of before."""
        _, clock, numbers, rows, filled = message
        desk = self._desk
        desk.set_clock(*clock)
        self._bars, self._quotes = TradeBars(), NO_QUOTES
        self._arrived = arrived = []
        if numbers is not None:
            self._numbers = numbers
        for position, (number, row) in enumerate(zip(self._numbers, rows, strict=True)):
            config = desk.subscriptions[number]
            native = position in filled
            bar = self._bar(config, row, native or -1 - position in filled)
            if native or not bar.is_fill_forward:
                arrived.append((config, bar))

    def _made(
        self, config: SubscriptionDataConfig, row: list[float], filled: bool, end: datetime
    ) -> Any:
        """A bar that ends at a time of the exchange's."""
        length = self._warm_length if self._desk.warming_up else None
        if not (config.is_daily if length is None else length.days):
            start = end - (length or config.increment)
        elif not self._desk.settings.daily_precise_end_time:
            start = end - DAY
        else:
            # LEAN's strict end times: the regular session, and of a filled bar just its length.
            start = end - SESSION if filled else end.replace(hour=9, minute=30, second=0)
        make = make_bar if config.is_trade else make_quote
        return make(config.symbol, start, end, row, filled)

    def _bar(self, config: SubscriptionDataConfig, row: list[float], filled: bool) -> Any:
        """Make a bar, and show it to its security and the slice."""
        symbol, security = config.symbol, config.security
        bar = self._made(config, row, filled, self._desk.exchange_time)
        if config.is_trade:
            if not filled:
                security.take(bar)
            before = self._bars.get(symbol)
            if before is None or before.period > bar.period:
                dict.__setitem__(self._bars, symbol, bar)
            return bar
        if not filled:
            security.take_quote(bar)
        if self._quotes is NO_QUOTES:
            self._quotes = QuoteBars()
        dict.__setitem__(self._quotes, symbol, bar)
        return bar

    def _step(self, algorithm: Any, on_data: Callable[[Slice], Any], actions: list[Any]) -> None:
        """Consolidators and indicators, then corporate actions, then on_data: LEAN's order."""
        desk = self._desk
        desk.deliver_changes()
        for config, bar in self._arrived:
            for listener in list(config.listeners):
                listener(bar)
        acted: Actions | None = corporate_actions(desk, actions) if actions else None
        now = Slice(desk.time, desk.utc_time, self._bars, self._quotes, acted)
        desk.current_slice = now
        if now.splits:
            spelled(algorithm, "on_splits")(now.splits)
        if now.dividends:
            spelled(algorithm, "on_dividends")(now.dividends)
        if now.delistings:
            spelled(algorithm, "on_delistings")(now.delistings)
        if now.has_data:
            on_data(now)
        desk.framework.on_data(algorithm, now)


def _algorithm_class(module: ModuleType) -> type[QCAlgorithm]:
    # Of several, the last by name of those defined in the file itself: LEAN's loader goes through
    # the module's names in their order, and what it finds last stays.
    found = [
        item
        for _, item in sorted(vars(module).items())
        if isinstance(item, type) and issubclass(item, QCAlgorithm)
        and item.__module__ == module.__name__
    ]  # fmt: skip
    if not found:
        raise BadStrategy("no class derives from QCAlgorithm")
    return found[-1]


_source: list[str] = []


def _remember(code: str) -> None:
    _source[:] = code.splitlines()


def _described(error: BaseException) -> list[Any]:
    """`describe`, or no more than the class where nothing is left to describe it with."""
    try:
        return describe(error)
    except BaseException:  # noqa: BLE001 - out of memory, or a hook of the strategy's
        return [type(error).__name__, "", None, ""]


def describe(error: BaseException) -> list[Any]:
    """Class, message, line and text of the strategy's own innermost line: JSON values."""
    line = None
    if isinstance(error, SyntaxError) and error.filename == FILE:
        line = error.lineno
    else:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame.lineno for frame in frames if frame.filename == FILE]
        line = own[-1] if own else None
    text = ""
    if line and 0 < line <= len(_source):
        text = _source[line - 1].strip()[:200]
    return [type(error).__name__, _message(error)[:2000], line, text]


def _message(error: BaseException) -> str:
    try:
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    except Exception:  # noqa: BLE001 - a strategy's exception may not even print
        return "(its message cannot be printed)"
    if isinstance(error, SyntaxError):
        return error.msg
    if isinstance(error, NameError) and error.name and "Did you mean" not in text:
        import difflib

        close = difflib.get_close_matches(error.name, sorted(exported()), n=1, cutoff=0.75)
        text += f". Did you mean: {close[0]!r}?" if close else ""
    return text


def main(connection: socket.socket) -> None:
    """The entry of the strategy's process: one order in, one backtest."""
    wire = Wire(connection)
    order = wire.receive()
    # The inherited streams were made for other files. Line by line, so that what a strategy has
    # printed is there however it ends.
    sys.stdout, sys.stderr = (
        open(number, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        for number in (1, 2)
    )
    Strategy(wire, order).run()
