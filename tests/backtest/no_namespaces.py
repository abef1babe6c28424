"""Run Python where the kernel refuses namespaces, as Docker's default profile does.

    python no_namespaces.py -c 'print("in the open")'

A seccomp filter answers `unshare`, `mount` and a `clone` into namespaces with EPERM, for this
process and all after it; no right is needed to install it, and it cannot be taken off again.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

# unshare, mount, clone, clone3
_CALLS = {"x86_64": (272, 165, 56, 435), "aarch64": (97, 40, 220, 435)}
_NAMESPACES = 0x7E020000
_PR_SET_SECCOMP, _FILTER, _PR_SET_NO_NEW_PRIVS = 22, 2, 38
_LOAD, _EQUAL, _ANY_OF, _RETURN = 0x20, 0x15, 0x45, 0x06
_EPERM, _ENOSYS, _ALLOW = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS, 0x7FFF0000
_NUMBER, _FIRST_ARGUMENT = 0, 16


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def refuse_namespaces() -> None:
    unshare, mount, clone, clone3 = _CALLS[platform.machine()]
    steps = [
        (_LOAD, 0, 0, _NUMBER),
        (_EQUAL, 0, 1, unshare), (_RETURN, 0, 0, _EPERM),
        (_EQUAL, 0, 1, mount), (_RETURN, 0, 0, _EPERM),
        (_EQUAL, 0, 1, clone3), (_RETURN, 0, 0, _ENOSYS),
        (_EQUAL, 0, 3, clone), (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_ANY_OF, 0, 1, _NAMESPACES), (_RETURN, 0, 0, _EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]  # fmt: skip
    packed = b"".join(struct.pack("<HBBI", *step) for step in steps)
    libc = ctypes.CDLL(None, use_errno=True)
    program = ctypes.byref(_Program(len(steps), packed))
    for call in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (_PR_SET_SECCOMP, _FILTER, program, 0, 0)):
        if libc.prctl(*call) != 0:
            raise OSError(ctypes.get_errno(), f"prctl({call[0]})")


if __name__ == "__main__":
    refuse_namespaces()
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
