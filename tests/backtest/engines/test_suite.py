"""One suite over all engines: the same strategies, the same verdicts, the same figures.

QuantConnect and the LEAN CLI are fakes that run our simulator behind LEAN's protocol and LEAN's
result files: what is tested is that every engine says the same of the same strategy.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.backtest.compare import compare
from qc_builder_lora.backtest.lean_cli import LeanCli
from qc_builder_lora.backtest.lean_result import STATISTICS
from qc_builder_lora.backtest.protocol import BacktestResult, BacktestSettings
from qc_builder_lora.backtest.quantconnect import QuantConnect
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.ids import text_hash
from qc_builder_lora.records import BacktestStatus
from tests.backtest.conftest import strategy
from tests.backtest.engines.conftest import FAST
from tests.backtest.engines.fake_quantconnect import TOKEN, USER, Account, Server
from tests.backtest.engines.test_lean_cli import program

COMPLETED, FAILED, UNKNOWN = BacktestStatus
HOLD = strategy(on_data='if not self.portfolio.invested: self.set_holdings("AAPL", 1)')
TRADES = strategy(
    "self._days = 0\nself._n = int(self.get_parameter('every', '7'))",
    """
    self._days += 1
    if self._days % self._n == 0:
        if self.portfolio.invested:
            self.liquidate("AAPL")
        else:
            self.market_order("AAPL", 100)
            self.limit_order("AAPL", 10, 1.0)
    """,
)
IDLE = strategy()
NAMES = ("simulator", "quantconnect", "lean")
Run = Callable[..., BacktestResult]


@pytest.fixture(scope="module")
def engines(sample_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("engines")
    root = Path(__file__).parents[3]
    lean = program(
        folder / "bin", "lean",
        f"#!/bin/sh\nPYTHONPATH={root} FAKE_LEAN=run exec {sys.executable} "
        f"{Path(__file__).with_name('fake_lean.py')} \"$@\"\n",
    )  # fmt: skip
    (folder / "lean.json").write_text('{"data-folder": "elsewhere"}')
    simulator = Simulator(sample_folder, allow_open_sandbox=True)
    account = Account(Simulator(sample_folder, allow_open_sandbox=True))
    with Server(account) as server:
        yield {
            "simulator": simulator,
            "quantconnect": QuantConnect(USER, TOKEN, folder, url=server.url, pace=FAST),
            "lean": LeanCli(folder, command=str(lean), workspace=folder, data=sample_folder),
        }
    simulator.close()


@pytest.fixture(scope="module")
def measured(engines: Any) -> dict[str, dict[str, BacktestResult]]:
    """Every strategy by every engine, once."""
    codes = {"hold": HOLD, "trades": TRADES, "idle": IDLE}
    return {
        name: dict(zip(codes, engine.run_many(list(codes.values()), jobs=2), strict=True))
        for name, engine in engines.items()
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("what", ["hold", "trades", "idle"])
def test_a_good_strategy_is_completed_with_leans_keys(
    measured: dict[str, dict[str, BacktestResult]], name: str, what: str
) -> None:
    found = measured[name][what]
    assert (found.status, found.reason, found.phase) == (COMPLETED, None, "done")
    assert found.engine == name
    assert found.engine_version
    assert set(found.statistics) <= set(STATISTICS)
    assert {"Total Orders", "Net Profit", "Sharpe Ratio", "Drawdown"} <= set(found.statistics)
    assert found.total_orders == len(found.orders) == int(found.statistics["Total Orders"])
    assert found.closed_trades == len(found.trades)
    assert found.trades_at_all is (what != "idle")
    assert len(found.equity) > 100


@pytest.mark.parametrize("name", NAMES[1:])
@pytest.mark.parametrize("what", ["hold", "trades", "idle"])
def test_nothing_is_lost_on_the_way_from_an_engine(
    measured: dict[str, dict[str, BacktestResult]], name: str, what: str
) -> None:
    """What LEAN's JSON carries is what the simulator behind it said: to the cent and the day."""
    one, other = measured["simulator"][what], measured[name][what]
    comparison = compare([one, other])
    assert comparison.same, comparison.plain()
    assert other.statistics == one.statistics
    assert other.equity == one.equity
    # LEAN's files tell less of a trade than our own simulator does.
    assert len(one.trades) == len(other.trades)
    for mine, theirs in zip(one.trades, other.trades, strict=True):
        assert {"symbol", "quantity", "entry_price", "exit_price", "profit", "fees"} <= set(theirs)
        assert dict(theirs) == {key: mine[key] for key in theirs}
    assert other.code_sha256 == one.code_sha256


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("code", "phase", "word"),
    [
        ("class A(QCAlgorithm:\n    pass\n", "load", "line 1"),
        (strategy("raise ValueError('early')"), "initialize", "early"),
        (strategy(on_data="raise ValueError('late')"), "run", "late"),
        (strategy(on_data="self.no_such_thing()"), "run", "no_such_thing"),
    ],
)
def test_what_a_strategy_does_wrong_is_its_failure(
    engines: Any, name: str, code: str, phase: str, word: str
) -> None:
    found = engines[name].run(code)
    assert found.status is FAILED
    assert word in str(found.reason)
    assert found.phase == phase
    assert not found.runs
    assert not found.trades_at_all
    assert (found.statistics, found.orders, found.equity) == ({}, (), ())
    assert found.total_orders is None
    assert found.code_sha256 == text_hash(code)


@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_changes_what_is_done(engines: Any, name: str) -> None:
    found = engines[name].run(TRADES, BacktestSettings(parameters={"every": "40"}))
    assert found.status is COMPLETED
    assert found.total_orders == 5


@pytest.mark.parametrize("name", NAMES)
def test_results_come_in_the_order_of_the_codes(engines: Any, name: str) -> None:
    codes = [HOLD, "syntax error here", IDLE]
    done: list[int] = []
    found = list(engines[name].run_many(codes, jobs=3, progress=done.append))
    assert [one.code_sha256 for one in found] == list(map(text_hash, codes))
    assert [one.status for one in found] == [COMPLETED, FAILED, COMPLETED]
    assert done[-1] == 3


@pytest.mark.parametrize("name", NAMES)
def test_a_result_fits_the_store_and_json(
    measured: dict[str, dict[str, BacktestResult]], name: str
) -> None:
    found = measured[name]["trades"]
    record = found.to_record("strategy", BacktestSettings())
    assert (record.engine, record.status, record.phase) == (name, COMPLETED, "done")
    plain = found.plain()
    assert plain["tradeStatistics"]["totalNumberOfTrades"] == found.closed_trades
    assert plain["statistics"]["Total Orders"] == str(found.total_orders)
