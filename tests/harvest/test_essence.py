"""Twins that are written otherwise are alike; strategies that only look alike are not."""

import ast

import pytest

from qc_builder_lora.harvest.essence import essence_of
from qc_builder_lora.harvest.likeness import cluster, same_returns
from tests.harvest.disguises import DISGUISES, embedded

BASE = '''from AlgorithmImports import *


class Trend(QCAlgorithm):
    """Follow two means."""

    def initialize(self):
        self.set_start_date(2010, 1, 4)
        self.set_cash(100000)
        self._symbol = self.add_equity("AAPL", Resolution.DAILY).symbol
        self._fast = self.sma(self._symbol, 20, Resolution.DAILY)
        self._slow = self.sma(self._symbol, 50, Resolution.DAILY)
        self.set_warm_up(50, Resolution.DAILY)

    def on_data(self, data):
        if self.is_warming_up or not self._slow.is_ready:
            return
        if self._fast.current.value > self._slow.current.value:
            if not self.portfolio[self._symbol].invested:
                self.set_holdings(self._symbol, 0.9)
        elif self.portfolio[self._symbol].invested:
            self.liquidate(self._symbol)
'''
LAST = "            self.liquidate(self._symbol)\n"
TEST = "        if self._fast.current.value > self._slow.current.value:\n"
FAST, SLOW = (line for line in BASE.splitlines(True) if "self.sma(" in line)


def changed(*pairs: tuple[str, str]) -> str:
    text = BASE
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    ast.parse(text)
    return text


TWINS = {
    "arguments by name": changed(
        ("sma(self._symbol, 20, Resolution.DAILY)",
         "sma(symbol=self._symbol, period=20, resolution=Resolution.DAILY)")),
    "types": changed(("def on_data(self, data):", "def on_data(self, data: Slice) -> None:"),
                     ("self._fast =", "self._fast: SimpleMovingAverage =")),
    "numbers": changed(("100000", "1e5"), (" 50,", " 25 * 2,"), ("0.9", ".90")),
    "turned comparison": changed(
        (TEST, "        if self._slow.current.value < self._fast.current.value:\n")),
    "names for values": changed(
        (TEST, "        fast, slow = self._fast.current.value, self._slow.current.value\n"
               "        if fast > slow:\n")),
    "other order": changed((FAST + SLOW, SLOW + FAST)),
    "never used": changed((FAST, "        self._spare = 17\n" + FAST)),
    "charts": changed(("    def on_data", '    def on_end_of_day(self, symbol):\n        self.plot('
                       '"Means", "fast", self._fast.current.value)\n\n    def on_data')),
    "log of orders": BASE + "\n    def on_order_event(self, event):\n        if event.status == "
                            'OrderStatus.FILLED:\n            self.log(f"{event.symbol} 42")\n',
    "broker": changed(("        self.set_cash", "        self.set_brokerage_model(BrokerageName.ALP"
                       'ACA)\n        self.set_benchmark("SPY")\n        self.set_cash')),
    "tags": changed(("self._symbol, 0.9)", 'self._symbol, 0.9, tag="in we go")')),
    "tried": BASE.partition(TEST)[0] + "        try:\n" + "".join(
        f"    {line}\n" for line in (TEST + BASE.partition(TEST)[2]).splitlines()
    ) + "        except Exception as error:\n            self.error(str(error))\n",
}  # fmt: skip
OTHERS = {
    "number": changed((" 20,", " 21,")),
    "ticker": changed(("AAPL", "MSFT")),
    "reversed": changed((".value > self", ".value < self")),
    "branches changed over": changed(
        ("set_holdings(self._symbol, 0.9)", "WENT(self._symbol)"),
        ("liquidate(self._symbol)", "set_holdings(self._symbol, 0.9)"),
        ("WENT", "liquidate")),
    "indicator": changed(("self.sma(", "self.ema(")),
    "short": changed(("self._symbol, 0.9", "self._symbol, -0.9")),
    "rule": BASE.partition(TEST)[0] + "        price = data.bars[self._symbol].close\n"
            "        if price > self._fast.current.value * 0.9:\n"
            "            self.market_order(self._symbol, 10)\n",
    "stop": changed((LAST, LAST + "        if self.portfolio[self._symbol].unrealized_profit < -500"
                     ":\n            self.liquidate(self._symbol)\n")),
}  # fmt: skip


def alike(first: str, second: str) -> bool:
    codes = {"a": first, "b": second}
    found = cluster({key: essence_of(text).key for key, text in codes.items()},
                    lambda keys: {key: codes[key] for key in keys}, lambda keys: {})  # fmt: skip
    return found.find("a") == found.find("b")


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_that_is_written_otherwise_is_alike(name: str) -> None:
    assert alike(BASE, TWINS[name])


@pytest.mark.parametrize("number", [at for at, one in enumerate(DISGUISES) if one is not embedded])
def test_a_disguised_twin_is_alike(number: int) -> None:
    twin = DISGUISES[number](BASE)
    assert twin != BASE
    # What stands beside a strategy is its own, unless a suite's answer is looked for.
    assert alike(BASE, twin) == ("Journal" not in twin)


@pytest.mark.parametrize("name", OTHERS)
def test_another_strategy_that_shares_nearly_all_lines_is_not_alike(name: str) -> None:
    assert not alike(BASE, OTHERS[name])


@pytest.mark.parametrize(
    "code",
    ["", "x", "class A: pass", "class A: days = 3", "def f(:\n", "x = " + "-" * 9000 + "1",
     "x = " + "+".join(["1"] * 9000), "a = b\nb = a\nprint_(a)", "self.x = self.x(self.x)",
     "f(" + "(" * 190 + ")" * 190 + ")", "lambda: (lambda x: x)(1)", "\x00", "f'{a}{1!r:>{w}}'",
     "match a:\n    case [1, *b] if b: c(b)\n", "x = 10**10**10", "async def f():\n    await g()"],
)  # fmt: skip
def test_any_text_has_an_essence(code: str) -> None:
    assert essence_of(code) == essence_of(code)
    assert essence_of(code).key


def test_a_constant_of_one_code_is_not_that_of_another() -> None:
    assert essence_of("class A: days = 3").key != essence_of("class A: days = 4").key


def test_two_runs_in_cash_but_for_one_great_day_are_not_the_same_trades() -> None:
    def run(*, bumps: int) -> tuple[tuple[str, float], ...]:
        value, points = 100.0, []
        for day in range(300):
            value *= 1.5 if day == 150 else 1.0 + (((day * bumps) % 7) - 3) / 5e4
            points.append((f"{day:03}", value if bumps else 100.0 * (1.5 if day >= 150 else 1.0)))
        return tuple(points)

    assert same_returns(run(bumps=3), run(bumps=3))
    assert not same_returns(run(bumps=3), run(bumps=5))
    assert not same_returns(run(bumps=0), run(bumps=0))
