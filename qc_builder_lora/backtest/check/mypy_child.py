"""Run mypy under limits of memory and CPU, ended when its parent ends.

    python -P -m qc_builder_lora.backtest.check.mypy_child MEGABYTES SECONDS MYPY-ARGUMENT…

mypy never executes the code it reads; the limits are for code that is made to keep it busy.
"""

from __future__ import annotations

import ctypes
import resource
import runpy
import signal
import sys

_NONE = resource.RLIM_INFINITY
_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, linux/prctl.h


def bound(megabytes: int, seconds: int) -> None:
    """Limit this process's address space and CPU time, and tie its life to its parent's."""
    for what, wanted in (
        (resource.RLIMIT_AS, megabytes * 1024 * 1024),
        (resource.RLIMIT_CPU, seconds),
    ):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (wanted if hard == _NONE else min(wanted, hard), hard))
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)


if __name__ == "__main__":
    bound(int(sys.argv[1]), int(sys.argv[2]))
    sys.argv = ["mypy", *sys.argv[3:]]
    runpy.run_module("mypy", run_name="__main__", alter_sys=True)
