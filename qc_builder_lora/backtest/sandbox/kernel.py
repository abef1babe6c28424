"""The kernel's calls that wall a process in; standard library only, for it runs inside the jail.

Each is tried where it is allowed: a machine that forbids user namespaces still gets limits, an
empty environment and a kill of the whole group.
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


def _prctl(option: int, value: int) -> None:
    _LIBC.prctl(option, value, 0, 0, 0)


def die_with_parent() -> None:
    """Be killed when the process that started this one ends, however it ends."""
    _prctl(_PR_SET_PDEATHSIG, 9)


def no_new_privileges() -> None:
    """Make set-uid programs ordinary ones, for this process and all after it."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def undumpable() -> None:
    """Leave no core file, and let no other process trace this one."""
    _prctl(_PR_SET_DUMPABLE, 0)


def unshare() -> tuple[str, ...]:
    """Leave the machine's namespaces; which ones could be left.

    User and network together, or neither: without a user namespace an ordinary user may make no
    other. Process ids come with them where they can; the next fork is then process 1.
    """
    uid, gid = os.getuid(), os.getgid()
    wanted = (
        (("user", "net", "ipc", "uts", "pid"),
         CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID),
        (("user", "net"), CLONE_NEWUSER | CLONE_NEWNET),
    )  # fmt: skip
    for names, flags in wanted:
        if _LIBC.unshare(flags) == 0:
            _map_ids(uid, gid)
            return names
    return ()


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
