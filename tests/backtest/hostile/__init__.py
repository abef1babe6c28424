"""Strategies that attack: each is contained, gets the right verdict, and leaves nothing.

One module a theme; `ALL` is what the suite runs.
"""

from __future__ import annotations

from tests.backtest.hostile import (
    channel,
    files,
    frames,
    kernel,
    lies,
    machine,
    memory,
    money,
    network,
    source,
    time,
)
from tests.backtest.hostile.case import Case

OF_WALLS: tuple[Case, ...] = (
    *files.CASES, *network.CASES, *machine.CASES, *kernel.OF_FILES,
)  # fmt: skip
"""Those whose outcome may depend on who made the walls."""
ALL: tuple[Case, ...] = (
    *OF_WALLS, *memory.CASES, *time.CASES, *channel.CASES, *money.CASES, *source.CASES,
    *kernel.CASES, *frames.CASES, *lies.CASES,
)  # fmt: skip
