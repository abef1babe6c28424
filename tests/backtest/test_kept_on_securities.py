"""What a strategy keeps on a security, its session's bar, and prices in total return."""

from __future__ import annotations

import pytest

from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.records import BacktestStatus

HEAD = """
from AlgorithmImports import *

class A(QCAlgorithm):
    def initialize(self):
        self.set_start_date({start})
        self.set_end_date({end})
        self.spy = self.add_equity("SPY", Resolution.{resolution}{more})
        self.said = {{}}
{initialize}

    def on_data(self, data):
{on_data}
"""


def run(
    lean: Simulator, initialize: str = "pass", on_data: str = "pass", resolution: str = "HOUR",
    start: str = "2013, 10, 7", end: str = "2013, 10, 9", more: str = "",
) -> BacktestResult:  # fmt: skip
    body = [" " * 8 + line for line in initialize.splitlines()]
    data = [" " * 8 + line for line in on_data.splitlines()]
    return lean.run(
        HEAD.format(start=start, end=end, resolution=resolution, more=more,
                    initialize="\n".join(body), on_data="\n".join(data))
    )  # fmt: skip


def said(result: BacktestResult) -> list[str]:
    assert result.status is BacktestStatus.COMPLETED, result.reason
    return [line.partition("said ")[2] for line in result.logs if "said " in line]


def test_a_strategy_s_own_things_are_kept_by_any_of_the_ways(lean: Simulator) -> None:
    result = run(
        lean,
        "self.spy.factor = 2\n"
        'self.spy["other"] = 3\n'
        'self.spy.add("third", SimpleMovingAverage(4))\n'
        'got = self.spy["factor"], self.spy.other, self.spy.get("other")\n'
        'typed = self.spy.get[SimpleMovingAverage]("third").period\n'
        'there = self.spy.try_get("factor")[0], self.spy.try_get("none")[0]\n'
        'gone = self.spy.remove("other"), self.spy.remove("other")\n'
        'self.log(f"said {got} {typed} {there} {gone}")',
    )
    assert said(result) == ["(2, 3, 3) 4 (True, False) (True, False)"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('self.spy["none"]', "KeyError: Property with name 'none' does not exist."),
        ('self.spy.add("x", 1); self.spy.add("x", 1)',
         "ValueError: An item with the same key has already been added. Key: x"),
        ('self.spy.x = 1; self.spy.get[str]("x")',
         "TypeError: Unable to cast object of type 'int' to type 'str'."),
    ],
)  # fmt: skip
def test_what_is_not_kept_fails_in_lean_s_words(lean: Simulator, line: str, reason: str) -> None:
    result = run(lean, line)
    assert result.status is BacktestStatus.FAILED
    assert result.reason is not None
    assert result.reason.startswith(reason)


def test_the_session_holds_today_and_the_days_before(lean: Simulator) -> None:
    result = run(
        lean,
        "self.spy.session.size = 2",
        "s = self.spy.session\n"
        "bar = data.bars['SPY']\n"
        "day = self.said.setdefault(bar.time.date(), [bar.open, 0, 0])\n"
        "day[1] += bar.volume\n"
        "day[2] = bar.close\n"
        "ok = [s.open, s.volume, s.close] == day and s[0].close == bar.close\n"
        "days = list(self.said.values())\n"
        "old = len(days) < 2 or [s[1].open, s[1].volume, s[1].close] == days[-2]\n"
        "self.log(f'said {ok} {old} {len(s)}')",
    )
    assert said(result) == ["True True 1"] * 7 + ["True True 2"] * 14


def test_a_session_without_a_size_is_unknown(lean: Simulator) -> None:
    result = run(lean, "self.spy.session.open")
    assert result.status is BacktestStatus.UNKNOWN
    assert result.reason == "not modelled: Security.session (without session.size)"


TOTAL = ", data_normalization_mode=DataNormalizationMode.TOTAL_RETURN"


def test_total_return_without_a_dividend_is_split_adjusted(lean: Simulator) -> None:
    result = run(lean, on_data="self.log(f'said {data.bars[\"SPY\"].close}')", more=TOTAL)
    raw = run(lean, on_data="self.log(f'said {data.bars[\"SPY\"].close}')",
              more=TOTAL.replace("TOTAL_RETURN", "RAW"))  # fmt: skip
    assert len(said(result)) == 21
    assert said(result) == said(raw)


@pytest.mark.parametrize("history", [False, True])
def test_total_return_across_a_dividend_is_unknown(lean: Simulator, history: bool) -> None:
    asked = "self.history[TradeBar]('SPY', 100, Resolution.DAILY)" if history else "pass"
    dates = {} if history else {"start": "2013, 9, 18", "end": "2013, 9, 25"}
    result = run(lean, asked, resolution="DAILY", more=TOTAL, **dates)
    assert result.status is BacktestStatus.UNKNOWN
    assert result.reason == (
        "not modelled: DataNormalizationMode.TOTAL_RETURN across a dividend of SPY"
    )


def test_a_position_ties_up_half_its_value(lean: Simulator) -> None:
    result = run(
        lean,
        on_data="if not self.portfolio.invested:\n"
        "    self.market_order('SPY', 10)\n"
        "asked = ReservedBuyingPowerForPositionParameters(self.spy)\n"
        "model = self.spy.buying_power_model\n"
        "tied = model.get_reserved_buying_power_for_position(asked).absolute_used_buying_power\n"
        "self.log(f'said {tied == self.spy.holdings.holdings_value / 2}')",
    )
    assert set(said(result)) == {"True"}


def test_a_strategy_that_quits_in_initialize_sees_no_data(lean: Simulator) -> None:
    result = run(lean, "self.quit()", "raise ValueError('still here')")
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert result.statistics["Total Orders"] == "0"
    assert result.statistics["End Equity"] == "100000"
