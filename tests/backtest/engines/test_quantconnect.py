"""QuantConnect Cloud as an engine: what is asked, what is believed, and what goes wrong."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from qc_builder_lora.backtest.protocol import BacktestResult, BacktestSettings
from qc_builder_lora.backtest.quantconnect import QuantConnect
from qc_builder_lora.errors import EngineUnavailable
from qc_builder_lora.ids import text_hash
from qc_builder_lora.records import BacktestStatus
from tests.backtest.engines.conftest import CODE, FAST, STATISTICS, Canned, Make
from tests.backtest.engines.fake_quantconnect import TOKEN, Account

COMPLETED, FAILED, UNKNOWN = BacktestStatus


def tickets(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "home" / "quantconnect").glob("*.json"))


# What a good backtest gives -----------------------------------------------------------------------


def test_everything_of_a_backtest_is_read_back(engine: QuantConnect, cloud: Account) -> None:
    found = engine.run(CODE)
    assert (found.status, found.reason, found.phase) == (COMPLETED, None, "done")
    assert found.statistics == STATISTICS
    assert (found.total_orders, found.closed_trades) == (2, 1)
    assert found.trade_statistics["numberOfWinningTrades"] == 1
    assert found.equity == (
        ("2010-01-04", 100000.0), ("2010-01-05", 100400.0), ("2010-01-07", 101500.0),
    )  # fmt: skip
    assert found.orders[0]["fills"] == [
        {"time": "2010-01-05T14:31:00Z", "quantity": 100.0, "price": 131.0, "fee": 1.0}
    ]
    assert [one["type"] for one in found.orders] == ["market_on_open"] * 2
    assert found.trades[0]["profit"] == 100.0
    assert (found.engine, found.engine_version) == ("quantconnect", "LEAN 2.5.0.0.17000")
    assert found.code_sha256 == text_hash(CODE)


def test_the_code_goes_to_main_py_and_is_read_back_around_the_compilation(
    engine: QuantConnect, cloud: Account
) -> None:
    engine.run(CODE)
    steps = [name for name, _ in cloud.calls if not name.startswith("compile/read")]
    assert steps[:7] == [
        "projects/read", "projects/create", "files/update", "files/read", "compile/create",
        "files/read", "backtests/create",
    ]  # fmt: skip
    assert next(given for name, given in cloud.calls if name == "files/update")["name"] == "main.py"


def test_one_project_serves_all_backtests_and_later_processes(make: Make, cloud: Account) -> None:
    for engine in (make(), make()):
        engine.run(CODE)
        engine.run(CODE + "# other\n")
    assert cloud.count("projects/create") == 1
    assert cloud.count("projects/read") == 2
    assert cloud.count("backtests/create") == 4


def test_parameters_reach_the_strategy(engine: QuantConnect, canned: Canned) -> None:
    engine.run(CODE, BacktestSettings(parameters={"fast": "20"}))
    assert canned.seen[0][1].parameters == {"fast": "20"}


def test_orders_are_read_in_pages_of_a_hundred(
    engine: QuantConnect, cloud: Account, canned: Canned
) -> None:
    canned.orders = 250
    found = engine.run(CODE)
    assert [one["id"] for one in found.orders] == list(range(1, 251))
    pages = [given for name, given in cloud.calls if name == "backtests/orders/read"]
    assert [(page["start"], page["end"]) for page in pages] == [(0, 100), (100, 200), (200, 300)]


def test_many_run_at_a_time_and_come_in_order(engine: QuantConnect, cloud: Account) -> None:
    codes = [f"{CODE}# {number}\n" for number in range(6)]
    done: list[int] = []
    found = list(engine.run_many(codes, jobs=3, progress=done.append))
    assert [one.code_sha256 for one in found] == list(map(text_hash, codes))
    assert {one.status for one in found} == {COMPLETED}
    assert done == [1, 2, 3, 4, 5, 6]
    assert cloud.count("backtests/create") == 6


def test_nothing_is_left_where_that_was_asked_for(
    make: Make, cloud: Account, tmp_path: Path
) -> None:
    engine = make(clean=True)
    engine.run(CODE)
    assert len(cloud.deleted) == 1
    engine.close()
    assert cloud.count("projects/delete") == 1
    assert tickets(tmp_path) == []


def test_a_project_that_was_there_before_is_never_deleted(make: Make, cloud: Account) -> None:
    cloud.create_project("qc-lora", "Py")
    engine = make(clean=True)
    engine.run(CODE)
    engine.close()
    assert cloud.count("projects/delete") == 0


# What the strategy does wrong ---------------------------------------------------------------------


def test_a_build_error_is_the_strategys_with_the_compilers_lines(engine: QuantConnect) -> None:
    found = engine.run("class A(QCAlgorithm:\n    pass\n")
    assert (found.status, found.phase) == (FAILED, "load")
    assert found.reason is not None
    assert found.reason.startswith("does not compile:\nBuild Error: ")
    assert "line 1" in found.reason


@pytest.mark.parametrize(("where", "phase"), [("on_data", "run"), ("initialize", "initialize")])
def test_a_runtime_error_is_the_strategys_with_its_stack_trace(
    engine: QuantConnect, where: str, phase: str
) -> None:
    found = engine.run(f"{CODE}# raise in {where}\n")
    assert (found.status, found.phase) == (FAILED, phase)
    assert found.reason is not None
    assert "ZeroDivisionError: division by zero\n  at on_data in main.py: line 12" in found.reason
    assert found.statistics == {}


def test_a_source_that_is_no_utf8_fails_before_anything_is_sent(
    engine: QuantConnect, cloud: Account
) -> None:
    found = engine.run(CODE + "# \udce9\n")
    assert found.status is FAILED
    assert "not UTF-8" in str(found.reason)
    assert cloud.calls == []


# What the engine cannot say -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes", [{"start": date(2012, 1, 1)}, {"end": date(2012, 1, 1)}, {"cash": 5000.0}]
)
def test_dates_and_cash_from_outside_are_unknown_not_ignored(
    engine: QuantConnect, cloud: Account, changes: dict[str, object]
) -> None:
    found = engine.run(CODE, BacktestSettings(**changes))
    assert found.status is UNKNOWN
    assert f"{next(iter(changes))} cannot be set from outside" in str(found.reason)
    assert cloud.calls == []


def unknown(engine: QuantConnect, code: str = CODE) -> str:
    found = engine.run(code)
    assert found.status is UNKNOWN, found
    assert found.statistics == {}
    assert found.reason is not None
    return found.reason


def test_a_renamed_statistic_is_unknown_with_both_names(
    engine: QuantConnect, cloud: Account
) -> None:
    cloud.faults.renamed = {"Win Rate": "Winning Rate"}
    reason = unknown(engine)
    assert "no 'Win Rate' but 'Winning Rate'" in reason


def test_a_missing_statistic_is_unknown_not_zero(engine: QuantConnect, cloud: Account) -> None:
    cloud.faults.renamed = {"Sharpe Ratio": "Q"}
    assert "have no 'Sharpe Ratio'" in unknown(engine)


def test_the_old_name_of_total_orders_is_read(engine: QuantConnect, cloud: Account) -> None:
    cloud.faults.renamed = {"Total Orders": "Total Trades"}
    assert engine.run(CODE).statistics["Total Orders"] == "2"


def test_another_code_behind_the_upload_is_never_backtested(
    engine: QuantConnect, cloud: Account
) -> None:
    cloud.faults.tampered = "class Boilerplate(QCAlgorithm): pass\n"
    reason = unknown(engine)
    assert "other code would have been backtested" in reason
    assert text_hash(CODE)[:12] in reason
    assert cloud.count("backtests/create") == 0


def test_a_change_during_the_compilation_is_seen(engine: QuantConnect, cloud: Account) -> None:
    cloud.faults.tampered, cloud.faults.tampered_after = CODE.replace("\n", "\r\n"), 1
    reason = unknown(engine)
    assert "read back after the compilation" in reason
    assert "only line ends differ" in reason
    assert cloud.count("backtests/create") == 0


def test_fewer_orders_than_there_are_is_unknown(
    engine: QuantConnect, cloud: Account, canned: Canned
) -> None:
    canned.orders, cloud.faults.short_orders = 150, True
    assert "gave 100 of the 150 orders" in unknown(engine)


def test_figures_that_come_late_are_waited_for(engine: QuantConnect, cloud: Account) -> None:
    cloud.faults.unready = 3
    assert engine.run(CODE).status is COMPLETED


def test_figures_that_never_come_are_unknown(engine: QuantConnect, cloud: Account) -> None:
    cloud.faults.unready = 1000
    assert "the engine gave no statistics" in unknown(engine)


def test_charts_and_orders_are_asked_again_while_they_load(
    engine: QuantConnect, cloud: Account
) -> None:
    cloud.faults.loading = 4
    found = engine.run(CODE)
    assert found.status is COMPLETED
    assert len(found.equity) == 3


def test_what_stays_loading_is_unknown_and_read_by_the_next_command(
    engine: QuantConnect, cloud: Account
) -> None:
    cloud.faults.loading = 5
    reason = unknown(engine)
    assert "was still loading after 5 tries" in reason
    assert "will be read, not repeated" in reason
    assert engine.run(CODE).status is COMPLETED
    assert cloud.count("backtests/create") == 1


def test_one_that_never_finishes_is_unknown_and_stopped(
    make: Make, cloud: Account, tmp_path: Path
) -> None:
    cloud.faults.never = True
    reason = unknown(make(pace=replace(FAST, deadline_s=0.5)))
    assert "did not finish within 0.5 s (waited for the backtest, at 85%" in reason
    assert len(cloud.deleted) == 1
    assert tickets(tmp_path) == []


def test_one_that_somebody_ended_is_unknown_and_started_anew(
    engine: QuantConnect, cloud: Account
) -> None:
    cloud.faults.ended = "Cancelled"
    assert "ended by somebody: Cancelled" in unknown(engine)
    cloud.faults.ended = None
    assert engine.run(CODE).status is COMPLETED
    assert cloud.count("backtests/create") == 2


# Limits and outages -------------------------------------------------------------------------------


def test_busy_nodes_are_waited_for(engine: QuantConnect, cloud: Account) -> None:
    cloud.faults.busy = 3
    assert engine.run(CODE).status is COMPLETED
    assert cloud.count("backtests/create") == 4
    assert len(next(iter(cloud._projects.values())).backtests) == 1


def test_nodes_that_stay_busy_are_unknown(make: Make, cloud: Account) -> None:
    cloud.faults.busy = 10_000
    reason = unknown(make(pace=replace(FAST, deadline_s=1.5, node_most_s=30)))
    assert "waited for a free backtest node: There are no spare nodes" in reason


def test_a_refused_backtest_is_unknown_with_quantconnects_words(
    engine: QuantConnect, cloud: Account, tmp_path: Path
) -> None:
    cloud.faults.refused["backtests/create"] = "You have used your 10 backtests of today"
    assert "You have used your 10 backtests of today" in unknown(engine)
    assert tickets(tmp_path) == []


@pytest.mark.parametrize("retry_after", ["0.05", None, "Mon, 05 Jan 2026 12:00:00 GMT"])
def test_a_rate_limit_is_obeyed(
    engine: QuantConnect, cloud: Account, retry_after: str | None
) -> None:
    cloud.faults.limited, cloud.faults.retry_after = 4, retry_after
    assert engine.run(CODE).status is COMPLETED


def test_retry_after_is_waited_out_before_the_next_request(make: Make, cloud: Account) -> None:
    cloud.faults.limited, cloud.faults.retry_after = 1, "3600"
    reason = unknown(make(pace=replace(FAST, deadline_s=0.3)))
    assert "waited for QuantConnect's rate limit" in reason
    assert cloud.calls == []


def test_some_failures_of_the_server_are_survived(engine: QuantConnect, cloud: Account) -> None:
    cloud.faults.server_error, cloud.faults.html = 1, 1
    assert engine.run(CODE).status is COMPLETED


def test_an_answer_of_html_is_unknown_and_shown(engine: QuantConnect, cloud: Account) -> None:
    cloud.faults.html = 1000
    reason = unknown(engine)
    assert "HTTP 200 with text/html, not an answer of the API ('<!DOCTYPE html>" in reason
    assert "3 times" in reason
    assert f"Is {cloud.url} the right address (quantconnect_url)?" in reason


def test_http_500_is_unknown(engine: QuantConnect, cloud: Account) -> None:
    cloud.faults.server_error = 1000
    reason = unknown(engine)
    assert "HTTP 500 with text/html" in reason
    assert "also answers so to a wrong QC_USER_ID or QC_API_TOKEN" in reason


def test_no_server_at_all_is_unknown(make: Make) -> None:
    reason = unknown(make(url="http://127.0.0.1:9/api/v2"))
    assert "no answer (ConnectError" in reason


def test_a_backtest_whose_creation_was_not_answered_is_found_by_its_name(
    engine: QuantConnect, cloud: Account
) -> None:
    cloud.faults.lost_creates = 1
    assert engine.run(CODE).status is COMPLETED
    assert cloud.count("backtests/create") == 1
    assert cloud.count("backtests/list") == 1


# Credentials --------------------------------------------------------------------------------------


def test_no_credentials_name_the_variables(make: Make) -> None:
    engine = make(user=None)
    assert "Set QC_USER_ID and QC_API_TOKEN" in unknown(engine)
    with pytest.raises(EngineUnavailable, match="no credentials"):
        engine.check()


def test_a_wrong_token_is_told_from_a_wrong_clock(make: Make, cloud: Account) -> None:
    reason = unknown(make(token="wrong"))
    assert "Hash doesn't match" in reason
    assert "this machine's clock is right" in reason
    assert "Look at QC_USER_ID and QC_API_TOKEN" in reason
    assert cloud.calls == []


@pytest.mark.parametrize(("ahead", "word"), [(600.0, "behind"), (-600.0, "ahead of")])
def test_a_wrong_clock_is_named_with_its_seconds(
    engine: QuantConnect, cloud: Account, ahead: float, word: str
) -> None:
    cloud.faults.clock_ahead_s = ahead
    reason = unknown(engine)
    assert f"s {word} QuantConnect's" in reason
    assert abs(float(reason.split("clock is ")[1].split(" s ")[0]) - 600) <= 2
    assert "Set the clock" in reason


def test_a_wrong_user_is_told(make: Make) -> None:
    assert "UserID not valid" in unknown(make(user="2"))


def test_check_asks_the_server(make: Make) -> None:
    make().check()
    with pytest.raises(EngineUnavailable, match="credentials were refused"):
        make(token="wrong").check()


def test_check_learns_which_lean_the_project_is_set_to(make: Make, cloud: Account) -> None:
    cloud.create_project("qc-lora", "Py")
    engine = make()
    assert engine.version == "rest-v2"
    engine.check()
    assert engine.version == "rest-v2.lean17000"


def test_the_token_is_nowhere_but_in_the_hash(
    make: Make, cloud: Account, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    cloud.faults.never = True
    engine = make(pace=replace(FAST, deadline_s=0.3))
    said = [unknown(engine), unknown(make(token="wrong" + TOKEN)), caplog.text, repr(engine)]
    kept = [path.read_text() for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert not [text for text in said + kept if TOKEN in text]
    assert not [given for _, given in cloud.calls if TOKEN in json.dumps(given)]


# Stopping and going on ----------------------------------------------------------------------------


def started(cloud: Account) -> None:
    until = time.monotonic() + 10
    while not cloud.count("backtests/read") and time.monotonic() < until:
        time.sleep(0.01)
    assert cloud.count("backtests/read")


def test_cancel_stops_what_runs_in_the_cloud(
    engine: QuantConnect, cloud: Account, tmp_path: Path
) -> None:
    cloud.hold.clear()
    found: list[BacktestResult] = []
    thread = threading.Thread(target=lambda: found.append(engine.run(CODE)))
    thread.start()
    started(cloud)
    engine.cancel()
    thread.join(10)
    assert (found[0].status, found[0].reason) == (UNKNOWN, "cancelled")
    assert len(cloud.deleted) == 1
    assert tickets(tmp_path) == []
    assert engine.run(CODE).reason == "cancelled"
    assert cloud.count("backtests/create") == 1


def test_a_caller_that_wants_no_more_leaves_nothing_running(
    engine: QuantConnect, cloud: Account, canned: Canned
) -> None:
    results = engine.run_many([f"{CODE}# {number}\n" for number in range(4)], jobs=2)
    next(results)
    cloud.hold.clear()
    results.close()
    created = cloud.count("backtests/create")
    assert created < 4 or len(canned.seen) == 4
    alive = {number for p in cloud._projects.values() for number in p.backtests}
    running = {n for p in cloud._projects.values() for n, (_, f) in p.backtests.items()
               if not f.done()}  # fmt: skip
    assert not running, alive


def test_a_ticket_left_by_a_crash_is_picked_up(make: Make, cloud: Account, tmp_path: Path) -> None:
    cloud.hold.clear()
    first = make(pace=replace(FAST, deadline_s=60))
    thread = threading.Thread(target=first.run, args=(CODE,))
    thread.start()
    started(cloud)
    # What the disk has while the first one waits is what a crash would leave.
    (ticket,) = tickets(tmp_path)
    left = ticket.read_text()
    cloud.hold.set()
    thread.join(10)
    ticket.write_text(left)
    assert make().run(CODE).status is COMPLETED
    assert cloud.count("backtests/create") == 1
    assert tickets(tmp_path) == []


def test_a_crash_between_request_and_answer_is_picked_up_by_name(
    make: Make, cloud: Account, tmp_path: Path
) -> None:
    engine = make()
    engine.run(CODE)
    (name,) = [given["backtestName"] for n, given in cloud.calls if n == "backtests/create"]
    project, compiled = next(
        (g["projectId"], g["compileId"]) for n, g in cloud.calls if n == "backtests/create"
    )
    key = engine._key(CODE, BacktestSettings())
    (tmp_path / "home" / "quantconnect" / f"{key}.json").write_text(
        json.dumps({"key": key, "code_sha256": text_hash(CODE), "project_id": project,
                    "compile_id": compiled, "name": name})
    )  # fmt: skip
    assert make().run(CODE).status is COMPLETED
    assert cloud.count("backtests/create") == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": "only"}'])
def test_a_broken_ticket_costs_one_more_backtest_and_nothing_else(
    make: Make, cloud: Account, tmp_path: Path, text: str
) -> None:
    engine = make()
    path = tmp_path / "home" / "quantconnect" / f"{engine._key(CODE, BacktestSettings())}.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert engine.run(CODE).status is COMPLETED


def test_a_ticket_of_a_backtest_that_is_gone_starts_another(
    make: Make, cloud: Account, tmp_path: Path
) -> None:
    engine = make()
    key = engine._key(CODE, BacktestSettings())
    path = tmp_path / "home" / "quantconnect" / f"{key}.json"
    path.parent.mkdir(parents=True)
    path.write_text(
        json.dumps({"key": key, "code_sha256": "x", "project_id": 1, "compile_id": "c",
                    "name": "n", "backtest_id": "gone"})
    )  # fmt: skip
    assert engine.run(CODE).status is COMPLETED


def test_two_processes_with_the_same_order_share_one_backtest(make: Make, cloud: Account) -> None:
    cloud.hold.clear()
    found: list[BacktestResult] = []
    threads = [
        threading.Thread(target=lambda engine=engine: found.append(engine.run(CODE)))
        for engine in (make(), make())
    ]
    for thread in threads:
        thread.start()
    started(cloud)
    time.sleep(0.5)
    cloud.hold.set()
    for thread in threads:
        thread.join(20)
    assert [one.status for one in found] == [COMPLETED, COMPLETED]
    assert cloud.count("backtests/create") == 1
