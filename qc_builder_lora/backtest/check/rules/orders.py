"""Orders: when they may be placed, for what, and how much."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from qc_builder_lora.backtest.check.finding import Found, Rule, Severity
from qc_builder_lora.backtest.check.reading import (
    ORDERS,
    SUBSCRIPTIONS,
    argument,
    name_of,
    number_of,
    text_of,
)
from qc_builder_lora.backtest.check.tree import Code
from qc_builder_lora.backtest.surface.alias import snake


def _in_initialize(code: Code) -> Iterator[Found]:
    start = code.callbacks.get("initialize")
    if start is None:
        return
    for call in code.types.calls(*ORDERS, "liquidate"):
        if code.scope(call) is start and snake(name_of(call.func)) != "liquidate":
            yield Found(
                node=call,
                message=f"{name_of(call.func)} in initialize: there is no price yet",
                cure="Order in on_data, or from a method that self.schedule.on calls",
            )


IN_INITIALIZE = Rule(
    id="QC019",
    name="order-in-initialize",
    severity=Severity.ERROR,
    summary="An order in initialize.",
    why="LEAN refuses orders in initialize and during warm-up: the ticket comes back invalid, "
    "nothing is bought, and the strategy goes on as if it had.",
    bad="def initialize(self):\n    self._spy = self.add_equity('SPY').symbol\n"
    "    self.set_holdings(self._spy, 1)\n",
    good="def initialize(self):\n    self._spy = self.add_equity('SPY').symbol\n\n"
    "def on_data(self, data):\n    if not self.portfolio.invested:\n"
    "        self.set_holdings(self._spy, 1)\n",
    find=_in_initialize,
)

_MOST_WEIGHT = 4  # LEAN's default margin model lends up to four times on an intraday account


def _weight(code: Code) -> Iterator[Found]:
    for call in code.types.calls("set_holdings"):
        given = argument(call, 1, "percentage")
        weight = number_of(given)
        if given is not None and weight is not None and abs(weight) > _MOST_WEIGHT:
            yield Found(
                node=given,
                message=f"set_holdings takes a fraction, and {weight:g} is {weight * 100:g} %",
                cure=f"Write {weight / 100:g} for {weight:g} %",
            )


WEIGHT = Rule(
    id="QC047",
    name="weight-in-percent",
    severity=Severity.WARNING,
    summary="A weight in percent where LEAN takes a fraction.",
    why="set_holdings(symbol, 100) asks for a hundred times the portfolio. The order is refused for "
    "lack of buying power, or brings a margin call.",
    bad="def on_data(self, data):\n    self.set_holdings('SPY', 100)\n",
    good="def on_data(self, data):\n    self.set_holdings('SPY', 1.0)\n",
    find=_weight,
)


def _part_of_a_share(code: Code) -> Iterator[Found]:
    if any(True for _ in code.types.calls("add_crypto", "add_forex", "add_cfd")):
        return
    for call in code.types.calls("market_order", "buy", "sell", "order", "market_on_open_order"):
        given = argument(call, 1, "quantity")
        quantity = number_of(given)
        if given is not None and quantity is not None and 0 < abs(quantity) < 1:
            yield Found(
                node=given,
                message=f"{name_of(call.func)} takes shares, and {quantity:g} of a share is none",
                cure=f"For a fraction of the portfolio call self.set_holdings(symbol, {quantity:g})",
            )


PART_OF_A_SHARE = Rule(
    id="QC048",
    name="part-of-a-share",
    severity=Severity.WARNING,
    summary="A fraction where LEAN takes a number of shares.",
    why="market_order counts shares. Half a share of an equity is rounded to none, and an order for "
    "none is refused.",
    bad="def on_data(self, data):\n    self.market_order('SPY', 0.5)\n",
    good="def on_data(self, data):\n    self.set_holdings('SPY', 0.5)\n",
    find=_part_of_a_share,
)

# Methods whose first argument is a security that was added before.
_TAKES_SYMBOL = ORDERS | {"liquidate", "sma", "ema", "rsi", "macd", "bb", "atr", "max", "min",
                          "std", "mom", "roc"}  # fmt: skip


def _never_added(code: Code) -> Iterator[Found]:
    added = _added(code)
    if added is None or not added:
        return
    for node, ticker in _named(code):
        if ticker.upper() not in added:
            yield Found(
                node=node,
                message=f"{ticker!r} is used and never added",
                cure=f'Add it in initialize: self.add_equity("{ticker}", Resolution.DAILY)',
            )


def _added(code: Code) -> set[str] | None:
    """All tickers, None where they cannot all be read from the source."""
    found = set()
    if any(True for _ in code.types.calls("add_universe", "add_universe_options", "add_universe_"
                                          "selection", "set_universe_selection",
                                          "add_chained_universe")):  # fmt: skip
        return None
    for call in code.all(ast.Call):
        name = snake(name_of(call.func))
        if name not in SUBSCRIPTIONS and not name.startswith("add_"):
            continue
        given = argument(call, 0, "ticker")
        ticker = text_of(given)
        if ticker is None or name not in ("add_equity", "add_crypto", "add_forex", "add_index"):
            return None
        found.add(ticker.upper())
    return found


def _named(code: Code) -> Iterator[tuple[ast.expr, str]]:
    for call in code.types.calls(*_TAKES_SYMBOL):
        given = argument(call, 0, "symbol")
        ticker = text_of(given)
        if given is not None and ticker is not None and ticker.isidentifier():
            yield given, ticker
    for node in code.all(ast.Subscript):
        text = text_of(node.slice)
        if text is not None and text.isidentifier() and code.types.lean(node.value) in (
            "SecurityPortfolioManager", "SecurityManager"
        ):  # fmt: skip
            yield node.slice, text


NEVER_ADDED = Rule(
    id="QC049",
    name="symbol-never-added",
    severity=Severity.ERROR,
    summary="A ticker that the strategy uses and never adds.",
    why="Securities, portfolio and orders know what was added. Anything else raises a KeyError, or "
    "an order for it is refused.",
    bad="def initialize(self):\n    self.add_equity('SPY')\n\n"
    "def on_data(self, data):\n    self.set_holdings('QQQ', 1)\n",
    good="def initialize(self):\n    self.add_equity('SPY')\n\n"
    "def on_data(self, data):\n    self.set_holdings('SPY', 1)\n",
    find=_never_added,
)

RULES = (IN_INITIALIZE, WEIGHT, PART_OF_A_SHARE, NEVER_ADDED)
