"""What bars published code asks for, read from its text."""

from datetime import date

import pytest

from qc_builder_lora.harvest.corpus import asked_bars
from qc_builder_lora.harvest.corpus.asked_bars import ALWAYS, asked, wanted

CODE = """
class One(QCAlgorithm):
    def initialize(self):
        self.set_start_date({start})
        self.set_end_date({end})
        {adding}
"""


def code(adding: str, start: str = "2019, 3, 4", end: str = "2019, 5, 31") -> str:
    return CODE.format(start=start, end=end, adding=adding)


@pytest.mark.parametrize(
    ("adding", "tickers"),
    [
        ('self.add_equity("gme")', {"GME"}),
        ("self.AddEquity( 'BRK.B', Resolution.Daily)", {"BRK.B"}),
        ('self.add_security(SecurityType.EQUITY, "XLE")', {"XLE"}),
        ('Symbol.create("XLF", SecurityType.EQUITY, Market.USA)', {"XLF"}),
        ('[self.add_equity(t) for t in ("TLT", "GLD")]', {"TLT", "GLD"}),
        ('for t in "TLT GLD, BND".split(): self.add_equity(t)', {"TLT", "GLD", "BND"}),
        ('self.add_equity(t); self.log("BUY")', set()),
        ('self.add_equity("^GSPC")', set()),
        ('self.log("TLT")', set()),
    ],
)
def test_tickers_are_those_that_calls_name_or_take_from_a_list(
    adding: str, tickers: set[str]
) -> None:
    assert asked(code(adding)).tickers == tickers


@pytest.mark.parametrize(
    ("adding", "hours", "minutes"),
    [
        ('self.add_equity("SPY")', False, True),
        ('self.add_equity("SPY", Resolution.DAILY)', False, False),
        ('self.add_equity("SPY", resolution=Resolution.Hour)', True, False),
        ('self.add_equity("SPY", self._resolution)', False, False),
        ('self._r = Resolution.MINUTE; self.add_equity("SPY", self._r)', False, True),
        ("self.universe_settings.resolution = Resolution.MINUTE", False, True),
    ],
)
def test_without_a_resolution_it_is_the_minute_as_in_lean(
    adding: str, hours: bool, minutes: bool
) -> None:
    found = asked(code(adding))
    assert (found.hours, found.minutes) == (hours, minutes)


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("2019, 3, 4", "2020, 1, 2", date(2019, 3, 4), date(2020, 1, 2)),
        ("datetime(2019, 3, 4)", "date(2020, 1, 2)", date(2019, 3, 4), date(2020, 1, 2)),
        ("year=2019, month=3, day=4", "2019, 2, 30", date(2019, 3, 4), asked_bars.LAST),
        ("self.begin", "datetime.now()", None, asked_bars.LAST),
        ("2019, 3", "", None, asked_bars.LAST),
    ],
)
def test_the_period_is_read_where_it_is_literal(
    start: str, end: str, first: date | None, last: date
) -> None:
    found = asked(code('self.add_equity("SPY")', start, end))
    assert (found.first, found.last) == (first, last)


def test_minutes_are_of_the_months_of_the_period_and_of_the_one_before() -> None:
    found = wanted([code('self.add_equity("GME")')])
    assert found.minutes == {"GME": tuple((2019, month) for month in (2, 3, 4, 5))}
    assert found.tickers == tuple(sorted({"GME", *ALWAYS}))
    early = asked(code('self.add_equity("GME")', "1990, 1, 1", "2000, 2, 1"))
    assert early.months() == [(2000, 1), (2000, 2)]
    backwards = asked(code('self.add_equity("GME")', "2020, 1, 1", "2010, 2, 1"))
    assert backwards.months() == []


def test_where_not_all_fit_the_modest_codes_have_theirs_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asked_bars, "MOST_MINUTE_MONTHS", 8)
    long = code('self.add_equity("GME"); self.add_equity("AMC")', "2010, 1, 4", "2019, 1, 4")
    short = code('self.add_equity("IWM")')
    found = wanted([long, short])
    assert set(found.minutes) == {"IWM"}
    assert {"GME", "AMC", "IWM"} <= set(found.tickers)
    # What another code has already costs nothing.
    same = code('self.add_equity("IWM")', "2019, 3, 20", "2019, 5, 2")
    assert wanted([long, short, same]).minutes == found.minutes


def test_the_tickers_that_most_code_names_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked_bars, "MOST_TICKERS", 1)
    codes = [code('self.add_equity("GME")'), code('self.add_equity("AMC")')]
    found = wanted([*codes, codes[1]])
    assert found.tickers == tuple(sorted({"AMC", *ALWAYS}))
    assert set(found.minutes) == {"AMC"}


def test_what_is_no_python_asks_for_nothing() -> None:
    for text in ("class X {", "\0", "x = (" * 300):
        assert asked(text).tickers == frozenset()
    assert wanted([]).tickers == tuple(sorted(ALWAYS))
