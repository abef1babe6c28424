"""harvest lean: LEAN's results with the code that ran."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.errors import InputError
from qc_builder_lora.harvest.sources.lean_folder import pieces
from qc_builder_lora.harvest.sources.take import SourceReport, take
from qc_builder_lora.ids import text_hash
from qc_builder_lora.records import BacktestStatus
from qc_builder_lora.store import Store
from tests.backtest.engines.conftest import STATISTICS, completed
from tests.backtest.engines.lean_format import old_result_file, result_file
from tests.harvest.sources.conftest import SECRET, code, everything


def result(root: Path, project: str = "Trend", at: str = "2026-01-05_12-00-00",
           text: str | None = None, value: Any = None) -> Path:  # fmt: skip
    folder = root / project / "backtests" / at
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "main.py").write_text(text or code())
    (folder / "1710698424.json").write_text(json.dumps(value or result_file(completed())))
    (folder / "1710698424-summary.json").write_text(json.dumps(result_file(completed())))
    (folder / "config").write_text("{}")
    return folder


def harvested(store: Store, root: Path) -> SourceReport:
    return take(store, "lean", pieces(root))


@pytest.mark.parametrize("shape", [result_file, old_result_file])
def test_a_result_is_kept_with_its_figures_and_the_code_that_ran(
    store: Store, tmp_path: Path, shape: Any
) -> None:
    root = tmp_path / "lean"
    folder = result(root, value=shape(completed()))
    (folder.parents[1] / "main.py").write_text(code(0.3))
    (folder.parents[1] / "config.json").write_text('{"description": "Hold AAPL."}')
    report = harvested(store, root)
    assert (report.seen, report.backtests, report.skipped) == (1, 1, [])
    (backtest,) = store.backtests.find()
    assert backtest.status is BacktestStatus.COMPLETED
    assert backtest.statistics["Total Orders"] == STATISTICS["Total Orders"]
    assert (backtest.total_orders, backtest.closed_trades) == (2, 1)
    assert backtest.equity == completed().equity
    assert backtest.engine == "lean"
    assert backtest.code_sha256 == text_hash(code())
    assert backtest.created_at.isoformat() == "2026-01-05T12:00:00+00:00"
    assert store.strategies.get(backtest.strategy_id).code == code()
    assert store.requests.find()[0].instruction == "Hold AAPL."


def test_moved_copied_and_harvested_again_nothing_is_doubled(store: Store, tmp_path: Path) -> None:
    result(tmp_path / "lean")
    harvested(store, tmp_path / "lean")
    before = everything(store)
    shutil.copytree(tmp_path / "lean", tmp_path / "copy")
    for root in (tmp_path / "lean", tmp_path / "copy"):
        report = harvested(store, root)
        assert (report.seen, report.generations, report.backtests) == (1, 0, 0)
    assert everything(store) == before


def test_one_code_run_twice_is_one_generation_with_two_backtests(
    store: Store, tmp_path: Path
) -> None:
    result(tmp_path / "lean")
    other = replace(completed(), statistics={**STATISTICS, "Sharpe Ratio": "0.1"})
    result(tmp_path / "lean", at="2026-01-06_12-00-00", value=result_file(other))
    report = harvested(store, tmp_path / "lean")
    assert (report.builds, report.generations, report.backtests) == (1, 1, 2)


def test_a_runtime_error_is_a_failed_backtest(store: Store, tmp_path: Path) -> None:
    value = result_file(completed())
    value["state"] = {"RuntimeError": "ValueError : no", "StackTrace": "at on_data"}
    result(tmp_path / "lean", value=value)
    report = harvested(store, tmp_path / "lean")
    assert report.statuses == {"failed": 1}
    assert store.generations.find()[0].label == "runtime_error"
    assert store.backtests.find()[0].statistics == {}


def test_a_renamed_statistic_is_unknown_and_its_figures_are_not_kept(
    store: Store, tmp_path: Path
) -> None:
    value = result_file(completed())
    value["statistics"]["Sharpe"] = value["statistics"].pop("Sharpe Ratio")
    result(tmp_path / "lean", value=value)
    assert harvested(store, tmp_path / "lean").statuses == {"unknown": 1}
    (backtest,) = store.backtests.find()
    assert (backtest.statistics, backtest.total_orders, backtest.equity) == ({}, None, ())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda f: (f / "code" / "main.py").unlink(), "its code is not beside it"),
        (lambda f: (f / "code" / "main.py").rename(f / "code" / "Main.cs"), "its code is C#"),
        (lambda f: (f / "1710698424.json").write_text("{"), "it is not JSON"),
        (lambda f: (f / "1710698424-order-events.json").write_text("["), "it is not JSON"),
        (lambda f: (f / "code" / "main.py").write_bytes(b"# \xe9\n" + code().encode()), "UTF-8"),
        (lambda f: (f / "code" / "main.py").write_bytes(b"\x00" * 10), "null bytes"),
        (lambda f: (f / "code" / "main.py").write_text("import alpha\n" + code())
         and (f / "code" / "alpha.py").write_text("x = 1"), "it imports alpha beside it"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_said_and_the_rest_is_taken(
    store: Store, tmp_path: Path, change: Any, why: str
) -> None:
    root = tmp_path / "lean"
    change(result(root))
    result(root, "Other", text=code(0.5))
    report = harvested(store, root)
    assert [why in one.why for one in report.skipped] == [True], report.skipped
    assert report.generations == 1


@pytest.mark.parametrize("name", ["utf-16", "utf-8-sig", "latin-1"])
def test_other_encodings_are_read_where_they_say_what_they_are(
    store: Store, tmp_path: Path, name: str
) -> None:
    folder = result(tmp_path / "lean")
    text = f"# -*- coding: {name} -*-\n# é\n" if name == "latin-1" else "# é\n"
    (folder / "code" / "main.py").write_bytes((text + code()).encode(name))
    assert harvested(store, tmp_path / "lean").generations == 1
    assert "# é" in store.generations.find()[0].code


def test_secrets_in_code_and_errors_are_removed(store: Store, tmp_path: Path) -> None:
    value = result_file(completed())
    value["state"] = {"RuntimeError": f"bad key {SECRET}", "StackTrace": ""}
    result(tmp_path / "lean", text=code() + f'K = "{SECRET}"\n', value=value)
    report = harvested(store, tmp_path / "lean")
    assert report.redacted["anthropic_key"] >= 2
    assert SECRET not in json.dumps(everything(store), default=str)


def test_other_json_is_passed_over(store: Store, tmp_path: Path) -> None:
    root = tmp_path / "lean"
    root.mkdir()
    (root / "package.json").write_text('{"name": "x"}')
    report = harvested(store, root)
    assert (report.seen, report.skipped) == (0, [])


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none: no such folder"):
        list(pieces(tmp_path / "none"))


def test_a_backtest_that_runs_is_left_for_the_next_time(store: Store, tmp_path: Path) -> None:
    value = result_file(completed())
    running = {**value, "state": {"Status": "Running", "EndTime": "", "RuntimeError": ""}}
    folder = result(tmp_path, value=running)
    result(tmp_path, "Other", "2026-01-06_12-00-00", text=code(0.5))
    report = harvested(store, tmp_path)
    assert [one.why for one in report.skipped] == ["the backtest still runs"]
    assert report.backtests == 1
    (folder / "1710698424.json").write_text(json.dumps(value))
    report = harvested(store, tmp_path)
    assert (report.backtests, report.statuses, report.skipped) == (1, {"completed": 1}, [])


def test_a_live_run_is_no_backtest(store: Store, tmp_path: Path) -> None:
    folder = result(tmp_path)
    folder.parent.rename(folder.parent.with_name("live"))
    report = harvested(store, tmp_path)
    assert [one.why for one in report.skipped] == ["a live run, no backtest"]
    assert store.counts()["backtests"] == 0


def test_the_backtests_of_an_optimisation_share_its_code(store: Store, tmp_path: Path) -> None:
    top = tmp_path / "Trend" / "optimizations" / "2026-01-05_12-00-00"
    (top / "code").mkdir(parents=True)
    (top / "code" / "main.py").write_text(code())
    (top / "1234.json").write_text('{"nodes": 2}')
    for number in ("a", "b"):
        (top / number).mkdir()
        value = result_file(completed()) | {"algorithmConfiguration": {"parameters": {"n": number}}}
        (top / number / f"{number}.json").write_text(json.dumps(value))
    report = harvested(store, tmp_path)
    assert (report.generations, report.backtests, report.skipped) == (1, 2, [])
    assert {one.settings["parameters"]["n"] for one in store.backtests.find()} == {"a", "b"}
    assert store.builds.find()[0].title == "Trend"


@pytest.mark.parametrize(
    "change",
    [
        {"orders": "x", "charts": [1, 2], "totalPerformance": "x", "state": []},
        {"statistics": "none", "algorithmConfiguration": "z"},
        {"statistics": {"Total Orders": 10**400, "Sharpe Ratio": None, "\ud800": "\x00"}},
        {"state": {"RuntimeError": "bad \ud800 \x00", "StackTrace": ""}},
        {"charts": {"Strategy Equity": {"series": {"Equity": {"values": [[1, None], "x", {}]}}}}},
    ],
    ids=range(5),
)
def test_odd_values_cost_nothing_but_themselves(
    store: Store, tmp_path: Path, change: dict[str, Any]
) -> None:
    result(tmp_path, value={**result_file(completed()), **change})
    result(tmp_path, "Other", "2026-01-06_12-00-00", text=code(0.5))
    report = harvested(store, tmp_path)
    assert (report.generations, store.backtests.count(), report.skipped) == (2, 2, [])
    assert harvested(store, tmp_path).backtests == 0


def test_links_in_circles_end(store: Store, tmp_path: Path) -> None:
    folder = result(tmp_path)
    (folder / "again").symlink_to(tmp_path)
    (tmp_path / "self.json").symlink_to("self.json")
    assert harvested(store, tmp_path).backtests == 1
