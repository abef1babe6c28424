"""A request that nobody waits for any more, told to whoever is answering it.

The Writer protocol has no argument for it: a caller that may leave (the gateway's clients do) sets
the token of its thread, and an exchange that finds one there can be ended from outside.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Cancel:
    """Set once, never taken back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watching: list[Callable[[], object]] = []
        self._set = False

    def cancel(self) -> None:
        """End what runs under this token, and what will be started under it."""
        with self._lock:
            self._set, watching = True, list(self._watching)
        for stop in watching:
            stop()

    @contextmanager
    def watched(self, stop: Callable[[], object]) -> Iterator[None]:
        """Call `stop` when cancelled during the block, at once if that was before it."""
        with self._lock:
            late = self._set
            self._watching.append(stop)
        try:
            if late:
                stop()
            yield
        finally:
            with self._lock:
                self._watching.remove(stop)


_current: ContextVar[Cancel | None] = ContextVar("cancel", default=None)


@contextmanager
def cancellable(token: Cancel) -> Iterator[None]:
    """What this thread asks for in the block can be ended through the token."""
    before = _current.set(token)
    try:
        yield
    finally:
        _current.reset(before)


@contextmanager
def on_cancel(stop: Callable[[], object]) -> Iterator[None]:
    """Call `stop` if the token of this thread, where it has one, is cancelled in the block."""
    token = _current.get()
    if token is None:
        yield
        return
    with token.watched(stop):
        yield
