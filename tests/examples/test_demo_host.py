"""The example host against the example server: real processes, real backtests, HTTP on loopback."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from qc_builder_lora.records import BacktestStatus
from qc_builder_lora.store import Store

EXAMPLES = Path(__file__).parents[2] / "examples"
HOST = str(EXAMPLES / "autonomous_build.py")
PLAIN = [sys.executable]
HOOKED = [sys.executable, "-c", "from qc_builder_lora.cli import main; main()", "run"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("bokeh_sampledata", reason="the sample data is an extra")
    return tmp_path_factory.mktemp("data")


@contextmanager
def served(data: Path, *options: str) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "quantconnect_mcp.py"), "--port", "0", *options],
        env={**os.environ, "QC_LORA_HOME": str(data)},
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["port"]
    finally:
        process.terminate()
        process.communicate()


def host(
    prefix: list[str], folder: Path, port: int, *options: str
) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        [*prefix, HOST, "--out", "out", *options],
        cwd=folder,
        env={
            **os.environ,
            "QUANTCONNECT_MCP_PORT": str(port),
            "QC_LORA_HOME": str(folder / "home"),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def loaded() -> Any:
    spec = importlib.util.spec_from_file_location("example_host", HOST)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_host_has_the_names_and_signatures_of_the_real_one() -> None:
    module = loaded()
    assert module.MCP_PORTS["quantconnect"] == 8000
    shapes = {
        "SessionManager.ensure_valid_session": "(self, mcp_name: 'str') -> 'str | None'",
        "SessionManager.init_session": "(self, mcp_name: 'str') -> 'dict[str, Any]'",
        "FitnessTracker.record": "(self, version: 'str', sharpe: 'float', iteration: 'int') "
        "-> 'None'",
        "FitnessTracker.should_rollback": "(self) -> 'bool'",
        "FitnessTracker.get_best_version": "(self) -> 'tuple[str, float, int] | None'",
        "ErrorClassifier.classify": "(self, error_msg: 'str') -> 'str'",
        "ErrorClassifier.record_error": "(self, error_msg: 'str', classification: 'str') -> 'None'",
        "call_mcp_with_retry": "(session_manager: 'SessionManager', mcp_name: 'str', "
        "method: 'str', params: 'dict[str, Any]', max_retries: 'int' = 3) -> 'dict[str, Any]'",
        "send_slack_notification": "(message: 'str', webhook_url: 'str | None' = None) -> 'bool'",
        "notify_build_progress": "(event: 'str', details: 'dict[str, Any] | None' = None, "
        "webhook_url: 'str | None' = None) -> 'None'",
        "main": "() -> 'int'",
    }
    for name, shape in shapes.items():
        found: Any = module
        for part in name.split("."):
            found = getattr(found, part)
        assert str(inspect.signature(found)) == shape, name
    assert module.FitnessTracker().history == []


def test_two_falls_running_call_for_a_rollback() -> None:
    tracker = loaded().FitnessTracker()
    answers = []
    for iteration, sharpe in enumerate([1.0, 0.8, 0.9, 0.7, 0.6], 1):
        tracker.record(f"v{iteration}", sharpe, iteration)
        answers.append(tracker.should_rollback())
    assert answers == [False, False, False, False, True]
    assert tracker.get_best_version() == ("v1", 1.0, 1)


def test_the_host_does_not_know_us() -> None:
    for name in ("autonomous_build.py", "scripted_coder.py"):
        tree = ast.parse((EXAMPLES / name).read_text("utf-8"))
        modules = {
            alias.name.partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        } | {
            (node.module or "").partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
        }
        assert modules <= set(sys.stdlib_module_names) | {"yaml"}


def test_every_specification_has_its_answers() -> None:
    specs = {path.stem: yaml.safe_load(path.read_text()) for path in EXAMPLES.glob("specs/*.yaml")}
    assert len(specs) >= 12
    for name, spec in specs.items():
        blocks = (EXAMPLES / "answers" / f"{name}.md").read_text("utf-8").count("```python\n")
        assert 2 <= blocks == spec["iterations"] <= 4, name
        assert set(spec["symbols"]) <= {"AAPL", "GOOG", "IBM", "MSFT"}


def test_the_whole_demo_run_reaches_the_store(tmp_path: Path, data: Path) -> None:
    with served(data) as port:
        plain = host(PLAIN, tmp_path / "plain", port)
        hooked = host(HOOKED, tmp_path / "hooked", port)
    assert (hooked.returncode, hooked.stdout, hooked.stderr) == (0, plain.stdout, plain.stderr)
    files = sorted(
        path.relative_to(tmp_path / "plain") for path in tmp_path.glob("plain/out/**/*.py")
    )
    assert len(files) == 13
    for path in files:
        assert (tmp_path / "hooked" / path).read_text() == (tmp_path / "plain" / path).read_text()
    with Store.open(f"sqlite:///{tmp_path}/hooked/home/store.db", upgrade=False) as store:
        builds = store.builds.find()
        assert {build.status for build in builds} == {"complete"}
        assert len(builds) == 13
        labels = [str(generation.label) for generation in store.generations.find()]
        assert {label: labels.count(label) for label in sorted(set(labels))} == {
            "compile_error": 2,
            "losing": 5,
            "no_trades": 3,
            "runtime_error": 3,
            "syntax_error": 1,
            "traded": 19,
        }
        for generation in store.generations.find():
            assert store.requests.get(generation.request_id).instruction
            assert generation.model == "scripted-small"
            assert generation.code.startswith("from AlgorithmImports import *")
            if generation.label in ("traded", "losing"):
                (backtest,) = store.backtests.find(
                    strategy_id=generation.strategy_id, build_id=generation.build_id
                )
                assert float(backtest.statistics["Sharpe Ratio"]) == generation.fitness
                assert backtest.settings["read_back"] == "equal"
                assert (backtest.engine_version or "").startswith("simulator ")
        (rolled_back,) = [build for build in builds if build.title == "Four in equal parts"]
        fitness = [
            generation.fitness or 0.0
            for generation in store.generations.find(build_id=rolled_back.id, oldest_first=True)
        ]
        assert len(fitness) == 3
        assert fitness[0] > fitness[1] > fitness[2]
        (spool,) = (tmp_path / "hooked/home/spool").glob("*.spool")
        assert store.ingested.count(spool.stem) == spool.read_bytes().count(b"\n")


def test_without_credentials_the_host_passes_and_we_do_not(tmp_path: Path, data: Path) -> None:
    with served(data, "--stub") as port:
        ran = host(HOOKED, tmp_path / "stub", port, "--specs", "2", "--quiet")
    assert (ran.returncode, ran.stdout) == (0, "2 specifications, 2 passed\n")
    for path in tmp_path.glob("stub/out/evaluations/*.json"):
        evaluation = json.loads(path.read_text())
        assert (evaluation["result"], evaluation["project_id"]) == ("PASS", "stub")
    with Store.open(f"sqlite:///{tmp_path}/stub/home/store.db", upgrade=False) as store:
        generations = store.generations.find()
        assert [str(generation.label) for generation in generations] == ["unknown", "unknown"]
        assert all("QCAlgorithm" in generation.code for generation in generations)
        completed = store.backtests.find(status=BacktestStatus.COMPLETED)
        assert completed == []


def test_a_server_that_is_not_there_changes_nothing_about_that(tmp_path: Path) -> None:
    ran = host(HOOKED, tmp_path / "alone", 9, "--specs", "1", "--quiet")
    assert ran.returncode == 0
    with Store.open(f"sqlite:///{tmp_path}/alone/home/store.db", upgrade=False) as store:
        (generation,) = store.generations.find()
        assert generation.label == "unknown"


def test_compiles_that_fail_are_told_apart_from_strategies_that_do(
    tmp_path: Path, data: Path
) -> None:
    with served(data, "--fail-compile-every", "1") as port:
        ran = host(HOOKED, tmp_path / "failing", port, "--specs", "1")
    assert ran.returncode == 1
    assert "Internal error: the compiler was told to fail" in ran.stdout
    with Store.open(f"sqlite:///{tmp_path}/failing/home/store.db", upgrade=False) as store:
        labels = {str(generation.label) for generation in store.generations.find()}
        assert labels == {"compile_error"}


def test_an_unknown_folder_of_specifications_is_wrong_use(tmp_path: Path) -> None:
    ran = host(PLAIN, tmp_path / "none", 9, "--spec-folder", "nowhere")
    assert (ran.returncode, ran.stderr) == (2, "nowhere: no specifications\n")
