"""The money that counts: cash, holdings, realised profit. US dollars, floats.

Fees and margin go by LEAN's models (`surface/fees.py`, `surface/margin.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from qc_builder_lora.backtest.simulator.orders import Order
from qc_builder_lora.backtest.simulator.settlement import Settlement
from qc_builder_lora.backtest.surface.fees import MODELS, fee
from qc_builder_lora.backtest.surface.margin import (
    LEVERAGE,
    PATTERN_DAY,
    Rates,
    numbers_of,
    rates,
)

__all__ = ["LEVERAGE", "Account", "Holding"]
Model = Sequence[Any]


@dataclass
class Holding:
    """One security's position, price and models; a model is its name and its numbers."""

    ticker: str
    margin_model: Model = ()
    base_margin: Model = ()
    """LEAN's model beneath the strategy's own."""
    fee_model: Model = ()
    slippage_model: Model = ()
    fill_model: Model = ()
    own: set[str] = field(default_factory=set)
    """Models of the strategy's own that move money: `settlement`, `margin_interest`."""
    settlement: tuple[int, int] | None = None
    """Trading days and second of the day after which a sale's money is free; None at once."""
    price: float = 0.0
    bid: float = 0.0
    ask: float = 0.0
    """Last quotes; 0 where there never was one."""
    quantity: float = 0.0
    average: float = 0.0
    profit: float = 0.0
    fees: float = 0.0
    last_profit: float = 0.0
    sale_volume: float = 0.0
    dividends: float = 0.0

    @property
    def value(self) -> float:
        """Signed value at the last price."""
        return self.quantity * self.price

    def plain(self) -> list[float]:
        """As the strategy's mirror takes it."""
        return [self.quantity, self.average, self.profit, self.fees, self.last_profit,
                self.sale_volume, self.dividends]  # fmt: skip

    def lever(self, leverage: float, free: float = 0.0) -> None:
        """Margin by a fixed leverage."""
        self.margin_model = self.base_margin = ("SecurityMarginModel", *numbers_of(leverage, free))


@dataclass
class Account:
    """Cash and all holdings."""

    cash: float = 100_000.0
    fees: float = 0.0
    holdings: list[Holding] = field(default_factory=list)
    profits: list[tuple[int, float]] = field(default_factory=list)
    """Profit of every closing fill less twice its fee, as LEAN records it; UTC seconds first."""
    settlement: Settlement = field(default_factory=Settlement)
    calm: Callable[[], bool] = lambda: True
    """Whether the exchange is open and stays so for ten minutes: day trading margin asks."""
    kept: Callable[[Holding], float | None] = lambda holding: None
    """USD that a position ties up by the strategy's own model; None where LEAN's counts."""
    late: float = 0.0
    """Money that the strategy has paid in since LEAN last worked out the portfolio's value: it is
    in the cash, and in the value from the next slice or fill on."""
    version: int = 0
    """Grows with everything that may change what can be afforded."""

    @property
    def value(self) -> float:
        """Total portfolio value, unsettled money too."""
        total = self.cash - self.late + self.settlement.unsettled
        for holding in self.holdings:
            if holding.quantity:
                total += holding.quantity * holding.price
        return total

    @property
    def sale_volume(self) -> float:
        """Money turned over so far, both ways."""
        return sum(holding.sale_volume for holding in self.holdings)

    def unrealized_of(self, holding: Holding) -> float:
        """Profit that closing one position now would bring, fees of closing paid."""
        if not holding.quantity:
            return 0.0
        cost = self.charge_of(holding, -holding.quantity)
        quoted = holding.bid if holding.quantity > 0 else holding.ask
        return ((quoted or holding.price) - holding.average) * holding.quantity - cost

    @staticmethod
    def charge_of(holding: Holding, quantity: float) -> float:
        """What trading a quantity would cost; nothing where the strategy's own model says."""
        model = holding.fee_model
        if model and model[0] not in MODELS:
            return 0.0
        return fee(model, quantity, quantity * holding.price)

    def plain(self) -> list[float]:
        """Settled and unsettled cash, fees and net profit, as the strategy's mirror takes them."""
        profit = sum(holding.profit for holding in self.holdings)
        return [self.cash, self.settlement.unsettled, self.fees, profit - self.fees]

    # Fills.

    def fill(self, holding: Holding, quantity: float, price: float, cost: float, utc: int) -> None:
        """Book a fill and its fee; the money is there unless the strategy's own model settles."""
        self.version += 1
        self.late = 0.0
        if "settlement" not in holding.own:
            self.cash -= quantity * price + cost
        self.fees += cost
        holding.fees += cost
        holding.sale_volume += abs(quantity) * price
        self._close(holding, quantity, price, cost, utc)
        _reposition(holding, quantity, price)

    def settle(self, utc: int) -> bool:
        """Free what is settled by a moment; whether anything was."""
        freed = self.settlement.settle(utc)
        self.cash += freed
        self.version += bool(freed)
        return bool(freed)

    def _close(
        self, holding: Holding, quantity: float, price: float, cost: float, utc: int
    ) -> None:
        if holding.quantity * quantity >= 0:
            return
        closed = min(abs(quantity), abs(holding.quantity))
        sign = 1.0 if holding.quantity > 0 else -1.0
        profit = (price - holding.average) * closed * sign
        holding.profit += profit
        holding.last_profit = profit
        self.profits.append((utc, profit - 2 * cost))

    # Corporate actions.

    def split(self, holding: Holding, factor: float, reference: float) -> None:
        """Raw prices: more shares, each worth less; fractions of a share become cash."""
        quantity = holding.quantity / factor
        whole = float(int(quantity))
        holding.average *= factor
        self.cash += (quantity - whole) * reference * factor
        holding.quantity = whole
        holding.price *= factor
        self.version += 1

    def dividend(self, holding: Holding, usd: float) -> None:
        """Raw prices: paid on every share held, owed on every share sold short."""
        self.cash += holding.quantity * usd
        holding.dividends += holding.quantity * usd
        self.version += 1

    # Margin.

    def rates(self, holding: Holding) -> Rates:
        """What a position ties up now."""
        model = holding.margin_model
        if model and model[0] == PATTERN_DAY:
            return rates(model, calm=self.calm())
        return rates(holding.base_margin)

    def margin_of(self, holding: Holding) -> float:
        """USD tied up by a position."""
        own = self.kept(holding)
        return self.rates(holding).keep(holding.quantity, holding.price) if own is None else own

    @property
    def margin_used(self) -> float:
        """USD tied up by all positions."""
        return sum(self.margin_of(item) for item in self.holdings if item.quantity)

    @property
    def margin_left(self) -> float:
        """USD of settled value that is not tied up."""
        return self.value - self.settlement.unsettled - self.margin_used

    def free_margin(self, holding: Holding, quantity: float) -> float:
        """Margin that an order of `quantity` may use; reversing frees the position's twice."""
        value, found = self.value, self.rates(holding)
        free = value - self.settlement.unsettled - self.margin_used
        if holding.quantity * quantity < 0:
            free += self.margin_of(holding)
            free += abs(found.start(holding.quantity, holding.price))
        return max(free - value * found.free, 0.0)

    def may_lack(self, holding: Holding, order: Order) -> bool:
        """Whether margin is a question at all: not where a position is only reduced."""
        quantity = order.quantity
        if not quantity or not self.rates(holding).initial:
            return False
        return holding.quantity * quantity >= 0 or abs(holding.quantity) < abs(quantity)

    def lacks_margin(self, holding: Holding, order: Order, cost: float) -> str | None:
        """Why an order that costs `cost` cannot be afforded, in LEAN's words; None where it can."""
        if not self.may_lack(holding, order):
            return None
        quantity = order.quantity
        needed = abs(self.rates(holding).start(quantity, holding.price)) + cost
        needed *= abs(order.left) / abs(quantity)
        free = self.free_margin(holding, quantity)
        if needed <= free:
            return None
        margin = needed if quantity > 0 else -needed
        return f"Id: {order.number}, Initial Margin: {_round(margin)}, Free Margin: {_round(free)}"


def _round(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")


def _reposition(holding: Holding, quantity: float, price: float) -> None:
    before, after = holding.quantity, holding.quantity + quantity
    if after == 0:
        holding.average = 0.0
    elif before * quantity >= 0:
        holding.average = (holding.average * before + price * quantity) / after
    elif before * after < 0:
        holding.average = price
    holding.quantity = after
