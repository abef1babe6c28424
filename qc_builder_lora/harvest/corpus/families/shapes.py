"""Lines that many families share, so that a strategy differs from another only where it must."""

from __future__ import annotations

from collections.abc import Mapping

from qc_builder_lora.harvest.corpus.family import Parameters

ONE_ASSET = 'self._symbol = self.add_equity("$ticker", Resolution.DAILY).symbol\n'

SEVERAL_ASSETS = """\
tickers = [$list]
self._symbols = [self.add_equity(t, Resolution.DAILY).symbol for t in tickers]
"""


def one_asset(*lines: str, warm_up: str = "") -> str:
    """`initialize` of a strategy on one ticker, with its indicators."""
    return ONE_ASSET + _lines(lines) + _warm_up(warm_up)


def several_assets(
    *lines: str, warm_up: str = "", rule: str = "month_start", at: str = "30"
) -> str:
    """`initialize` of a strategy on several tickers that rebalances on a calendar."""
    return (
        SEVERAL_ASSETS + _lines(lines) + _warm_up(warm_up) + scheduled("self._symbols[0]", rule, at)
    )


def scheduled(
    symbol: str,
    rule: str = "month_start",
    at: str = "30",
    *,
    days: str = "",
    call: str = "_rebalance",
) -> str:
    """A call `at` minutes after the open; `days` stands in the rule in place of the symbol."""
    return (
        "self.schedule.on(\n"
        f"    self.date_rules.{rule}({days or symbol}),\n"
        f"    self.time_rules.after_market_open({symbol}, {at}),\n"
        f"    self.{call},\n"
        ")\n"
    )


def long_or_flat(buy: str, sell: str, *before: str, weight: str = "1.0") -> str:
    """`on_data` that holds the ticker from `buy` until `sell`, after the lines of `before`."""
    return (
        "def on_data(self, data):\n"
        "    if self.is_warming_up:\n"
        "        return\n"
        + "".join(f"    {line}\n" for line in before)
        + f"    if {buy} and not self.portfolio.invested:\n"
        f"        self.set_holdings(self._symbol, {weight})\n"
        f"    elif {sell} and self.portfolio.invested:\n"
        "        self.liquidate()\n"
    )


PRICE = "price = self.securities[self._symbol].price"


def ordinals(parameters: Parameters) -> Mapping[str, str]:
    """Days of the month as they are said: `start_th` is 22nd where `start` is 22."""
    return {f"{key}_th": _ordinal(parameters[key]) for key in ("start", "end")}


def _ordinal(day: int) -> str:
    ending = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


def _lines(lines: tuple[str, ...]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _warm_up(bars: str) -> str:
    return f"self.set_warm_up({bars})\n" if bars else ""
