"""One attack, and what must come of it."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

from qc_builder_lora.backtest.protocol import Limits
from tests.backtest.conftest import strategy

SHORT = Limits(wall_s=20, cpu_s=3, memory_mb=400)
HANGING = Limits(wall_s=0.4, cpu_s=5, memory_mb=400)
"""For what does not end by itself."""
PATIENT = Limits(wall_s=30, cpu_s=15, memory_mb=400)
"""For what ends by itself, however slow the machine is."""
BUSY = Limits(wall_s=30, cpu_s=1, memory_mb=400)
"""For what would use the CPU for ever."""


def short(code: str) -> str:
    """The same over ten days: there are many of them."""
    return code.replace("set_end_date(2010, 6, 30)", "set_end_date(2010, 1, 15)")


@dataclass(frozen=True)
class Case:
    """A strategy made of pieces; it must end with `status`, and never with money it has not made.

    An empty `status` is either: whose turn it is decides how far it comes.
    `reason` is how the reason begins, or may begin. `says` are ends of lines of its log that must
    be there: what it tried and was refused. No line may have `REACHED` in it, which is what an
    attack logs when it gets somewhere.
    """

    name: str
    initialize: str = ""
    on_data: str = "pass"
    more: str = ""
    head: str = ""
    code: str | None = None
    """All of it, in place of the pieces."""
    status: str = "failed"
    reason: str | tuple[str, ...] = ""
    says: tuple[str, ...] = ()
    equity: str = "100000"
    orders: int = 0
    limits: Limits = SHORT

    @property
    def source(self) -> str:
        """The strategy's code."""
        if self.code is not None:
            return self.code
        return short(strategy(self.initialize, self.on_data, self.more, self.head))


def refused(
    name: str, line: str, error: str | tuple[str, ...] = "PermissionError: [Errno 1]"
) -> Case:
    """One line in `initialize` that raises."""
    return Case(name, line, reason=error)


def tries(name: str, attempts: str, *says: str) -> Case:
    """Python that calls `attempt(what, function)` for each way in, goes on whatever happens, and
    completes: the log says how each was refused."""
    head = """
    def attempt(algorithm, what, function):
        try:
            found = function()
        except BaseException as error:
            algorithm.log(f"{what}: {type(error).__name__}")
        else:
            algorithm.log(f"REACHED {what}: {found!r}"[:300])
    """
    body = "import functools\nattempt_ = functools.partial(attempt, self)\n" + dedent(attempts)
    return Case(name, body, head=head, status="completed", says=says)
