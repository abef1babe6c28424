"""HTTP/1.1 without TLS over connections that are kept: how a local server is asked.

The gateway's own part of an answer's time is mostly this, and a client for all of the web takes
longer than our whole path. No TLS, no redirect, no proxy, no compression: an address that needs
more than `plain` allows is asked with httpx2.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from functools import lru_cache
from typing import cast
from urllib.parse import urlsplit

CONNECT_S = 10.0
_IDLE_S = 4.0
"""How long a connection is kept without use: less than the 5 s after which servers close theirs."""
_MOST_HELD = 1 << 20
"""Bytes of an answer that nobody has read yet, after which the server is made to wait."""
_MOST_HEADERS = 1 << 16


class Unreachable(Exception):
    """Nobody takes the connection."""


class Broken(Exception):
    """The connection ended, or said something that is not HTTP, before the answer was whole."""


@lru_cache(maxsize=64)
def plain(url: str) -> tuple[str, int, str, str] | None:
    """Host, port, `Host` header and path, where this client can ask that address."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or "@" in parts.netloc or not url.isascii():
        return None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.hostname, parts.port or 80, parts.netloc, path


class PlainHttp:
    """Asks one server from any event loop; each loop has connections of its own."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, asyncio.AbstractEventLoop], list[_Link]] = {}
        """By process too: a fork must not share its parent's connections."""

    @asynccontextmanager
    async def asked(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> AsyncIterator[Reply]:
        """The answer, from its headers on. Left before its end, its connection is closed, by which
        the server knows. Raises Unreachable or Broken.
        """
        target = plain(url)
        assert target is not None
        link = await self._link(target)
        try:
            link.send(_request(method, target, body, headers))
            await link.until_headed()
            yield Reply(link)
        finally:
            if not link.rest():
                link.end()

    def close(self) -> None:
        """Close what is kept, on whatever loop it is."""
        kept, self._kept = self._kept, {}
        for (pid, loop), links in kept.items():
            for link in links if pid == os.getpid() else ():
                with contextlib.suppress(RuntimeError):  # that loop has ended, and all of it
                    loop.call_soon_threadsafe(link.end)

    async def _link(self, target: tuple[str, int, str, str]) -> _Link:
        loop = asyncio.get_running_loop()
        kept = self._kept.get((os.getpid(), loop))
        if kept is None:
            self._kept = {key: links for key, links in self._kept.items() if not key[1].is_closed()}
            kept = self._kept.setdefault((os.getpid(), loop), [])
        while kept:
            link = kept.pop()
            if link.address == target[:2] and loop.time() - link.since < _IDLE_S:
                return link
            link.end()
        try:
            async with asyncio.timeout(CONNECT_S):
                _, link = await loop.create_connection(lambda: _Link(target[:2], kept), *target[:2])
        except TimeoutError as error:
            raise Unreachable(f"no connection within {CONNECT_S:.0f} s") from error
        except OSError as error:
            raise Unreachable(str(error)) from error
        return link


def _request(
    method: str, target: tuple[str, int, str, str], body: bytes, headers: Mapping[str, str]
) -> bytes:
    lines = [f"{method} {target[3]} HTTP/1.1", f"host: {target[2]}", "accept: */*"]
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header with a line break in it cannot be sent")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


class Reply:
    """An answer that has begun; named as httpx2 names its own, whose place it takes."""

    def __init__(self, link: _Link) -> None:
        self._link = link
        self.status_code, self.headers = link.status, link.headers

    async def aread(self) -> bytes:
        """All of the body."""
        return await self._link.whole()

    async def aiter_lines(self) -> AsyncGenerator[str, None]:
        """The body's lines, without their ends, as they come."""
        rest = b""
        async with aclosing(self._link.parts()) as parts:
            async for part in parts:
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    yield line.decode("utf-8", "replace").removesuffix("\r")
        if rest:
            yield rest.decode("utf-8", "replace")


class _Link(asyncio.Protocol):
    """One connection, for one exchange after another."""

    def __init__(self, address: tuple[str, int], kept: list[_Link]) -> None:
        self.address, self._kept = address, kept
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._gone: str | None = None
        self._asked = False
        self.since = 0.0
        """When it was last of use, by its loop's clock."""
        self._begin()

    def _begin(self) -> None:
        import httptools

        self._parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers: dict[str, str] = {}
        self._arrived: deque[bytes] = deque()
        self._held = self._header_bytes = 0
        self._headed = self._ended = self._keep = self._paused = False

    def send(self, request: bytes) -> None:
        """Begin an exchange."""
        assert self._transport is not None
        self._begin()
        self._asked = True
        self._transport.write(request)

    async def until_headed(self) -> None:
        """Wait for the status and the headers."""
        while not self._headed:
            await self._more()

    async def whole(self) -> bytes:
        """All of the body."""
        parts: list[bytes] = []
        while True:
            parts += self._arrived
            self._arrived.clear()
            self._held = 0
            if self._ended:
                return b"".join(parts)
            await self._more()

    async def parts(self) -> AsyncGenerator[bytes, None]:
        """The body, as it comes."""
        while True:
            while self._arrived:
                part = self._arrived.popleft()
                self._held -= len(part)
                yield part
            if self._ended:
                return
            await self._more()

    def rest(self) -> bool:
        """Whether it is kept for the next exchange."""
        fit = self._ended and self._keep and self._gone is None
        self._asked = False
        if fit:
            self.since = self._loop.time()
            self._kept.append(self)
        return fit

    def end(self) -> None:
        """Close it."""
        if self._transport is not None:
            self._transport.abort()

    async def _more(self) -> None:
        if self._gone is not None:
            raise Broken(self._gone)
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, for uvloop's are of no common class with asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        import httptools

        if not self._asked:
            # Nobody asked: a server that says why it closes.
            self.end()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._gone = f"not HTTP: {error or type(error).__name__}"
            self.end()
        if self._held > _MOST_HELD and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._kept:
            self._kept.remove(self)
        framed = "content-length" in self.headers or "transfer-encoding" in self.headers
        if self._headed and not framed and exc is None:
            self._ended = True  # Its end is the answer's, as of old.
        self._gone = self._gone or str(exc or "the server closed it")
        self._wake()

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._ended:
            return
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > _MOST_HEADERS:
            raise ValueError(f"more than {_MOST_HEADERS} bytes of headers")
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._ended:
            self._keep = False  # A second answer to one question: whose is the next?
            return
        self.status = self._parser.get_status_code()
        self._headed = self.status >= 200  # Before that it only says that it goes on.
        if not self._headed:
            self.headers.clear()

    def on_body(self, body: bytes) -> None:
        if self._ended:
            return
        self._arrived.append(body)
        self._held += len(body)

    def on_message_complete(self) -> None:
        if self._headed and not self._ended:
            self._ended, self._keep = True, self._parser.should_keep_alive()
