"""The Writer that costs nothing: our own llama.cpp child, or any OpenAI-compatible server.

Speaks plain HTTP and needs no SDK, so that a machine without the hosted extra can still write.
Awaited on an event loop, it answers on that loop: the gateway's requests change no thread.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from typing import TYPE_CHECKING, Any

from qc_builder_lora.errors import MissingExtra, ProviderError, QcLoraError
from qc_builder_lora.models.dialogue import messages_of
from qc_builder_lora.models.exchange import Ending, Events, Piece
from qc_builder_lora.models.faults import Kind
from qc_builder_lora.models.http_exchange import EVENTS, JSON, HttpExchange
from qc_builder_lora.models.local_server import Child
from qc_builder_lora.models.openai_wire import body_of
from qc_builder_lora.models.plain_http import Broken, PlainHttp, Unreachable, plain
from qc_builder_lora.models.writer import SYSTEM_PROMPT
from qc_builder_lora.records import Request

if TYPE_CHECKING:
    import httpx2


_FIRST_LISTED = "default"


class LocalWriter(HttpExchange):
    """Asks a server that speaks the OpenAI protocol, and starts it first if it is our own."""

    extra = "serve"

    def __init__(
        self,
        *,
        server: Child | None = None,
        url: str | None = None,
        model: str | None = None,
        key: str | None = None,
        system: str | None = None,
        repeatable: bool = False,
        first_text_s: float | None = None,
        gap_s: float | None = 60.0,
        start_s: float = 180.0,
    ) -> None:
        """Either `server` (our child) or `url` (ending in `/v1`; without `model` the first that
        the server lists is asked).

        `system` defaults to what the model was trained with, for a foreign server to our own
        system text. `repeatable` keeps the prompt cache out of it: the same request then gives
        the same answer whatever was asked before. There is no time limit to the first text by
        default: a slow machine reads a long prompt for minutes, and the deadline holds anyway.
        """
        if (server is None) == (url is None):
            raise ValueError("LocalWriter takes either a server or a url.")
        super().__init__(
            "local",
            model or (server.artefact.id if server else _FIRST_LISTED),
            key=server.key if server else key,
            first_text_s=first_text_s,
            gap_s=gap_s,
        )
        trained = server.artefact.system if server else SYSTEM_PROMPT
        self._system = trained if system is None else system
        self._server, self._url = server, url
        self._repeatable, self._start_s = repeatable, start_s
        self._plain, self._looked = PlainHttp(), False
        self.near = server is not None or plain(str(url)) is not None

    @property
    def server(self) -> Child | None:
        """Our child behind it, None for a foreign server."""
        return self._server

    def close(self) -> None:
        """End the child, if it is ours, and close the connections."""
        super().close()
        self._plain.close()
        if self._server is not None:
            self._server.stop()

    def _at_hand(self) -> bool:
        return self._looked and self.near and (self._server is None or self._server.ready)

    def _prepare(self, deadline_s: float) -> None:
        if not self.near:
            super()._prepare(deadline_s)
        elif importlib.util.find_spec("httptools") is None:
            raise MissingExtra(self.extra, "httptools")
        self._looked = True
        if self._server is None:
            return
        try:
            self._server.ensure(min(deadline_s, self._start_s))
        except ProviderError:
            raise
        except QcLoraError as error:
            # A missing or damaged model is one provider's trouble, not the end of the chain.
            raise ProviderError("local", Kind.NOT_FOUND, str(error)) from error

    def _make_client(self) -> httpx2.AsyncClient:
        # No proxy from the environment: what is called local must not leave by one.
        return self._http_client(trust_env=False)

    async def _events(
        self, request: Request, max_tokens: int, timeout_s: float, stream: bool
    ) -> Events:
        async with await self._opened(request, max_tokens, timeout_s, stream) as response:
            await self._check(response)
            if not stream:
                for event in self._read_whole(await response.aread()):
                    yield event
                return
            async with aclosing(response.aiter_lines()) as lines:
                async for item in self._read_stream(lines):
                    yield item

    async def _answer(
        self, request: Request, max_tokens: int, timeout_s: float, texts: list[str]
    ) -> Ending:
        # As the base does it, without a generator: this is the gateway's own path.
        async with await self._opened(request, max_tokens, timeout_s, False) as response:
            await self._check(response)
            piece, ending = self._read_whole(await response.aread())
            texts.append(piece.text)
            return ending

    async def _opened(
        self, request: Request, max_tokens: int, timeout_s: float, stream: bool
    ) -> AbstractAsyncContextManager[Any]:
        if self.model == _FIRST_LISTED:
            self.model = await self._first_listed(timeout_s)
        body = {
            "model": self.model,
            "messages": messages_of(request, self._system),
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream": stream,
            **({"stream_options": {"include_usage": True}} if stream else {}),
            **({"cache_prompt": False} if self._repeatable else {}),
        }
        return self._asked("POST", "chat/completions", body, timeout_s)

    async def _check(self, response: Any) -> None:
        self._check_type(response, JSON, EVENTS)
        if response.status_code != 200:
            body = await response.aread()
            raise self._refused(response.status_code, body, response.headers)

    def _asked(
        self, method: str, route: str, body: object, timeout_s: float
    ) -> AbstractAsyncContextManager[Any]:
        """The response, as httpx2 has it, to be left when it was read."""
        url = f"{self._address}/{route}"
        if not self.near:
            asked = {"headers": self._headers, "timeout": self._timeout(timeout_s)}
            stream: AbstractAsyncContextManager[Any] = self._client().stream(
                method, url, **({"json": body} if body else {}), **asked
            )
            return stream
        content = body_of(body) if body else b""
        return self._plain.asked(method, url, content, self._headers)

    def _fault(self, error: Exception) -> ProviderError:
        if isinstance(error, Unreachable):
            return self._error(Kind.REFUSED, f"nobody answers there: {error}")
        if isinstance(error, Broken):
            return self._error(Kind.CONNECTION, f"the connection broke: {error}")
        if isinstance(error, UnicodeError | ValueError) and self.near:
            return self._error(Kind.MALFORMED, f"{type(error).__name__}: {error}")
        return super()._fault(error)

    @property
    def _address(self) -> str:
        return self._server.url if self._server else str(self._url).rstrip("/")

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}

    async def _first_listed(self, timeout_s: float) -> str:
        async with self._asked("GET", "models", None, timeout_s) as response:
            content = await response.aread()
            if response.status_code != 200:
                raise self._refused(response.status_code, content, response.headers)
        listed = self._parse(content).get("data")
        if not listed:
            raise self._error(Kind.NOT_FOUND, f"{self._address} lists no model.")
        return str(listed[0]["id"])

    def _read_whole(self, body: bytes) -> tuple[Piece, Ending]:
        answer = self._parse(body)
        try:
            choice = answer["choices"][0]
            text = choice["message"]["content"] or ""
        except (KeyError, IndexError, TypeError) as error:
            raise self._error(Kind.MALFORMED, f"an answer without a choice: {answer!r}") from error
        return Piece(str(text)), self._ending(answer, choice.get("finish_reason"))

    async def _read_stream(self, lines: AsyncIterator[str]) -> AsyncIterator[Piece | Ending]:
        finish: str | None = None
        last: Mapping[str, Any] = {}
        async for line in lines:
            if not line.startswith("data:"):
                continue
            content = line.removeprefix("data:").strip()
            if content == "[DONE]":
                break
            event = self._parse(content.encode())
            if event.get("error"):
                raise self._refused(200, event, {})
            for choice in event.get("choices") or ():
                delta = choice.get("delta") or {}
                finish = choice.get("finish_reason") or finish
                yield Piece(str(delta.get("content") or ""))
            last = {**last, **{k: v for k, v in event.items() if v}}
        yield self._ending(last, finish)

    def _parse(self, body: bytes) -> dict[str, Any]:
        try:
            value = json.loads(body)
        except (ValueError, RecursionError) as error:
            shown = body[:80].decode("utf-8", "replace")
            raise self._error(Kind.MALFORMED, f"not JSON: {shown!r}") from error
        if not isinstance(value, dict):
            raise self._error(Kind.MALFORMED, f"not a JSON object: {value!r}")
        return value

    def _ending(self, answer: Mapping[str, Any], finish_reason: str | None) -> Ending:
        usage = answer.get("usage") or {}
        return Ending(
            finish_reason=finish_reason,
            prompt_tokens=usage.get("prompt_tokens"),
            completion_tokens=usage.get("completion_tokens"),
            model=answer.get("model"),
        )
