"""When things happen: schedules, warm-up, consolidators, history, corporate actions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from qc_builder_lora.backtest.protocol import BacktestResult, BacktestSettings
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.backtest.simulator.actions import actions
from qc_builder_lora.backtest.simulator.calendar import OPEN, Zone, day_of, load_hours
from qc_builder_lora.backtest.simulator.feed import Mode
from qc_builder_lora.backtest.simulator.rules import event_times
from qc_builder_lora.records import BacktestStatus

Run = Callable[..., BacktestResult]
NEW_YORK = Zone("America/New_York")
HOURS = load_hours(Path("no such folder"))


def fired(dates: list[object], times: list[object], first: date, last: date) -> list[str]:
    found = event_times(
        dates, times, day_of(first), day_of(last), HOURS, NEW_YORK, NEW_YORK
    )  # fmt: skip
    text = []
    for utc in found:
        local = NEW_YORK.local(utc)
        day = date(1970, 1, 1) + timedelta(days=local // 86400)
        text.append(f"{day} {local % 86400 // 3600:02d}:{local % 3600 // 60:02d}")
    return text


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["every_day", None], ["2010-01-15", "2010-01-16", "2010-01-17", "2010-01-18"]),
        # The 18th was Martin Luther King's day.
        (["every_day", 0], ["2010-01-15", "2010-01-19"]),
        (["weekdays", [1, 5]], ["2010-01-15", "2010-01-18"]),
        (["dates", ["2010-01-19", "2010-01-16", "2010-02-19"]], ["2010-01-16", "2010-01-19"]),
        (["week_start", 0, 0], ["2010-01-19"]),
        (["week_start", None, 0], ["2010-01-18"]),
        (["week_end", 0, 0], ["2010-01-15"]),
        (["month_start", 0, 10], ["2010-01-19"]),
    ],
)
def test_date_rules_fire_on_leans_days(dates: list[object], expected: list[str]) -> None:
    last = date(2010, 1, 19 if expected[-1].endswith("19") else 18)
    found = fired(dates, ["at", 0], date(2010, 1, 15), last)
    assert [moment[:10] for moment in found] == expected


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["month_start", 0, 0], ["2010-01-04", "2010-02-01", "2010-03-01"]),
        (["month_start", None, 0], ["2010-01-01", "2010-02-01", "2010-03-01"]),
        (["month_end", 0, 0], ["2010-01-29", "2010-02-26", "2010-03-31"]),
        (["month_end", None, 0], ["2010-01-31", "2010-02-28", "2010-03-31"]),
        (["month_end", 0, 1], ["2010-01-28", "2010-02-25", "2010-03-30"]),
        (["year_start", 0, 0], ["2010-01-04"]),
    ],
)
def test_month_and_year_rules_know_trading_days(dates: list[object], expected: list[str]) -> None:
    found = fired(dates, ["at", 0], date(2010, 1, 1), date(2010, 3, 31))
    assert [moment[:10] for moment in found] == expected


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["after_open", 0, 30], ["10:00", "10:00"]),
        # The day after Thanksgiving closes at 13:00.
        (["before_close", 0, 10], ["15:50", "12:50"]),
        (["before_open", 0, 5], ["09:25", "09:25"]),
        (["after_close", 0, 0], ["16:00", "13:00"]),
        (["at", 45000], ["12:30", "12:30"]),
        (["every", 43200], ["00:00", "12:00", "00:00", "12:00"]),
    ],
)
def test_time_rules_know_the_session(times: list[object], expected: list[str]) -> None:
    days = ["dates", ["2010-11-24", "2010-11-26"]]
    found = fired(days, times, date(2010, 11, 1), date(2010, 11, 30))
    assert [moment[11:] for moment in found] == expected


def test_times_keep_to_new_york_across_the_change_of_clocks() -> None:
    utc = list(
        event_times(["every_day", 0], ["after_open", 0, 0], day_of(date(2010, 3, 12)),
                    day_of(date(2010, 3, 15)), HOURS, NEW_YORK, NEW_YORK)
    )  # fmt: skip
    assert [moment % 86400 // 60 for moment in utc] == [14 * 60 + 30, 13 * 60 + 30]


def test_the_rules_of_the_exchange_are_leans_own_calendar(lean_data: Path) -> None:
    database = load_hours(lean_data)
    first, last = day_of(date(1999, 1, 1)), day_of(date(2026, 12, 31))
    assert database.between(first, last) == HOURS.between(first, last)
    assert [HOURS.close(day) for day in HOURS.between(first, last)] == [
        database.close(day) for day in database.between(first, last)
    ]


def test_a_scheduled_event_sees_the_prices_of_the_day_before(run: Run) -> None:
    result = run(
        """
        self.schedule.on(
            self.date_rules.every_day(self.aapl),
            self.time_rules.after_market_open(self.aapl, 30),
            self.morning,
        )
        """,
        "self.last = data[self.aapl].close",
        """
        def morning(self):
            if self.time.day == 6 and self.time.month == 1:
                seen = self.securities[self.aapl].price == self.last
                self.log(f"{self.time} {seen} {self.is_market_open(self.aapl)}")
        """,
    )
    assert "2010-01-06 10:00:00 2010-01-06 10:00:00 True True" in result.logs


def test_a_rebalance_at_the_month_start_trades_once_a_month(run: Run) -> None:
    result = run(
        """
        self.Schedule.On(
            self.DateRules.MonthStart(self.aapl), self.TimeRules.BeforeMarketClose(self.aapl, 5),
            self.rebalance)
        """,
        more="""
        def rebalance(self):
            self.debug(f"at {self.time:%m-%d %H:%M}")
        """,
    )
    moments = [line.split(" at ")[1] for line in result.logs if " at " in line]
    assert moments == [
        "01-04 15:55", "02-01 15:55", "03-01 15:55", "04-01 15:55", "05-03 15:55", "06-01 15:55",
    ]  # fmt: skip


def test_an_event_can_be_removed(run: Run) -> None:
    result = run(
        """
        self.event = self.schedule.on(
            self.date_rules.every_day(self.aapl), self.time_rules.at(9, 0), self.tick)
        self.count = 0
        """,
        more="""
        def tick(self):
            self.count += 1
            if self.count == 3:
                self.schedule.remove(self.event)

        def on_end_of_algorithm(self):
            self.log(f"fired {self.count}")
        """,
    )
    assert any("fired 3" in line for line in result.logs)


def test_an_event_may_be_removed_and_made_anew_from_within_itself(run: Run) -> None:
    result = run(
        "self.at = self.date_rules.on(self.time + timedelta(7))\n"
        "self.event = self.schedule.on(self.at, self.time_rules.at(10, 0), self.again)",
        more="""
            def again(self) -> None:
                self.log("fired")
                self.schedule.remove(self.event)
                next_one = self.date_rules.on(self.time + timedelta(7))
                self.event = self.schedule.on(next_one, self.time_rules.at(10, 0), self.again)
        """,
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert sum("fired" in line for line in result.logs) >= 3


def test_end_of_day_is_called_ten_minutes_before_the_close(run: Run) -> None:
    result = run(
        more="""
        def on_end_of_day(self, symbol):
            if self.time.date() == date(2010, 1, 6):
                self.log(f"{symbol} {self.time}")
        """
    )
    assert "2010-01-06 15:50:00 AAPL 2010-01-06 15:50:00" in result.logs


@pytest.mark.parametrize(
    ("warm_up", "bars"),
    [("20", 20), ("20, Resolution.DAILY", 20), ("timedelta(days=28)", 18), ("30", 30)],
)
def test_warm_up_feeds_bars_and_indicators_before_the_start(
    run: Run, warm_up: str, bars: int
) -> None:
    result = run(
        f"self.set_warm_up({warm_up})\nself.average = self.sma(self.aapl, 5)\nself.bars = 0",
        """
        if self.is_warming_up:
            self.bars += 1
        elif self.time.date() == date(2010, 1, 4):
            self.log(f"{self.bars} {self.average.samples} {self.average.is_ready}")
        """,
        'def on_warmup_finished(self): self.log(f"finished {self.time}")',
    )
    # LEAN says so before the second moment after the start.
    assert "2010-01-04 16:00:00 finished 2010-01-04 16:00:00" in result.logs
    assert f"2010-01-04 16:00:00 {bars} {bars + 1} True" in result.logs
    assert len(result.equity) == 124


def test_automatic_warm_up_makes_indicators_ready_at_once(run: Run) -> None:
    result = run(
        "self.settings.automatic_indicator_warm_up = True\n"
        "self.average = self.sma(self.aapl, 50)\nself.log(self.average.is_ready)"
    )
    assert "True" in result.logs


def test_warm_up_indicator_uses_history(run: Run) -> None:
    result = run(
        "mine = RelativeStrengthIndex(14)\nself.warm_up_indicator(self.aapl, mine)\n"
        "self.log(f'{mine.is_ready} {mine.samples}')"
    )
    assert "True 15" in result.logs


def test_a_weekly_bar_is_complete_when_its_week_is_over(run: Run) -> None:
    result = run(
        "self.consolidate(self.aapl, timedelta(days=7), self.weekly)",
        more="""
        def weekly(self, bar):
            if self.time < datetime(2010, 2, 1):
                self.log(f"{bar.time:%m-%d} {bar.end_time:%m-%d} {bar.volume > 0}")
                self.market_order(self.aapl, 1)
        """,
    )
    told = [line for line in result.logs if "True" in line]
    # Longer than a day: it begins with its first bar, at the opening, and lasts just so long.
    assert told[0] == "2010-01-11 09:30:00 01-04 01-11 True"
    # Placed at midnight on Monday, filled at that Monday's open.
    assert result.orders[0]["fills"][0]["time"] == "2010-01-11T21:00:00Z"


def test_calendar_months_and_counts_consolidate_too(run: Run) -> None:
    result = run(
        "self.consolidate(self.aapl, Calendar.MONTHLY, self.monthly)\n"
        "self.consolidate(self.aapl, Resolution.DAILY, self.daily)\n"
        "five = TradeBarConsolidator(5)\n"
        "five.data_consolidated += self.five\n"
        "self.subscription_manager.add_consolidator(self.aapl, five)\n"
        "self.counts = [0, 0, 0]",
        more="""
        def monthly(self, bar):
            self.counts[0] += 1
        def daily(self, bar):
            self.counts[1] += 1
        def five(self, sender, bar):
            self.counts[2] += 1
        def on_end_of_algorithm(self):
            self.log(str(self.counts))
        """,
    )
    # 124 trading days; June's month is not over when the backtest ends.
    assert any("[5, 124, 24]" in line for line in result.logs)


def test_a_weekly_indicator_moves_once_a_week(run: Run) -> None:
    result = run(
        "self.weekly = SimpleMovingAverage(4)\n"
        "self.register_indicator(self.aapl, self.weekly, timedelta(days=7))",
        more="def on_end_of_algorithm(self): self.log(f'samples {self.weekly.samples}')",
    )
    assert any("samples 25" in line for line in result.logs)


def test_history_never_shows_a_bar_that_has_not_ended(run: Run) -> None:
    result = run(
        """
        self.schedule.on(self.date_rules.on(2010, 1, 6), self.time_rules.at(15, 59), self.before)
        """,
        """
        if self.time.date() == date(2010, 1, 6):
            self.log(f"after {self.history(self.aapl, 3).index[-1][1]}")
        """,
        """
        def before(self):
            frame = self.history(self.aapl, timedelta(days=5), Resolution.DAILY)
            self.log(f"before {frame.index[-1][1]} {len(frame)}")
            self.log(f"future {len(self.history(self.aapl, self.time, datetime(2011, 1, 1)))}")
        """,
    )
    text = "\n".join(result.logs)
    assert "before 2010-01-05 16:00:00 2" in text
    assert "after 2010-01-06 16:00:00" in text
    assert "future 0" in text


def test_history_is_a_frame_by_symbol_and_time(run: Run) -> None:
    result = run(
        'self.ibm = self.add_equity("IBM", Resolution.DAILY).symbol',
        """
        if self.time.date() == date(2010, 3, 1):
            both = self.history([self.aapl, self.ibm], 10, Resolution.DAILY)
            assert list(both.index.names) == ["symbol", "time"]
            assert sorted(both.columns) == ["close", "high", "low", "open", "volume"]
            assert len(both) == 20
            assert both.loc[self.aapl].close.iloc[-1] == data[self.aapl].close
            assert both.loc["IBM"]["open"].iloc[-1] == data["IBM"].open
            wide = both["close"].unstack(level=0)
            assert list(wide.columns) == ["AAPL", "IBM"] and wide[self.aapl].iloc[-1] > 0
            assert self.history(self.aapl, date(2010, 2, 1), date(2010, 2, 5)).shape[0] == 4
            assert self.history(["AAPL"], timedelta(7)).shape[0] == 5
            bars = self.history[TradeBar](self.aapl, 3, Resolution.DAILY)
            assert [bar.close for bar in bars][-1] == data[self.aapl].close
            pairs = self.history[TradeBar]([self.aapl, self.ibm], 3)
            assert pairs[-1][self.ibm].close == data[self.ibm].close
            assert self.History(self.aapl, 5, Resolution.Daily).shape[0] == 5
            self.log("all as expected")
        """,
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert any("all as expected" in line for line in result.logs)


def test_indicator_history_gives_the_values_of_past_bars(run: Run) -> None:
    result = run(
        "self.average = self.sma(self.aapl, 5)",
        """
        if self.time.date() == date(2010, 3, 1):
            past = self.indicator_history(SimpleMovingAverage(5), self.aapl, 10)
            frame = past.data_frame
            assert len(past) == len(frame) == 10, len(frame)
            assert abs(frame.current.iloc[-1] - self.average.current.value) < 1e-9
        """,
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason


RAW = """
from AlgorithmImports import *

class Hold(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2014, 6, 2)
        self.set_end_date(2014, 9, 30)
        self.set_cash(100000)
        mode = DataNormalizationMode.RAW
        self.aapl = self.add_equity("AAPL", Resolution.DAILY, data_normalization_mode=mode).symbol

    def on_data(self, data):
        if not self.portfolio.invested and self.aapl in data.bars:
            self.market_order(self.aapl, 100)
        for split in data.splits.values():
            held = self.portfolio[self.aapl].quantity
            self.log(f"split {split.type} {split.split_factor:.6f} {held:g}")
        for dividend in data.dividends.values():
            self.log(f"dividend {dividend.distribution} {len(data.bars)} {self.portfolio.cash:.2f}")
"""


def test_raw_prices_pay_dividends_and_split_the_holding(lean: Simulator) -> None:
    result = lean.run(RAW)
    assert result.status is BacktestStatus.COMPLETED, result.reason
    # Apple split 7 for 1 on 2014-06-09 and paid 0.47 a share on 2014-08-07. The factor file has the
    # split to seven digits, so that a fraction of a share is left, which LEAN pays out.
    assert "2014-06-06 00:00:00 split Warning 0.142857 100" in result.logs
    assert "2014-06-09 00:00:00 split SplitOccurred 0.142857 699" in result.logs
    (paid,) = [line for line in result.logs if "dividend" in line]
    assert paid.startswith("2014-08-07 00:00:00 dividend 0.47 0 ")
    price = result.orders[0]["fills"][0]["price"]
    day = day_of(date(2014, 6, 9))
    company = lean._shelf.company("AAPL")
    split = actions(company, lean._shelf.hours, day - 10, day)[-1][1]
    fraction = (100 / split.value - 699) * split.reference * split.value
    assert float(paid.split()[-1]) == pytest.approx(
        100_000 - price * 100 - 1 + 699 * 0.47 + fraction, abs=0.05
    )


def test_a_split_leaves_the_portfolios_value_as_it_was(lean: Simulator) -> None:
    equity = dict(lean.run(RAW).equity)
    series = lean._shelf.series("AAPL")
    row = series.row_at(day_of(date(2014, 6, 9)))
    gain = series.close[row] / series.close[row - 1] - 1
    before = 100 * lean._shelf.series("AAPL", Mode.RAW).close[row - 1]
    moved = equity["2014-06-09"] - equity["2014-06-06"]
    assert moved == pytest.approx(before * gain, rel=0.002)


def test_the_caller_may_set_dates_cash_and_parameters(sample: Simulator) -> None:
    code = """
from AlgorithmImports import *

class Told(QCAlgorithm):
    def initialize(self):
        self.set_start_date(1990, 1, 1)
        self.set_end_date(2030, 1, 1)
        self.set_cash(5)
        self.add_equity("IBM", Resolution.DAILY)
        self.log(f"{self.start_date:%Y} {self.portfolio.cash} {self.get_parameter('fast', 3) + 1}")
"""
    settings = BacktestSettings(
        start=date(2010, 1, 4), end=date(2010, 2, 1), cash=7000.0, parameters={"fast": "12"}
    )
    result = sample.run(code, settings)
    assert result.logs[0] == "2010 7000.0 13"
    assert result.statistics["Start Equity"] == "7000"
    assert result.equity[0][0] == "2010-01-04"
    assert result.equity[-1][0] == "2010-02-01"


def test_the_session_begins_at_half_past_nine() -> None:
    assert OPEN == 9 * 3600 + 1800
