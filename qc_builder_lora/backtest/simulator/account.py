"""The money that counts: cash, holdings, realised profit. US dollars, floats.

Fees are charged as LEAN's models say; margin is the value of a holding over its leverage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from qc_builder_lora.backtest.surface.fees import fee

LEVERAGE = 2.0
"""LEAN's default for a margin account's equities (DefaultBrokerageModel)."""


@dataclass
class Holding:
    """One security's position, price and models."""

    ticker: str
    leverage: float = LEVERAGE
    fee_model: tuple[object, ...] = ()
    slippage: float = 0.0
    """Share of the price."""
    price: float = 0.0
    quantity: float = 0.0
    average: float = 0.0
    profit: float = 0.0
    fees: float = 0.0
    last_profit: float = 0.0
    sale_volume: float = 0.0

    @property
    def value(self) -> float:
        """Signed value at the last price."""
        return self.quantity * self.price

    def plain(self) -> list[float]:
        """As the strategy's mirror takes it."""
        return [self.quantity, self.average, self.profit, self.fees, self.last_profit,
                self.sale_volume]  # fmt: skip


@dataclass
class Account:
    """Cash and all holdings."""

    cash: float = 100_000.0
    fees: float = 0.0
    holdings: list[Holding] = field(default_factory=list)
    profits: list[tuple[int, float]] = field(default_factory=list)
    """Profit of every closing fill less twice its fee, as LEAN records it; UTC seconds first."""

    @property
    def value(self) -> float:
        """Total portfolio value."""
        total = self.cash
        for holding in self.holdings:
            if holding.quantity:
                total += holding.quantity * holding.price
        return total

    @property
    def sale_volume(self) -> float:
        """Money turned over so far, both ways."""
        return sum(holding.sale_volume for holding in self.holdings)

    def plain(self) -> list[float]:
        """Cash, fees and net profit, as the strategy's mirror takes them."""
        profit = sum(holding.profit for holding in self.holdings)
        return [self.cash, self.fees, profit - self.fees]

    def order_fee(self, holding: Holding, quantity: float, price: float) -> float:
        """What an order of `quantity` costs at `price`."""
        return fee(holding.fee_model, quantity, quantity * price)

    def fill(self, holding: Holding, quantity: float, price: float, cost: float, utc: int) -> float:
        """Book a fill; the profit it realised, before fees."""
        self.cash -= quantity * price + cost
        self.fees += cost
        holding.fees += cost
        holding.sale_volume += abs(quantity) * price
        profit = self._close(holding, quantity, price, cost, utc)
        _reposition(holding, quantity, price)
        return profit

    def _close(
        self, holding: Holding, quantity: float, price: float, cost: float, utc: int
    ) -> float:
        if holding.quantity * quantity >= 0:
            return 0.0
        closed = min(abs(quantity), abs(holding.quantity))
        sign = 1.0 if holding.quantity > 0 else -1.0
        profit = (price - holding.average) * closed * sign
        holding.profit += profit
        holding.last_profit = profit
        self.profits.append((utc, profit - 2 * cost))
        return profit

    def split(self, holding: Holding, factor: float) -> None:
        """Raw prices: more shares, each worth less; fractions of a share become cash."""
        quantity = holding.quantity / factor
        whole = float(int(quantity))
        holding.average *= factor
        left = quantity - whole
        if left:
            # LEAN pays the fraction at the reference price, which is the price scaled by the split.
            self.cash += left * holding.price * factor
        holding.quantity = whole
        holding.price *= factor

    def free_margin(self, holding: Holding, quantity: float) -> float:
        """Margin that an order of `quantity` may use; reversing frees the position's twice."""
        used = sum(abs(item.value) / item.leverage for item in self.holdings if item.quantity)
        free = self.value - used
        if holding.quantity * quantity < 0:
            free += 2 * abs(holding.value) / holding.leverage
        return max(free, 0.0)

    def lacks_margin(self, holding: Holding, quantity: float, number: int) -> str:
        """Why an order cannot be afforded, in LEAN's words; empty where it can."""
        if holding.quantity * quantity < 0 and abs(holding.quantity) >= abs(quantity):
            return ""
        cost = self.order_fee(holding, quantity, holding.price)
        needed = abs(quantity) * holding.price / holding.leverage + cost
        free = self.free_margin(holding, quantity)
        if needed <= free:
            return ""
        margin = needed if quantity > 0 else -needed
        return f"Id: {number}, Initial Margin: {_round(margin)}, Free Margin: {_round(free)}"


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


def describe_model(kind: str, described: Sequence[object], holding: Holding) -> bool:
    """Apply a reality model that a strategy chose; whether it is one we know."""
    name, numbers = str(described[0]), [float(str(item)) for item in described[1:]]
    if kind == "fee" and name in ("ConstantFeeModel", "InteractiveBrokersFeeModel"):
        holding.fee_model = (name, *numbers) if name == "ConstantFeeModel" else ()
    elif kind == "slippage" and name in ("NullSlippageModel", "ConstantSlippageModel"):
        holding.slippage = numbers[0] if numbers else 0.0
    elif kind == "buying_power" and numbers and numbers[0] >= 1:
        holding.leverage = numbers[0]
    else:
        # These two are what the simulator does anyway.
        return (kind, name) in (
            ("fill", "EquityFillModel"),
            ("settlement", "ImmediateSettlementModel"),
        )
    return True
