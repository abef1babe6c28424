"""The kernel's calls that wall a process in; standard library only, for it runs inside the jail.

Nothing here is let pass quietly: a limit that cannot be set is an error, and a namespace that
cannot be left is told to the caller.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import resource

_LIBC = ctypes.CDLL(None, use_errno=True)

_NAMESPACES = {
    "user": 0x10000000, "mount": 0x00020000, "pid": 0x20000000, "net": 0x40000000,
    "ipc": 0x08000000, "uts": 0x04000000, "cgroup": 0x02000000,
}  # fmt: skip
WALLS = ("user", "mount", "pid", "net", "ipc", "uts", "seccomp")
"""What must stand before a strategy runs. The first six are namespaces, `mount` with a root of
its own in it. Besides, and nowhere refused: no_new_privs, no capability, limits, no environment;
and a cgroup namespace where the kernel has it."""
NOBODY = 65534
_PR_SET_DUMPABLE, _PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 4, 1, 38
_PR_CAPBSET_DROP, _PR_CAP_AMBIENT, _CLEAR_ALL = 24, 47, 4
_CAPABILITIES = 64
SYS_ADMIN = 21


def failed(what: str) -> OSError:
    """The error that the last call of the C library left."""
    code = ctypes.get_errno()
    return OSError(code, f"{what}: {os.strerror(code)}")


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, value, 0, 0, 0) != 0:
        raise failed(f"prctl({option})")


def die_with_parent() -> None:
    """Be killed when the process that started this one ends, however it ends.

    To be said again after each change of identity, which takes it back.
    """
    _prctl(_PR_SET_PDEATHSIG, 9)


def no_new_privileges() -> None:
    """Make set-uid programs ordinary ones, for this process and all after it."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def undumpable() -> None:
    """Leave no core file, and let no other process of the same user trace this one."""
    _prctl(_PR_SET_DUMPABLE, 0)


def unshare(names: tuple[str, ...]) -> None:
    """Leave the machine's namespaces of those kinds; OSError where the kernel refuses.

    The next fork is process 1 of its own where `pid` is among them.
    """
    flags = sum(_NAMESPACES[name] for name in names)
    if _LIBC.unshare(flags) != 0:
        raise failed(f"unshare({', '.join(names)})")


def be_nobody_inside(uid: int, gid: int) -> None:
    """Map the user and group that we are outside to nobody inside; after unshare of `user`."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"{NOBODY} {uid} 1"),
                       ("gid_map", f"{NOBODY} {gid} 1")):  # fmt: skip
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 - pathlib is not loaded here
            file.write(text)


def become_nobody() -> None:
    """As root: be nobody outside as well, so that limits per user hold and no file is ours."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def _header() -> object:
    # Version 3: two words of 32 bits for each set.
    return ctypes.byref(_Header(0x20080522, 0))


def may(capability: int) -> bool:
    """Whether this process has a capability in effect, in its own user namespace."""
    sets = (ctypes.c_uint32 * 6)()
    if _LIBC.capget(_header(), sets) != 0:
        raise failed("capget")
    return bool(sets[3 * (capability // 32)] >> (capability % 32) & 1)


def drop_capabilities() -> None:
    """Have none, and get none back."""
    for capability in range(_CAPABILITIES):
        # EINVAL ends the list of a kernel, EPERM is the answer to who had none.
        if _LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break
    _LIBC.prctl(_PR_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    if _LIBC.capset(_header(), (ctypes.c_uint32 * 6)()) != 0:
        raise failed("capset")


def _has_room(size: int) -> bool:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size, hard))
    try:
        mmap.mmap(-1, mmap.PAGESIZE).close()
    except OSError:
        return False
    return True


def address_space() -> int:
    """Bytes of address space in use, found by asking for a page under ever closer limits.

    /proc would say it too, but there is none in the jail.
    """
    kept = resource.getrlimit(resource.RLIMIT_AS)
    low, high = 0, 1 << 47 if kept[1] == resource.RLIM_INFINITY else kept[1]
    while high - low > 1 << 20:
        middle = (low + high) // 2
        low, high = (low, middle) if _has_room(middle) else (middle, high)
    resource.setrlimit(resource.RLIMIT_AS, kept)
    return high


def limit(
    memory_mb: int, cpu_s: float, file_mb: int = 16, descriptors: int = 64, threads: int = 64
) -> None:
    """Bound memory, CPU seconds, file size, descriptors and threads, with no way back up.

    `memory_mb` comes on top of what the process has from its warm start: a limit below that would
    fail every strategy alike, and not through its fault.
    """
    cpu = max(1, int(cpu_s + 0.999))
    wanted = (
        (resource.RLIMIT_AS, address_space() + (memory_mb << 20)),
        (resource.RLIMIT_FSIZE, file_mb << 20),
        (resource.RLIMIT_NOFILE, descriptors),
        (resource.RLIMIT_NPROC, threads),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_CORE, 0),
    )
    # The soft limit says SIGXCPU, which a strategy may ignore; a second later the hard one kills.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    for kind, value in wanted:
        _, hard = resource.getrlimit(kind)
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))
