"""One event loop in a thread of its own, for everything that waits on a network.

The Writers are plain blocking calls to their users. Inside, they are coroutines: only those can be
given up at an exact moment, whatever a server does, and leave no open connection behind.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_running: tuple[int, asyncio.AbstractEventLoop] | None = None


def loop() -> asyncio.AbstractEventLoop:
    """The loop of this process, started when first asked for."""
    global _running  # noqa: PLW0603 - one loop a process is the point
    with _lock:
        # A fork inherits the object but not the thread: its loop would never run.
        if _running is None or _running[0] != os.getpid():
            started = asyncio.new_event_loop()
            threading.Thread(target=started.run_forever, name="qc-lora-io", daemon=True).start()
            _running = os.getpid(), started
        return _running[1]


def submit(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Start a coroutine in the background; cancelling the Future cancels it there."""
    return asyncio.run_coroutine_threadsafe(work, loop())
