"""The whole loop, once, on real parts: a builder runs, is harvested, teaches a model, is shown.

Every part is what the product does anyway; here they only follow one another. What is finished is
written down, so that a demo that was stopped goes on from there.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from qc_builder_lora.config import Settings
from qc_builder_lora.corpus_job import build_starter, sample_bars
from qc_builder_lora.errors import InputError, QcLoraError
from qc_builder_lora.files import find_default, list_defaults, write_json
from qc_builder_lora.loop import Show, turn
from qc_builder_lora.records import Role, RunStatus
from qc_builder_lora.stages import simulator
from qc_builder_lora.store import Store

SPECIFICATIONS = 13
HOST = Path("examples/autonomous_build.py")
# How the example builder's own output says that a build is done.
_COMPLETE = "complete:"


class Demo:
    """The demo in a home: steps that are done are not done again."""

    def __init__(self, settings: Settings, show: Show) -> None:
        self.settings, self._show = settings, show
        self.folder = settings.home / "demo"
        self._state_file = self.folder / "state.json"
        self.state: dict[str, Any] = self._read_state()

    def run(self) -> dict[str, Any]:
        """All steps; returns the summary, which is written to `summary.json` as well."""
        started = time.monotonic()
        try:
            self._step("data", self._data)
            # Not at the first strategy: the builder would record our refusal as its results.
            self._check_sandbox()
            self._step("host", self._host)
            self._step("corpus", self._corpus)
            self._step("turn", self._turn)
        finally:
            self.state["seconds"] = self.state.get("seconds", 0.0) + time.monotonic() - started
            self._write_state()
        return self._summary()

    def _step(self, name: str, work: Any) -> None:
        if name in self.state:
            return
        self.state[name] = work()
        self._write_state()

    def _check_sandbox(self) -> None:
        engine = simulator(self.settings)
        try:
            engine.check_sandbox()
        finally:
            engine.close()

    def _data(self) -> str:
        with self._show("Market data", 1) as progress:
            folder = sample_bars(self.settings)
            progress.update(1)
        return str(folder)

    def _host(self) -> dict[str, Any]:
        """The example builder, unchanged, under `qc-lora run`, against the loopback server."""
        script = find_default(str(HOST))
        with self._server() as port, self._show("Builder", SPECIFICATIONS) as progress:
            environment = {
                **os.environ,
                "PYTHONUNBUFFERED": "1",
                "QC_LORA_HOME": str(self.settings.home.absolute()),
                "QUANTCONNECT_MCP_PORT": str(port),
            }
            command = [sys.executable, "-m", "qc_builder_lora.cli", "run", str(script)]
            out = str((self.folder / "builder").absolute())
            process = subprocess.Popen(
                [*command, "--out", out],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=environment,
            )
            finished, lines = 0, []
            with process:
                assert process.stdout is not None
                for line in process.stdout:
                    lines.append(line)
                    finished += line.strip().startswith(_COMPLETE)
                    progress.update(min(finished, SPECIFICATIONS))
            (self.folder / "builder.log").write_text("".join(lines), "utf-8")
        if finished == 0:
            raise QcLoraError(
                f"The example builder finished no build (exit code {process.returncode}). Its "
                f"output is in {self.folder / 'builder.log'}"
            )
        return {"exit_code": process.returncode, "builds": finished}

    @contextmanager
    def _server(self) -> Iterator[int]:
        """The stand-in for QuantConnect's server, on a free port, ended with the block."""
        script = find_default("examples/quantconnect_mcp.py")
        command = [sys.executable, str(script), "--port", str(_free_port())]
        data = ["--data", str(sample_bars(self.settings))]
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "quantconnect.log").open("w", encoding="utf-8") as errors:
            server = subprocess.Popen(
                [*command, *data], stdout=subprocess.PIPE, stderr=errors, text=True
            )
            try:
                assert server.stdout is not None
                first = server.stdout.readline()
                if not first:
                    raise QcLoraError(
                        "The stand-in for QuantConnect's server did not start. See "
                        f"{self.folder / 'quantconnect.log'}"
                    )
                yield int(json.loads(first)["port"])
            finally:
                server.terminate()
                server.communicate()

    def _corpus(self) -> dict[str, Any]:
        with Store.open(self.settings.database_url) as store:
            return build_starter(self.settings, store, self._show)

    def _turn(self) -> str:
        with Store.open(self.settings.database_url) as store:
            made = turn(self.settings, store, "demo", show=self._show)
            return made.id

    def _summary(self) -> dict[str, Any]:
        with Store.open(self.settings.database_url) as store:
            made = store.turns.get(self.state["turn"])
            assert made.status is RunStatus.FINISHED
            summary = summarise(made.stages, harvested(store))
        summary["minutes_total"] = round(self.state["seconds"] / 60, 2)
        write_json(self.folder / "summary.json", summary)
        return summary

    def _read_state(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._state_file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found

    def _write_state(self) -> None:
        write_json(self._state_file, self.state)


def remove_home(settings: Settings) -> None:
    """Remove a home in which nothing but the demo has worked; refuses any other.

    Raises InputError when its store holds builds of another builder, or a Model that a person has
    promoted.
    """
    home = settings.home
    if (home / "store.db").exists():
        with Store.open(settings.database_url) as store:
            ours = {
                yaml.safe_load(path.read_text("utf-8"))["title"]
                for path in list_defaults("examples/specs", "*.yaml")
            }
            others = sum(1 for build in store.builds.each() if build.title not in ours)
            production = store.models.production()
        if others or production is not None:
            what = f"{others} builds that are not the demo's" if others else "a promoted model"
            raise InputError(
                f"{home} holds {what}; nothing was removed. Run the demo in another home: "
                "QC_LORA_HOME=/tmp/try qc-lora demo, or remove the folder yourself."
            )
    shutil.rmtree(home, ignore_errors=True)


def harvested(store: Store) -> dict[str, int]:
    """What came from builders: builds, different strategies, backtests their engine reported."""
    builds = store.builds.count()
    served = [one for one in store.generations.each() if one.role is Role.SERVED]
    strategies = {one.strategy_id for one in served if one.strategy_id is not None}
    backtests = sum(1 for one in store.backtests.each() if one.build_id is not None)
    return {"builds": builds, "strategies": len(strategies), "backtests": backtests}


def summarise(stages: Mapping[str, Any], from_builders: Mapping[str, int]) -> dict[str, Any]:
    """The fields of `summary.json`, from what the stages wrote."""
    snapshot, train, model = stages["snapshot"], stages["retrain"], stages["release"]
    evaluation = stages["evaluate"]
    return {
        "harvested": dict(from_builders),
        "snapshot": {key: snapshot[key] for key in ("examples", "validation", "families")},
        "train": {
            key: train[key]
            for key in (
                "tokens",
                "tokens_per_s",
                "peak_rss_mb",
                "minutes",
                "val_loss_first",
                "val_loss_last",
            )
        },
        "model": {
            "id": model["model_id"],
            **{
                key: model[key]
                for key in ("quantization", "gguf_mb", "nll_hf", "nll_gguf", "nll_base")
            },
        },
        "eval": {
            "base": evaluation["funnel"]["champion"],
            "tuned": evaluation["funnel"]["challenger"],
        },
        "report": stages["report"]["path"],
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
