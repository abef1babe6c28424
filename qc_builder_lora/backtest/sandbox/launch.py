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
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.protocol import Limits
from qc_builder_lora.backtest.sandbox import bubblewrap, refusals
from qc_builder_lora.backtest.sandbox.kernel import SYS_ADMIN, WALLS, may
from qc_builder_lora.backtest.sandbox.root import Root, minimal_root
from qc_builder_lora.errors import BacktestError, SandboxUnavailable

_LENGTH = struct.Struct("<I")
_START_S = 20.0
"""Longest a zygote may take to come up, on a very busy machine."""
_HERE = Path(__file__).parent
_ENVIRONMENT = {
    # Threads of linear algebra libraries would only eat the address space.
    "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1", "NUMEXPR_MAX_THREADS": "1", "NUMBA_NUM_THREADS": "1",
    # The same order of sets in every run, the same text and time everywhere.
    "PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "LANG": "C.UTF-8", "TZ": "UTC",
}  # fmt: skip


@dataclass(frozen=True)
class Ending:
    """How a child ended: by a signal, or with an exit code."""

    signal: int | None
    code: int | None
    killed: bool = False
    """By us, because it was told to end, or did not."""
    cpu_s: float = 0.0


class Child:
    """One walled-in strategy: a channel, its output, and the means to end it."""

    def __init__(self, zygote: Zygote, channel: socket.socket, output: int) -> None:
        self.channel = channel
        self.output = output
        """Reading end of its standard output and error."""
        self._zygote = zygote
        self._ending: Ending | None = None
        self._host_kills = refusals.host_kills()

    def end(self, *, grace_s: float = 0.0) -> Ending:
        """Kill it, if it has not ended by itself within the grace; nothing of it survives this.

        BacktestError when the process that held it is gone, and so nobody knows how it ended.
        """
        if self._ending is None:
            self.channel.close()
            self._ending = self._zygote.reap(grace_s)
        return self._ending

    def host_ran_out_of_memory(self) -> bool:
        """Whether the host's kernel has killed any process for memory since this one began."""
        return refusals.host_kills() > self._host_kills

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
        shown: Sequence[Path],
        *,
        libraries: Sequence[str] = (),
        folders: Sequence[str] = (),
        packages: Iterable[str] = (),
        allow_open: bool = False,
    ) -> None:
        """`module.main(connection)` is what a child runs; its package is one of `shown`.

        `libraries` of `folders` are imported beforehand, so that children need not wait for them;
        `packages` of `folders` are all that children may import. Raises SandboxUnavailable where a
        wall is missing, unless `allow_open` waives it.
        """
        packages = tuple(packages)
        self._setup: dict[str, Any] = {
            "paths": [str(path) for path in dict.fromkeys(item.parent for item in shown)],
            "module": module,
            "libraries": list(libraries),
            "folders": list(folders),
            "allow_open": allow_open,
        }
        roots = {
            start: minimal_root([*shown, *([_HERE] if start else [])], folders, packages,
                                start=start)
            for start in (True, False)
        }  # fmt: skip
        told = self._go_behind_walls(roots[True], roots[False], allow_open)
        self.missing_walls: tuple[str, ...] = _missing(told)
        """Walls its children lack; none but where that was allowed."""
        self.why: tuple[str, ...] = tuple(told["why"])
        """Why they are missing, or why bubblewrap did not do."""
        self.extra: tuple[str, ...] = tuple(told["extra"])
        """What else is to be said of the walls: see `zygote.py`."""
        if self.missing_walls and not allow_open:
            self.close()
            raise SandboxUnavailable(
                self.missing_walls, "; ".join(self.why), refusals.cure(refusals.read_machine())
            )

    def _go_behind_walls(self, startable: Root, plain: Root, allow_open: bool) -> dict[str, Any]:
        """By bubblewrap where it is installed, else, or where it fails, by ourselves."""
        as_root = os.geteuid() == 0 and may(SYS_ADMIN) and startable.open_to_nobody()
        program = bubblewrap.find()
        refused: list[str] = []
        self.by = "bubblewrap"
        """Who made the walls: `bubblewrap` or `direct`."""
        _compile(startable)
        if program is not None:
            root = startable.plain()
            try:
                told = self._start(
                    root, bubblewrap.command(program, root, as_root=as_root), as_root
                )
                if not _missing(told):
                    return told
                refused = told["why"]
                self.close()
            except BacktestError as error:
                refused = [f"bwrap: {error}"]
        self.by = "direct"
        told = self._start(plain.plain(), [], as_root)
        told["why"] += refused
        return told

    def _start(self, root: dict[str, Any], wrapper: list[str], as_root: bool) -> dict[str, Any]:
        folder = None if wrapper else tempfile.mkdtemp(prefix="qc-lora-")
        setup = json.dumps(
            {
                **self._setup, "root": root, "by": self.by, "as_root": as_root, "folder": folder,
                "cgroup": bubblewrap.CGROUPS.exists(),
            }
        )  # fmt: skip
        python = os.path.realpath(sys.executable) if wrapper else sys.executable
        script = str(_HERE / "zygote.py")
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [*wrapper, python, "-s", "-P", "-S", script, str(theirs.fileno()), setup],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=_ENVIRONMENT,
                start_new_session=True,
                cwd="/",
            )
        self._control = ours
        self._control.settimeout(_START_S)
        self._finalizer = weakref.finalize(self, _close, ours, self._process, folder)
        try:
            told = self._read()
        except BaseException:
            self.close()
            raise
        if "mount" in told["walls"] and folder is not None:
            # It has a /tmp of its own.
            shutil.rmtree(folder, ignore_errors=True)
        return told

    @property
    def alive(self) -> bool:
        """Whether it can still fork."""
        return self._finalizer.alive and self._process.poll() is None

    def fork(self, limits: Limits) -> Child:
        """A new child within `limits`; BacktestError when the zygote is gone."""
        ours, theirs = socket.socketpair()
        reading, writing = os.pipe()
        order = {"do": "fork", "memory_mb": limits.memory_mb, "cpu_s": limits.cpu_s}
        try:
            body = json.dumps(order).encode()
            frame = _LENGTH.pack(len(body)) + body
            socket.send_fds(self._control, [frame], [theirs.fileno(), writing])
            self._read()
        except (OSError, BacktestError) as error:
            ours.close()
            os.close(reading)
            self.close()
            raise BacktestError(f"The sandbox's process is gone: {error}") from error
        finally:
            theirs.close()
            os.close(writing)
        return Child(self, ours, reading)

    def reap(self, grace_s: float) -> Ending:
        """End the present child. A zygote that does not answer is killed with all it holds."""
        body = json.dumps({"do": "reap", "grace_s": grace_s}).encode()
        try:
            self._control.sendall(_LENGTH.pack(len(body)) + body)
            found = self._read()
        except (OSError, BacktestError) as error:
            self.close()
            raise BacktestError(f"The sandbox's process is gone: {error}") from error
        if not found.pop("clean"):
            # Something in its /tmp could not be removed; the next one gets a new one.
            self.close()
        return Ending(**found)

    def close(self) -> None:
        """Kill it and everything it started."""
        self._finalizer()

    def _read(self) -> dict[str, Any]:
        data = b""
        while len(data) < 4 or len(data) < 4 + _LENGTH.unpack_from(data)[0]:
            more = self._control.recv(1 << 16)
            if not more:
                raise BacktestError(f"it ended: {self._last_words()}")
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


def _missing(told: dict[str, Any]) -> tuple[str, ...]:
    return tuple(wall for wall in WALLS if wall not in told["walls"])


def _compile(root: Root) -> None:
    """Compiled files of ours, for what is imported in a read-only root could not keep them."""
    import py_compile
    from importlib.util import cache_from_source

    for folder in root.shown:
        for source in Path(folder).rglob("*.py") if folder.startswith(str(_HERE.parent)) else ():
            made = Path(cache_from_source(str(source)))
            with suppress(OSError, py_compile.PyCompileError):
                if not _is_usable(made, source):
                    made.unlink(missing_ok=True)
                    py_compile.compile(str(source), doraise=True)
                    made.parent.chmod(source.parent.stat().st_mode)


def _is_usable(made: Path, source: Path) -> bool:
    """Whether a compiled file is there, newer, and readable to whoever may read the source."""
    if not made.exists():
        return False
    new, old = made.stat(), source.stat()
    alike = all(
        (one.st_mode ^ other.st_mode) & 0o055 == 0
        for one, other in ((new, old), (made.parent.stat(), source.parent.stat()))
    )
    return new.st_mtime >= old.st_mtime and alike


def _close(control: socket.socket, process: subprocess.Popen[bytes], folder: str | None) -> None:
    control.close()
    with suppress(OSError):
        # Its own session: this reaches the outer process, whose death takes process 1 along.
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stderr is not None:
        process.stderr.close()
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
