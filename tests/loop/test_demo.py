"""The demo from its command, on the tiny base: stopped in the middle, taken up again, read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qc_builder_lora.ids import now
from qc_builder_lora.records import Build
from qc_builder_lora.store import Store
from tests.loop.conftest import copy_of, environment, run_in
from tests.tiny_base import write_project

FIELDS = {
    "harvested": {"builds", "strategies", "backtests"},
    "snapshot": {"examples", "validation", "families"},
    "train": {
        "tokens",
        "tokens_per_s",
        "peak_rss_mb",
        "minutes",
        "val_loss_first",
        "val_loss_last",
    },
    "model": {"id", "quantization", "gguf_mb", "nll_hf", "nll_gguf", "nll_base"},
    "eval": {"base", "tuned"},
}
COUNTS = {"n", "parses", "compiles", "runs", "trades"}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo that got Ctrl-C once the builder had run."""
    folder = write_project(tmp_path_factory.mktemp("demo") / "project")
    recipe = folder / "retrain" / "recipes" / "tiny.yaml"
    # The tiny base reads characters: the builder's examples, too, must fit.
    text = recipe.read_text().replace("epochs: 7.5", "epochs: 1")
    recipe.write_text(text + "max_tokens: 4000\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "qc_builder_lora.cli", "demo"],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    state = folder / ".qc-lora" / "demo" / "state.json"
    until = time.monotonic() + 200
    while time.monotonic() < until and process.poll() is None:
        if state.exists() and "host" in json.loads(state.read_text()):
            break
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    return folder


@pytest.fixture(scope="module")
def finished(stopped: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the stopped one, run to its end."""
    folder = copy_of(stopped, tmp_path_factory.mktemp("finished"))
    done = run_in(folder, "demo")
    assert done.returncode == 0, done.stderr
    (folder / "out.txt").write_text(done.stdout + done.stderr)
    return folder


def test_a_stopped_demo_keeps_the_builder_it_has_run(stopped: Path) -> None:
    state = json.loads((stopped / ".qc-lora/demo/state.json").read_text())
    assert state["host"]["builds"] >= 12
    assert "turn" not in state


def test_the_same_command_goes_on_without_running_the_builder_again(finished: Path) -> None:
    text = (finished / "out.txt").read_text()
    assert "Builder:" not in text
    assert "Retrain:" in text


def test_the_summary_has_every_field_with_a_figure(finished: Path) -> None:
    summary = json.loads((finished / ".qc-lora/demo/summary.json").read_text())
    assert set(summary) == {*FIELDS, "report", "minutes_total"}
    for name, fields in FIELDS.items():
        assert set(summary[name]) == fields
    assert set(summary["eval"]["base"]) == set(summary["eval"]["tuned"]) == COUNTS
    assert summary["harvested"]["builds"] >= 12
    assert summary["harvested"]["backtests"] >= 12
    assert summary["train"]["tokens"] > 0
    assert summary["train"]["val_loss_last"] < summary["train"]["val_loss_first"]
    assert Path(summary["report"]).read_text().startswith("<!doctype html>")


def test_the_end_names_the_report_the_summary_and_three_commands(finished: Path) -> None:
    text = (finished / "out.txt").read_text()
    summary = json.loads((finished / ".qc-lora/demo/summary.json").read_text())
    assert f"report   {summary['report']}" in text
    assert "summary.json" in text
    for command in ("qc-lora generate", "qc-lora report open", "qc-lora model promote"):
        assert command in text


def test_starting_over_is_refused_where_another_builder_was_harvested(finished: Path) -> None:
    home = finished / ".qc-lora"
    with Store.open(f"sqlite:///{home / 'store.db'}") as store:
        store.builds.add(Build(id="b", title="mine", host="/home/me/build.py", started_at=now()))
    done = run_in(finished, "demo", "--fresh")
    assert done.returncode != 0
    assert "holds 1 builds that are not the demo's; nothing was removed" in done.stderr
    assert "QC_LORA_HOME=/tmp/try qc-lora demo" in done.stderr
    assert (home / "store.db").exists()
