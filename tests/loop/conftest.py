"""A project on which every stage is real and small, and one that has made a turn already."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_base import write_project

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The tests' own environment, with the home in the project and nothing of the developer's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("QC_LORA_")}
    ours = {
        "QC_LORA_HOME": str(folder / ".qc-lora"),
        "QC_LORA_CACHE": str(folder / ".qc-lora/cache"),
    }
    return {**kept, **ours, "OMP_NUM_THREADS": "2", **more}


def run_in(folder: Path, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """`qc-lora` in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "qc_builder_lora.cli", *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
        **more,
    )


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with its starter corpus in the store; not to be changed."""
    folder = write_project(tmp_path_factory.mktemp("seeded") / "project")
    done = run_in(folder, "corpus", "build")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def turned(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after one whole turn; not to be changed."""
    folder = copy_of(seeded, tmp_path_factory.mktemp("turned"))
    done = run_in(folder, "turn")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def fresh(seeded: Path, tmp_path: Path) -> Path:
    """A project that has examples and has not made a turn."""
    return copy_of(seeded, tmp_path)


@pytest.fixture
def project(turned: Path, tmp_path: Path) -> Path:
    """A copy of the one with a turn; paths in its store still name the original's files."""
    return copy_of(turned, tmp_path)


def copy_of(project: Path, folder: Path) -> Path:
    """A project that a test may change. The base's GGUF stays where the first one has it."""
    return Path(shutil.copytree(project, folder / "project"))
