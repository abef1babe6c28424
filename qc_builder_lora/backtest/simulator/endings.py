"""How a strategy's process ended, as a reason; and whose fault it was.

What the host did to it says nothing about the strategy: that is a BacktestError, tried again a few
times, and then an unknown. The walls keep the two apart: a strategy's process cannot send SIGKILL,
and none of its code runs before the process has said `up`.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from qc_builder_lora.backtest.protocol import BacktestResult, Limits
from qc_builder_lora.backtest.sandbox.launch import Child, Ending
from qc_builder_lora.errors import BacktestError, SandboxUnavailable
from qc_builder_lora.log import get_logger

PAUSES_S = (0.2, 1.0)
"""Waited before the second and the third try."""
GRACE_S = 1.0
"""For a process that has hung up to end by itself, so that we can say how."""

log = get_logger(__name__)


def died(child: Child, ending: Ending, limits: Limits) -> str:
    """Why a strategy's process is gone; BacktestError where it was not its own doing."""
    if ending.killed:
        return "closed its channel to the simulator, and went on without it"
    # The hard limit, for who ignores SIGXCPU; the kernel counts in ticks, so not to the digit.
    spent = ending.signal == signal.SIGKILL and ending.cpu_s >= 0.9 * limits.cpu_s
    if ending.signal == signal.SIGXCPU or spent:
        return f"used more than {limits.cpu_s:g} s of CPU time"
    if ending.signal == signal.SIGKILL:
        if child.host_ran_out_of_memory():
            raise BacktestError(
                "The host ran out of memory and its kernel killed a strategy's process, which was "
                "within its own limit. Run fewer backtests at a time, or free some memory."
            )
        raise BacktestError("Something outside the sandbox killed a strategy's process.")
    if ending.signal is not None:
        return f"its process was killed by {signal.Signals(ending.signal).name}"
    return f"its process ended itself with exit code {ending.code}"


def with_patience(
    attempt: Callable[[], BacktestResult], unknown: Callable[[str], BacktestResult]
) -> BacktestResult:
    """The attempt's result; `unknown`, with the reason, where the host keeps failing it."""
    for pause in (*PAUSES_S, None):
        try:
            return attempt()
        except SandboxUnavailable as error:
            return unknown(f"no sandbox: {error}")
        except (BacktestError, OSError) as error:
            if pause is None:
                return unknown(f"infrastructure: {error} Tried {len(PAUSES_S) + 1} times.")
            log.warning("a backtest is tried again", because=str(error), in_s=pause)
            time.sleep(pause)
    raise AssertionError("the loop above always returns")
