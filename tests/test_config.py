"""Where settings come from, and where things are kept without any."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qc_builder_lora.config import load_settings

BOOTSTRAP = Path(__file__).parents[1] / "deploy" / "bootstrap.py"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"XDG_CACHE_HOME": "/somewhere"},
        {"XDG_CACHE_HOME": ""},
        {"QC_LORA_CACHE": "/elsewhere", "XDG_CACHE_HOME": "/somewhere"},
    ],
)
def test_the_cache_is_where_the_set_up_keeps_its_own(given: dict[str, str], tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], **given}
    ours = "from qc_builder_lora.config import load_settings; print(load_settings().cache_folder)"
    theirs = f"import sys; sys.path.insert(0, {str(BOOTSTRAP.parent)!r}); import bootstrap; "
    theirs += "print(bootstrap.default_cache())"
    told = [
        subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=tmp_path, text=True,
            capture_output=True, check=True,
        ).stdout
        for code in (ours, theirs)
    ]  # fmt: skip
    assert told[0] == told[1]
    assert told[0].strip().startswith(("/somewhere", "/elsewhere", str(tmp_path)))


def test_a_cache_named_in_the_file_is_not_moved_by_the_users_cache_folder(tmp_path: Path) -> None:
    (tmp_path / "qc-lora.toml").write_text('cache = "mine"\n')
    settings = load_settings({"XDG_CACHE_HOME": "/somewhere"}, tmp_path)
    assert settings.cache_folder == Path("mine")
