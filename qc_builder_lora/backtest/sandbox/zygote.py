"""The process that holds the surface ready and forks one jailed child a backtest.

Started as `python -I -S zygote.py FD JSON`, so that nothing of the user's environment is on its
path. It runs as process 1 of a process namespace of its own: what a strategy leaves running is
killed with `kill(-1)`, and nothing inside can signal anything outside. It says which walls stand;
`launch` is the judge, and sends it no strategy where one is missing that was not waived.
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

HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - before any import
sys.path.insert(0, HERE)
import kernel  # type: ignore[import-not-found] # noqa: E402

_LENGTH = struct.Struct("<I")


def _send(control: socket.socket, message: object) -> None:
    body = json.dumps(message).encode()
    control.sendall(_LENGTH.pack(len(body)) + body)


def _receive(control: socket.socket) -> tuple[dict[str, object], list[int]]:
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
    found: dict[str, object] = json.loads(data[4:])
    return found, list(descriptors)


def _child(order: dict[str, object], channel: int, output: int) -> None:
    """Become the strategy's process: own session, limits, nothing inherited but the channel."""
    os.setsid()
    os.dup2(output, 1)
    os.dup2(output, 2)
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(channel, 3)
    os.closerange(4, 4096)
    os.environ.clear()
    os.chdir(str(order["folder"]))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    kernel.no_new_privileges()
    kernel.undumpable()
    kernel.limit(int(str(order["memory_mb"])), float(str(order["cpu_s"])))
    with socket.socket(fileno=3) as connection:
        module = importlib.import_module(str(order["module"]))
        module.main(connection)


def _status(raw: int) -> dict[str, int | None]:
    if os.WIFSIGNALED(raw):
        return {"signal": os.WTERMSIG(raw), "code": None}
    return {"signal": None, "code": os.WEXITSTATUS(raw)}


def _kill_leftovers(own_ids: bool, pid: int) -> None:
    """Kill whatever the strategy left running."""
    with contextlib.suppress(OSError):
        # As process 1 of our own namespace -1 is everything but ourselves; elsewhere the group.
        os.kill(-1, signal.SIGKILL) if own_ids else os.killpg(pid, signal.SIGKILL)
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0 and not own_ids:
                return
        except ChildProcessError:
            return


def serve(control: socket.socket, own_ids: bool) -> None:
    """Fork for every order until the parent closes the control channel."""
    pid = 0
    while True:
        try:
            order, descriptors = _receive(control)
        except (EOFError, OSError):
            break
        if order["do"] == "fork":
            channel, output = descriptors
            pid = os.fork()
            if pid == 0:
                control.close()
                try:
                    _child(order, channel, output)
                except BaseException:  # noqa: BLE001 - told in its output, and by its exit code
                    sys.excepthook(*sys.exc_info())
                    os._exit(70)
                os._exit(0)
            os.close(channel)
            os.close(output)
            _send(control, {"pid": pid})
        elif order["do"] == "reap":
            if order["kill"]:
                _kill_now(pid)
            found = _wait(pid)
            _kill_leftovers(own_ids, pid)
            _send(control, found)
    _kill_leftovers(own_ids, pid)


def _kill_now(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except OSError:
            continue


def _wait(pid: int) -> dict[str, int | None]:
    while True:
        try:
            found, raw = os.waitpid(pid, 0)
        except ChildProcessError:
            return {"signal": None, "code": None}
        if found == pid:
            return _status(raw)


def _preload(libraries: list[str], folders: list[str]) -> None:
    """Import libraries that most strategies of a kind want; one that is not there is left out."""
    sys.path.extend(folders)
    for name in libraries:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # A strategy finds no more of those folders than the surface lets in.
    del sys.path[len(sys.path) - len(folders) :]


def main() -> None:
    """Set up the namespaces, import what was asked for, serve."""
    control = socket.socket(fileno=int(sys.argv[1]))
    setup = json.loads(sys.argv[2])
    kernel.die_with_parent()
    os.umask(0o077)
    sys.path[:] = [*setup["paths"], *(item for item in sys.path if item != HERE)]
    importlib.import_module(setup["module"])
    _preload(setup["libraries"], setup["folders"])
    walls, why = kernel.unshare()
    own_ids = "pid" in walls
    if own_ids:
        inner = os.fork()
        if inner:
            # Outside: only wait, so that process 1 has a parent to be reaped by.
            control.close()
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            os.waitpid(inner, 0)
            os._exit(0)
        kernel.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _send(control, {"walls": list(walls), "why": why})
    serve(control, own_ids)
    os._exit(0)


if __name__ == "__main__":
    main()
