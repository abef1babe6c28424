"""`self.trade_builder`: the trades that are closed by now, as the simulator keeps them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from .alias import both_styles
from .enums import enum
from .known import Lean

if TYPE_CHECKING:
    from .desk import Desk


@both_styles
class Trade(Lean):
    """One closed trade; times are UTC, money in US dollars."""

    def __init__(self, symbol: Any, told: dict[str, Any]) -> None:
        directions = enum("TradeDirection")
        self.symbol = symbol
        self.symbols = [symbol]
        self.direction = directions.LONG if told["direction"] == "long" else directions.SHORT
        self.quantity = told["quantity"]
        self.entry_time, self.exit_time = _moment(told["entry_time"]), _moment(told["exit_time"])
        self.entry_price, self.exit_price = told["entry_price"], told["exit_price"]
        self.profit_loss, self.total_fees = told["profit"], told["fees"]
        self.mae, self.mfe = told["mae"], told["mfe"]
        self.end_trade_drawdown, self.is_win = told["end_trade_drawdown"], told["is_win"]
        self.order_ids = list(told["order_ids"])
        self.MAE, self.MFE = self.mae, self.mfe

    @property
    def duration(self) -> timedelta:
        return self.exit_time - self.entry_time


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)


@both_styles
class TradeBuilder(Lean):
    """LEAN's fill-to-fill grouping, first in, first out."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def closed_trades(self) -> list[Trade]:
        found = self._desk.ask(["trades"])
        return [Trade(self._desk.security(told["symbol"]).symbol, told) for told in found]

    def has_open_position(self, symbol: Any) -> bool:
        return bool(self._desk.security(symbol).invested)
