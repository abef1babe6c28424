"""One event loop in a thread of its own, for everything that waits on a network; and threads for
what blocks, for those who must not.

To a blocking caller the Writers are plain calls. Inside, they are coroutines: only those can be
given up at an exact moment, whatever a server does, and leave no open connection behind.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

_THREADS = 64

_lock = threading.Lock()
_running: tuple[int, asyncio.AbstractEventLoop] | None = None
_pool: tuple[int, ThreadPoolExecutor] | None = None


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


async def apart(work: Callable[[], T]) -> T:
    """What a blocking call gives, or raises, from a thread; who is cancelled waits no longer."""
    return await asyncio.get_running_loop().run_in_executor(_threads(), work)


async def apart_to_its_end(work: Callable[[], T]) -> T:
    """As `apart`, for what must not be left in mid-air: who is cancelled meanwhile learns of it at
    his next step, when the call is over."""
    future = asyncio.get_running_loop().run_in_executor(_threads(), work)
    cancelled = False
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            cancelled = True
    task = asyncio.current_task()
    if cancelled and task is not None:
        task.cancel()
    return future.result()


def waiting() -> int:
    """How many calls wait for a thread."""
    return 0 if _pool is None else _pool[1]._work_queue.qsize()


def _threads() -> ThreadPoolExecutor:
    global _pool  # noqa: PLW0603 - as above
    with _lock:
        if _pool is None or _pool[0] != os.getpid():
            _pool = os.getpid(), ThreadPoolExecutor(_THREADS, thread_name_prefix="qc-lora-apart")
        return _pool[1]
