"""Arguments by name, as LEAN names them in both spellings; schedules by any ticker."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.records import BacktestStatus

Run = Callable[..., BacktestResult]

INITIALIZE = """
self.AddEquity("IBM", Resolution.Daily, fillForward=True, extendedMarketHours=False)
self.AddEquity("MSFT", resolution=Resolution.Daily, dataNormalizationMode=DataNormalizationMode.Raw)
self.BB("IBM", 20, 2, movingAverageType=MovingAverageType.Simple)
self.MACD("IBM", fastPeriod=12, slowPeriod=26, signalPeriod=9)
self.Securities["IBM"].SetFeeModel(ConstantFeeModel(fee=1))
self.securities["IBM"].set_slippage_model(slippage_model=ConstantSlippageModel(0.001))
self.set_brokerage_model(
    brokerage=BrokerageName.INTERACTIVE_BROKERS_BROKERAGE, account_type=AccountType.MARGIN
)
self.set_security_initializer(security_initializer=lambda security: None)
assert self.get_parameter("x", default_value=3) == 3
self.consolidate(symbol="IBM", period=timedelta(days=2), handler=self.take)
Chart("c").add_series(series=Series(name="s", type=SeriesType.SCATTER, unit="$", color=Color.RED))
Chart("c").AddSeries(Series("t", SeriesType.Line, "$", Color.ForestGreen))
MaximumDrawdownPercentPerSecurity(maximumDrawdownPercent=0.05)
Insight.Price("IBM", timedelta(1), InsightDirection.Up, sourceModel="m", weight=0.5)
self.object_store.save(path="k", text="v")
"""


def test_leans_names_of_arguments_are_taken_in_both_spellings(run: Run) -> None:
    more = "def take(self, bar):\n    self.log(f'two days {bar.close:.2f}')"
    result = run(INITIALIZE, more=more)
    assert (result.status, result.reason) == (BacktestStatus.COMPLETED, None)
    assert any("two days" in line for line in result.logs)


def test_orders_take_leans_names_in_both_spellings(run: Run) -> None:
    on_data = """
    if self.portfolio.invested or self.transactions.orders_count:
        return
    symbol = self.symbol("AAPL")
    self.SetHoldings(symbol, 0.2, liquidateExistingHoldings=True, tag="a")
    self.LimitOrder(symbol, 10, limitPrice=1).UpdateLimitPrice(limitPrice=2)
    self.StopLimitOrder(symbol, 10, stopPrice=900, limitPrice=901)
    self.set_holdings(targets=[PortfolioTarget(symbol, 0.2)], liquidate_existing_holdings=True)
    assert len(self.transactions.get_open_orders(symbol=symbol)) == self.transactions.orders_count
    assert len(self.transactions.get_open_orders(filter=lambda o: o.type == OrderType.LIMIT)) == 1
    self.liquidate(symbols=[symbol], tag="b")
    """
    result = run("", on_data)
    assert (result.status, result.reason) == (BacktestStatus.COMPLETED, None)
    assert result.orders[1]["limit_price"] == 2


def test_a_name_that_leans_method_has_not_is_an_error(run: Run) -> None:
    rule = "self.time_rules.at(hours=3)"
    result = run(f"self.schedule.on(self.date_rules.every_day(), {rule}, print)")
    assert result.status is BacktestStatus.FAILED
    assert "No method matches given arguments for at: named hours" in (result.reason or "")


def test_the_strategys_own_functions_keep_the_names_they_were_given(run: Run) -> None:
    head = """
    class Own:
        def __init__(self, maxSize):
            self.maxSize = maxSize

    def Made(topCount):
        return Own(maxSize=topCount)
    """
    result = run("assert Made(topCount=3).maxSize == 3 and dict(aB=1)['aB'] == 1", head=head)
    assert (result.status, result.reason) == (BacktestStatus.COMPLETED, None)


SCHEDULES = [
    'self.date_rules.every_day("SPY"), self.time_rules.after_market_open("QQQ", 30)',
    'self.date_rules.every_day("spy"), self.time_rules.after_market_open(30)',
    'self.DateRules.EveryDay("SPY"), self.TimeRules.AfterMarketOpen("SPY", minutesAfterOpen=30)',
    "self.date_rules.every_day(symbol=self.spy), self.time_rules.at(hour=10, minute=0)",
    'self.date_rules.every_day("AAPL"), self.time_rules.at(10, 0, TimeZones.NEW_YORK)',
    'self.date_rules.every_day("AAPL"), self.time_rules.at(9, 0, TimeZones.CHICAGO)',
    'self.date_rules.every_day("AAPL"), self.time_rules.after_market_open("AAPL", 360, True)',
    'self.date_rules.every_day("AAPL"), self.time_rules.before_market_close("AAPL", 600, True)',
]


@pytest.mark.parametrize("rules", SCHEDULES)
def test_a_schedule_by_a_ticker_that_is_not_subscribed_fires_by_its_exchange(
    run: Run, rules: str
) -> None:
    initialize = f"""
    self.spy = Symbol.create("SPY", SecurityType.EQUITY, Market.USA)
    self.schedule.on({rules}, self.note)
    """
    more = "def note(self):\n    self.log('fired')"
    result = run(initialize, more=more)
    fired = [line[:19] for line in result.logs if line.endswith("fired")]
    # The 18th was Martin Luther King's day.
    days = ["2010-01-14", "2010-01-15", "2010-01-19"]
    assert [moment for moment in fired if "2010-01-14" < moment < "2010-01-20"] == [
        f"{day} 10:00:00" for day in days
    ]


def test_quarters_begin_and_end_on_trading_days(run: Run) -> None:
    initialize = """
    self.schedule.on(self.date_rules.quarter_start("AAPL"), self.time_rules.noon, self.note)
    self.schedule.on(self.date_rules.quarter_end("AAPL"), self.time_rules.noon, self.note)
    self.schedule.on(
        self.date_rules.every([DayOfWeek.MONDAY]), self.time_rules.midnight, lambda: None
    )
    """
    result = run(initialize, more="def note(self):\n    self.log('fired')")
    fired = [line[:10] for line in result.logs if line.endswith("fired")]
    assert fired == ["2010-01-04", "2010-03-31", "2010-04-01", "2010-06-30"]


def test_what_leans_star_import_brings_along_is_there(run: Run) -> None:
    initialize = """
    self.Schedule.On(self.DateRules.EveryDay("AAPL"), self.TimeRules.At(10, 0), Action(self.note))
    assert Func[int, int](abs)(-2) == 2 and sys.version and os.path.join("a", "b") == "a/b"
    """
    result = run(initialize, more="def note(self):\n    self.log('fired')")
    assert (result.status, result.reason) == (BacktestStatus.COMPLETED, None)
    assert sum(line.endswith("fired") for line in result.logs) == 124


def test_an_own_indicator_may_set_its_current_point_and_tell_of_it(run: Run) -> None:
    head = """
    class Range(PythonIndicator):
        def update(self, input):
            self.current = IndicatorDataPoint(input.end_time, input.high - input.low)
            self.on_updated(self.current)
            return True
    """
    on_data = """
    bar = data.bars[self.aapl]
    self.range.update(bar)
    assert self.range.current.value == bar.high - bar.low
    assert self.range.current.end_time == bar.end_time and self.range.samples == len(self.told)
    """
    initialize = "self.range, self.told = Range(), []\nself.range.updated += self.note"
    more = "def note(self, who, point):\n    self.told += [point]"
    result = run(initialize, on_data, more, head=head)
    assert (result.status, result.reason) == (BacktestStatus.COMPLETED, None)
