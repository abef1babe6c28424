"""Run in a strategy's place: try each wall from the inside and tell what came of it, as JSON.

Standard library only; it sees what a strategy sees.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import socket
import struct
from collections.abc import Callable
from typing import Any

_PR_GET_NO_NEW_PRIVS, _PR_GET_SECCOMP = 39, 21
_SECRETS = ("/etc/passwd", "/etc/shadow", "/home", "/root/.ssh", "/proc/1/environ", "/sys/kernel")


def _outcome(attempt: Callable[[], Any]) -> str:
    """The name of the error that an attempt meets, empty where it succeeds."""
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    return ""


def _call(name: str, *arguments: int) -> Callable[[], None]:
    libc = ctypes.CDLL(None, use_errno=True)

    def attempt() -> None:
        if getattr(libc, name)(*arguments) < 0:
            raise OSError(ctypes.get_errno(), name)

    return attempt


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _write() -> None:
    os.mkdir("/qc-lora-probe")  # noqa: PTH102
    # Where there is no wall, nothing of this is to be left.
    os.rmdir("/qc-lora-probe")  # noqa: PTH106


def facts() -> dict[str, Any]:
    """What there is, and what each way out answers."""
    libc = ctypes.CDLL(None)
    space = os.statvfs(".")
    return {
        "user": os.getuid(),
        "process": os.getpid(),
        "parent": os.getppid(),
        "host": os.uname().nodename,
        "folder": os.getcwd(),  # noqa: PTH109
        "root": sorted(os.listdir("/")),  # noqa: PTH208
        "readable": [path for path in _SECRETS if os.path.exists(path)],  # noqa: PTH110
        "variables": len(os.environ),
        "tmp_mb": space.f_frsize * space.f_blocks >> 20,
        "tmp_files": space.f_files,
        "no_new_privileges": libc.prctl(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
        "seccomp": libc.prctl(_PR_GET_SECCOMP, 0, 0, 0, 0),
        "cpu_s": resource.getrlimit(resource.RLIMIT_CPU)[0],
        "threads": resource.getrlimit(resource.RLIMIT_NPROC)[0],
        "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "file_mb": resource.getrlimit(resource.RLIMIT_FSIZE)[0] >> 20,
        "attempts": {
            "write to /": _outcome(_write),
            "be root": _outcome(lambda: os.setuid(0)),
            "fork": _outcome(_fork),
            "start a program": _outcome(lambda: os.execv("/bin/true", ["true"])),
            "a socket": _outcome(lambda: socket.socket().close()),
            "namespaces": _outcome(_call("unshare", 0x10000000)),
            "shared memory": _outcome(_call("shmget", 0, 4096, 0o1600)),
            "trace a process": _outcome(_call("ptrace", 16, 1, 0, 0)),
        },
    }


def main(connection: socket.socket) -> None:
    """Say the facts and end."""
    body = json.dumps(facts()).encode()
    connection.sendall(struct.pack("<I", len(body)) + body)
