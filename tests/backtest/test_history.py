"""`self.history` in its overloads, on LEAN's own data: counts, columns, types, other tickers."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest

from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.backtest.simulator import Simulator

QUOTED = ["askclose", "askhigh", "asklow", "askopen", "asksize",
          "bidclose", "bidhigh", "bidlow", "bidopen", "bidsize"]  # fmt: skip
TRADED = ["close", "high", "low", "open", "volume"]


def ask(lean: Simulator, body: str, add: str = "", start: str = "2013, 10, 8") -> BacktestResult:
    """Run what a strategy does in the middle of its first day."""
    lines = indent(dedent(body).strip(), " " * 8)
    return lean.run(
        f"""from AlgorithmImports import *
import pandas

class Asks(QCAlgorithm):
    def initialize(self):
        self.set_start_date({start})
        self.set_end_date({start})
        self.spy = self.add_equity("SPY", Resolution.MINUTE).symbol
        {add or "pass"}
        self.schedule.on(self.date_rules.today, self.time_rules.at(12, 0), self.now)

    def now(self):
{lines}
        self.log("asked")
"""
    )


def completed(result: BacktestResult) -> list[str]:
    assert result.status.value == "completed", result.reason
    assert any(line.endswith(" asked") for line in result.logs), result.logs
    return list(result.logs)


def test_minutes_of_a_quoted_symbol_have_both_sides_and_trades(lean: Simulator) -> None:
    result = ask(
        lean,
        f"""
        frame = self.history(self.spy, 5, Resolution.MINUTE)
        assert list(frame.columns) == {QUOTED + TRADED}, list(frame.columns)
        assert list(frame.index.names) == ["symbol", "time"] and len(frame) == 5
        assert frame.index[-1] == (self.spy, self.time), frame.index[-1]
        last = frame.iloc[-1]
        security = self.securities[self.spy]
        assert (last.bidclose, last.askclose) == (security.bid_price, security.ask_price)
        assert (last.bidsize, last.asksize) == (security.bid_size, security.ask_size)
        assert (last.close, last.volume) == (security.close, security.volume)
        """,
    )
    completed(result)


def test_days_have_no_quotes(lean: Simulator) -> None:
    result = ask(
        lean,
        f"""
        frame = self.history([self.spy], 3, Resolution.DAILY)
        assert list(frame.columns) == {TRADED}
        assert [str(time) for _, time in frame.index][-1] == "2013-10-07 16:00:00"
        assert self.history(self.spy, timedelta(days=2), Resolution.HOUR).shape == (10, 5)
        """,
    )
    completed(result)


def test_a_daily_subscription_gives_minutes_without_quotes(lean: Simulator) -> None:
    result = ask(
        lean,
        f"""
        assert list(self.history("AAPL", 2, Resolution.DAILY).columns) == {TRADED}
        self.check = self.history("IBM", 2, Resolution.MINUTE)
        assert list(self.check.columns) == {TRADED}, self.check.columns
        """,
        'self.add_equity("IBM", Resolution.DAILY)',
    )
    completed(result)


def test_the_counts_of_leans_own_history_algorithm(lean: Simulator) -> None:
    result = lean.run(
        """from AlgorithmImports import *

class Counts(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 8)
        self.set_end_date(2013, 10, 8)
        self.add_equity("SPY", Resolution.DAILY)
        now, day, minute = self.time, timedelta(1), Resolution.MINUTE
        for name, found, wanted in (
            ("a year", self.history(["SPY"], timedelta(365)), 250),
            ("a day of minutes", self.history(["SPY"], day, minute), 390),
            ("days", self.history(["SPY"], 14), 14),
            ("minutes", self.history(["SPY"], 14, minute), 14),
            ("extended", self.history(["SPY"], now - day, now, minute, True, True), 960),
        ):
            assert len(found.index) == wanted, (name, len(found.index))
        mean = SimpleMovingAverage(14)
        for index, bar in self.history(["SPY"], 14).loc["SPY"].iterrows():
            mean.update(index, bar["close"])
        assert mean.is_ready
"""
    )
    assert result.status.value == "completed", result.reason


def test_a_type_in_front_gives_a_frame_and_in_brackets_a_list(lean: Simulator) -> None:
    result = ask(
        lean,
        f"""
        frame = self.history(TradeBar, self.spy, 4)
        assert list(frame.columns) == {TRADED} and len(frame) == 4
        frame = self.history(QuoteBar, self.spy, 4)
        assert list(frame.columns) == {QUOTED + TRADED[:4]}, list(frame.columns)
        middle = (frame.bidclose + frame.askclose) / 2
        assert abs(frame.close - middle).max() < 1e-9
        quotes = self.history[QuoteBar](self.spy, 4)
        assert [bar.ask.close for bar in quotes] == list(frame.askclose)
        pairs = self.history[QuoteBar]([self.spy, "IBM"], 3)
        assert len(pairs) == 3 and pairs[-1]["IBM"].end_time == self.time
        bars = self.history[TradeBar](self.spy, timedelta(minutes=4))
        assert [type(bar).__name__ for bar in bars] == ["TradeBar"] * 4
        """,
    )
    completed(result)


def test_without_symbols_it_gives_slices_of_all_that_is_subscribed(lean: Simulator) -> None:
    result = ask(
        lean,
        """
        slices = self.history(3)
        assert [item.time for item in slices][-1] == self.time
        last = slices[-1]
        assert last.bars["SPY"].close and last.quote_bars["IBM"].bid.close
        assert len(self.history(timedelta(minutes=7), Resolution.MINUTE)) == 7
        """,
        'self.add_equity("IBM", Resolution.MINUTE)',
    )
    completed(result)


def test_a_ticker_that_is_not_subscribed_comes_as_the_universe_settings_say(
    lean: Simulator,
) -> None:
    result = ask(
        lean,
        f"""
        minutes = self.history("IBM", 5)
        assert list(minutes.columns) == {QUOTED + TRADED} and len(minutes) == 5
        both = self.history([self.spy, "BAC"], 2, Resolution.DAILY)
        assert [str(symbol) for symbol, _ in both.index] == ["SPY", "SPY", "BAC", "BAC"]
        assert not self.securities.contains_key("BAC")
        raw = self.history("AAPL", 1, Resolution.DAILY,
                           data_normalization_mode=DataNormalizationMode.RAW)
        assert raw.close.iloc[-1] == 487.75, raw
        assert self.history("AAPL", 1, Resolution.DAILY).close.iloc[-1] < 20
        """,
    )
    completed(result)


def test_a_ticker_without_any_file_is_unknown_by_the_file(lean: Simulator) -> None:
    result = ask(lean, 'self.history("NOSUCH", 5, Resolution.DAILY)')
    assert result.status.value == "unknown"
    assert "daily/nosuch.zip" in str(result.reason)


def test_an_empty_span_gives_an_empty_frame(lean: Simulator) -> None:
    result = ask(
        lean,
        """
        assert self.history(self.spy, timedelta(0)).empty
        assert self.history(Dividend, self.spy, timedelta(days=2)).empty
        assert self.history[TradeBar](self.spy, timedelta(0)) == []
        """,
    )
    completed(result)


def test_gaps_are_filled_unless_one_says_otherwise(lean: Simulator) -> None:
    result = ask(
        lean,
        """
        day = timedelta(days=1)
        whole = self.history(TradeBar, self.spy, day, Resolution.MINUTE, extended_market_hours=True)
        found = self.history(TradeBar, self.spy, day, Resolution.MINUTE, fill_forward=False,
                             extended_market_hours=True)
        assert len(whole) == 960 > len(found) > 390, (len(whole), len(found))
        """,
    )
    completed(result)


def test_corporate_actions_are_history_too(lean: Simulator) -> None:
    result = lean.run(
        """from AlgorithmImports import *

class Past(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2021, 1, 1)
        self.set_end_date(2021, 1, 5)
        self.add_equity("AAPL", Resolution.DAILY)
        paid = self.history(Dividend, "AAPL", 360)
        assert list(paid.columns) == ["distribution", "referenceprice"] and len(paid) == 6
        split = self.history(Split, "AAPL", 360)
        assert list(split.type) == [SplitType.WARNING, SplitType.SPLIT_OCCURRED]
        assert list(split.splitfactor) == [0.25, 0.25]
        gone = self.history(Delisting, "AAA.1", datetime(2007, 5, 15), datetime(2007, 5, 21))
        assert list(gone.type) == [DelistingType.WARNING, DelistingType.DELISTED]
        names = self.history(SymbolChangedEvent, "SPWR", datetime(2007, 1, 1), datetime(2012, 1, 1))
        assert list(names.newsymbol) == ["SPWRA", "SPWR"]
        assert [f"{time:%Y-%m-%d}" for _, time in names.index] == ["2008-09-30", "2011-11-17"]
        assert self.history[Dividend]("AAPL", 360)[-1].distribution == 0.21
"""
    )
    assert result.status.value == "completed", result.reason


@pytest.mark.parametrize("kind", ["Tick", "OpenInterest", "Fundamental"])
def test_another_type_is_unknown_by_its_name(lean: Simulator, kind: str) -> None:
    result = ask(lean, f"self.history({kind}, self.spy, 5)")
    assert result.status.value == "unknown"
    assert result.reason == f"not modelled: history of a type ({kind})"


def test_no_overload_shows_what_is_not_over_yet(lean: Simulator) -> None:
    result = ask(
        lean,
        """
        for found in (
            self.history(self.spy, self.time, self.time + timedelta(hours=2)),
            self.history("IBM", self.time, datetime(2014, 1, 1), Resolution.MINUTE),
            self.history(QuoteBar, self.spy, self.time, datetime(2014, 1, 1)),
            self.history(Dividend, "IBM", self.time, datetime(2014, 1, 1)),
        ):
            assert found.empty, found
        """,
    )
    completed(result)


def test_a_history_that_lacks_its_file_is_empty_as_leans_and_says_so(lean: Simulator) -> None:
    result = ask(
        lean,
        """
        assert self.history("FB", 5, Resolution.MINUTE).empty
        assert self.history(self.spy, datetime(2010, 1, 1), datetime(2010, 1, 9)).empty
        assert self.history(self.spy, timedelta(0)).empty
        """,
    )
    notes = [line for line in completed(result) if "Note: an empty history" in line]
    assert len(notes) == 2, notes
    assert "minute/fb/20131008_trade.zip does not exist" in notes[0]
    assert "minute/spy/20100104_trade.zip does not exist" in notes[1]
