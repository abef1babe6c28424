"""A project on which every stage is real and small, and one that has made a turn already."""

from __future__ import annotations

import os
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
    return {**kept, "QC_LORA_HOME": str(folder / ".qc-lora"), "OMP_NUM_THREADS": "2", **more}


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
def turned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after `corpus build` and one whole turn; not to be changed."""
    folder = write_project(tmp_path_factory.mktemp("turned"))
    for command in (("corpus", "build"), ("turn",)):
        done = run_in(folder, *command)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def project(turned: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change; paths in its store still name the original's files."""
    import shutil

    return Path(shutil.copytree(turned, tmp_path / "project"))
