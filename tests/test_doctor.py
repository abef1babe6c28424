"""qc-lora doctor: each wall and each need on a line, with its cure, and an exit code to go by."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from qc_builder_lora.backtest.sandbox.kernel import WALLS
from qc_builder_lora.config import Settings
from qc_builder_lora.doctor import product

ROOT = Path(__file__).parents[1]
OPEN = str(Path(__file__).parent / "backtest" / "no_namespaces.py")


def doctor(
    *before: str, json_: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("QC_", "ANTHROPIC", "OPENAI"))}
    return subprocess.run(
        [sys.executable, *before, "-m", "qc_builder_lora.cli", "doctor",
         *(["--json"] if json_ else [])],
        capture_output=True, text=True, check=False,
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"QC_LORA_HOME": str(tmp_path / "home"), "QC_LORA_CACHE": str(tmp_path / "cache")}


def test_every_wall_has_a_line_and_nothing_is_made(home: dict[str, str], tmp_path: Path) -> None:
    done = doctor(**home)
    told = json.loads(done.stdout)
    names = [line["name"] for line in told["lines"] if line["area"] == "sandbox"]
    assert set(WALLS) <= set(names)
    assert {"level", "privileges", "limits", "environment", "tmp", "cgroup", "canaries"} <= set(
        names
    )
    assert told["ok"] is (done.returncode == 0)
    assert list(tmp_path.iterdir()) == []


def test_where_walls_are_refused_it_says_which_why_and_the_cure(home: dict[str, str]) -> None:
    done = doctor(OPEN, **home)
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"], told["sandbox"]) == (1, False, "none")
    lines = {line["name"]: line for line in told["lines"]}
    for wall in ("user", "mount", "pid", "net", "ipc", "uts"):
        assert lines[wall]["state"] == "bad"
        assert "Operation not permitted" in lines[wall]["said"]
        assert "--unsafe, or QC_LORA_ALLOW_OPEN_SANDBOX=1" in lines[wall]["cure"]
    assert lines["seccomp"]["state"] == "ok"
    assert lines["canaries"]["said"].startswith("no sandbox: ")


def test_a_waived_wall_is_a_note_and_nothing_to_cure(home: dict[str, str]) -> None:
    told = json.loads(doctor(OPEN, **home, QC_LORA_ALLOW_OPEN_SANDBOX="1").stdout)
    lines = {line["name"]: line for line in told["lines"] if line["area"] == "sandbox"}
    assert told["sandbox"] == "open"
    assert {line["state"] for line in lines.values()} == {"ok", "note"}


def test_keys_are_said_to_be_there_and_never_shown(home: dict[str, str]) -> None:
    done = doctor(**home, ANTHROPIC_API_KEY="sk-very-secret", QC_API_TOKEN="token-very-secret",
                  QC_USER_ID="4711")  # fmt: skip
    lines = {line["name"]: line for line in json.loads(done.stdout)["lines"]}
    assert lines["key of Claude"]["said"] == "ANTHROPIC_API_KEY is set"
    assert lines["key of GPT"]["said"] == "absent: GPT is not asked"
    assert lines["QuantConnect"]["said"] == "user id and token are set"
    assert not {"very-secret", "4711"} & set(done.stdout.split())
    assert "very-secret" not in done.stdout + done.stderr


def test_a_database_that_cannot_be_reached_is_bad_and_its_password_hidden(
    home: dict[str, str],
) -> None:
    url = "postgresql://somebody:pass-very-secret@127.0.0.1:9/nothing"
    done = doctor(**home, QC_LORA_DATABASE=url)
    line = next(one for one in json.loads(done.stdout)["lines"] if one["name"] == "database")
    assert (done.returncode, line["state"]) == (1, "bad")
    assert line["cure"] == "Start it, or correct QC_LORA_DATABASE."
    assert "very-secret" not in done.stdout + done.stderr


def test_a_data_folder_that_is_none_is_bad(home: dict[str, str], tmp_path: Path) -> None:
    done = doctor(**home, QC_LORA_DATA=str(tmp_path / "nothing"), json_=False)
    assert done.returncode == 1
    assert f"BAD   data               {tmp_path}/nothing does not exist" in done.stdout
    assert "cure: Point QC_LORA_DATA at a LEAN data folder" in done.stdout
    assert done.stdout.rstrip().endswith("to cure: see BAD above.")


def test_memory_is_the_least_of_machine_and_control_group(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable: 8388608 kB\n")
    assert product.available_memory_gb(tmp_path) == 8
    group = tmp_path / "sys" / "fs" / "cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text(f"{3 << 30}\n")
    (group / "memory.current").write_text(f"{2 << 30}\n")
    assert product.available_memory_gb(tmp_path) == 1
    assert product.available_memory_gb(tmp_path / "nowhere") is None


def test_a_full_disk_is_bad_before_anything_is_written_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 100 << 20

    monkeypatch.setattr(product.shutil, "disk_usage", lambda path: Usage)
    lines = list(product._disk(Settings(home=tmp_path, cache=tmp_path)))
    assert [line.state for line in lines] == ["bad", "bad"]
    assert lines[0].said == f"0.1 GB free at {tmp_path}"


def test_a_llama_that_does_not_load_is_bad_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(product, "_LOADS", "raise SystemError('illegal instruction')")
    line = product._llama()
    assert line.state == "bad"
    assert "does not load: SystemError: illegal instruction" in line.said
    assert "pip install 'qc-builder-lora[serve]'" in line.cure


def test_a_machine_without_the_compile_check_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = metadata.version

    def version(name: str) -> str:
        if name == "quantconnect-stubs":
            raise metadata.PackageNotFoundError(name)
        return plain(name)

    monkeypatch.setattr(metadata, "version", version)
    line = product._compile_check()
    assert line.state == "note"
    assert line.said == (
        "not installed: quantconnect-stubs; whether a strategy compiles is unknown"
    )
    assert line.cure == "pip install 'qc-builder-lora[check]'"
