"""What goes back to a client: streams that end when it leaves, and the chain's errors as HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from qc_builder_lora.errors import BudgetExhausted, NoProvider, ProviderError, QcLoraError
from qc_builder_lora.models.faults import Kind
from qc_builder_lora.models.openai_wire import WireError

T = TypeVar("T")

_COME_BACK_S = 5.0
_WAITING = (Kind.OVERLOADED, Kind.RATE_LIMIT)
_LOOK_S = 0.05
"""After how long a client is looked after. Most answers that took no longer need no watch."""


class EndsWithClient:
    """Cancels the task whose block it is when the client closes the connection, and raises a
    WireError 499 then. The request's body must have been read."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._gone = receive, False
        self._watch: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        self._timer = loop.call_later(_LOOK_S, self._begin, loop, task)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
        if self._gone:
            raise WireError(499, "cancelled", "The client went away.") from None

    def _begin(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[object]) -> None:
        self._watch = loop.create_task(self._until_gone(task))

    async def _until_gone(self, task: asyncio.Task[object]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        task.cancel()


async def unless_gone(request: Request, wanted: Awaitable[T]) -> T:
    """What is awaited; a WireError 499, and the end of it, where the client goes away before."""
    with EndsWithClient(request.receive):
        return await wanted


class EventStream(Response):
    """Server-sent events as they come. Whoever makes them is closed when the client goes away."""

    media_type = "text/event-stream"

    def __init__(self, parts: AsyncGenerator[bytes, None], headers: Mapping[str, str]) -> None:
        self._parts = parts
        self.status_code, self.background = 200, None
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            with EndsWithClient(receive):
                async with aclosing(self._parts) as parts:
                    async for part in parts:
                        await send({"type": "http.response.body", "body": part, "more_body": True})
        except WireError:
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def wire_error(error: QcLoraError) -> WireError:
    """What a client is told. Only what may pass by itself gets a status that clients retry."""
    if isinstance(error, BudgetExhausted):
        return WireError(402, "budget_exhausted", str(error))
    if isinstance(error, NoProvider):
        return _nobody(error)
    if isinstance(error, ProviderError):
        status = 499 if error.kind == Kind.CANCELLED else 502
        return WireError(status, str(error.kind), str(error))
    return WireError(500, "internal_error", str(error))


def _nobody(error: NoProvider) -> WireError:
    kinds = {failure.kind for failure in error.failures}
    if Kind.CONTEXT_OVERFLOW in kinds and kinds <= {Kind.CONTEXT_OVERFLOW, Kind.REFUSED}:
        return WireError(400, "context_length_exceeded", str(error))
    if kinds & set(_WAITING):
        asked = [failure.retry_after_s for failure in error.failures if failure.retry_after_s]
        return WireError(503, "overloaded", str(error), min(asked, default=_COME_BACK_S))
    if kinds == {Kind.TIMEOUT}:
        return WireError(504, "timeout", str(error))
    return WireError(502, "no_provider", str(error))
