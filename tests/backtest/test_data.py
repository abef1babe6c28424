"""Market data: the sample data, LEAN's files, what is damaged or missing, fingerprints."""

from __future__ import annotations

import json
import os
import shutil
import weakref
import zipfile
from datetime import date
from pathlib import Path

import pytest

from qc_builder_lora.backtest.sample_data import convert, convert_sample, ensure_data
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.backtest.simulator.calendar import date_of, day_of
from qc_builder_lora.backtest.simulator.feed import Mode, NoData
from qc_builder_lora.backtest.simulator.folder import DEFAULT_RATE, Folder, rate_at
from qc_builder_lora.backtest.simulator.rows import read_whole
from qc_builder_lora.backtest.simulator.shelf import Shelf
from qc_builder_lora.config import Settings
from qc_builder_lora.errors import CorruptFile, InputError, NotFound
from qc_builder_lora.records import BacktestStatus

STRATEGY = """
from AlgorithmImports import *

class A(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2010, 1, 4)
        self.set_end_date(2010, 3, 1)
        self.add_equity("IBM", Resolution.DAILY)

    def on_data(self, data):
        if not self.portfolio.invested:
            self.set_holdings("IBM", 1)
"""


@pytest.fixture
def folder(sample_folder: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "data"
    shutil.copytree(sample_folder, copy)
    return copy


def rewrite(folder: Path, ticker: str, change: object) -> Path:
    path = folder / "equity" / "usa" / "daily" / f"{ticker}.zip"
    with zipfile.ZipFile(path) as archive:
        lines = archive.read(f"{ticker}.csv").decode().splitlines()
    lines = change(lines)  # type: ignore[operator]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{ticker}.csv", "\n".join(lines))
    return path


def test_the_sample_data_are_four_companies_with_a_manifest(sample_folder: Path) -> None:
    manifest = json.loads((sample_folder / "manifest.json").read_text())
    assert {ticker: found["rows"] for ticker, found in manifest["symbols"].items()} == {
        "AAPL": 3270, "GOOG": 2148, "IBM": 3270, "MSFT": 3270,
    }  # fmt: skip
    assert manifest["origin"] == "Quandl WIKI Prices, public domain"


def test_converted_closes_are_the_sources_adjusted_closes(sample: Simulator) -> None:
    from bokeh_sampledata.stocks import IBM

    series = sample._shelf.series("IBM")
    assert [date_of(day).isoformat() for day in series.days] == sorted(IBM["date"])
    by_day = dict(zip(IBM["date"], IBM["adj_close"], strict=True))
    for row in range(0, 3270, 97):
        assert series.close[row] == pytest.approx(
            by_day[date_of(series.days[row]).isoformat()], abs=5.1e-5
        )


def test_converting_again_changes_nothing_and_gives_equal_bytes(
    sample_folder: Path, tmp_path: Path
) -> None:
    again = convert_sample(tmp_path / "again")
    assert Shelf(again).fingerprint() == Shelf(sample_folder).fingerprint()
    before = (again / "manifest.json").stat().st_mtime_ns
    assert convert(again) == convert(sample_folder)
    assert (again / "manifest.json").stat().st_mtime_ns == before


def test_a_folder_of_other_origin_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="holds something else than sample data"):
        convert(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_default_folder_is_made_and_a_named_one_is_not(tmp_path: Path) -> None:
    assert (ensure_data(Settings(home=tmp_path / "home")) / "manifest.json").exists()
    named = tmp_path / "nowhere"
    assert ensure_data(Settings(home=tmp_path, data=named)) == named
    assert not named.exists()


def test_a_folder_without_daily_bars_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="needs LEAN's layout with equity/usa/daily"):
        Simulator(tmp_path, allow_open_sandbox=True)


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        (lambda lines: [*lines[:3], "20000306 00:00,1,2", *lines[4:]],
         "line 4 has 3 fields instead of 6"),
        (lambda lines: [*lines[:3], "20000399 00:00,1,2,3,4,5", *lines[4:]],
         "line 4 cannot be read"),
        (lambda lines: [*lines[:3], "20000306 00:00,1,2,x,4,5", *lines[4:]],
         "line 4 cannot be read"),
        (lambda lines: [*lines[:3], "20000306 00:00,1,2,-3,4,5", *lines[4:]],
         "line 4 has a price that is not above zero"),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]],
         "line 4 does not come after 20000303 00:00"),
    ],
)  # fmt: skip
def test_a_bad_row_is_unknown_and_names_file_and_line(
    folder: Path, change: object, fact: str
) -> None:
    path = rewrite(folder, "ibm", change)
    with pytest.raises(CorruptFile, match=f"ibm.zip: {fact}"):
        read_whole(path)
    result = Simulator(folder, allow_open_sandbox=True).run(STRATEGY)
    assert result.status is BacktestStatus.UNKNOWN
    assert result.reason is not None
    assert result.reason.startswith(f"{path}: {fact}")


def test_a_corrupt_zip_is_unknown_and_names_the_file(folder: Path) -> None:
    path = folder / "equity" / "usa" / "daily" / "ibm.zip"
    path.write_bytes(path.read_bytes()[:1000])
    result = Simulator(folder, allow_open_sandbox=True).run(STRATEGY)
    assert result.status is BacktestStatus.UNKNOWN
    assert result.reason is not None
    assert result.reason.startswith(f"{path}: not a readable zip archive")


def test_a_hole_of_weeks_is_unknown_and_days_are_filled_forward(folder: Path) -> None:
    rewrite(folder, "ibm", lambda lines: [x for x in lines if not x.startswith("20100112")])
    simulator = Simulator(folder, allow_open_sandbox=True)
    code = STRATEGY.replace(
        "    def on_data(self, data):\n",
        "    def on_data(self, data):\n        bar = data.bars['IBM']\n"
        "        if bar.is_fill_forward:\n"
        "            self.log(f'filled {bar.close == self.last} {bar.volume}')\n"
        "        self.last = bar.close\n",
    )
    result = simulator.run(code)
    assert "2010-01-12 16:00:00 filled True 0.0" in result.logs
    assert len(result.equity) == 39

    rewrite(folder, "ibm", lambda lines: [x for x in lines if not x.startswith("201001")])
    result = simulator.run(code)
    assert result.status is BacktestStatus.UNKNOWN
    assert result.reason is not None
    assert "has no bars between 2009-12-31 and 2010-02-01" in result.reason


def test_the_fingerprint_follows_the_files(folder: Path) -> None:
    simulator = Simulator(folder, allow_open_sandbox=True)
    before, first = simulator.data_fingerprint, simulator.run(STRATEGY)
    rewrite(folder, "ibm", lambda lines: [line.replace(",", ",1", 1) for line in lines])
    assert simulator.data_fingerprint != before
    # The bars are read anew as well.
    assert simulator.run(STRATEGY).orders[0]["quantity"] == first.orders[0]["quantity"]
    assert simulator.run(STRATEGY).orders[0]["fills"] != first.orders[0]["fills"]


def test_renamed_companies_are_read_under_the_name_of_the_day(lean_data: Path) -> None:
    series = Shelf(lean_data).series("GOOGL", Mode.RAW)
    first, last = date_of(series.days[0]), date_of(series.days[-1])
    # Listed as GOOG; what is called GOOG today began in 2014.
    assert (first.isoformat(), last.isoformat()) == ("2004-08-19", "2021-03-31")
    assert date_of(Shelf(lean_data).series("GOOG", Mode.RAW).days[0]) >= date(2014, 3, 27)


def test_years_under_a_ticker_without_a_file_are_unknown_by_name(lean_data: Path) -> None:
    shelf = Shelf(lean_data)
    series = shelf.series("QQQ")
    with pytest.raises(NoData, match=r"no data for QQQ from 2004-12-01 .*qqqq\.zip does not exist"):
        series.cover(day_of(date(2004, 1, 2)), day_of(date(2006, 1, 3)), shelf.hours)
    series.cover(day_of(date(2012, 1, 3)), day_of(date(2013, 1, 3)), shelf.hours)


def test_rows_of_another_company_before_the_listing_are_left_out(lean_data: Path) -> None:
    # FB's file begins in 1998 with a company that had the ticker before.
    series = Shelf(lean_data).series("FB")
    assert date_of(series.days[0]).isoformat() == "2012-05-18"


def test_the_risk_free_rate_is_the_last_one_set(lean_data: Path) -> None:
    days, rates = Folder(lean_data).interest_rates()
    assert rate_at(days, rates, day_of(date(2013, 6, 1))) == 0.0075
    assert rate_at(days, rates, day_of(date(1999, 6, 1))) == 0.0225
    assert rate_at([], [], 0) == DEFAULT_RATE


def test_figures_against_a_benchmark_without_data_are_left_out(sample: Simulator) -> None:
    result = sample.run(STRATEGY)
    for name in ("Alpha", "Beta", "Information Ratio", "Tracking Error", "Treynor Ratio"):
        assert name not in result.statistics
    assert result.statistics["Sharpe Ratio"]
    assert any("no figures against the benchmark SPY" in line for line in result.logs)


def test_a_benchmark_of_ones_own_has_figures(sample: Simulator) -> None:
    code = STRATEGY.replace(
        '        self.add_equity("IBM", Resolution.DAILY)\n',
        '        self.add_equity("IBM", Resolution.DAILY)\n        self.set_benchmark("IBM")\n',
    )
    result = sample.run(code)
    assert float(result.statistics["Beta"]) == pytest.approx(1, abs=0.05)


def test_bars_that_a_backtest_has_in_use_are_not_read_anew_however_many_there_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qc_builder_lora.backtest.simulator.shelf._MOST_BARS", 10)
    shelf = Shelf(folder)
    in_use = shelf.series("IBM")
    shelf.series("AAPL")
    assert shelf.series("IBM") is in_use
    # A file that has changed meanwhile is another.
    path = folder / "equity/usa/daily/ibm.zip"
    os.utime(path, ns=(1, 1))
    assert shelf.series("IBM") is not in_use
    first = weakref.ref(shelf.series("AAPL"))
    shelf.series("MSFT")
    assert first() is None
