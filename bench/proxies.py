"""Proxies that do nothing but pass on, for `bench/gateway.py` to be compared with.

    python bench/proxies.py bare|httpx2 PORT UPSTREAM_PORT

`bare` is the floor for any gateway in Python on this server: no framework, no key, no check, no
record; a body comes, is parsed as JSON once, goes on over a kept connection, and its answer comes
back. `httpx2` does the same as one would write it at first: Starlette before, httpx2 behind.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any, cast

import httptools
import uvicorn

_PATH = "/v1/chat/completions"
_MODELS = b'{"object": "list", "data": []}'


class Upstream(asyncio.Protocol):
    """One kept connection."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def ask(self, body: bytes) -> asyncio.Future[bytes]:
        """The body of the answer to a body."""
        self._parts: list[bytes] = []
        self._answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        head = f"POST {_PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        self.transport.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        self._answer.set_result(b"".join(self._parts))


def bare(port: int) -> Any:
    """An ASGI application in front of the upstream at that port."""
    idle: list[Upstream] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        answer = _MODELS if scope["method"] == "GET" else await passed_on(receive)
        headers = [(b"content-type", b"application/json")]
        headers += [(b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def passed_on(receive: Any) -> bytes:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message.get("more_body", False)
        json.loads(body)
        while idle and idle[-1].transport.is_closing():
            idle.pop()
        connection = idle.pop() if idle else await connected()
        answer = await connection.ask(body)
        idle.append(connection)
        return answer

    async def connected() -> Upstream:
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(Upstream, "127.0.0.1", port))[1]

    return app


def starlette_httpx2(port: int) -> Any:
    """The same with Starlette and httpx2."""
    import httpx2
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    client = httpx2.AsyncClient(trust_env=False)

    async def chat(request: Request) -> JSONResponse:
        body = await request.json()
        answer = await client.post(f"http://127.0.0.1:{port}{_PATH}", json=body)
        return JSONResponse(answer.json())

    async def models(_: Request) -> JSONResponse:
        return JSONResponse(json.loads(_MODELS))

    routes = [Route(_PATH, chat, methods=["POST"]), Route("/v1/models", models)]
    return Starlette(routes=routes)


def main() -> None:
    """Serve until told to stop."""
    kind, port, upstream = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    app = (bare if kind == "bare" else starlette_httpx2)(upstream)
    uvicorn.run(app, port=port, log_level="error", access_log=False, lifespan="off")


if __name__ == "__main__":
    main()
