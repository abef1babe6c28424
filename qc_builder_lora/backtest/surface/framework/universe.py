"""Universes: securities that come and go by what a function of the strategy's own selects.

It may select tickers that the data folder has. Fundamental data, constituents and chains are not
modelled. What leaves a universe keeps its bars until nothing of it is held or ordered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from ..alias import both_styles
from ..known import not_modelled
from ..schedule import DateRule, TimeRule
from ..security import SecurityManager
from ..symbol import Symbol
from .sessions import DAY, seconds_of
from .spelling import Overridable, symbol_of
from .target import on_the_way

ONCE = None
EVERY_DAY = timedelta(days=1)
OWN = "qc-universe-userdefined-usa-equity"
"""The universe of what a strategy adds itself."""


@both_styles
class Universe(Overridable):
    """A name, a function from New York's time to symbols or tickers, and when it is asked."""

    LEAN = "Universe"
    UNCHANGED: Any = object()
    Unchanged = UNCHANGED

    def __init__(
        self, name: str, selector: Callable[[datetime], Any], settings: Any, when: Any = EVERY_DAY
    ) -> None:
        self.name = name
        self.universe_settings = settings
        self.members: dict[Symbol, Any] = {}
        self.selected: set[Symbol] = set()
        self.when = when
        self._selector = selector
        self._added: dict[Symbol, datetime] = {}

    def clock(self, desk: Any) -> datetime:
        """What its function is asked with: a schedule's is the UTC moment, with its zone."""
        if isinstance(self.when, tuple):
            return desk.utc_time.replace(tzinfo=UTC)  # type: ignore[no-any-return]
        return desk.exchange_time  # type: ignore[no-any-return]

    def perform_selection(self, now: datetime) -> list[Symbol] | None:
        """The symbols at a moment; None where nothing changes."""
        found = self._selector(now)
        if found is self.UNCHANGED:
            return None
        symbols = list(dict.fromkeys(symbol_of(thing) for thing in found or ()))
        self.selected = set(symbols)
        return symbols

    def contains_member(self, symbol: Any) -> bool:
        return symbol_of(symbol) in self.members

    def enter(self, security: Any, now: datetime) -> None:
        """Take a security in."""
        self.members[security.symbol] = security
        self._added[security.symbol] = now

    def may_leave(self, symbol: Symbol, now: datetime) -> bool:
        """Whether a security has stayed for the minimum time."""
        least = self.universe_settings.minimum_time_in_universe
        return now - self._added[symbol] >= (EVERY_DAY if least is None else least)

    def leave(self, symbol: Symbol) -> None:
        """Let a security go."""
        self.members.pop(symbol, None)
        self._added.pop(symbol, None)


@both_styles
class ScheduledUniverse(Universe):
    """A universe that is asked at the times of a date rule and a time rule."""

    LEAN = "ScheduledUniverse"

    def __init__(self, *args: Any, **named: Any) -> None:
        rest = list(args)
        if rest and not isinstance(rest[0], DateRule):
            zone = str(rest.pop(0))
            if zone not in ("America/New_York", "UTC"):
                not_modelled("ScheduledUniverse", f"time zone {zone}")
        names = ("date_rule", "time_rule", "selector", "settings")
        given = dict(zip(names, rest, strict=False)) | named
        super().__init__(
            f"scheduled-universe-{id(self)}", given["selector"], given.get("settings"),
            (given["date_rule"], given["time_rule"]),
        )  # fmt: skip


class Universes:
    """The universes of one strategy: asked when it is time, and what they say is done."""

    def __init__(self, desk: Any) -> None:
        self._desk = desk
        self.by_name: dict[str, Universe] = {}
        self._own: set[str] = {OWN}
        self._begun = False
        self.events: set[int] = set()
        """Numbers of the scheduled events at which universes are asked."""
        self._leaving: list[tuple[Universe, Symbol]] = []
        """Deselected while something of them was held, ordered or wanted."""

    # What a strategy adds and removes itself.

    def own(self, security: Any) -> None:
        """A security that the strategy added."""
        universe = self.by_name.get(OWN)
        if universe is None:
            universe = Universe(OWN, lambda now: Universe.UNCHANGED, self._desk.universe, ONCE)
            self.by_name[OWN] = universe
        universe.enter(security, self._desk.utc_time)

    def remove(self, security: Any) -> None:
        """Out of every universe, told of at the next moment."""
        self._desk.removed.append(security)
        for universe in self.by_name.values():
            if security.symbol in universe.members:
                self._let_go(universe, security.symbol)
        security.is_tradable = False

    @property
    def active(self) -> SecurityManager:
        """The securities that are in any universe."""
        found = SecurityManager()
        for security in self._desk.by_index:
            if any(security.symbol in item.members for item in self.by_name.values()):
                dict.__setitem__(found, security.symbol, security)
        return found

    # Universes.

    def take(self, universes: Iterable[Any], *, own: bool) -> None:
        """Add universes; those of the selection model replace what it gave before."""
        given = {}
        for universe in universes or ():
            if not isinstance(universe, Universe):
                not_modelled("a universe", type(universe).__name__)
            given[universe.name] = universe
        if not own:
            for name in [item for item in self.by_name if item not in given]:
                if name not in self._own:
                    self._dissolve(self.by_name.pop(name))
        for name, universe in given.items():
            if name not in self.by_name:
                self.by_name[name] = universe
                if universe.universe_settings is None:
                    universe.universe_settings = self._desk.universe
                if own:
                    self._own.add(name)
                if self._begun:
                    self._start(universe)

    def begin(self) -> None:
        """The first selection, at the first moment of the backtest."""
        self._begun = True
        for universe in list(self.by_name.values()):
            self._start(universe)

    def _start(self, universe: Universe) -> None:
        when, schedule = universe.when, self._desk.schedule
        if isinstance(when, tuple):
            event = schedule.take(universe.name, *when, lambda: self.select(universe), selects=2)
            self.events.add(event.number)
            return
        self.select(universe)
        if when is ONCE:
            return
        seconds = int(when.total_seconds())
        if seconds <= 0 or DAY % seconds:
            not_modelled("a universe", f"asked every {when}")
        daily = seconds == DAY
        rule = ["at", 0] if daily else ["every", seconds]
        event = schedule.take(
            universe.name, DateRule("EveryDay", ["every_day", 0]), TimeRule("Universe", rule),
            lambda: self._tick(universe, seconds), selects=int(daily),
        )  # fmt: skip
        self.events.add(event.number)

    def _tick(self, universe: Universe, seconds: int) -> None:
        """Ask again where the exchange opens within the interval."""
        now = seconds_of(self._desk.exchange_time)
        found = self._desk.framework.sessions.bounds(now // DAY)
        if found is not None and found[0] < now + seconds and now < found[1]:
            self.select(universe)

    def select(self, universe: Universe) -> None:
        """Ask one universe, and follow it; all that are asked at a moment are told of together."""
        now = self._desk.utc_time
        symbols = universe.perform_selection(universe.clock(self._desk))
        self._finish_leaving(universe)
        if symbols is None:
            return
        for symbol in sorted(universe.members):
            if symbol not in universe.selected and universe.may_leave(symbol, now):
                # As LEAN, whether or not another universe has it still.
                self._desk.removed.append(universe.members[symbol])
                self._let_go(universe, symbol)
        for symbol in symbols:
            if symbol not in universe.members:
                universe.enter(self._desk.join(symbol, universe.universe_settings), now)

    def _let_go(self, universe: Universe, symbol: Symbol) -> None:
        if not self._at_rest(symbol):
            if (universe, symbol) not in self._leaving:
                self._leaving.append((universe, symbol))
            return
        universe.leave(symbol)
        if not any(symbol in item.members for item in self.by_name.values()):
            self._desk.stop(self._desk.securities[symbol])

    def _at_rest(self, symbol: Symbol) -> bool:
        """Whether nothing of a security is held, ordered or wanted."""
        security = self._desk.securities[symbol]
        target = getattr(security.holdings, "target", None)
        wanted = target is not None and target.quantity
        return not (security.invested or wanted or on_the_way(self._desk.trading, symbol))

    def _finish_leaving(self, asked: Universe) -> None:
        """Look again at what was held when it was deselected."""
        waiting, self._leaving = self._leaving, []
        for universe, symbol in waiting:
            # At rest it leaves even where it is selected again: it comes in anew.
            if self._at_rest(symbol) or not (universe is asked and symbol in universe.selected):
                self._let_go(universe, symbol)

    def _dissolve(self, universe: Universe) -> None:
        for symbol in list(universe.members):
            self._desk.removed.append(universe.members[symbol])
            self._let_go(universe, symbol)
        self._desk.deliver_changes()
