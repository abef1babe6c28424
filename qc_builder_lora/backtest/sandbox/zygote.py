"""The process that holds the surface ready and forks one jailed child a backtest.

Started as `python -s -P -S zygote.py FD JSON`, with an environment of ours, so that nothing of the
user's is on its path. It goes behind the walls, or has been put there by bubblewrap, and is
process 1 of a process namespace of its own: what a strategy leaves running is killed with
`kill(-1)`, and nothing inside can signal anything outside. It says which walls stand; `launch` is
the judge, and sends it no strategy where one is missing that was not waived.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import struct
import sys
import time
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - before any import
sys.path.insert(0, os.path.dirname(_HERE))  # noqa: PTH120
from sandbox import kernel, mounts, seccomp  # type: ignore[import-not-found] # noqa: E402

_LENGTH = struct.Struct("<I")
_NAMESPACES = ("user", "mount", "pid", "net", "ipc", "uts")


class Walls:
    """Which stand, and why others do not."""

    def __init__(self) -> None:
        self.standing: list[str] = []
        self.why: list[str] = []
        self.extra: list[str] = []
        """Those that are not asked for everywhere."""

    def lost(self, error: OSError) -> None:
        self.why.append(str(error.args[1] if len(error.args) > 1 else error))


# Going behind the walls.


def leave_namespaces(walls: Walls, setup: dict[str, Any]) -> None:
    """Unshare what can be; where all of it cannot, less of it only if that was allowed."""
    uid, gid = os.getuid(), os.getgid()
    others = tuple(name for name in _NAMESPACES if name != "user")
    # As root the user namespace comes later, when we are nobody.
    wanted = [others if setup["as_root"] else _NAMESPACES]
    if setup["allow_open"]:
        wanted += [tuple(n for n in _NAMESPACES if n != "mount"), ("user", "net")]
    for names in wanted:
        try:
            kernel.unshare(names)
        except OSError as error:
            walls.lost(error)
            continue
        walls.standing += names
        if "user" in names:
            kernel.be_nobody_inside(uid, gid)
        break
    if walls.standing:
        with contextlib.suppress(OSError):
            kernel.unshare(("cgroup",))
            walls.extra.append("cgroup")


def enter_root(walls: Walls, setup: dict[str, Any]) -> None:
    """Our own root, in the mount namespace that we have."""
    with contextlib.suppress(OSError):
        socket.sethostname("sandbox")
    try:
        mounts.enter(setup["root"])
    except OSError as error:
        walls.lost(error)
        walls.standing.remove("mount")
        with contextlib.suppress(OSError):
            os.chdir("/")


def behind_bubblewrap(walls: Walls, setup: dict[str, Any]) -> None:
    """bwrap has made the namespaces and the root, or we would not be here."""
    walls.standing += [name for name in _NAMESPACES if name != "user" or not setup["as_root"]]
    if setup["cgroup"]:
        walls.extra.append("cgroup")
    try:
        mounts.scratch(setup["root"])
    except OSError:
        # Its own /tmp is bounded in size, though not in the number of files.
        walls.extra.append("unbounded files")


def give_up_powers(walls: Walls, setup: dict[str, Any]) -> None:
    """Be nobody, with nothing that this process or a later one could be more by."""
    if setup["as_root"] and "mount" in walls.standing:
        kernel.become_nobody()
        try:
            kernel.unshare(("user",))
            walls.standing.append("user")
        except OSError as error:
            walls.lost(error)
    kernel.drop_capabilities()
    kernel.no_new_privileges()
    kernel.undumpable()
    # The changes of identity have taken it back.
    kernel.die_with_parent()
    reason = seccomp.supported()
    if reason:
        walls.why.append(reason)
    else:
        walls.standing.append("seccomp")


def fork_inside() -> None:
    """Become process 1 of the new process namespace; what stays outside only waits for it."""
    inner = os.fork()
    if inner == 0:
        kernel.die_with_parent()
        return
    kernel.die_with_parent()
    os.closerange(3, 256)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.waitpid(inner, 0)
    os._exit(0)


# Serving.


def _send(control: socket.socket, message: object) -> None:
    body = json.dumps(message).encode()
    control.sendall(_LENGTH.pack(len(body)) + body)


def _receive(control: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """One order and the descriptors that came with it; EOFError when the parent has gone."""
    data, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 4)
    if not data:
        raise EOFError
    size = _LENGTH.unpack_from(data)[0]
    while len(data) < 4 + size:
        more = control.recv(1 << 16)
        if not more:
            raise EOFError
        data += more
    found: dict[str, Any] = json.loads(data[4:])
    return found, list(descriptors)


class Server:
    """Forks for every order until the parent closes the control channel."""

    def __init__(self, control: socket.socket, setup: dict[str, Any], walls: Walls) -> None:
        self._control = control
        self._module = setup["module"]
        own_root = "mount" in walls.standing
        self._folder = setup["root"]["scratch"] if own_root else setup["folder"]
        self._own_ids = "pid" in walls.standing
        self._filter = seccomp.prepare() if "seccomp" in walls.standing else lambda: None
        self._pid = 0

    def serve(self) -> None:
        """Until the end."""
        # Waited for with a time limit in `_wait`.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        while True:
            try:
                order, descriptors = _receive(self._control)
            except (EOFError, OSError):
                break
            if order["do"] == "fork":
                self._fork(order, *descriptors)
            else:
                _send(self._control, self._reap(float(order["grace_s"])))
        self._kill()

    def _fork(self, order: dict[str, Any], channel: int, output: int) -> None:
        self._pid = os.fork()
        if self._pid == 0:
            self._control.close()
            try:
                self._become_strategy(order, channel, output)
            except BaseException:  # noqa: BLE001 - told in its output, and by its exit code
                sys.excepthook(*sys.exc_info())
                os._exit(70)
            os._exit(0)
        os.close(channel)
        os.close(output)
        _send(self._control, {"pid": self._pid})

    def _become_strategy(self, order: dict[str, Any], channel: int, output: int) -> None:
        """Own session, limits, the filter, and nothing inherited but the channel."""
        os.setsid()
        os.dup2(output, 1)
        os.dup2(output, 2)
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(channel, 3)
        os.closerange(4, 4096)
        os.environ.clear()
        os.chdir(self._folder)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        kernel.limit(int(order["memory_mb"]), float(order["cpu_s"]))
        for name in [item for item in sys.modules if item.partition(".")[0] == "sandbox"]:
            del sys.modules[name]
        # Where bubblewrap made the root it lies there, for it was started from there.
        sys.modules["sandbox"] = None  # type: ignore[assignment]
        module = importlib.import_module(self._module)
        connection = socket.socket(fileno=3)
        self._filter()
        _send(connection, ["up"])
        module.main(connection)

    def _reap(self, grace_s: float) -> dict[str, Any]:
        """How the child ended, by itself within the grace or by our hand; nothing of it is left."""
        ended = self._wait(grace_s)
        killed = ended is None
        self._kill()
        if ended is None:
            ended = self._wait(None)
        self._collect()
        raw, usage = ended if ended is not None else (0, None)
        signalled = os.WIFSIGNALED(raw)
        return {
            "signal": os.WTERMSIG(raw) if signalled else None,
            "code": None if signalled else os.WEXITSTATUS(raw),
            "killed": killed,
            "cpu_s": usage.ru_utime + usage.ru_stime if usage else 0.0,
            "clean": self._wipe(),
        }

    def _wait(self, limit_s: float | None) -> tuple[int, Any] | None:
        deadline = None if limit_s is None else time.monotonic() + limit_s
        while True:
            try:
                found, raw, usage = os.wait4(self._pid, os.WNOHANG)
            except ChildProcessError:
                return 0, None
            if found == self._pid:
                return raw, usage
            left = 1.0 if deadline is None else deadline - time.monotonic()
            if left <= 0:
                return None
            signal.sigtimedwait({signal.SIGCHLD}, left)

    def _kill(self) -> None:
        """All that a strategy has left: as process 1 of our own namespace -1 is all but us."""
        for kill, who in ((os.killpg, self._pid), (os.kill, self._pid)):
            if self._pid:
                with contextlib.suppress(OSError):
                    kill(who, signal.SIGKILL)
        if self._own_ids:
            with contextlib.suppress(OSError):
                os.kill(-1, signal.SIGKILL)

    def _collect(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, 0 if self._own_ids else os.WNOHANG)[0]:
                continue

    def _wipe(self) -> bool:
        """Empty the working folder; False where that cannot be done."""
        with contextlib.suppress(OSError):
            _empty(os.fsencode(self._folder))
            return True
        return False


def _empty(top: bytes) -> None:
    """Remove all that is in a folder, however deep, whatever it is called: no recursion."""
    number = 0
    while names := os.listdir(top):  # noqa: PTH208
        for name in names:
            path = os.path.join(top, name)  # noqa: PTH118
            if not os.path.isdir(path) or os.path.islink(path):  # noqa: PTH112, PTH114
                os.unlink(path)  # noqa: PTH108
                continue
            os.chmod(path, 0o700)  # noqa: PTH101
            for inner in os.listdir(path):  # noqa: PTH208
                number += 1
                # Up to where a path is short again.
                os.rename(os.path.join(path, inner), os.path.join(top, b".%d" % number))  # noqa: PTH104, PTH118
            os.rmdir(path)  # noqa: PTH106


def _preload(setup: dict[str, Any]) -> None:
    """Import the surface, and libraries that most strategies of a kind want and may be missing."""
    importlib.import_module(setup["module"])
    folders = setup["folders"]
    sys.path.extend(folders)
    for name in setup["libraries"]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # A strategy finds no more of those folders than the surface lets in.
    del sys.path[len(sys.path) - len(folders) :]


def main() -> None:
    """Go behind the walls, import what was asked for, serve."""
    control = socket.socket(fileno=int(sys.argv[1]))
    setup = json.loads(sys.argv[2])
    kernel.die_with_parent()
    os.umask(0o077)
    sys.path[:] = [*setup["paths"], *(item for item in sys.path if item != os.path.dirname(_HERE))]  # noqa: PTH120
    walls = Walls()
    if setup["by"] == "bubblewrap":
        behind_bubblewrap(walls, setup)
    else:
        leave_namespaces(walls, setup)
        if "pid" in walls.standing:
            fork_inside()
        if "mount" in walls.standing:
            enter_root(walls, setup)
            importlib.invalidate_caches()
    give_up_powers(walls, setup)
    # Behind the walls: some libraries start threads, and then there is no user namespace any more.
    _preload(setup)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _send(control, {"walls": walls.standing, "extra": walls.extra, "why": walls.why})
    Server(control, setup, walls).serve()
    os._exit(0)


if __name__ == "__main__":
    main()
