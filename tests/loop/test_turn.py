import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qc_builder_lora.config import load_settings
from qc_builder_lora.errors import Stopped, TurnBusy
from qc_builder_lora.ids import file_hash
from qc_builder_lora.loop import LEASE, turn
from qc_builder_lora.records import RunStatus, Split, Stage
from qc_builder_lora.stages import STAGES
from qc_builder_lora.store import Store
from tests.loop.conftest import environment, run_in
from tests.tiny_base import write_project


def store_of(folder: Path) -> Store:
    return Store.open(f"sqlite:///{folder}/.qc-lora/store.db")


def test_a_turn_leaves_every_stages_result_and_a_candidate(turned: Path) -> None:
    with store_of(turned) as store:
        (made,) = store.turns.find()
        assert made.status is RunStatus.FINISHED
        assert tuple(made.stages) == STAGES
        (model,) = store.models.find()
        assert model.stage is Stage.CANDIDATE
        assert file_hash(Path(model.path)) == model.sha256
        assert store.models.production() is None


def test_the_manifest_beside_the_artefact_names_every_hash(turned: Path) -> None:
    with store_of(turned) as store:
        (model,) = store.models.find()
        (adapter,) = store.adapters.find()
        (run,) = store.runs.find()
    manifest = json.loads((Path(model.path).parent / "manifest.json").read_text())
    assert manifest["sha256"] == model.sha256
    assert manifest["adapter"]["sha256"] == adapter.id
    assert manifest["base"]["sha256"] == file_hash(turned / "weights" / "tiny.gguf")
    assert manifest["snapshot"] == run.snapshot_id
    assert manifest["recipe"]["sha256"] == run.recipe_sha256
    attempts = manifest["parity"]["attempts"]
    assert attempts[-1]["passes"]
    assert attempts[-1]["quantization"] == manifest["quantization"] == model.quantization
    assert all(not attempt["passes"] and attempt["reason"] for attempt in attempts[:-1])
    assert (Path(model.path).parent / "adapter-lora.gguf").exists()


def test_the_served_file_finds_completions_as_likely_as_the_trained_model(turned: Path) -> None:
    with store_of(turned) as store:
        parity = store.models.find()[0].manifest["parity"]
    assert parity["nll_gguf"] - parity["nll_hf"] <= max(0.02 * parity["nll_hf"], 0.0002)
    assert parity["nll_base"] > 2 * parity["nll_hf"]


def test_nothing_that_was_trained_on_was_held_out(turned: Path) -> None:
    with store_of(turned) as store:
        (snapshot,) = store.snapshots.find()
        train = store.examples.of_snapshot(snapshot.id, Split.TRAIN)
        held_out = store.examples.of_snapshot(snapshot.id, Split.VALIDATION)
    assert train
    assert held_out
    keys = [
        {(e.family, json.dumps(dict(e.parameters))) for e in part} for part in (train, held_out)
    ]
    assert not keys[0] & keys[1]


def test_both_arms_answers_are_generations_with_a_comparison_each(turned: Path) -> None:
    with store_of(turned) as store:
        assert store.comparisons.count() == 2
        assert store.evaluations.count() == 2
        for comparison in store.comparisons.each():
            champion = store.generations.get(comparison.champion_generation_id)
            challenger = store.generations.get(comparison.challenger_generation_id)
            assert champion.request_id == challenger.request_id == comparison.request_id
            assert champion.model == "base:tiny"


def test_a_turn_killed_in_one_stage_after_the_other_makes_nothing_twice(fresh: Path) -> None:
    traces = {
        "retrain": "runs/*/step-*/state.json",
        "release": "models/.*.work",
        "evaluate": "cache/answers/*.jsonl",
    }
    results: dict[str, object] = {}
    for stage, trace in traces.items():
        _kill_once(fresh, trace)
        with store_of(fresh) as store:
            (left,) = store.turns.find()
        assert left.status is RunStatus.RUNNING
        assert next(name for name in STAGES if name not in left.stages) == stage
        assert {name: left.stages[name] for name in results} == results
        results = dict(left.stages)
        _wait_for(lambda: _lease_is_free(fresh), 60)
    again = run_in(fresh, "turn")
    assert again.returncode == 0, again.stderr
    with store_of(fresh) as store:
        (finished,) = store.turns.find()
        assert finished.id == left.id
        assert finished.status is RunStatus.FINISHED
        assert {name: finished.stages[name] for name in results} == results
        assert store.runs.count() == store.adapters.count() == store.models.count() == 1


def _kill_once(folder: Path, trace: str) -> None:
    """Begin a turn, or take it up, and kill it when a file of that name is there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "qc_builder_lora.cli", "turn"],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(lambda: list(folder.glob(f".qc-lora/{trace}")))
    finally:
        process.kill()
        process.wait()


def _lease_is_free(folder: Path) -> bool:
    with store_of(folder) as store:
        return store.leases.current(LEASE) is None


def _wait_for(condition: object, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def test_a_second_turn_at_the_same_time_is_refused_and_says_who_has_the_lease(
    project: Path,
) -> None:
    settings = load_settings({}, project, home=project / ".qc-lora")
    with store_of(project) as store:
        lease = store.leases.acquire(LEASE, "elsewhere:4711", 30)
        assert lease is not None
        with pytest.raises(TurnBusy, match=r"held by elsewhere:4711 until"):
            turn(settings, store, "test")
        assert len(store.turns.find()) == 1


def test_a_stopped_turn_stays_open(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    monkeypatch.chdir(project)
    settings = load_settings({}, project, home=project / ".qc-lora")
    stop = threading.Event()
    stop.set()
    with store_of(project) as store:
        with pytest.raises(Stopped, match="the next one goes on from here"):
            turn(settings, store, "test", stop=stop)
        assert store.turns.find(limit=1)[0].status is RunStatus.RUNNING
        assert store.leases.current(LEASE) is None


def test_a_stage_that_fails_is_written_into_the_turn_with_its_reason(
    project: Path, tmp_path: Path
) -> None:
    (project / "eval/suites/few.jsonl").write_text('{"id": "a"}\n')
    done = run_in(project, "turn")
    assert done.returncode == 2
    assert "few.jsonl, line 1: not a prompt" in done.stderr
    with store_of(project) as store:
        failed = store.turns.find(limit=1)[0]
        assert failed.status is RunStatus.FAILED
        assert failed.error is not None
        assert "few.jsonl, line 1" in failed.error


def test_an_unknown_stage_is_named_with_those_there_are(project: Path) -> None:
    done = run_in(project, "turn", "--until", "deploy")
    assert done.returncode == 2
    assert "No stage named 'deploy'. Stages are: ingest, gates" in done.stderr


def test_retraining_without_a_snapshot_says_what_to_do(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "p")
    done = run_in(folder, "retrain")
    assert done.returncode == 2
    assert "no snapshot has been built; run: qc-lora snapshot build" in done.stderr
    done = run_in(folder, "snapshot", "build")
    assert done.returncode == 2
    assert "The snapshot has no training examples: 0 in the store" in done.stderr


def test_status_says_what_is_waited_for(turned: Path) -> None:
    plain = json.loads(run_in(turned, "status", "--json").stdout)
    assert plain["production"] is None
    assert plain["last_turn"]["status"] == "finished"
    assert plain["turn_under_way"] is None
    assert plain["waits_for"] == "50 more accepted strategies"
    assert list(plain["models"].values()) == ["candidate"]


def test_no_secret_of_the_environment_is_in_the_store(project: Path) -> None:
    key = "sk-ant-" + "k" * 40
    env = {**environment(project), "ANTHROPIC_API_KEY": key}
    subprocess.run(
        [sys.executable, "-m", "qc_builder_lora.cli", "report", "build"],
        cwd=project,
        env=env,
        check=True,
        capture_output=True,
    )
    for path in project.rglob("*"):
        if path.is_file() and path.suffix != ".gguf":
            assert key.encode() not in path.read_bytes(), path
