"""Date and time rules in LEAN's overloads: by name, without a symbol, in another zone."""

from __future__ import annotations

import pytest

from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.records import BacktestStatus

from .conftest import Run

FIRED = "self.log(f'fired {self.time:%m-%d %H:%M}')"


def fired(run: Run, dates: str, times: str) -> list[str]:
    result = run(
        f"self.set_end_date(2010, 1, 12)\nself.schedule.on({dates}, {times}, self.told)",
        more=f"def told(self):\n    {FIRED}",
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    return [line.partition("fired ")[2] for line in result.logs if "fired" in line]


MONDAYS = "self.date_rules.every(DayOfWeek.MONDAY)"


@pytest.mark.parametrize(
    ("rule", "clock"),
    [
        ("after_market_open(self.aapl, minutes_after_open=30)", "10:00"),
        ("after_market_open(symbol='AAPL', minutes_after_open=5)", "09:35"),
        ("before_market_close('AAPL', minutes_before_close=15)", "15:45"),
        ("after_market_open('QQQ', 1)", "09:31"),
        ("after_market_open(10)", "09:40"),
        ("before_market_close(10)", "15:50"),
        ("after_market_open(self.aapl, 10, True)", "04:10"),
        ("before_market_close(self.aapl, 10, extended_market_close=True)", "19:50"),
        ("after_market_close(self.aapl, minutes_after_close=30)", "16:30"),
        ("before_market_open(self.aapl, minutes_before_open=30)", "09:00"),
        ("at(10, 30)", "10:30"),
        ("at(hour=10, minute=30)", "10:30"),
        ("at(10, 30, TimeZones.CHICAGO)", "11:30"),
        ("at(10, 30, 0, TimeZones.UTC)", "05:30"),
        ("at(timedelta(hours=10), TimeZones.LOS_ANGELES)", "13:00"),
        ("at(10, 30, time_zone=TimeZones.LONDON)", "05:30"),
    ],
)
def test_a_time_rule_fires_at_leans_time(run: Run, rule: str, clock: str) -> None:
    assert fired(run, MONDAYS, f"self.time_rules.{rule}") == [f"01-04 {clock}", f"01-11 {clock}"]


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("month_start('AAPL', days_offset=2)", ["01-06"]),
        ("month_start(days_offset=4)", ["01-05"]),
        ("month_start(symbol=self.aapl, days_offset=1, extended_market_hours=False)", ["01-05"]),
        ("week_start('TLT')", ["01-04", "01-11"]),
        ("week_end(self.aapl)", ["01-08"]),
        ("every([DayOfWeek.TUESDAY, DayOfWeek.FRIDAY])", ["01-05", "01-08", "01-12"]),
        ("on(year=2010, month=1, day=6)", ["01-06"]),
        ("every_day(symbol='VTI')", ["01-04", "01-05", "01-06", "01-07", "01-08", "01-11",
                                     "01-12"]),
    ],
)  # fmt: skip
def test_a_date_rule_names_leans_days(run: Run, rule: str, days: list[str]) -> None:
    times = "self.time_rules.at(12, 0)"
    assert fired(run, f"self.date_rules.{rule}", times) == [f"{day} 12:00" for day in days]


def test_a_default_zone_is_that_of_the_times_named_after_it(run: Run) -> None:
    result = run(
        "self.set_end_date(2010, 1, 5)\nday = self.date_rules.on(2010, 1, 5)\n"
        "self.schedule.on(day, self.time_rules.at(12, 0), self.told)\n"
        "self.time_rules.set_default_time_zone(TimeZones.CHICAGO)\n"
        "self.schedule.on(day, self.time_rules.noon, self.told)\n"
        "self.schedule.on(day, self.time_rules.after_market_open(self.aapl), self.told)",
        more=f"def told(self):\n    {FIRED}",
    )
    told = [line.partition("fired ")[2] for line in result.logs if "fired" in line]
    assert told == ["01-05 09:30", "01-05 12:00", "01-05 13:00"]


def test_a_zone_that_is_none_fails_the_strategy(run: Run) -> None:
    result = run(
        "self.schedule.on(self.date_rules.every_day(), self.time_rules.at(9, 0, 'Nowhere/Town'), "
        "lambda: None)"
    )
    assert result.status is BacktestStatus.FAILED


def test_delegates_of_net_are_the_functions_themselves(run: Run) -> None:
    result = run(
        "self.schedule.on(self.date_rules.on(2010, 1, 5), self.time_rules.at(12, 0), "
        "Action(self.told))\n"
        "self.twice = Func[float, float](lambda value: 2 * value)\nassert self.twice(2) == 4",
        more=f"def told(self):\n    {FIRED}",
        head="AddReference('System')",
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert any("fired 01-05 12:00" in line for line in result.logs)


SEEDED = """
from AlgorithmImports import *

class Seeded(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 8)
        self.set_end_date(2013, 10, 10)
        seeder = FuncSecuritySeeder(self.get_last_known_prices)
        self.set_security_initializer(
            BrokerageModelSecurityInitializer(self.brokerage_model, seeder)
        )
        self.add_equity("SPY", Resolution.MINUTE)

    def on_securities_changed(self, changes):
        for added in changes.added_securities:
            seen = (added.bid_price, added.bid_size, added.ask_price, added.ask_size, added.volume)
            assert all(seen), seen
            assert added.bid_price <= added.ask_price

    def on_data(self, data):
        if not self.portfolio.invested:
            self.set_holdings("SPY", 1)
"""


def test_a_seeder_gives_quotes_too_and_leans_figures(lean: Simulator) -> None:
    # QuantConnect/Lean 0124dffa981f34f9b1ad7cac46f6aeb28590e699,
    # Algorithm.CSharp/SecuritySeederRegressionAlgorithm.cs
    result = lean.run(SEEDED)
    assert result.status is BacktestStatus.COMPLETED, result.reason
    wanted = {
        "Total Orders": "1", "End Equity": "101031.62", "Sharpe Ratio": "66.263",
        "Alpha": "-0.116", "Beta": "0.996", "Information Ratio": "-198.985",
        "Treynor Ratio": "16.083", "Estimated Strategy Capacity": "$31000000.00",
        "Compounding Annual Return": "307.471%", "Portfolio Turnover": "33.62%",
    }  # fmt: skip
    assert {key: result.statistics[key] for key in wanted} == wanted


def test_prices_may_be_made_raw_after_a_seed_but_not_after_a_bar(run: Run) -> None:
    seeded = run(
        "self.set_security_initializer(Raw(self))\nself.add_equity('IBM', Resolution.DAILY)",
        head="""
        class Raw(BrokerageModelSecurityInitializer):
            def __init__(self, algorithm):
                self.base = BrokerageModelSecurityInitializer(
                    algorithm.brokerage_model, FuncSecuritySeeder(algorithm.get_last_known_price)
                )

            def initialize(self, security):
                self.base.initialize(security)
                security.set_data_normalization_mode(DataNormalizationMode.RAW)
        """,
    )
    assert seeded.status is BacktestStatus.COMPLETED, seeded.reason
    late = run("", "self.securities[self.aapl].set_data_normalization_mode("
                   "DataNormalizationMode.RAW)")  # fmt: skip
    assert late.status is BacktestStatus.UNKNOWN
    assert late.reason is not None
    assert "set_data_normalization_mode after its first bar" in late.reason


def test_a_security_gives_its_first_subscription_under_leans_old_name(run: Run) -> None:
    result = run("self.log(self.securities[self.aapl].subscription_data_config.increment)")
    assert result.logs[0] == "1 day, 0:00:00", result.reason
