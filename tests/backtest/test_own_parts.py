"""Parts that a strategy brings itself: a benchmark's function, an indicator, dates by name."""

from __future__ import annotations

from .conftest import Run


def test_a_function_may_be_the_benchmark(run: Run) -> None:
    # A straight line of half a point a day, in steps that are seen at each midnight.
    rising = "self.set_benchmark(lambda now: 100 + (now - datetime(2010, 1, 1)).days / 2)"
    result = run(rising, "self.set_holdings(self.aapl, 0.5)")
    assert result.status.value == "completed", result.reason
    assert float(result.statistics["Tracking Error"]) > 0
    assert not any("no figures against the benchmark" in line for line in result.logs)


def test_a_benchmark_of_nothing_gives_no_alpha(run: Run) -> None:
    result = run("self.set_benchmark(lambda now: 0)", "self.set_holdings(self.aapl, 0.5)")
    found = {name: result.statistics[name] for name in ("Alpha", "Beta", "Treynor Ratio")}
    assert found == {"Alpha": "0", "Beta": "0", "Treynor Ratio": "0"}


def test_a_benchmark_that_raises_fails_the_strategy_with_its_words(run: Run) -> None:
    result = run("self.set_benchmark(lambda now: 1 / 0)")
    assert result.status.value == "failed"
    assert result.reason == "the benchmark's function: ZeroDivisionError: division by zero"


def test_the_last_benchmark_that_is_set_counts(run: Run) -> None:
    result = run("self.set_benchmark(lambda now: 1 / 0)\nself.set_benchmark(self.aapl)")
    assert result.status.value == "completed", result.reason


def test_dates_may_be_given_by_name_in_any_order(run: Run) -> None:
    result = run(
        "self.set_start_date(month=3, day=1, year=2010)\n"
        "self.set_end_date(2010, day=31, month=3)\n"
        "self.log(f'{self.start_date:%Y-%m-%d} {self.end_date:%Y-%m-%d} {self.time}')"
    )
    assert result.logs[0] == "2010-03-01 2010-03-31 2010-03-01 00:00:00"


def test_a_day_that_no_month_has_is_refused(run: Run) -> None:
    result = run("self.set_start_date(month=2, day=30, year=2010)")
    assert result.status.value == "failed"
    assert "day is out of range" in str(result.reason)


def test_an_own_indicator_that_is_updated_by_hand_feeds_who_follows_it(run: Run) -> None:
    result = run(
        "self.range = Range()\nself.mean = IndicatorExtensions.sma(self.range, 3)",
        "self.range.update(data.bars[self.aapl])",
        "def on_end_of_algorithm(self):\n"
        "    assert self.mean.is_ready\n"
        "    assert self.mean.current.value == sum(self.range.last[-3:]) / 3",
        head="""
        class Range(PythonIndicator):
            def __init__(self):
                self.name, self.value, self.last = "range", 0, []

            @property
            def is_ready(self):
                return bool(self.last)

            def update(self, bar):
                self.value = bar.high - bar.low
                self.last.append(self.value)
                self.on_updated(IndicatorDataPoint(bar.end_time, self.value))
                return True
        """,
    )
    assert result.status.value == "completed", result.reason


def test_an_own_indicator_that_is_registered_is_counted_once(run: Run) -> None:
    result = run(
        "self.last = Last()\nself.register_indicator(self.aapl, self.last, Resolution.DAILY)\n"
        "self.moves = []\nself.last.updated += lambda _, point: self.moves.append(point.value)",
        "self.days = getattr(self, 'days', 0) + 1",
        "def on_end_of_algorithm(self):\n"
        "    assert self.last.samples == self.days == len(self.moves), self.last.samples",
        head="""
        class Last(PythonIndicator):
            def __init__(self):
                self.name, self.value = "last", 0

            def update(self, bar):
                self.value = bar.close
                self.on_updated(IndicatorDataPoint(bar.end_time, self.value))
                return True
        """,
    )
    assert result.status.value == "completed", result.reason


def test_a_backtest_notifies_nobody(run: Run) -> None:
    result = run(
        'sent = [self.notify.email("a@b.c", "subject", "body"), self.notify.sms("+1", "text"),\n'
        '        self.Notify.Web("http://localhost", "data"), self.notify.telegram("1", "text")]\n'
        "self.log(f'{sent}')"
    )
    assert result.status.value == "completed", result.reason
    assert result.logs[0] == "[False, False, False, False]"
