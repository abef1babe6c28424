"""A result that is too good is run again with its orders one bar later."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.backtest.sample_data import convert
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.errors import SettingsError
from qc_builder_lora.harvest.delay import Perfect, compare, delayed, perfect, rerun
from qc_builder_lora.harvest.gates import run_gates
from qc_builder_lora.harvest.ladder import Run, behaviour
from qc_builder_lora.harvest.rules import Rules
from qc_builder_lora.records import BacktestStatus, Outcome
from qc_builder_lora.store import Store
from tests.harvest.conftest import SOUND, Engine, Told, code

RULES = Rules()
HEAD = """from AlgorithmImports import *


class Peek(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2009, 1, 1)
        self.set_end_date(2010, 12, 31)
        self.set_cash(100000)
        self._symbol = self.add_equity("AAPL", Resolution.DAILY).symbol
"""
TREND = """        self._average = self.sma(self._symbol, 20)

    def on_data(self, data):
        if self._average.is_ready and data.bars.contains_key(self._symbol):
            above = self.securities[self._symbol].price > self._average.current.value
            self.set_holdings(self._symbol, 1.0 if above else 0.0)
"""
TICKETS = """
    def on_data(self, data):
        ticket = self.market_order(self._symbol, 1)
        self.log(str(ticket.order_id))
"""
PASCAL = """
    def OnData(self, data):
        if not self.Portfolio.Invested:
            self.SetHoldings(self._symbol, 1.0)
"""


def knows_the_days(days: list[str]) -> str:
    """Holds the stock on the days of a list that somebody made who had seen them."""
    return (
        HEAD
        + f"        self._days = {days!r}\n"
        + """
    def on_data(self, data):
        today = self.time.strftime("%Y-%m-%d")
        self.set_holdings(self._symbol, 1.0 if today in self._days else 0.0)
"""
    )


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Any:
    pytest.importorskip("bokeh_sampledata", reason="the sample data is an extra")
    folder = tmp_path_factory.mktemp("bars")
    convert(folder)
    simulator = Simulator(folder, allow_open_sandbox=True)
    yield simulator
    simulator.close()


def winners(engine: Simulator) -> list[str]:
    """Days on whose evening one should have bought: the next open to the one after it rises."""
    notes = (
        HEAD
        + """
    def on_data(self, data):
        if data.bars.contains_key(self._symbol):
            bar = data.bars[self._symbol]
            self.log(f"OPEN {self.time:%Y-%m-%d} {bar.open}")
"""
    )
    said = [text.split("OPEN ")[1].split() for text in engine.run(notes).logs if "OPEN " in text]
    days, opens = [day for day, _ in said], [float(price) for _, price in said]
    assert len(days) > 400
    return [days[n] for n in range(len(days) - 2) if opens[n + 2] > opens[n + 1] * 1.002]


def test_one_that_knows_the_days_collapses_and_a_rule_does_not(engine: Simulator) -> None:
    codes = [knows_the_days(winners(engine)), HEAD + TREND]
    found = list(engine.run_many(codes))
    assert all(one.runs for one in found), [one.reason for one in found]
    peek, trend = (
        Perfect(text, behaviour(result), float(result.statistics["Sharpe Ratio"]))
        for text, result in zip(codes, found, strict=True)
    )
    assert peek.sharpe > 5
    assert perfect(peek.code, Run.of(found[0]), RULES) == peek
    assert perfect(trend.code, Run.of(found[1]), RULES) is None
    (bad, told), (good, kept) = rerun(engine, [peek, trend], RULES, 1)
    assert bad is Outcome.FAIL
    assert told["reason"] == "its result collapses when its orders come one bar later"
    assert told["delayed_sharpe"] < 0.25 * told["sharpe"]
    assert good is Outcome.PASS, kept


def test_what_cannot_be_run_with_a_delay_is_unknown(engine: Simulator) -> None:
    reads = HEAD + TICKETS
    found = engine.run(reads)
    assert found.runs, found.reason
    ((outcome, told),) = rerun(engine, [Perfect(reads, behaviour(found), 4.0)], RULES, 1)
    assert outcome is Outcome.UNKNOWN
    assert told["reason"].startswith("the delayed run did not end: ")
    ((outcome, told),) = rerun(engine, [Perfect("x = 1", behaviour(found), 4.0)], RULES, 1)
    assert (outcome, told["reason"].split(",")[0]) == (Outcome.UNKNOWN, "its class cannot be found")


def test_names_in_capitals_are_delayed_too(engine: Simulator) -> None:
    pascal = HEAD + PASCAL
    first, second = engine.run(pascal), engine.run(str(delayed(pascal)))
    assert second.runs, second.reason
    assert first.orders[0]["time"] < second.orders[0]["time"]
    assert len(second.orders) == 1


def result(sharpe: str | None, when: str = "2010-01-04") -> BacktestResult:
    return BacktestResult(
        status=BacktestStatus.COMPLETED, engine="x", engine_version="1", data_fingerprint=None,
        code_sha256="0", phase="done", orders=({"time": when, "symbol": "A", "quantity": 1},),
        statistics={} if sharpe is None else {"Sharpe Ratio": sharpe},
    )  # fmt: skip


def test_orders_that_were_not_delayed_and_missing_figures_are_unknown() -> None:
    one = Perfect("", behaviour(result("4")), 4.0)
    assert compare(one, result("4"), RULES)[1]["reason"] == "its orders could not be delayed"
    later = str(date(2010, 1, 5))
    assert compare(one, result(None, later), RULES)[0] is Outcome.UNKNOWN
    assert compare(one, result("1.0", later), RULES)[0] is Outcome.PASS
    assert compare(one, result("0.99", later), RULES)[0] is Outcome.FAIL
    assert perfect("", Run.of(result(None)), RULES) is None
    assert perfect("", Run.of(result("-4")), RULES) is None


def test_the_share_that_stays_is_a_share(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="delay_keeps is a share, at most 1, got 2"):
        Rules(delay_keeps=2)


def test_the_gate_keeps_the_evidence_of_both_questions(
    kept: Store, told: Told, check_cache: Path
) -> None:
    sharp = {"statistics": {**SOUND, "Sharpe Ratio": "2.9"}}
    fades = {"statistics": {**SOUND, "Sharpe Ratio": "0.1"}}
    faded, plain = told.served(code(3)), told.served(code(4))
    engine = Engine({code(3): sharp, str(delayed(code(3))): fades})
    found = run_gates(kept, engine, RULES, cache=check_cache)
    assert found.stopped == {"G8 look-ahead": {"FAIL": 1, "UNKNOWN": 0}}
    evidence = kept.gates.latest(faded.id)["G8 look-ahead"].evidence
    assert evidence["reason"] == "its result collapses when its orders come one bar later"
    assert (evidence["delay"]["sharpe"], evidence["delay"]["delayed_sharpe"]) == (2.9, 0.1)
    assert evidence["cut"]
    told_so = kept.gates.latest(plain.id)["G8 look-ahead"].evidence["delay"]
    assert told_so == "not asked: its Sharpe ratio is not 2 or more"
