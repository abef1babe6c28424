"""How a chain's steps are carried out: by blocking the caller's thread, or awaited on his loop.

The chain is written once, as coroutines. For a blocking caller every step is done when it returns,
so its coroutine never waits and `finished` runs it through; for an awaiting one the steps that
would block go to a thread of their own, and only those.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator
from contextlib import closing
from typing import Any, Protocol, TypeVar, cast

from qc_builder_lora.models.background import apart_to_its_end
from qc_builder_lora.models.writer import Chunk, Draft, Writer
from qc_builder_lora.records import Request

T = TypeVar("T")


class Means(Protocol):
    """What a chain needs done."""

    async def write(
        self, writer: Writer, request: Request, *, max_tokens: int, deadline_s: float
    ) -> Draft:
        """As Writer.write."""
        ...

    def stream(
        self, writer: Writer, request: Request, *, max_tokens: int, deadline_s: float
    ) -> AsyncGenerator[Chunk, None]:
        """As Writer.stream."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...

    async def book(self, entry: Callable[[], T]) -> T:
        """Make an entry in the books, which may wait for the store; never left half made."""
        ...

    def then(self, tell: Callable[[], object]) -> None:
        """Tell others what became of it, when nobody waits for that any more."""
        ...


class Blocking:
    """In the caller's thread."""

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep

    async def write(
        self, writer: Writer, request: Request, *, max_tokens: int, deadline_s: float
    ) -> Draft:
        """See Means."""
        return writer.write(request, max_tokens=max_tokens, deadline_s=deadline_s)

    async def stream(
        self, writer: Writer, request: Request, *, max_tokens: int, deadline_s: float
    ) -> AsyncGenerator[Chunk, None]:
        """See Means."""
        chunks = writer.stream(request, max_tokens=max_tokens, deadline_s=deadline_s)
        with closing(cast("Any", chunks)):
            for chunk in chunks:
                yield chunk

    async def sleep(self, seconds: float) -> None:
        """See Means."""
        self._sleep(seconds)

    async def book(self, entry: Callable[[], T]) -> T:
        """See Means."""
        return entry()

    def then(self, tell: Callable[[], object]) -> None:
        """See Means: at once, for the caller's thread has nothing else to do."""
        tell()


class Awaited:
    """On the caller's event loop."""

    def __init__(self, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self._sleep = sleep

    async def write(
        self, writer: Writer, request: Request, *, max_tokens: int, deadline_s: float
    ) -> Draft:
        """See Means."""
        return await writer.write_async(request, max_tokens=max_tokens, deadline_s=deadline_s)

    def stream(
        self, writer: Writer, request: Request, *, max_tokens: int, deadline_s: float
    ) -> AsyncGenerator[Chunk, None]:
        """See Means."""
        return writer.stream_async(request, max_tokens=max_tokens, deadline_s=deadline_s)

    async def sleep(self, seconds: float) -> None:
        """See Means."""
        await self._sleep(seconds)

    async def book(self, entry: Callable[[], T]) -> T:
        """See Means."""
        return await apart_to_its_end(entry)

    def then(self, tell: Callable[[], object]) -> None:
        """See Means: behind what the caller does with the answer without waiting."""
        asyncio.get_running_loop().call_soon(tell)


def finished(steps: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives whose steps all block."""
    try:
        steps.send(None)
    except StopIteration as done:
        return cast("T", done.value)
    steps.close()
    raise RuntimeError("a step that blocks has waited for an event loop")


def one_by_one(items: AsyncGenerator[T, None]) -> Iterator[T]:
    """What an asynchronous generator gives whose steps all block."""
    try:
        while True:
            try:
                item = finished(items.__anext__())
            except StopAsyncIteration:
                return
            yield item
    finally:
        finished(items.aclose())
