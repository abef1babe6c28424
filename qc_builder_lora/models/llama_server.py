"""The child process that serves one GGUF on loopback, in the OpenAI protocol.

    python -m qc_builder_lora.models.llama_server --model FILE [--engine xllamacpp --slots 8]

It reads one JSON line {"key": …} from standard input, prints one JSON line {"port", "pid"} on
standard output, and ends when standard input closes: whoever started it holds the other end, so
it cannot outlive a parent that was killed. It runs apart from the builder because llama.cpp ends
its process on a failed assertion. It is started by `qc_builder_lora.models.local_server`.

A LoRA adapter is a model name of its own beside the file's; adapters come and go by vLLM's routes,
`/v1/load_lora_adapter` and `/v1/unload_lora_adapter`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import select
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from qc_builder_lora.models.artefact import Artefact, check_gguf, describe
from qc_builder_lora.models.asgi import (
    guarded,
    next_or_gone,
    read_body,
    refusal,
    until_gone,
)
from qc_builder_lora.models.cpu import usable_threads
from qc_builder_lora.models.engine import Engine, Event, Job
from qc_builder_lora.models.listener import listening
from qc_builder_lora.models.openai_wire import (
    AnswerWriter,
    Ask,
    Usage,
    WireError,
    model_list,
    parse_ask,
    sse,
    unknown_model,
)

FAILED_EXIT = 3
ENGINES = ("llama-cpp-python", "xllamacpp")


def build_app(engine: Engine, key: str) -> Starlette:
    """The HTTP surface of one engine. Everything but `/health` needs the key."""

    async def health(_: Request) -> Response:
        if engine.ready:
            state = {"waiting": engine.waiting, "tokens_written": engine.tokens_written}
            return JSONResponse({"status": "ok", **state})
        return refusal(_loading())

    async def models(_: Request) -> Response:
        return JSONResponse(model_list(engine.names))

    async def chat(request: Request) -> Response:
        return await _complete(engine, request, chat=True)

    async def completions(request: Request) -> Response:
        return await _complete(engine, request, chat=False)

    async def tokenize(request: Request) -> Response:
        return await _tokenize(engine, request)

    async def load_adapter(request: Request) -> Response:
        return await _change_adapter(engine, request, load=True)

    async def unload_adapter(request: Request) -> Response:
        return await _change_adapter(engine, request, load=False)

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/v1/models", guarded(models, key)),
            Route("/v1/chat/completions", guarded(chat, key), methods=["POST"]),
            Route("/v1/completions", guarded(completions, key), methods=["POST"]),
            Route("/tokenize", guarded(tokenize, key), methods=["POST"]),
            Route("/v1/load_lora_adapter", guarded(load_adapter, key), methods=["POST"]),
            Route("/v1/unload_lora_adapter", guarded(unload_adapter, key), methods=["POST"]),
        ]
    )


def _loading() -> WireError:
    return WireError(503, "loading", "The model is still loading.", retry_after_s=1.0)


async def _complete(engine: Engine, request: Request, *, chat: bool) -> Response:
    ask = parse_ask(await read_body(request), chat=chat)
    if ask.model is not None and ask.model not in engine.names:
        raise unknown_model(str(ask.model), engine.names)
    if not engine.ready:
        raise _loading()
    events: asyncio.Queue[Event] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def report(event: Event) -> None:
        loop.call_soon_threadsafe(events.put_nowait, event)

    job = await asyncio.to_thread(engine.submit, ask, report)
    writer = AnswerWriter(ask, ask.model or engine.artefact.id)
    if ask.stream:
        stream = _stream(job, events, writer)
        return StreamingResponse(stream, media_type="text/event-stream")
    return await _whole(request, job, events, writer)


async def _stream(
    job: Job, events: asyncio.Queue[Event], writer: AnswerWriter
) -> AsyncIterator[bytes]:
    # Starlette cancels this generator when the client goes away.
    try:
        yield writer.first()
        while True:
            event = await events.get()
            if event.error:
                yield sse(event.error.body)
                return
            if event.finish_reason:
                for part in writer.last(event.finish_reason, event.usage):
                    yield part
                return
            yield writer.piece(event.text)
    finally:
        job.cancel()


async def _whole(
    request: Request, job: Job, events: asyncio.Queue[Event], writer: AnswerWriter
) -> Response:
    gone = asyncio.create_task(until_gone(request))
    texts: list[str] = []
    try:
        while True:
            event = await next_or_gone(events.get(), gone)
            if event.error:
                raise event.error
            if event.finish_reason:
                usage: Usage | None = event.usage
                return JSONResponse(writer.whole("".join(texts), event.finish_reason, usage))
            texts.append(event.text)
    finally:
        gone.cancel()
        job.cancel()


async def _tokenize(engine: Engine, request: Request) -> Response:
    try:
        fields = json.loads(await read_body(request))
        content, special = fields["content"], bool(fields.get("add_special"))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WireError(400, "invalid_json", 'The body must be {"content": TEXT}.') from error
    if not isinstance(content, str):
        raise WireError(400, "invalid_value", "content must be a text.")
    if not engine.ready:
        raise _loading()
    # With `add_special` exactly what a prompt of that text would be.
    work = (
        (lambda: engine.prompt_tokens(Ask(model=None, prompt=content)))
        if special
        else (lambda: engine.tokenize(content))
    )
    return JSONResponse({"tokens": await asyncio.to_thread(work)})


async def _change_adapter(engine: Engine, request: Request, *, load: bool) -> Response:
    try:
        fields = json.loads(await read_body(request))
        name = str(fields["lora_name"])
        path = Path(str(fields["lora_path"])) if load else Path()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        wanted = '{"lora_name": NAME, "lora_path": FILE}' if load else '{"lora_name": NAME}'
        raise WireError(400, "invalid_json", f"The body must be {wanted}.") from error
    if not engine.ready:
        raise _loading()
    if load:
        await asyncio.to_thread(engine.add_adapter, name, path)
    elif name in engine.adapters:
        await asyncio.to_thread(engine.remove_adapter, name)
    else:
        raise unknown_model(name, list(engine.adapters))
    return JSONResponse(model_list(engine.names))


def _end_with_parent(parent: int) -> None:
    """End this process when standard input closes, or the parent changes.

    The second is for a parent that forked others: they hold the pipe open after it is gone.
    """
    while True:
        readable, _, _ = select.select([0], [], [], 1.0)
        if (readable and not os.read(0, 4096)) or os.getppid() != parent:
            # Not sys.exit: the engine's thread may be deep in C code that nothing interrupts.
            os._exit(0)


def _report_failure(error: BaseException) -> None:
    """Tell the supervisor why the model could not be loaded, and end."""
    memory = isinstance(error, MemoryError)
    fact = str(error) or type(error).__name__
    line = json.dumps({"failed": "memory" if memory else "load", "fact": fact})
    os.write(2, f"\n{line}\n".encode())
    os._exit(FAILED_EXIT)


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve one GGUF model on loopback.")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--id")
    parser.add_argument("--template")
    parser.add_argument("--context", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--memory-mb", type=int, default=0)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0])
    parser.add_argument("--slots", type=int, default=1, help="requests at once, xllamacpp only")
    parser.add_argument("--adapter", action="append", default=[], metavar="NAME=FILE")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Serve until standard input closes."""
    parent = os.getppid()
    options = _arguments(arguments)
    if options.memory_mb:
        limit = options.memory_mb * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    key = json.loads(sys.stdin.buffer.readline())["key"]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # llama.cpp prints; only our one line may reach standard output
    _serve(options, key, parent, answers)


def _serve(options: argparse.Namespace, key: str, parent: int, answers: Any) -> None:
    import uvicorn

    check_gguf(options.model)
    artefact = describe(options.model, options.id, options.template)
    engine = _engine(options, artefact)
    listener = listening("127.0.0.1", options.port)
    config = uvicorn.Config(
        build_app(engine, key), log_config=None, access_log=False, lifespan="off"
    )
    engine.start(_report_failure)
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
    print(json.dumps({"port": listener.getsockname()[1], "pid": os.getpid()}), file=answers)
    answers.close()
    uvicorn.Server(config).run(sockets=[listener])


def _engine(options: argparse.Namespace, artefact: Artefact) -> Engine:
    named = (pair.partition("=") for pair in options.adapter)
    adapters = {name: Path(file) for name, _, file in named}
    asked: dict[str, Any] = {
        "context": options.context,
        "threads": usable_threads(options.threads),
        "adapters": adapters,
    }
    if options.engine == "xllamacpp":
        from qc_builder_lora.models.slots_engine import SlotsEngine

        return SlotsEngine(artefact, slots=options.slots, **asked)
    from qc_builder_lora.models.llama_engine import LlamaEngine

    return LlamaEngine(artefact, **asked)


if __name__ == "__main__":
    main()
