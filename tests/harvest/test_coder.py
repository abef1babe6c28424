"""A coder's command line is recognised, and nothing else is taken for one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.harvest.coder import coder_call


@pytest.mark.parametrize(
    ("arguments", "prompt", "model", "files"),
    [
        (["aider", "--model", "m", "--message", "p", "main.py"], "p", "m", ["main.py"]),
        (["/opt/bin/aider", "-m", "p", "--file", "a/b.py"], "p", None, ["a/b.py"]),
        (
            ["aider", "--message=p", "--model=gpt-4.1", "x.py", "y.py"],
            "p",
            "gpt-4.1",
            ["x.py", "y.py"],
        ),
        (["aider", "--msg", "p", "--read", "ref.py", "main.py"], "p", None, ["main.py"]),
        ([sys.executable, "-m", "aider", "--message", "p", "main.py"], "p", None, ["main.py"]),
        (["uv", "run", "aider", "-m", "p"], "p", None, []),
        ([sys.executable, "coder.py", "--model", "m", "--message", "p", "main.py"], "p", "m", None),
        ([b"aider", b"--message", "pü".encode(), b"main.py"], "pü", None, ["main.py"]),
        ([Path("/bin/aider"), "--message", "p", Path("main.py")], "p", None, ["main.py"]),
        (["aider", "--api-key", "anthropic=x", "--message", "p"], "p", None, []),
    ],
)
def test_a_coders_call_is_read(
    arguments: list[Any], prompt: str, model: str | None, files: list[str] | None
) -> None:
    call = coder_call(arguments, False, "/work")
    assert call is not None
    assert (call.prompt, call.model) == (prompt, model)
    if files is not None:
        assert call.files == tuple(f"/work/{name}" for name in files)


def test_a_shells_command_line_is_read() -> None:
    call = coder_call("aider --model m --message 'two words' main.py", True, "/work")
    assert call == ("two words", "m", ("/work/main.py",))
    call = coder_call(["aider --message 'p'"], True, "/work")
    assert call is not None
    assert call.prompt == "p"


def test_a_message_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("from a file: ü", "utf-8")
    call = coder_call(["aider", "--message-file", "prompt.txt"], False, str(tmp_path))
    assert call is not None
    assert call.prompt == "from a file: ü"


@pytest.mark.parametrize(
    "arguments",
    [
        ["git", "commit", "-m", "fix aider"],
        ["git", "commit", "-m", "aider"],
        [sys.executable, "-m", "pytest", "-k", "aider"],
        ["aider"],
        ["aider", "--version"],
        ["curl", "--message", "x"],
        ["ls", "aider"],
        "aider --message p",
        [],
        None,
        7,
    ],
)
def test_other_programs_are_not_taken_for_one(arguments: Any) -> None:
    assert coder_call(arguments, False, "/work") is None
