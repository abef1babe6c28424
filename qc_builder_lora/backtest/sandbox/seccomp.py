"""Which system calls a strategy's process is left: a filter of our own, for x86_64 and aarch64.

An allow-list. What CPython, numpy and pandas call is known and short; what a kernel may offer one
day is not, and a deny-list is open to each new call until somebody thinks of it. So there is no
second process (fork, exec), no socket but the inherited one, no ptrace, mount, namespace, keyring,
bpf, perf, io_uring or shared memory that outlives it. What is refused answers EPERM, so that a
strategy fails with its line; what the kernel has got since answers ENOSYS, which the C library
takes for an older kernel. A call of another architecture's table kills.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import struct
from collections.abc import Callable

from . import syscalls

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_KILL, _ALLOW, _ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
# Classic BPF: load a word, compare, mask, return.
_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_NUMBER, _ARCHITECTURE = 0, 4
_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
_NEWEST = 470
"""Numbers from here on are calls that nobody had when this was written."""

# CLONE_VM | CLONE_SIGHAND | CLONE_THREAD make a thread; the others are the CLONE_NEW* flags.
_THREAD = 0x00000100 | 0x00000800 | 0x00010000
_NAMESPACES = 0x7E020000 | 0x00000080

Step = tuple[int, int, int, int]


def _argument(index: int) -> Step:
    # The low half: every argument judged here is an int to the kernel.
    return (_LOAD, 0, 0, 16 + 8 * index)


def _answer(value: int) -> Step:
    return (_RETURN, 0, 0, value)


_REFUSED = _answer(_ERRNO | errno.EPERM)
_GRANTED = _answer(_ALLOW)


def _one_of(index: int, values: tuple[int, ...]) -> list[Step]:
    steps = [_argument(index)]
    for value in values:
        steps += [(_EQUAL, 0, 1, value), _GRANTED]
    return [*steps, _REFUSED]


def _not(index: int, value: int) -> list[Step]:
    return [_argument(index), (_EQUAL, 0, 1, value), _REFUSED, _GRANTED]


_F_DUP_FLAGS_LOCKS = (0, 1, 2, 3, 4, 5, 6, 7, 1030)
"""dup, close-on-exec, flags and record locks; not F_SETSIG and F_SETOWN, which send signals."""
_IOCTLS = (0x5401, 0x5413, 0x5421, 0x541B, 0x5450, 0x5451)
"""isatty, window size, FIONBIO, FIONREAD, close-on-exec off and on."""
_PRCTLS = (3, 15, 16, 21, 39)
"""The thread's name, and asking about dumpable, seccomp and no_new_privs."""

_CONDITIONS: dict[str, list[Step]] = {
    "clone": [
        _argument(0), (_AND, 0, 0, _THREAD | _NAMESPACES), (_EQUAL, 0, 1, _THREAD), _GRANTED,
        _REFUSED,
    ],
    # Its flags lie in memory, where a filter cannot look; the C library falls back to clone.
    "clone3": [_answer(_ERRNO | errno.ENOSYS)],
    "fcntl": _one_of(1, _F_DUP_FLAGS_LOCKS),
    "ioctl": _one_of(1, _IOCTLS),
    "prctl": _one_of(0, _PRCTLS),
    # Its own limits, not those of the process it was forked from.
    "prlimit64": _one_of(0, (0,)),
    "socketpair": _one_of(0, (1,)),
    # SIGKILL then always comes from us or from the host, never from the strategy itself.
    "kill": _not(1, signal.SIGKILL),
    "tkill": _not(1, signal.SIGKILL),
    "tgkill": _not(2, signal.SIGKILL),
}  # fmt: skip


def program(machine: str) -> list[Step]:
    """The filter as BPF steps; KeyError for a machine whose calls we do not know."""
    steps: list[Step] = [
        (_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, _AUDIT[machine]), _answer(_KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]  # fmt: skip
    if machine == "x86_64":
        steps += [(_AT_LEAST, 0, 1, _X32), _answer(_KILL)]
    for number in syscalls.free(machine).values():
        steps += [(_EQUAL, 0, 1, number), _GRANTED]
    for name, number in syscalls.conditional(machine).items():
        steps += [(_EQUAL, 0, len(_CONDITIONS[name]), number), *_CONDITIONS[name]]
    return [*steps, (_AT_LEAST, 0, 1, _NEWEST), _answer(_ERRNO | errno.ENOSYS), _REFUSED]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def supported() -> str:
    """Empty where the filter can be had, else the reason."""
    if platform.machine() not in _AUDIT:
        return f"no list of system calls for {platform.machine()}"
    libc = ctypes.CDLL(None, use_errno=True)
    # With no program the kernel says EFAULT where it knows filters, EINVAL where it does not.
    libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, None, 0, 0)
    code = ctypes.get_errno()
    return "" if code == errno.EFAULT else f"prctl(PR_SET_SECCOMP): {os.strerror(code)}"


def prepare() -> Callable[[], None]:
    """The filter, ready to be put on by one call after a fork; it cannot be taken off again."""
    steps = program(platform.machine())
    packed = b"".join(struct.pack("<HBBI", *step) for step in steps)
    filter_ = _Program(len(steps), packed)
    libc = ctypes.CDLL(None, use_errno=True)

    def put_on() -> None:
        if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filter_), 0, 0) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"prctl(PR_SET_SECCOMP): {os.strerror(code)}")

    return put_on
