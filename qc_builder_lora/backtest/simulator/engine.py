"""The state of one backtest on the simulator's side: the clock, the prices, the account.

Securities take the bars of their streams as the clock reaches the bars' ends; the clock stops at
every moment at which a bar ends. Nothing later than the clock ever leaves this side.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from qc_builder_lora.backtest.simulator.account import Account, Holding
from qc_builder_lora.backtest.simulator.actions import Action, actions
from qc_builder_lora.backtest.simulator.book import Book
from qc_builder_lora.backtest.simulator.calendar import DAY, NEW_YORK, Hours, zone
from qc_builder_lora.backtest.simulator.capacity import Traded
from qc_builder_lora.backtest.simulator.feed import Company, Mode, Source
from qc_builder_lora.backtest.simulator.fills import STALE_S
from qc_builder_lora.backtest.simulator.orders import Bar, Quote, round_price
from qc_builder_lora.backtest.simulator.reality import OWN
from qc_builder_lora.backtest.simulator.stream import NEVER, Point, Stream
from qc_builder_lora.backtest.surface.brokerages import DEFAULT, Brokerage


@dataclass
class Security:
    """One security: its last prices, its holding and the subscriptions that feed it."""

    index: int
    company: Company
    mode: Mode
    holding: Holding
    streams: list[Stream] = field(default_factory=list)
    trade: Point | None = None
    """The last trade bar that is not filled forward, as LEAN's cache keeps it."""
    split: str = ""
    """The factor of a split since the last trade bar, on raw prices."""
    quote: Point | None = None
    """The last quote bar of that kind; minutes and seconds have them where the folder does."""
    delisted: bool = False
    seed: Point | None = None
    """The bar that its price was seeded with, before any of its own."""
    filtered: bool = False
    """Whether the strategy's own filter is asked about every bar."""
    _bar: Bar | None = None
    _bar_of: Point | None = None
    """The trade bar that `_bar` was made of."""

    @property
    def ticker(self) -> str:
        """The name the strategy gave it."""
        return self.company.ticker

    @property
    def raw(self) -> bool:
        """Whether its prices are as quoted at the time."""
        return self.mode is Mode.RAW

    @property
    def extended(self) -> bool:
        """Whether a subscription has bars from before the opening and after the close."""
        return any(stream.extended for stream in self.streams)

    @property
    def bar(self) -> Bar | None:
        """The last trade bar; times are the exchange's."""
        if self.trade is None:
            return None
        # Asked several times of every open order at every moment.
        if self._bar is None or self._bar_of is not self.trade:
            _, start, end, bars, row, _ = self._bar_of = self.trade
            self._bar = Bar(start, end, *(column[row] for column in bars.columns[:5]))
        return self._bar

    @property
    def period(self) -> int:
        """Seconds of the finest of its subscriptions."""
        return min((stream.resolution for stream in self.streams), default=DAY)

    def quotes(self) -> tuple[Quote, Quote, Quote]:
        """Bid, ask and last price, as LEAN's Security has them: the last where no quote is."""
        last = (self.holding.price, self.split or self._factor(self.trade))
        found = []
        for ask in (False, True):
            side = self.quoted(ask=ask)
            found.append(last if side is None else (side.close, self._factor(self.quote)))
        return found[0], found[1], last

    def _factor(self, point: Point | None) -> str:
        return "1" if point is None else self.company.exact(point[1] // DAY, self.mode)

    def traded(self, utc: int) -> Traded | None:
        """The trade bar that ended at this very moment."""
        if self.trade is None or self.trade[0] != utc:
            return None
        _, start, end, bars, row, _ = self.trade
        return Traded(end - start, bars.columns[3][row], bars.columns[4][row])

    def quoted(self, *, ask: bool) -> Bar | None:
        """One side of the last quote bar, None where there was no quote."""
        if self.quote is None:
            return None
        _, start, end, bars, row, _ = self.quote
        side = bars.columns[5:9] if ask else bars.columns[:4]
        opened, high, low, close = (column[row] for column in side)
        return Bar(start, end, opened, high, low, close) if close else None

    def tick(self, price: float | None) -> float | None:
        """To the price tick. Adjusted prices have none (LEAN's AdjustedPriceVariationModel)."""
        return round_price(price) if self.raw else price


Warm = Callable[[Stream], "Source | None"]


@dataclass
class Moment:
    """Where the clock stands; three views of one time, in seconds since 1970."""

    utc: int = 0
    local: int = 0
    """The algorithm's zone."""
    exchange: int = 0
    is_open: bool = False

    def plain(self) -> list[Any]:
        """As the strategy's clock takes it."""
        return [self.utc, self.local, self.exchange, self.is_open]

    def text(self) -> str:
        """The same, as JSON."""
        return f"[{self.utc},{self.local},{self.exchange},{'true' if self.is_open else 'false'}]"


@dataclass
class Plan:
    """What the strategy chose in initialize."""

    start: int | None = None
    end: int | None = None
    warm_up_bars: int | None = None
    warm_up_seconds: int | None = None
    warm_up_resolution: int | None = None
    """Seconds of the bars of the warm-up, where they differ from the subscriptions'."""
    benchmark: str | None = None
    own_benchmark: int = 0
    """Whether a function of the strategy's gives the benchmark's values."""
    own_rates: int = 0
    """Whether a model of the strategy's gives the risk free rates."""
    trading_days: int = 252
    max_orders: int = 10_000
    """LEAN's default for a backtest."""
    brokerage: Brokerage = DEFAULT
    cash_account: bool = False
    margin_calls: bool = True
    margin_buffer: float = 0.10
    """No call before the margin in use exceeds the portfolio by that share."""
    close_buffer_s: int = 930
    """LEAN's MarketOnCloseOrder.SubmissionTimeBuffer: 15.5 minutes."""
    stale_price_s: float = STALE_S
    precise: bool = True
    """Whether a daily bar ends with its session; else at midnight (daily_precise_end_time)."""
    flags: dict[str, bool] = field(default_factory=dict)


class Engine:
    """Everything that counts in one backtest."""

    def __init__(self, hours: Hours) -> None:
        self.hours = hours
        self.exchange = zone(NEW_YORK)
        self.zone = self.exchange
        self.now = Moment()
        self.plan = Plan()
        self.account = Account()
        self.securities: list[Security] = []
        self.lineup: list[Stream] = []
        """Subscriptions in LEAN's order within a moment."""
        self.book = Book(self)
        self.passes: Callable[[Stream, Point], bool] = lambda stream, point: True
        """What the strategy's own data filter says of a bar."""
        self.account.calm = self.is_calm
        self.account.kept = self._kept
        self.warming_up = True
        self.quitting = False
        self.initialized = False
        self.last_day = 0
        """The last day of the backtest, once it runs."""
        self._agenda: list[tuple[int, int, int, Action]] = []
        self._announced = 0
        self._first = 0
        """When it begins, warm-up and all: New York's seconds."""

    # The clock.

    def move_to(self, utc: int) -> None:
        """Set all three clocks."""
        exchange = self.exchange.local(utc)
        local = exchange if self.zone is self.exchange else self.zone.local(utc)
        self.now = Moment(utc, local, exchange, self.hours.is_open(exchange))

    def is_calm(self) -> bool:
        """Whether the exchange is open and will not close within ten minutes."""
        now = self.now.exchange
        return self.now.is_open and self.hours.is_open(now + 600)

    def _kept(self, holding: Holding) -> float | None:
        model = holding.margin_model
        if not model or model[0] != OWN:
            return None
        return self.book.reality.kept(self.securities[self.account.holdings.index(holding)])

    def next_moment(self) -> int:
        """UTC seconds at which the next bar ends or the next corporate action happens."""
        following = min((stream.next_utc for stream in self.lineup), default=NEVER)
        return min(following, self._agenda[0][0]) if self._agenda else following

    def advance(self) -> tuple[list[int], list[str], list[int]]:
        """Let the bars that end now arrive: subscriptions, bars as JSON, which are filled.

        A bar that is filled between two ends of its own resolution counts from -1 downwards: LEAN
        shows it, and keeps it from consolidators.
        """
        now = self.now.utc
        numbers: list[int] = []
        frames: list[str] = []
        filled: list[int] = []
        for stream in self.lineup:
            if stream.next_utc != now:
                continue
            point = stream.point
            assert point is not None
            if self.securities[stream.security].filtered and not self.passes(stream, point):
                stream.move()
                continue
            if point[5]:
                place = len(frames)
                filled.append(place if self._is_native(stream, point[2]) else -1 - place)
            else:
                self._take(stream, point)
            numbers.append(stream.number)
            frames.append(stream.text(point))
            stream.move()
        return numbers, frames, filled

    def _is_native(self, stream: Stream, end: int) -> bool:
        if self.warming_up and self.plan.warm_up_resolution:
            return True
        if not stream.source.strict:
            return end % stream.resolution == 0
        return end % DAY == self.hours.close(end // DAY)

    def _take(self, stream: Stream, point: Point) -> None:
        security = self.securities[stream.security]
        if stream.is_trade:
            security.trade, security.split = point, ""
            security.holding.price = point[3].columns[3][point[4]]
        else:
            security.quote = point
            bid, ask = (point[3].columns[column][point[4]] for column in (3, 8))
            security.holding.bid = bid or security.holding.bid
            security.holding.ask = ask or security.holding.ask

    def due_actions(self) -> list[tuple[int, Action]]:
        """Corporate actions of this moment, by security."""
        found = []
        while self._agenda and self._agenda[0][0] <= self.now.utc:
            _, _, index, action = heapq.heappop(self._agenda)
            found.append((index, action))
        return found

    # Securities and subscriptions.

    def add_security(self, company: Company, mode: Mode, holding: Holding) -> Security:
        """A new security, without subscriptions yet."""
        found = Security(len(self.securities), company, mode, holding)
        self.securities.append(found)
        self.account.holdings.append(holding)
        return found

    def subscribe(self, stream: Stream) -> None:
        """Feed a security; at once where the backtest runs."""
        self.securities[stream.security].streams.append(stream)
        self.lineup.append(stream)
        self.lineup.sort(key=lambda item: item.order)
        self._refine()
        if self.initialized:
            stream.begin(self._after(stream.source), self._end, self.hours, self.exchange)

    def unsubscribe(self, security: Security) -> None:
        """Feed a security no more; its last price stays."""
        for stream in security.streams:
            stream.stop()
        self.lineup = [stream for stream in self.lineup if stream.security != security.index]
        security.streams.clear()

    def _refine(self) -> None:
        """All gaps are filled at the finest resolution of those that are filled at all."""
        finest = min((item.resolution for item in self.lineup if item.fill), default=0)
        for stream in self.lineup:
            if stream.fill:
                stream.fill = finest

    def begin(self, first: int, start: int, last: int, warm: Warm) -> None:
        """Stand before the first bar that ends after a New York moment.

        The clock will run to the end of day `last`; `warm` gives what a stream shows before day
        `start`, where that is not its own bars.
        """
        self.initialized = True
        self._first = first
        self.last_day = last
        self.move_to(self.exchange.utc(first))
        for stream in self.lineup:
            other = warm(stream)
            after = self._after(other or stream.source)
            if other is stream.source:
                stream.begin(after, self._end, self.hours, self.exchange)
            else:
                stream.begin_warm(other, after, start * DAY, self._end, self.hours, self.exchange)
        for security in self.securities:
            self.announce(security, first // DAY)

    def _after(self, source: Source) -> int:
        """New York's time after which bars count: a bar that ends as the backtest begins does."""
        now = self.now.exchange
        return now - 1 if now == self._first and not source.strict else now

    @property
    def _end(self) -> int:
        # LEAN's end date is the last moment of that day.
        return (self.last_day + 1) * DAY - 1

    def announce(self, security: Security, first: int) -> None:
        """Put a security's corporate actions from a day on into the agenda."""
        for day, action in actions(security.company, self.hours, first, self.last_day):
            self._announced += 1
            entry = (self.exchange.utc(day * DAY), self._announced, security.index, action)
            heapq.heappush(self._agenda, entry)
