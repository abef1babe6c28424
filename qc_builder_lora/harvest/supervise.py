"""Wait for a child process as if it were this one: signals go on to it, its exit code comes back.

Ctrl-C on a terminal reaches the child by itself, so only signals that another process sent to us
alone are passed on.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Any

_PASSED_ON = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
)
_LONGEST_WAIT_S = 1.0


def supervise(command: Sequence[str], instead: Sequence[str]) -> int:
    """The exit code of `command`, negative if a signal ended it.

    If it cannot be started at all, this process becomes `instead` and does not return.
    """
    early: list[int] = []
    before = _catch(early)
    try:
        # Whatever descriptors the host would inherit from a plain `python SCRIPT`, it inherits.
        child = subprocess.Popen(command, close_fds=False)
    except OSError:
        os.execv(instead[0], list(instead))
    try:
        return _wait(child, early)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _catch(early: list[int]) -> dict[int, Any]:
    # Caught, not ignored: what is ignored would stay ignored in the child. What is ignored already
    # (`nohup`) must stay so, for the same reason.
    return {
        number: signal.signal(number, lambda got, _: early.append(got))
        for number in _PASSED_ON
        if signal.getsignal(number) is not signal.SIG_IGN
    }


def _wait(child: subprocess.Popen[bytes], early: list[int]) -> int:
    watched = {n for n in _PASSED_ON if signal.getsignal(n) is not signal.SIG_IGN} | {
        signal.SIGCHLD
    }
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    try:
        for number in early:
            if number not in (signal.SIGINT, signal.SIGQUIT):
                child.send_signal(number)
        while child.poll() is None:
            # The time limit is for a SIGCHLD that came before it was blocked.
            came = signal.sigtimedwait(watched, _LONGEST_WAIT_S)
            if came is not None and came.si_signo != signal.SIGCHLD and came.si_pid:
                child.send_signal(came.si_signo)
        return child.returncode
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def leave_as(code: int) -> None:
    """End this process as the child ended: by the same signal, where there was one."""
    if code < 0:
        # Nobody can set what SIGKILL does (a builder that ran out of memory ends by it).
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
