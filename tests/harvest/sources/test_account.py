"""harvest quantconnect: an account through the REST API, incremental, against the fake server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.backtest.quantconnect.account import Account as Client
from qc_builder_lora.backtest.quantconnect.rest import Rest
from qc_builder_lora.errors import EngineUnavailable, NotFound
from qc_builder_lora.harvest.sources.account import SOURCE, pieces
from qc_builder_lora.harvest.sources.take import SourceReport, knows, take
from qc_builder_lora.records import BacktestStatus
from qc_builder_lora.store import Store
from tests.backtest.engines.conftest import FAST, STATISTICS, Canned, completed
from tests.backtest.engines.fake_quantconnect import TOKEN, USER, Account, Server
from tests.harvest.sources.conftest import SECRET, code, everything


@pytest.fixture
def cloud() -> Iterator[Account]:
    account = Account(Canned())
    with Server(account) as server:
        account.url = server.url
        yield account


@pytest.fixture
def client(cloud: Account) -> Iterator[Client]:
    rest = Rest(USER, TOKEN, url=cloud.url, pace=FAST)
    yield Client(rest)
    rest.close()


def project(cloud: Account, name: str, text: str, backtests: int = 1, language: str = "Py") -> int:
    number: int = cloud.create_project(name, language)["projects"][0]["projectId"]
    cloud.update_file_content(number, "main.py", text)
    for _ in range(backtests):
        compiled = cloud.compile_project(number)["compileId"]
        cloud.on_backtests_create(
            {"projectId": number, "compileId": compiled, "backtestName": f"b{_}"}
        )
    return number


def harvested(store: Store, client: Client, *projects: str) -> SourceReport:
    return take(store, SOURCE, pieces(client, knows(store, SOURCE), projects=projects))


def test_projects_and_backtests_are_kept_with_figures_read_from_the_engine(
    store: Store, cloud: Account, client: Client
) -> None:
    number = project(cloud, "Trend", code(), 2)
    report = harvested(store, client)
    assert (report.builds, report.generations, report.strategies) == (1, 1, 1)
    assert report.statuses == {"completed": 2}
    backtest = store.backtests.find()[0]
    assert backtest.statistics == STATISTICS
    assert backtest.equity == completed().equity
    assert (backtest.engine, backtest.engine_version) == ("quantconnect", "LEAN 2.5.0.0.17000")
    assert backtest.settings["project_id"] == number
    assert store.builds.find()[0].title == "Trend"


def test_what_is_known_is_not_fetched_again(store: Store, cloud: Account, client: Client) -> None:
    number = project(cloud, "Trend", code(), 2)
    harvested(store, client)
    before, reads = everything(store), cloud.count("backtests/read")
    report = harvested(store, client)
    assert (report.generations, report.backtests) == (0, 0)
    assert everything(store) == before
    assert cloud.count("backtests/read") == reads
    compiled = cloud.compile_project(number)["compileId"]
    cloud.on_backtests_create({"projectId": number, "compileId": compiled, "backtestName": "new"})
    assert harvested(store, client).backtests == 1
    assert cloud.count("backtests/read") == reads + 1


def test_a_backtest_older_than_the_code_is_not_taken_for_it(
    store: Store, cloud: Account, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(cloud, "Trend", code(), 2)
    read = cloud.on_files_read

    def later(given: dict[str, Any]) -> dict[str, Any]:
        files = read(given)["files"]
        return {"files": [{**file, "modified": "2026-01-05 12:00:01"} for file in files]}

    monkeypatch.setattr(cloud, "on_files_read", later)
    report = harvested(store, client)
    assert (report.generations, report.backtests) == (1, 0)
    (skipped,) = report.skipped
    assert skipped.why == "2 backtests are older than its main.py: their code is not known"


def test_a_failed_backtest_is_a_failure_with_its_stack(
    store: Store, cloud: Account, client: Client
) -> None:
    project(cloud, "Trend", code() + "# raise\n")
    assert harvested(store, client).statuses == {"failed": 1}
    assert "on_data in main.py: line 12" in str(store.backtests.find()[0].reason)


def test_a_running_backtest_is_left_for_the_next_time(
    store: Store, cloud: Account, client: Client
) -> None:
    cloud.hold.clear()
    project(cloud, "Trend", code())
    report = harvested(store, client)
    assert [one.why for one in report.skipped] == ["1 backtests still run"]
    cloud.hold.set()
    next(iter(cloud._projects.values())).backtests.popitem()[1][1].result(10)
    project(cloud, "Other", code(0.4))
    assert harvested(store, client).backtests == 1


def test_other_languages_and_several_files_are_said(
    store: Store, cloud: Account, client: Client
) -> None:
    project(cloud, "Sharp", "class A {}", 0, language="C#")
    number = project(cloud, "Modules", "from alpha import x\n" + code(), 0)
    cloud.create_file(number, "alpha.py", "x = 1")
    project(cloud, "Good", code(), 0)
    report = harvested(store, client)
    assert {one.where: one.why for one in report.skipped} == {
        "Sharp": "its language is C#",
        "Modules/main.py": "it imports alpha beside it, and one file is taken",
    }
    assert report.generations == 1


def test_one_project_that_cannot_be_read_does_not_stop_the_others(
    store: Store, cloud: Account, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(cloud, "Bad", code())
    project(cloud, "Good", code(0.4))
    listed = cloud.on_backtests_list

    def broken(given: dict[str, Any]) -> dict[str, Any]:
        found = listed(given)
        if cloud._project(given["projectId"]).name == "Bad":
            return {"backtests": found["backtests"], "success": False, "errors": ["boom"]}
        return found

    monkeypatch.setattr(cloud, "on_backtests_list", broken)
    report = harvested(store, client)
    assert [one.where for one in report.skipped] == ["Bad"]
    assert "boom" in report.skipped[0].why
    assert report.backtests == 1


def test_projects_are_chosen_by_name_and_a_wrong_one_is_refused(
    store: Store, cloud: Account, client: Client
) -> None:
    project(cloud, "Trend", code(), 0)
    project(cloud, "Pairs", code(0.4), 0)
    assert harvested(store, client, "Pairs").generations == 1
    with pytest.raises(NotFound, match="Did you mean 'Trend'"):
        harvested(store, client, "Tren")


def test_wrong_credentials_stop_it_with_the_cure(store: Store, cloud: Account) -> None:
    with pytest.raises(EngineUnavailable, match="Look at QC_USER_ID"):
        harvested(store, Client(Rest(USER, "wrong", url=cloud.url, pace=FAST)))


def test_secrets_are_removed(store: Store, cloud: Account, client: Client) -> None:
    project(cloud, "Trend", code() + f'K = "{SECRET}"\n')
    assert harvested(store, client).redacted["anthropic_key"] == 1
    assert SECRET not in json.dumps(everything(store), default=str)


def test_a_backtest_that_cannot_be_read_costs_no_other_and_is_asked_for_again(
    store: Store, cloud: Account, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(cloud, "Trend", code(), 3)
    read, asked = cloud.on_backtests_read, []

    def gone(given: dict[str, Any]) -> dict[str, Any]:
        asked.append(given["backtestId"])
        if given["backtestId"] == asked[0]:
            return {"success": False, "errors": ["Backtest not found"]}
        return read(given)

    monkeypatch.setattr(cloud, "on_backtests_read", gone)
    report = harvested(store, client)
    assert report.backtests == 2
    (skipped,) = report.skipped
    assert skipped.where == f"Trend, backtest {asked[0]}"
    assert "Backtest not found" in skipped.why
    monkeypatch.setattr(cloud, "on_backtests_read", read)
    report = harvested(store, client)
    assert (report.backtests, report.skipped) == (1, [])


def test_a_project_that_is_deleted_meanwhile_costs_no_other(
    store: Store, cloud: Account, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = project(cloud, "Gone", code())
    project(cloud, "Stays", code(0.4))
    files = cloud.on_files_read

    def deleted(given: dict[str, Any]) -> dict[str, Any]:
        cloud._projects.pop(gone, None)
        return files(given)

    monkeypatch.setattr(cloud, "on_files_read", deleted)
    report = harvested(store, client)
    assert [one.where for one in report.skipped] == ["Gone"]
    assert (report.generations, report.backtests) == (1, 1)


def test_stopped_by_a_failing_server_the_next_run_asks_only_for_the_rest(
    store: Store, cloud: Account, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        project(cloud, f"P{number}", code(number / 10), 2)
    read, asked = cloud.on_backtests_read, []

    def failing(given: dict[str, Any]) -> dict[str, Any]:
        asked.append(given["backtestId"])
        if len(asked) == 5:
            cloud.faults.server_error = 1_000_000
        return read(given)

    monkeypatch.setattr(cloud, "on_backtests_read", failing)
    done = harvested(store, client)
    assert done.backtests < 6
    assert "500" in done.skipped[-1].why
    taken = done.backtests
    cloud.faults.server_error = 0
    asked.clear()
    monkeypatch.setattr(cloud, "on_backtests_read", lambda given: asked.append(1) or read(given))
    assert harvested(store, client).backtests == len(asked) == 12 - taken
    asked.clear()
    before = cloud.count("files/read")
    assert harvested(store, client).generations == 0
    assert (asked, cloud.count("files/read") - before) == ([], 6)


# As a user types it -------------------------------------------------------------------------------


def qc_lora(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[3]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(root),
                   "QC_LORA_HOME": str(folder / "home"), **more}  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "qc_builder_lora.cli", "harvest", *arguments], cwd=folder,
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_the_command_harvests_an_account(cloud: Account, tmp_path: Path) -> None:
    project(cloud, "Trend", code())
    account = {"QC_LORA_QUANTCONNECT_URL": cloud.url, "QC_USER_ID": USER, "QC_API_TOKEN": TOKEN}
    done = qc_lora(tmp_path, "quantconnect", "--json", **account)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["generations"], found["backtests"]) == (1, 1)
    assert found["statuses"] == {"completed": 1}
    again = qc_lora(tmp_path, "quantconnect", **account)
    assert "0 generations, 0 strategies and 0 backtests are new" in again.stdout


def test_the_command_without_credentials_names_the_variables(tmp_path: Path) -> None:
    done = qc_lora(tmp_path, "quantconnect")
    assert done.returncode == 2
    assert "Set QC_USER_ID and QC_API_TOKEN" in done.stderr


def test_the_commands_for_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(json.dumps({"code": code()}) + "\n{\n")
    done = qc_lora(tmp_path, "file", "x.jsonl")
    assert done.returncode == 0, done.stderr
    assert "1 strategies seen: 1 builds, 1 generations" in done.stdout
    assert "SKIPPED  x.jsonl:2: not JSON" in done.stdout
    (tmp_path / "builder" / "strategies" / "a").mkdir(parents=True)
    (tmp_path / "builder" / "strategies" / "a" / "main.py").write_text(code())
    assert json.loads(qc_lora(tmp_path, "repo", "builder", "--json").stdout)["seen"] == 1
    assert json.loads(qc_lora(tmp_path, "lean", "builder", "--json").stdout)["seen"] == 0
    assert BacktestStatus.UNKNOWN == "unknown"
