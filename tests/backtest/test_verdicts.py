"""completed, failed or unknown: what LEAN has and we do not is told apart from what nobody has."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qc_builder_lora.backtest.protocol import BacktestResult, BacktestSettings, Limits
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.records import BacktestStatus

Run = Callable[..., BacktestResult]

UNKNOWN = {
    "options": ('self.add_option("AAPL")', "QCAlgorithm.add_option"),
    "futures": ('self.AddFuture("ES")', "QCAlgorithm.add_future"),
    "forex": ('self.add_forex("EURUSD")', "QCAlgorithm.add_forex"),
    "crypto": ('self.add_crypto("BTCUSD")', "QCAlgorithm.add_crypto"),
    "a universe": ("self.add_universe(lambda coarse: [])", "QCAlgorithm.add_universe"),
    "custom data": ('self.add_data(int, "X")', "QCAlgorithm.add_data"),
    "a sector model": (
        "self.set_portfolio_construction(SectorWeightingPortfolioConstructionModel())",
        "SectorWeightingPortfolioConstructionModel",
    ),
    "an unmodelled indicator": ("self.iv(self.aapl, 1)", "QCAlgorithm.iv"),
    "its older spelling": ("self.IV(self.aapl, 1)", "QCAlgorithm.iv"),
    "an unmodelled indicator class": ("x = ImpliedVolatility(None, None)", "ImpliedVolatility"),
    "ticks": ('self.add_equity("IBM", Resolution.TICK)', "Resolution.TICK (for IBM)"),
    "indicators of ticks": ("self.sma(self.aapl, 5, Resolution.TICK)", "Resolution.TICK"),
    "when a universe selects": (
        "self.universe_settings.schedule.on(self.date_rules.month_start())",
        "UniverseSettings.schedule.on",
    ),
    "a file of the object store": (
        "self.object_store.get_file_path('x')",
        "ObjectStore.get_file_path (x)",
    ),
    "slippage nobody is sure of": (
        "self.set_brokerage_model(BrokerageName.ALPHA_STREAMS)\nself.add_equity('EDV')",
        "slippage of EDV in AlphaStreamsBrokerageModel",
    ),
    "another brokerage": (
        "self.set_brokerage_model(BrokerageName.KRAKEN)",
        "BrokerageName.KRAKEN",
    ),
    "an own brokerage": (
        "class Mine(DefaultBrokerageModel):\n    def get_leverage(self, security): pass",
        "DefaultBrokerageModel.get_leverage (replaced by Mine)",
    ),
    "an own margin call": (
        "class Mine(DefaultMarginCallModel): pass",
        "a subclass of DefaultMarginCallModel (Mine)",
    ),
    "another margin call": (
        "self.portfolio.margin_call_model = None",
        "SecurityPortfolioManager.set_margin_call_model (NoneType)",
    ),
    "another way to count trades": (
        "TradeBuilder(FillGroupingMethod.FLAT_TO_FLAT, 0)",
        "TradeBuilder",
    ),
    "foreign cash": ('self.set_cash("EUR", 1000)', "cash in a foreign currency (EUR)"),
    "a member of the portfolio": (
        "self.portfolio.positions",
        "SecurityPortfolioManager.positions",
    ),
    "a fee model of a foreign market": ("IndiaFeeModel()", "IndiaFeeModel"),
    "a library of LEAN's image": ("import xgboost", "library xgboost"),
    "another market": (
        'self.add_equity("RELIANCE", Resolution.DAILY, Market.INDIA)',
        "QCAlgorithm.add_equity (market india)",
    ),
    "exercise": ("self.exercise_option(self.aapl, 1)", "QCAlgorithm.exercise_option"),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_what_lean_has_and_the_simulator_has_not_is_unknown_by_name(run: Run, what: str) -> None:
    line, name = UNKNOWN[what]
    result = run(line)
    assert result.status is BacktestStatus.UNKNOWN, result.reason
    assert result.reason is not None
    assert result.reason.startswith(f"not modelled: {name}")
    assert result.phase == "initialize"


def test_money_paid_in_while_it_runs_is_unknown(run: Run) -> None:
    result = run("", "self.portfolio.cash_book['USD'].add_amount(1000)")
    assert result.status is BacktestStatus.UNKNOWN
    assert result.reason == "not modelled: SecurityPortfolioManager.set_cash (after initialize)"
    paid = run("self.portfolio.cash_book['USD'].add_amount(1000)")
    assert paid.status is BacktestStatus.COMPLETED, paid.reason


def test_the_default_brokerage_has_two_names(run: Run) -> None:
    result = run("self.set_brokerage_model(BrokerageName.QUANT_CONNECT_BROKERAGE)")
    assert result.status is BacktestStatus.COMPLETED, result.reason


def test_the_next_session_is_the_regular_one(run: Run) -> None:
    hours = "self.aapl_hours.get_next_market_close(self.time, extended_market_hours={})"
    begin = "self.aapl_hours = self.securities['AAPL'].exchange.hours"
    assert run(begin, hours.format(False)).status is BacktestStatus.COMPLETED
    assert run(begin, hours.format(True)).status is BacktestStatus.UNKNOWN


@pytest.mark.parametrize("guard", ["except Exception:", "except:", "except BaseException:"])
def test_a_strategy_cannot_swallow_an_unknown(run: Run, guard: str) -> None:
    result = run(f'try:\n    self.add_option("AAPL")\n{guard}\n    pass')
    assert result.status is BacktestStatus.UNKNOWN
    assert result.reason == "not modelled: QCAlgorithm.add_option"


FAILED = {
    "a misspelt method": (
        'self.add_equityy("IBM")',
        "AttributeError: 'Tested' object has no attribute 'add_equityy'. "
        "Did you mean: 'add_equity'? (line 10: self.add_equityy(\"IBM\"))",
    ),
    "an invented method": (
        "self.set_risk_level(3)",
        "AttributeError: 'Tested' object has no attribute 'set_risk_level'",
    ),
    "a misspelt enum": (
        'self.add_equity("IBM", Resolution.DAYLY)',
        "AttributeError: type object 'Resolution' has no attribute 'DAYLY'. Did you mean: 'DAILY'?",
    ),
    "a misspelt class": ("x = SimpleMovingAvg(3)", "NameError: name 'SimpleMovingAvg'"),
    "a misspelt member": (
        "self.portfolio.total_value",
        "AttributeError: 'Portfolio' object has no attribute 'total_value'",
    ),
    "a symbol nobody added": ('self.sma("MSFT", 5)', "KeyError: This asset symbol (MSFT 0)"),
    "a wrong argument": (
        'self.sma(self.aapl, "20")',
        "TypeError: No method matches given arguments for SMA: (Symbol, str)",
    ),
    "a library nobody has": ("import qlib_pro", "ModuleNotFoundError: No module named 'qlib_pro'"),
    "our own package": (
        "import qc_builder_lora",
        "ModuleNotFoundError: No module named 'qc_builder_lora'",
    ),
    "a library that only we have": (
        "import structlog",
        "ModuleNotFoundError: No module named 'structlog'",
    ),
    "an exception": ("raise RuntimeError('no')", "RuntimeError: no (line 10: raise"),
    "sys.exit": ("import sys; sys.exit(0)", "SystemExit: 0 (line 10"),
    "os._exit": ("import os; os._exit(0)", "its process ended itself with exit code 0"),
    "a segmentation fault": (
        "import ctypes; ctypes.string_at(0)",
        "its process was killed by SIGSEGV",
    ),
    "killing itself": (
        "import os; os.kill(os.getpid(), 9)",
        "PermissionError: [Errno 1] Operation not permitted (line 10",
    ),
    "a date that does not exist": ("self.set_start_date(2010, 2, 30)", "ValueError: day is out of"),
    "a setting too late": (
        "self.schedule.on(5, 6, 7)",
        "TypeError: No method matches given arguments for On",
    ),
}


@pytest.mark.parametrize("what", FAILED)
def test_what_nobody_has_fails_with_its_line(run: Run, what: str) -> None:
    line, reason = FAILED[what]
    result = run(line)
    assert result.status is BacktestStatus.FAILED
    assert result.reason is not None
    assert result.reason.startswith(reason)
    assert result.phase == "initialize"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("class A(:\n    pass", "SyntaxError: invalid syntax (line 1: class A(:)"),
        ("x = 1\0", "SyntaxError: source code string cannot contain null bytes"),
        ("x = 1", "BadStrategy: no class derives from QCAlgorithm"),
        ("class A(QCAlgorithm): pass", "NameError: name 'QCAlgorithm' is not defined"),
        ("-" * 100_000 + "1", "MemoryError"),
        ("from AlgorithmImports import *\nclass A(QCAlgorithm): pass", "NotImplementedError"),
        ("#" * 10_000_001, "the source has 10000001 characters, more than 10000000"),
        ("x = '\ud800'", "UnicodeEncodeError"),
    ],
)
def test_code_that_cannot_be_loaded_fails(sample: Simulator, code: str, reason: str) -> None:
    result = sample.run(code)
    assert result.status is BacktestStatus.FAILED
    assert result.reason is not None
    assert result.reason.startswith(reason)


def test_an_exception_in_on_data_says_where(run: Run) -> None:
    result = run(on_data="price = data['AAPL'].close\nreturn price / 0")
    assert result.status is BacktestStatus.FAILED
    assert result.phase == "run"
    assert result.reason == "ZeroDivisionError: float division by zero (line 14: return price / 0)"
    assert result.statistics == {}
    assert result.orders == ()


@pytest.mark.parametrize(
    ("initialize", "reason"),
    [
        ('self.add_equity("XYZ", Resolution.DAILY)', "no data for XYZ: "),
        ("self.set_end_date(2014, 1, 1)", "; the backtest needs AAPL until 2013-12-31"),
        ("self.set_start_date(1999, 1, 4)", "; the backtest needs AAPL from 1999-01-04"),
        ("self.set_end_date(2009, 1, 1)", "Please select an end date after the start date"),
    ],
)
def test_dates_and_symbols_without_data_name_the_file(
    run: Run, initialize: str, reason: str
) -> None:
    result = run(initialize)
    expected = BacktestStatus.FAILED if "Please" in reason else BacktestStatus.UNKNOWN
    assert result.status is expected
    assert result.reason is not None
    assert reason in result.reason
    if expected is BacktestStatus.UNKNOWN:
        assert ".zip" in result.reason


def test_a_company_listed_later_is_waited_for(run: Run) -> None:
    result = run(
        "self.set_start_date(2004, 8, 2)\nself.first = None\n"
        'self.goog = self.add_equity("GOOG", Resolution.DAILY).symbol',
        """
        if self.first is None and self.goog in data:
            self.first = self.time
            self.log(f"listed {self.time:%Y-%m-%d}")
        """,
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert any("listed 2004-08-19" in line for line in result.logs)


def test_a_strategy_without_an_end_date_is_unknown(sample: Simulator) -> None:
    code = """
from AlgorithmImports import *

class A(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2010, 1, 4)
        self.add_equity("IBM", Resolution.DAILY)
"""
    result = sample.run(code)
    assert result.status is BacktestStatus.UNKNOWN
    assert result.reason == "the strategy sets no end date; LEAN would run until yesterday"


OLD_STYLE = """
from AlgorithmImports import *

class Cross(QCAlgorithm):
    def Initialize(self):
        self.SetStartDate(2008, 1, 2)
        self.SetEndDate(2010, 12, 31)
        self.SetCash(50000)
        self.symbol = self.AddEquity("IBM", Resolution.Daily).Symbol
        self.bb = self.BB(self.symbol, 20, 2, MovingAverageType.Simple, Resolution.Daily)
        self.rsi = self.RSI(self.symbol, 10, MovingAverageType.Wilders)
        self.fast = self.EMA(self.symbol, 10)
        self.SetWarmUp(30)

    def OnData(self, data):
        if self.IsWarmingUp or not data.ContainsKey(self.symbol):
            return
        price = data[self.symbol].Close
        holding = self.Portfolio[self.symbol]
        low = price < self.bb.LowerBand.Current.Value and self.rsi.Current.Value < 35
        if not holding.Invested and low:
            self.SetHoldings(self.symbol, 0.9)
        elif holding.Invested and price > self.bb.MiddleBand.Current.Value:
            self.Liquidate(self.symbol, "back in the middle")

    def OnOrderEvent(self, orderEvent):
        if orderEvent.Status == OrderStatus.Filled:
            self.Debug(f"{orderEvent.Symbol} {orderEvent.FillQuantity} {orderEvent.FillPrice}")

    def OnEndOfAlgorithm(self):
        self.Log(f"{self.Portfolio.TotalPortfolioValue:.2f} {self.Securities[self.symbol].Price}")
"""
NEW_STYLE = """
from AlgorithmImports import *

class Cross(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2008, 1, 2)
        self.set_end_date(2010, 12, 31)
        self.set_cash(50000)
        self._symbol = self.add_equity("IBM", Resolution.DAILY).symbol
        self._bb = self.bb(self._symbol, 20, 2, MovingAverageType.SIMPLE, Resolution.DAILY)
        self._rsi = self.rsi(self._symbol, 10, MovingAverageType.WILDERS)
        self._fast = self.ema(self._symbol, 10)
        self.set_warm_up(30)

    def on_data(self, data):
        if self.is_warming_up or not data.contains_key(self._symbol):
            return
        price = data[self._symbol].close
        holding = self.portfolio[self._symbol]
        low = price < self._bb.lower_band.current.value and self._rsi.current.value < 35
        if not holding.invested and low:
            self.set_holdings(self._symbol, 0.9)
        elif holding.invested and price > self._bb.middle_band.current.value:
            self.liquidate(self._symbol, tag="back in the middle")

    def on_order_event(self, order_event):
        if order_event.status == OrderStatus.FILLED:
            self.debug(f"{order_event.symbol} {order_event.fill_quantity} {order_event.fill_price}")

    def on_end_of_algorithm(self):
        price = self.securities[self._symbol].price
        self.log(f"{self.portfolio.total_portfolio_value:.2f} {price}")
"""


def test_both_spellings_give_the_same_backtest(sample: Simulator) -> None:
    old, new = sample.run(OLD_STYLE), sample.run(NEW_STYLE)
    assert old.status is new.status is BacktestStatus.COMPLETED, (old.reason, new.reason)
    assert old.total_orders is not None
    assert old.total_orders > 4
    assert (old.statistics, old.logs, old.equity) == (new.statistics, new.logs, new.equity)
    assert [order["fills"] for order in old.orders] == [order["fills"] for order in new.orders]


def test_own_attributes_may_have_any_name(run: Run) -> None:
    result = run(
        "self.sma = self.sma(self.aapl, 5)\nself.Foo = 1\nself.trading = 2\nself.desk = 3\n"
        "self.symbol = self.aapl\nself.index = 4",
        "assert (self.Foo, self.trading, self.desk, self.index) == (1, 2, 3, 4)\nself.sma.is_ready",
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason


def test_an_unmodelled_name_in_an_annotation_is_harmless(run: Run) -> None:
    more = "def on_alpha(self, model: AlphaModel, chain: 'OptionChain') -> Universe: pass"
    result = run(more=more)
    assert result.status is BacktestStatus.COMPLETED, result.reason


def test_leans_time_zones_have_their_names_in_both_styles(run: Run) -> None:
    names = ("HONG_KONG", "BERLIN", "SAO_PAULO", "EasternStandard", "LosAngeles", "NEW_YORK")
    result = run(f"for name in {names}:\n    self.set_time_zone(getattr(TimeZones, name))")
    assert result.status is BacktestStatus.COMPLETED, result.reason


def test_numpy_pandas_and_leans_extra_imports_are_there(run: Run) -> None:
    result = run(
        head="import numpy\nimport pandas as frames\nfrom collections import deque",
        on_data="""
        assert np.mean([1, 3]) == 2 and pd.Series([1]).sum() == 1 and math.floor(1.5) == 1
        assert numpy is np and json.loads("[1]") == [1] and List and timedelta(1)
        self.quit("seen")
        """,
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert any("Quit: seen" in line for line in result.logs)
    assert len(result.equity) == 1


def test_older_import_lines_work_too(sample: Simulator) -> None:
    code = """
import clr
clr.AddReference("System")
clr.AddReference("QuantConnect.Algorithm")
from System import *
from QuantConnect import *
from QuantConnect.Algorithm import *
from QuantConnect.Indicators import SimpleMovingAverage
from datetime import timedelta

class Old(QCAlgorithm):
    def Initialize(self):
        self.SetStartDate(2010, 1, 4)
        self.SetEndDate(2010, 2, 1)
        self.AddEquity("IBM", Resolution.Daily)
        self.average = SimpleMovingAverage(3)
        self.RegisterIndicator("IBM", self.average, Resolution.Daily)
"""
    result = sample.run(code)
    assert result.status is BacktestStatus.COMPLETED, result.reason


def test_an_endless_loop_is_ended_by_the_wall_clock(run: Run) -> None:
    result = run(on_data="while True: pass", limits=Limits(wall_s=0.7))
    assert result.status is BacktestStatus.FAILED
    assert result.reason == "did not finish within 0.7 s"
    assert result.phase == "run"


def test_an_endless_loop_is_ended_by_its_cpu_time(run: Run) -> None:
    result = run("while True: pass", limits=Limits(wall_s=30, cpu_s=1))
    assert result.status is BacktestStatus.FAILED
    assert result.reason == "used more than 1 s of CPU time"


def test_endless_printing_is_cut_and_ended(run: Run) -> None:
    result = run(
        on_data="while True: print('x' * 1000)", limits=Limits(wall_s=1, output_bytes=5000)
    )
    assert result.status is BacktestStatus.FAILED
    assert result.truncated
    assert sum(len(line) for line in result.logs) < 6000


def test_a_gigabyte_of_printing_does_not_stop_a_good_strategy(run: Run) -> None:
    result = run("for _ in range(1000): print('x' * 100_000)", limits=Limits(output_bytes=5000))
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert result.truncated


def test_endless_logging_is_cut_and_ended(run: Run) -> None:
    result = run(
        on_data="while True: self.log('x' * 1000)", limits=Limits(wall_s=1, output_bytes=5000)
    )
    assert result.status is BacktestStatus.FAILED
    assert result.truncated
    assert sum(len(line) for line in result.logs) < 6000


def test_memory_beyond_the_limit_is_the_strategys_failure(run: Run) -> None:
    result = run("x = bytearray(2_000_000_000)", limits=Limits(memory_mb=512))
    assert result.status is BacktestStatus.FAILED
    assert result.reason is not None
    assert result.reason.startswith("MemoryError: (more than the 512 MB allowed) (line 10")


def test_what_is_printed_is_in_the_logs(run: Run) -> None:
    result = run("print('hello from inside')")
    assert "hello from inside" in result.logs


def test_the_caller_overrides_cash_that_a_strategy_sets(sample: Simulator) -> None:
    result = sample.run(NEW_STYLE, BacktestSettings(cash=1234))
    assert result.statistics["Start Equity"] == "1234"
