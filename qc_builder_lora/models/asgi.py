"""What our two HTTP servers share: the key, the body, and noticing that a client has gone."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from qc_builder_lora.models.openai_wire import WireError

T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]

MAX_BODY = 32 * 2**20


def refusal(error: WireError) -> Response:
    """An error as its answer."""
    return JSONResponse(error.body, error.status, error.headers)


def guarded(handler: Handler, key: str | Callable[[], str]) -> Handler:
    """The handler behind the key, or behind the one that holds now; a WireError it raises becomes
    the answer."""

    async def call(request: Request) -> Response:
        try:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            wanted = key if isinstance(key, str) else key()
            # In constant time, so that nobody can guess the key letter by letter.
            if not hmac.compare_digest(given.encode(), wanted.encode()):
                raise WireError(401, "invalid_api_key", "The API key is missing or wrong.")
            return await handler(request)
        except WireError as error:
            return refusal(error)

    return call


async def read_body(request: Request) -> bytes:
    """The whole body; WireError 413 as soon as it is too large, 499 where its client goes away."""
    parts, size, more = [], 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise WireError(499, "cancelled", "The client went away.")
        part, more = message.get("body", b""), message.get("more_body", False)
        size += len(part)
        if size > MAX_BODY:
            raise WireError(413, "too_large", f"The body is over {MAX_BODY // 2**20} MB.")
        parts.append(part)
    return b"".join(parts)


async def until_gone(request: Request) -> None:
    """Return when the client has closed the connection. The body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def next_or_gone(wanted: Awaitable[T], gone: asyncio.Task[None]) -> T:
    """The value, or WireError 499 if the client goes away before it comes."""
    task = asyncio.ensure_future(wanted)
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise WireError(499, "cancelled", "The client went away.")
    finally:
        task.cancel()
