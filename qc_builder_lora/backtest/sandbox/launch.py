"""Start strategies in walled-in processes, and end them. What the wall is made of stays in here.

`Zygote` keeps a process with the surface imported and forks from it: a warm start takes a
millisecond. One Zygote runs one strategy at a time.

The wall is a precondition: where the kernel refuses a part of it there is no Zygote, and so no
strategy's code runs, unless the owner has waived it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.protocol import Limits
from qc_builder_lora.backtest.sandbox.kernel import WALLS
from qc_builder_lora.errors import BacktestError, SandboxUnavailable

_LENGTH = struct.Struct("<I")
_START_S = 20.0
"""Longest a zygote may take to come up, on a very busy machine."""


@dataclass(frozen=True)
class Ending:
    """How a child ended: by a signal, or with an exit code."""

    signal: int | None
    code: int | None


class Child:
    """One walled-in strategy: a channel, its output, and the means to end it."""

    def __init__(self, zygote: Zygote, channel: socket.socket, output: int, folder: Path) -> None:
        self.channel = channel
        self.output = output
        """Reading end of its standard output and error."""
        self._zygote = zygote
        self._folder = folder
        self._ending: Ending | None = None

    def end(self, *, kill: bool) -> Ending:
        """Wait for it, killing it first if asked to; nothing it started survives this."""
        if self._ending is None:
            self.channel.close()
            self._ending = self._zygote.reap(kill)
            shutil.rmtree(self._folder, ignore_errors=True)
        return self._ending

    def close_output(self) -> None:
        """Let go of the output once it has been read."""
        if self.output >= 0:
            os.close(self.output)
            self.output = -1


class Zygote:
    """A process that forks jailed children from a warm start; close it, or let go of it."""

    def __init__(
        self,
        module: str,
        paths: Sequence[Path],
        *,
        libraries: Sequence[str] = (),
        folders: Sequence[str] = (),
        allow_open: bool = False,
    ) -> None:
        """`module.main(connection)` is what a child runs, found on `paths`.

        `libraries` of `folders` are imported beforehand, so that children need not wait for them.
        Raises SandboxUnavailable where a wall is missing, unless `allow_open` waives it.
        """
        self._module = module
        ours, theirs = socket.socketpair()
        setup = json.dumps(
            {
                "paths": [str(path) for path in paths],
                "module": module,
                "libraries": list(libraries),
                "folders": list(folders),
            }
        )
        script = Path(__file__).with_name("zygote.py")
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(script), str(theirs.fileno()), setup],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                # Threads of linear algebra libraries would only eat the address space.
                env={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"},
                start_new_session=True,
                cwd="/",
            )
        self._control = ours
        self._control.settimeout(_START_S)
        self._finalizer = weakref.finalize(self, _close, ours, self._process)
        told = self._read()
        self.missing_walls: tuple[str, ...] = tuple(w for w in WALLS if w not in told["walls"])
        """Walls its children lack; none but where that was allowed."""
        if self.missing_walls and not allow_open:
            self.close()
            raise SandboxUnavailable(self.missing_walls, told["why"])

    @property
    def alive(self) -> bool:
        """Whether it can still fork."""
        return self._finalizer.alive and self._process.poll() is None

    def fork(self, limits: Limits) -> Child:
        """A new child within `limits`; BacktestError when the zygote is gone."""
        folder = Path(tempfile.mkdtemp(prefix="qc-lora-"))
        ours, theirs = socket.socketpair()
        reading, writing = os.pipe()
        order = {
            "do": "fork",
            "module": self._module,
            "folder": str(folder),
            "memory_mb": limits.memory_mb,
            "cpu_s": limits.cpu_s,
        }
        try:
            body = json.dumps(order).encode()
            frame = _LENGTH.pack(len(body)) + body
            socket.send_fds(self._control, [frame], [theirs.fileno(), writing])
            self._read()
        except (OSError, BacktestError) as error:
            ours.close()
            os.close(reading)
            shutil.rmtree(folder, ignore_errors=True)
            raise BacktestError(f"The sandbox's zygote is gone: {error}") from error
        finally:
            theirs.close()
            os.close(writing)
        return Child(self, ours, reading, folder)

    def reap(self, kill: bool) -> Ending:
        """End the present child. A zygote that does not answer is killed with all it holds."""
        body = json.dumps({"do": "reap", "kill": kill}).encode()
        try:
            self._control.sendall(_LENGTH.pack(len(body)) + body)
            found = self._read()
        except (OSError, BacktestError):
            self.close()
            return Ending(signal.SIGKILL, None)
        return Ending(found["signal"], found["code"])

    def close(self) -> None:
        """Kill it and everything it started."""
        self._finalizer()

    def _read(self) -> dict[str, Any]:
        data = b""
        while len(data) < 4 or len(data) < 4 + _LENGTH.unpack_from(data)[0]:
            more = self._control.recv(1 << 16)
            if not more:
                raise BacktestError(f"the zygote ended: {self._last_words()}")
            data += more
        found: dict[str, Any] = json.loads(data[4:])
        return found

    def _last_words(self) -> str:
        try:
            _, errors = self._process.communicate(timeout=2)
        except subprocess.TimeoutExpired:
            return "it does not answer"
        text: str = errors.decode("utf-8", "replace").strip()
        return text[-1000:] or f"exit code {self._process.returncode}"


def _close(control: socket.socket, process: subprocess.Popen[bytes]) -> None:
    control.close()
    with suppress(OSError):
        # Its own session: this reaches the outer process, whose death takes process 1 along.
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stderr is not None:
        process.stderr.close()
