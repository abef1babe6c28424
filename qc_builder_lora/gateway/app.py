"""The OpenAI-compatible endpoint in front of the chain: any client of OpenAI's is a client of it.

`qc-lora` is the whole chain; each provider's own model name is that provider alone. Every answer
says in `x-qc-provider` and `x-qc-model` who gave it. The header `x-qc-build` names the Build: it
has a budget of its own, and where a model is on trial as canary, the Build picks who answers. A
request without the header is picked by what it asks, and shares one budget with all such. Sampling
options (`temperature`, `top_p`, `stop`, `seed`) are accepted and ignored: the chain asks every
provider in the same way. There is no CORS on purpose: a web page has no business here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, Router

from qc_builder_lora.errors import QcLoraError
from qc_builder_lora.gateway.answers import EventStream, unless_gone, wire_error
from qc_builder_lora.gateway.exposition import exposition
from qc_builder_lora.gateway.metrics import Metrics, chain_families, side_families
from qc_builder_lora.models.asgi import Handler, guarded, read_body, refusal
from qc_builder_lora.models.background import waiting
from qc_builder_lora.models.chain import Chain
from qc_builder_lora.models.dialogue import Dialogue, new_dialogue
from qc_builder_lora.models.openai_wire import (
    AnswerWriter,
    Ask,
    Usage,
    WireError,
    body_of,
    model_list,
    parse_ask,
    sse,
    unknown_model,
)
from qc_builder_lora.models.provider import StrategyProvider
from qc_builder_lora.models.side import Side
from qc_builder_lora.models.writer import Chunk, Draft

WHOLE_CHAIN = "qc-lora"


def build_app(
    provider: StrategyProvider, key: str | Callable[[], str], side: Side | None = None
) -> Router:
    """The application. All but `/healthz` needs the key. Closing the provider, and the `side` whose
    counts `/metrics` shows, is the caller's."""
    gateway = _Gateway(provider, side)
    routes: list[tuple[str, Handler, str]] = [
        ("/v1/chat/completions", gateway.chat, "POST"),
        ("/v1/completions", gateway.completions, "POST"),
        ("/v1/models", gateway.models, "GET"),
        ("/metrics", gateway.metrics_text, "GET"),
    ]
    # Without the layers of an application, of which none is of use here: uvicorn answers with 500
    # where we fail, and they would cost each request a tenth of its time.
    return Router(
        routes=[
            *(
                Route(path, gateway.counted(guarded(handler, key)), methods=[method])
                for path, handler, method in routes
            ),
            Route("/healthz", gateway.health),
        ]
    )


class _Gateway:
    def __init__(self, provider: StrategyProvider, side: Side | None) -> None:
        self._provider, self._side = provider, side
        self._metrics = Metrics()
        provider.chain.on_failure = self._metrics.failure
        provider.chain.listen(self._metrics.outcome)

    def counted(self, handler: Handler) -> Handler:
        async def call(request: Request) -> Response:
            response = await handler(request)
            self._metrics.request(response.status_code)
            return response

        return call

    async def health(self, _: Request) -> Response:
        loading = self._loading()
        return refusal(loading) if loading else JSONResponse({"status": "ok"})

    async def models(self, _: Request) -> Response:
        return JSONResponse(model_list(list(self._chains())))

    async def metrics_text(self, _: Request) -> Response:
        families = [
            *self._metrics.families(),
            *chain_families(self._provider, waiting()),
            *(side_families(self._side) if self._side else ()),
        ]
        return PlainTextResponse(exposition(families), media_type="text/plain; version=0.0.4")

    async def chat(self, request: Request) -> Response:
        return await self._complete(request, chat=True)

    async def completions(self, request: Request) -> Response:
        return await self._complete(request, chat=False)

    def _chains(self) -> dict[str, Chain]:
        chain = self._provider.chain
        return {WHOLE_CHAIN: chain, **chain.by_model()}

    def _chain(self, name: str) -> Chain:
        """The chain, or the provider of it alone, that answers to a name; WireError 404."""
        if name == WHOLE_CHAIN:
            return self._provider.chain
        chains = self._chains()
        if name not in chains:
            raise unknown_model(name, list(chains))
        return chains[name]

    def _loading(self) -> WireError | None:
        """503 while the one provider there is still loads its model."""
        server, writers = self._provider.local_server, self._provider.chain.writers
        if server is None or len(writers) > 1 or not server.loading:
            return None
        return WireError(503, "loading", "The local model is still loading.", retry_after_s=2.0)

    async def _complete(self, request: Request, *, chat: bool) -> Response:
        default = self._provider.settings.max_tokens
        ask = parse_ask(await read_body(request), chat=chat, default_max_tokens=default)
        if isinstance(ask.prompt, tuple):
            fact = "prompt must be a text here: each model of the chain has tokens of its own."
            raise WireError(400, "unsupported_value", fact)
        chain = self._chain(ask.model or WHOLE_CHAIN)
        if loading := self._loading():
            raise loading
        asked, options = self._question(ask, request.headers.get("x-qc-build"))
        try:
            if not ask.stream:
                draft = await unless_gone(request, chain.write_async(asked, **options))
                return self._whole(ask, draft)
            # Its first words are waited for: until then every failure still has an HTTP status.
            chunks = chain.stream_async(asked, **options)
            first = await unless_gone(request, anext(chunks))
        except QcLoraError as error:
            raise wire_error(error) from error
        return EventStream(self._stream(ask, first, chunks), _headers(first.provider, first.model))

    def _question(self, ask: Ask, build: str | None) -> tuple[Dialogue, dict[str, Any]]:
        """What the chain is asked, and for which Build."""
        messages = ask.messages if ask.chat else ({"role": "user", "content": str(ask.prompt)},)
        asked = new_dialogue(messages)
        return asked, {
            "max_tokens": ask.max_tokens,
            "build_id": build or self._provider.build_id,
            # All nameless clients on one side of a canary would make its share nothing or
            # everything.
            "route": build or asked.id,
        }

    def _whole(self, ask: Ask, draft: Draft) -> Response:
        asyncio.get_running_loop().call_soon(self._metrics.answer, draft)
        answer = AnswerWriter(ask, draft.model, fingerprint=draft.provider)
        body = answer.whole(draft.text, draft.finish_reason or "stop", _usage(draft))
        cost = {} if draft.cost_usd is None else {"x-qc-cost-usd": str(draft.cost_usd)}
        headers = {**_headers(draft.provider, draft.model), **cost}
        return Response(body_of(body), 200, headers, "application/json")

    async def _stream(
        self, ask: Ask, first: Chunk, rest: AsyncGenerator[Chunk, None]
    ) -> AsyncGenerator[bytes, None]:
        answer = AnswerWriter(ask, first.model or "", fingerprint=first.provider)
        # Closed when the client goes away; closing `rest` ends the work.
        async with aclosing(rest):
            yield answer.first()
            for part in self._parts(answer, first):
                yield part
            try:
                async for chunk in rest:
                    for part in self._parts(answer, chunk):
                        yield part
            except QcLoraError as error:
                # Its first words are out: no status can be taken back, and no `[DONE]` follows.
                yield sse(wire_error(error).body)

    def _parts(self, answer: AnswerWriter, chunk: Chunk) -> Iterator[bytes]:
        if chunk.text:
            yield answer.piece(chunk.text)
        if chunk.draft:
            self._metrics.answer(chunk.draft)
            yield from answer.last(chunk.draft.finish_reason, _usage(chunk.draft))


def _headers(provider: str | None, model: str | None) -> dict[str, str]:
    # A provider may call its model anything; a header holds printable ASCII.
    name = "".join(sign if " " <= sign <= "~" else "?" for sign in model or "")
    return {"x-qc-provider": provider or "", "x-qc-model": name}


def _usage(draft: Draft) -> Usage | None:
    if draft.prompt_tokens is None or draft.completion_tokens is None:
        return None
    return Usage(prompt=draft.prompt_tokens, completion=draft.completion_tokens)
