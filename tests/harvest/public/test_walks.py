"""The walks that documentation examples run on: LEAN's format, one story at every resolution."""

import json
import threading
import time
import zipfile
from datetime import date
from pathlib import Path

import pytest

from qc_builder_lora.backtest.protocol import BacktestSettings
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.harvest.corpus import walks
from qc_builder_lora.harvest.corpus.asked_bars import Wanted
from qc_builder_lora.harvest.corpus.bars import made_once
from qc_builder_lora.records import BacktestStatus

CODE = """from AlgorithmImports import *


class Steps(QCAlgorithm):
    def initialize(self) -> None:
        self.set_start_date(2024, 9, 3)
        self.set_end_date(2024, 9, 6)
        self._symbol = self.add_equity("SPY", Resolution.{resolution}).symbol

    def on_data(self, data: Slice) -> None:
        if not self.portfolio.invested:
            self.set_holdings(self._symbol, 0.5)
"""


def lines(path: Path) -> list[list[float]]:
    with zipfile.ZipFile(path) as archive:
        text = archive.read(archive.namelist()[0]).decode()
    return [[float(cell) for cell in line.split(",")[1:]] for line in text.splitlines()]


ASKED = Wanted(("IBM", "SPY"), ("SPY",), {"SPY": ((2024, 9),)})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("walks")
    (folder / "sample" / "alternative").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walks, "DAILY", (date(2024, 8, 1), date(2024, 9, 30)))
        return walks.walk_data(folder / "sample", folder / "data", ASKED)


@pytest.mark.parametrize("resolution", ["DAILY", "HOUR", "MINUTE"])
def test_a_strategy_runs_and_trades_at_each_resolution(made: Path, resolution: str) -> None:
    engine = Simulator(made, allow_open_sandbox=True)
    code = CODE.replace("{resolution}", resolution)
    result = engine.run(code, BacktestSettings())
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert result.trades_at_all


def test_the_minutes_of_a_day_are_that_day(made: Path) -> None:
    daily = made / "equity" / "usa" / "daily" / "spy.zip"
    with zipfile.ZipFile(daily) as archive:
        days = [line.split(",")[0][:8] for line in archive.read("spy.csv").decode().splitlines()]
    day = lines(daily)[days.index("20240904")]
    minutes = lines(made / "equity" / "usa" / "minute" / "spy" / "20240904_trade.zip")
    assert len(minutes) == 390
    assert minutes[0][0] == day[0]
    assert minutes[-1][3] == pytest.approx(day[3], abs=1)
    assert max(bar[1] for bar in minutes) <= day[1]
    assert min(bar[2] for bar in minutes) >= day[2]
    for open_, high, low, close, volume in minutes:
        assert low <= min(open_, close) <= max(open_, close) <= high
        assert volume > 0


def test_the_exchange_is_shut_on_its_holidays(made: Path) -> None:
    minute = {path.name[:8] for path in (made / "equity" / "usa" / "minute" / "spy").iterdir()}
    assert len(minute) == 20
    assert "20240902" not in minute  # Labor Day
    # 22 days of August, 20 of September.
    assert len(lines(made / "equity" / "usa" / "hour" / "spy.zip")) == 42 * 7


def test_only_what_was_asked_for_is_made(made: Path) -> None:
    equity = made / "equity" / "usa"
    assert sorted(path.name for path in (equity / "daily").iterdir()) == ["ibm.zip", "spy.zip"]
    assert [path.name for path in (equity / "hour").iterdir()] == ["spy.zip"]
    assert [path.name for path in (equity / "minute").iterdir()] == ["spy"]


def test_made_again_nothing_changes_and_other_tickers_make_it_anew(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made / "equity" / "usa" / "daily" / "spy.zip"
    before = path.stat().st_mtime_ns
    walks.walk_data(made.parent / "sample", made, ASKED)
    assert path.stat().st_mtime_ns == before


def test_two_that_make_it_at_once_both_have_it_whole(tmp_path: Path) -> None:
    (tmp_path / "sample").mkdir()
    barrier, failures = threading.Barrier(4), []

    def fill(folder: Path) -> None:
        barrier.wait()
        for number in range(50):
            (folder / f"{number}").write_text("x")
            time.sleep(0.001)

    def make() -> None:
        try:
            found = made_once(tmp_path / "data", "m.json", {"version": 1}, fill)
            assert len(list(found.iterdir())) == 51
        except (OSError, AssertionError) as error:
            failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "sample"]


def test_what_was_left_half_made_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "half").write_text("x")
    made_once(tmp_path / "data", "m.json", {"version": 2}, lambda folder: None)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["m.json"]
    with pytest.raises(ZeroDivisionError):
        made_once(tmp_path / "data", "m.json", {"version": 3}, lambda folder: print(1 / 0))
    # The one before stays.
    assert json.loads((tmp_path / "data" / "m.json").read_text()) == {"version": 2}
