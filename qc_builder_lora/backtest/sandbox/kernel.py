"""The kernel's calls that wall a process in; standard library only, for it runs inside the jail.

Nothing here is let pass quietly: a limit that cannot be set is an error, and a namespace that
cannot be left is told to the caller.
"""

from __future__ import annotations

import ctypes
import os
import resource

_LIBC = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
_PR_SET_DUMPABLE = 4
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38

WALLS = ("user", "net", "ipc", "uts", "pid")
"""The namespaces of the machine that a strategy is outside of."""


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, value, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl({option}): {os.strerror(code)}")


def die_with_parent() -> None:
    """Be killed when the process that started this one ends, however it ends."""
    _prctl(_PR_SET_PDEATHSIG, 9)


def no_new_privileges() -> None:
    """Make set-uid programs ordinary ones, for this process and all after it."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def undumpable() -> None:
    """Leave no core file, and let no other process trace this one."""
    _prctl(_PR_SET_DUMPABLE, 0)


def unshare() -> tuple[tuple[str, ...], str]:
    """Leave the machine's namespaces; which of WALLS stand now, and why the others do not.

    The next fork is process 1 of its own where `pid` stands. Without a user namespace an ordinary
    user may make no other.
    """
    uid, gid = os.getuid(), os.getgid()
    wanted = (
        (WALLS, CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID),
        (("user", "net"), CLONE_NEWUSER | CLONE_NEWNET),
    )
    why = ""
    for names, flags in wanted:
        if _LIBC.unshare(flags) == 0:
            _map_ids(uid, gid)
            return names, why
        why = why or f"unshare({', '.join(names)}): {os.strerror(ctypes.get_errno())}"
    return (), why


def _map_ids(uid: int, gid: int) -> None:
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"),
                       ("gid_map", f"{gid} {gid} 1")):  # fmt: skip
        try:
            with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 - pathlib is not loaded here
                file.write(text)
        except OSError:
            continue


def limit(memory_mb: int, cpu_s: float, file_mb: int = 16, descriptors: int = 64) -> None:
    """Bound address space, CPU seconds, file size and descriptors, with no way back up."""
    cpu = max(1, int(cpu_s + 0.999))
    wanted = (
        (resource.RLIMIT_AS, memory_mb << 20),
        (resource.RLIMIT_FSIZE, file_mb << 20),
        (resource.RLIMIT_NOFILE, descriptors),
        (resource.RLIMIT_CORE, 0),
    )
    # The soft limit says SIGXCPU, by which we know; a second later the hard one kills.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    for kind, value in wanted:
        _, hard = resource.getrlimit(kind)
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))
