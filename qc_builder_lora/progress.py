"""Progress bars with time left, on a terminal; one line every few seconds where there is none."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO


class Progress(Protocol):
    """What long work tells its caller: how far it is, and a word about it."""

    def update(self, done: float, note: str = "") -> None:
        """`done` of the total given at the start, with a short note such as a rate."""
        ...


class Silent:
    """Shows nothing: the default of the library."""

    def update(self, done: float, note: str = "") -> None:
        """Ignore it."""


SILENT = Silent()


class _Lines:
    """For logs and pipes: a line now and then, with the time left."""

    def __init__(self, title: str, total: float, out: TextIO, every_s: float = 10.0) -> None:
        self._title, self._total, self._out, self._every = title, total, out, every_s
        self._start = time.monotonic()
        self._last = self._start
        self._ended = False

    def update(self, done: float, note: str = "") -> None:
        moment = time.monotonic()
        ended = done >= self._total
        if self._ended or (moment - self._last < self._every and not ended):
            return
        self._last, self._ended = moment, ended
        left = (moment - self._start) * (self._total - done) / done if done else 0.0
        share = min(100 * done / self._total, 100.0) if self._total else 100.0
        note = f"  {note}" if note else ""
        self._out.write(f"{self._title}: {share:.0f} %, {_clock(left)} left{note}\n")
        self._out.flush()


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


@contextmanager
def show_progress(title: str, total: float, out: TextIO | None = None) -> Iterator[Progress]:
    """A bar on standard error for the time of the block."""
    out = out or sys.stderr
    if not out.isatty():
        yield _Lines(title, total, out)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with RichProgress(*columns, console=Console(file=out)) as bar:
        task = bar.add_task(title, total=total, note="")

        class _Rich:
            def update(self, done: float, note: str = "") -> None:
                bar.update(task, completed=done, note=note)

        yield _Rich()
