"""Run a heavy piece of work in a process of its own: its memory goes back, its crash stays there.

The child takes JSON and gives JSON, tells its progress line by line, and is ended when its parent
dies, politely, so that training checkpoints first.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from tempfile import TemporaryFile
from types import FrameType
from typing import IO, Any

from qc_builder_lora import errors
from qc_builder_lora.errors import QcLoraError, Stopped, TurnBusy
from qc_builder_lora.leaving import leave
from qc_builder_lora.progress import SILENT, Progress

SAVING_S = 120
"""How long a child that was asked to stop may take to save what it has, in seconds."""
_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, linux/prctl.h


class ChildDied(QcLoraError):
    """The work's process ended without an answer: killed, or out of memory."""

    def __init__(self, work: str, code: int, tail: str) -> None:
        how = f"was ended by {_signal_name(-code)}" if code < 0 else f"ended with code {code}"
        more = " The machine may have run out of memory." if code == -signal.SIGKILL else ""
        super().__init__(
            f"The process that ran {work} {how}.{more} What it had finished is kept; run the same "
            f"command again. Its last words: {tail or 'none'}"
        )


def in_child(
    work: str, arguments: Mapping[str, Any], progress: Progress = SILENT
) -> dict[str, Any]:
    """Call `module:function(progress, **arguments)` in a new process and return its answer.

    The function takes and returns JSON values. An error of ours it raises is raised here again,
    with its own words; any other end is ChildDied.
    """
    command = [sys.executable, "-m", "qc_builder_lora.isolate", work]
    # A file, not a pipe: whatever libraries print must not fill up and hold the child.
    with TemporaryFile() as said:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            # Ctrl-C comes from us alone: sent by the terminal too, it would break off the saving.
            process_group=0,
        )
        try:
            result = _talk(child, arguments, progress)
        except (KeyboardInterrupt, Stopped, TurnBusy):
            _let_it_save(child)
            raise
        finally:
            if child.poll() is None:
                child.kill()
            child.communicate()
        if result is None:
            raise ChildDied(work, child.returncode, _last_words(said))
        return result


def _talk(
    child: subprocess.Popen[str], arguments: Mapping[str, Any], progress: Progress
) -> dict[str, Any] | None:
    """The child's answer; None when it ended without one."""
    assert child.stdin is not None
    assert child.stdout is not None
    with suppress(BrokenPipeError):  # it died at once: told below
        child.stdin.write(json.dumps({"arguments": dict(arguments), "parent": os.getpid()}))
        child.stdin.close()
    child.stdin = None
    for line in child.stdout:
        if not line.endswith("\n"):
            break  # it was killed in the middle of a word
        message = json.loads(line)
        if "progress" in message:
            progress.update(*message["progress"])
        elif "error" in message:
            raise _error(message["error"])
        else:
            return dict(message["result"])
    child.wait()
    return None


def _let_it_save(child: subprocess.Popen[str]) -> None:
    child.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        child.communicate(timeout=SAVING_S)


def _last_words(said: IO[bytes]) -> str:
    said.seek(max(0, said.seek(0, os.SEEK_END) - 4000))
    return " ".join(said.read().decode("utf-8", "replace").strip().splitlines()[-2:])


def _error(told: Mapping[str, str]) -> QcLoraError:
    """The same kind of error with the same words."""
    if told["kind"] == "KeyboardInterrupt":
        raise KeyboardInterrupt
    kind = getattr(errors, told["kind"], QcLoraError)
    error: QcLoraError = kind.__new__(kind)
    error.args = (told["text"],)
    return error


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class _Told:
    """Progress as lines to the parent."""

    def update(self, done: float, note: str = "") -> None:
        _say({"progress": [done, note]})


def _say(message: Mapping[str, Any]) -> None:
    _OUT.write(json.dumps(message) + "\n")
    _OUT.flush()


def _end_with_parent(parent: int) -> None:
    """SIGTERM when the parent dies; at once if it died before this was asked for."""
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop_once)
    if os.getppid() != parent:
        sys.exit(143)


def _stop_once(number: int, _frame: FrameType | None) -> None:
    """KeyboardInterrupt, the first time: a second one would break off the saving."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt(number)


def _main(work: str) -> None:
    given = json.loads(sys.stdin.read())
    _end_with_parent(given["parent"])
    module, function = work.split(":")
    try:
        result = getattr(import_module(module), function)(_Told(), **given["arguments"])
    except QcLoraError as error:
        _say({"error": {"kind": type(error).__name__, "text": str(error)}})
        leave(error.exit_code)
    except KeyboardInterrupt:
        _say({"error": {"kind": "KeyboardInterrupt", "text": "stopped"}})
        leave(130)
    _say({"result": result})


if __name__ == "__main__":
    # What libraries print must not come between our lines.
    _OUT = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _main(sys.argv[1])
