"""What happens to the account besides orders: dividends, splits, margin calls, settlement.

Called by the clock at its places within a moment; what changes is told to the strategy there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qc_builder_lora.backtest.simulator.calendar import DAY
from qc_builder_lora.backtest.simulator.feed import Mode, refuse_dividend
from qc_builder_lora.backtest.simulator.margin_calls import EVERY_S, Call, margin_call
from qc_builder_lora.backtest.simulator.orders import Kind, Wish

if TYPE_CHECKING:
    from qc_builder_lora.backtest.simulator.actions import Action
    from qc_builder_lora.backtest.simulator.engine import Engine

MARGIN_CALL = "Margin Call"
_HOUR = 3600
_FIRST_HOUR = 10 * _HOUR


class Upkeep:
    """Keeps an engine's account between its orders."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._next_call = 0
        self._next_scan = 0

    # Corporate actions.

    def act(self, index: int, action: Action) -> bool:
        """A dividend is paid on prices that do not hold it, a split multiplies raw shares."""
        engine = self._engine
        item, account = engine.securities[index], engine.account
        if action.warning or item.mode is Mode.ADJUSTED:
            return False
        if action.kind == "dividend":
            refuse_dividend(item.mode, item.ticker)
            account.dividend(item.holding, action.value)
            return item.holding.quantity != 0
        if action.kind != "split" or item.mode is not Mode.RAW:
            return False
        account.split(item.holding, action.value, action.reference)
        item.split = action.exact
        engine.book.trades.split(item.ticker, action.value)
        self._split_orders(index, action.value)
        return True

    def _split_orders(self, index: int, factor: float) -> None:
        """Open orders keep their worth: LEAN asks for an update of each."""
        book = self._engine.book
        for order in list(book.pending.values()):
            if order.index != index:
                continue
            changes: dict[str, Any] = {"quantity": float(int(order.quantity / factor))}
            for name in ("limit", "stop", "trigger", "trailing"):
                value = getattr(order, name)
                if value is not None and not (name == "trailing" and order.by_share):
                    changes[name] = value * factor
            book.update(order.number, changes)

    # Margin.

    def scan(self) -> None:
        """LEAN's look at the models that move money, at the first slice of every hour."""
        engine = self._engine
        now = engine.now.utc
        if now < self._next_scan:
            return
        self._next_scan = now - now % _HOUR + _HOUR
        for item in engine.securities:
            if item.holding.own:
                engine.book.reality.scan(item)

    @property
    def scans(self) -> bool:
        """Whether there is anything to be scanned."""
        return any(item.own for item in self._engine.account.holdings)

    def call(self) -> Call:
        """LEAN's margin call, looked at every five minutes."""
        now = self._engine.now.utc
        plan = self._engine.plan
        if now < self._next_call or self._engine.warming_up or not plan.margin_calls:
            return Call(warn=False)
        self._next_call = now + EVERY_S
        return margin_call(self._engine.account, plan.margin_buffer)

    def execute(self, wishes: list[Wish]) -> list[str]:
        """Carry a margin call out, the greatest losers first; a line for each order."""
        engine, said = self._engine, []
        account = engine.account
        if account.margin_left >= 0:
            return []
        loss = [account.unrealized_of(engine.securities[wish.index].holding) for wish in wishes]
        for _, place in sorted((amount, place) for place, amount in enumerate(loss)):
            wish = wishes[place]
            number, _ = engine.book.add(wish)
            order = engine.book.orders[number - 1]
            said.append(
                f"Executed MarginCallOrder: {engine.securities[wish.index].ticker} - "
                f"Quantity: {order.quantity:g} @ {order.price:g}"
            )
            if account.margin_left >= 0:
                break
        return said

    @staticmethod
    def wishes(call: Call) -> list[Wish]:
        """The market orders of a call."""
        return [
            Wish(index, Kind.MARKET, quantity, tag=MARGIN_CALL) for index, quantity in call.orders
        ]

    # The end of a moment.

    def begin(self, start: int, end: int) -> None:
        """Days since 1970 of the first and the last day of the backtest."""
        self._engine.book.capacity.begin(start, end)
        # LEAN's clock stands at the start date, warm-up or not, when it takes this down.
        opening = self._engine.zone.utc(start * DAY)
        self._next_scan = opening - opening % _HOUR + _HOUR

    def see_prices(self) -> None:
        """Open trades remember the best and the worst price they have seen."""
        holdings = {item.ticker: item.price for item in self._engine.account.holdings}
        self._engine.book.trades.see(holdings.__getitem__)

    def look_ahead(self) -> None:
        """LEAN's benchmark comes by the hour: a week's capacity is taken at ten, before a fill."""
        engine = self._engine
        now, capacity = engine.now, engine.book.capacity
        if now.exchange % DAY > _FIRST_HOUR and capacity.due(now.utc):
            capacity.look(now.utc, self._held, engine.account.value)

    def _held(self) -> dict[int, float]:
        """USD that each position's margin stands for."""
        account = self._engine.account
        return {
            index: account.margin_of(item) * account.rates(item).leverage
            for index, item in enumerate(account.holdings)
            if item.quantity
        }

    def close(self, *, last: bool = False) -> bool:
        """Count the market's volume, free what is settled; whether any money was freed."""
        engine = self._engine
        now, account, capacity = engine.now.utc, engine.account, engine.book.capacity
        # LEAN closes its last moment a second time, when it leaves.
        for _ in range(2 if last else int(capacity.due(now))):
            bars = {
                item.index: bar
                for item in engine.securities
                if (bar := item.traded(now)) is not None
            }
            capacity.step(now, bars, self._held, account.value, last=last)
        return account.settle(now)
