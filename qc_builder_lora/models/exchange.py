"""What all Writers have in common: one exchange with a server, timed, checked and put into words.

A Writer for a provider only says how a request is sent and what the events of an answer mean
(`_events`) and what its library's errors mean (`_fault`). Here the time is kept: for the whole
answer, for the first text, and between two events. A coroutine is cancelled when its time is up,
so a server that sends one byte a second gets no further than one that sends nothing.

A blocking caller waits in his thread for the background's loop, an awaiting one on his own loop or
for that one: it is the same exchange.
"""

from __future__ import annotations

import asyncio
import queue
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import aclosing
from dataclasses import dataclass

from qc_builder_lora.errors import ProviderError
from qc_builder_lora.models.background import apart, submit
from qc_builder_lora.models.cancel import on_cancel
from qc_builder_lora.models.faults import Kind
from qc_builder_lora.models.writer import Chunk, Draft
from qc_builder_lora.records import Request
from qc_builder_lora.redact import for_a_message
from qc_builder_lora.template import extract_code

_LONGEST_FACT = 400
_NOBODY_WAITS = "the request was cancelled."
_RAISE_MAX_TOKENS = "A model that thinks first needs more room: raise QC_LORA_MAX_TOKENS."


@dataclass(frozen=True)
class Piece:
    """A piece of text; an empty one only says that the server is alive."""

    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What the server said of the whole answer; None where it did not say."""

    finish_reason: str | None = None
    """`stop`, `length` or `content_filter`: each provider's own words are translated."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    model: str | None = None


Events = AsyncGenerator[Piece | Ending, None]


THINKING_ROOM = 4096


class Exchange(ABC):
    """A Writer over a network. See `qc_builder_lora.models.writer.Writer` for the contract."""

    near = False
    """Whether an awaiting caller's own loop may carry it: not where a library's client does, for
    that belongs to one loop, and what it reads is its own affair and takes its time."""
    thinking_room = 0
    """Tokens asked for beyond `max_tokens`, for a model whose thoughts are taken from them."""

    def __init__(
        self,
        name: str,
        model: str,
        *,
        key: str | None = None,
        first_text_s: float | None = 60.0,
        gap_s: float | None = 30.0,
    ) -> None:
        self.name, self.model = name, model
        self._key = key
        self._former: tuple[str, ...] = ()
        """Keys used before this one: an answer to them may still come, and quote them."""
        self._first_text_s, self._gap_s = first_text_s, gap_s

    @abstractmethod
    def _events(self, request: Request, max_tokens: int, timeout_s: float, stream: bool) -> Events:
        """Ask, and give the answer's pieces and at last its Ending."""

    @abstractmethod
    def _fault(self, error: Exception) -> ProviderError:
        """What an error of the library means."""

    def _prepare(self, deadline_s: float) -> None:  # noqa: B027 - most have nothing to prepare
        """Whatever must be done before a request, in the caller's thread."""

    def _at_hand(self) -> bool:
        """Whether `_prepare` has nothing to do, as far as is known without waiting."""
        return False

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Give back connections and processes."""

    def write(self, request: Request, *, max_tokens: int, deadline_s: float) -> Draft:
        """The whole answer, or ProviderError within `deadline_s` seconds."""
        end = time.monotonic() + deadline_s
        self._prepare(deadline_s)
        left = max(0.0, end - time.monotonic())
        future = submit(self._whole(request, max_tokens + self.thinking_room, left))
        try:
            with on_cancel(future.cancel):
                return future.result()
        except CancelledError:
            raise self._error(Kind.CANCELLED, _NOBODY_WAITS) from None
        finally:
            # After an interrupt here the model must not go on writing there.
            future.cancel()

    def stream(self, request: Request, *, max_tokens: int, deadline_s: float) -> Iterator[Chunk]:
        """The answer as it is written; the last Chunk carries the Draft."""
        end = time.monotonic() + deadline_s
        self._prepare(deadline_s)
        left = max(0.0, end - time.monotonic())
        arrived: queue.SimpleQueue[Chunk | Exception] = queue.SimpleQueue()
        room = max_tokens + self.thinking_room
        future = submit(self._pump(request, room, left, arrived.put))

        def stop() -> None:
            # Said here too: a coroutine that is cancelled before its first step says nothing.
            future.cancel()
            arrived.put(self._error(Kind.CANCELLED, _NOBODY_WAITS))

        try:
            with on_cancel(stop):
                while True:
                    item = arrived.get()
                    if isinstance(item, Exception):
                        raise item
                    yield item
                    if item.draft:
                        return
        finally:
            # A consumer that stops listening must not leave the model writing.
            future.cancel()

    async def write_async(self, request: Request, *, max_tokens: int, deadline_s: float) -> Draft:
        """As `write`; cancelling it ends the exchange, and is a ProviderError of that kind."""
        end = time.monotonic() + deadline_s
        try:
            await self._prepared(deadline_s)
            left = max(0.0, end - time.monotonic())
            whole = self._whole(request, max_tokens + self.thinking_room, left)
            return await (whole if self.near else asyncio.wrap_future(submit(whole)))
        except asyncio.CancelledError:
            raise self._error(Kind.CANCELLED, _NOBODY_WAITS) from None

    async def stream_async(
        self, request: Request, *, max_tokens: int, deadline_s: float
    ) -> AsyncGenerator[Chunk, None]:
        """As `stream`, in the same way."""
        end = time.monotonic() + deadline_s
        try:
            await self._prepared(deadline_s)
            left = max(0.0, end - time.monotonic())
            asked = (request, max_tokens + self.thinking_room, left)
            async with aclosing(self._chunks(*asked) if self.near else self._far(*asked)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except asyncio.CancelledError:
            raise self._error(Kind.CANCELLED, _NOBODY_WAITS) from None

    async def _prepared(self, deadline_s: float) -> None:
        if not self._at_hand():
            await apart(lambda: self._prepare(deadline_s))

    async def _far(
        self, request: Request, max_tokens: int, timeout_s: float
    ) -> AsyncGenerator[Chunk, None]:
        """The chunks of an exchange on the background's loop."""
        here, arrived = asyncio.get_running_loop(), asyncio.Queue[Chunk | Exception]()

        def put(item: Chunk | Exception) -> None:
            here.call_soon_threadsafe(arrived.put_nowait, item)

        future = submit(self._pump(request, max_tokens, timeout_s, put))
        try:
            while True:
                item = await arrived.get()
                if isinstance(item, Exception):
                    raise item
                yield item
                if item.draft:
                    return
        finally:
            future.cancel()

    async def _whole(self, request: Request, max_tokens: int, timeout_s: float) -> Draft:
        started = time.monotonic()
        texts: list[str] = []
        try:
            # One clock for all of it: `_timed` would wind one up for every event.
            async with asyncio.timeout(timeout_s):
                ending = await self._answer(request, max_tokens, timeout_s, texts)
        except TimeoutError:
            failure = self._late(timeout_s, False, False)
        except Exception as error:  # noqa: BLE001 - translated, and raised below
            failure = self._translate(error, bool("".join(texts).strip()))
        else:
            return self._draft("".join(texts), ending, started)
        raise _alone(failure)

    async def _answer(
        self, request: Request, max_tokens: int, timeout_s: float, texts: list[str]
    ) -> Ending:
        """A whole answer's ending, its texts put where they are wanted."""
        ending = Ending()
        async with aclosing(self._events(request, max_tokens, timeout_s, False)) as events:
            async for event in events:
                if isinstance(event, Ending):
                    ending = event
                else:
                    texts.append(event.text)
        return ending

    async def _chunks(
        self, request: Request, max_tokens: int, timeout_s: float
    ) -> AsyncGenerator[Chunk, None]:
        started = time.monotonic()
        texts: list[str] = []
        ending = Ending()
        async with aclosing(self._timed(request, max_tokens, timeout_s)) as events:
            async for event in events:
                if isinstance(event, Ending):
                    ending = event
                elif event.text:
                    texts.append(event.text)
                    yield Chunk(text=event.text)
        yield Chunk(draft=self._draft("".join(texts), ending, started))

    async def _pump(
        self,
        request: Request,
        max_tokens: int,
        timeout_s: float,
        put: Callable[[Chunk | Exception], None],
    ) -> None:
        try:
            async with aclosing(self._chunks(request, max_tokens, timeout_s)) as chunks:
                async for chunk in chunks:
                    put(chunk)
        except asyncio.CancelledError:
            put(self._error(Kind.CANCELLED, _NOBODY_WAITS))
            raise
        except Exception as error:  # noqa: BLE001 - raised again by the one who waits
            put(error)

    async def _timed(self, request: Request, max_tokens: int, timeout_s: float) -> Events:
        """The events of a stream, each within its time; every failure as a ProviderError."""
        clock = asyncio.get_running_loop().time
        end = clock() + timeout_s
        text_seen = False
        failure: ProviderError | None = None
        async with aclosing(self._events(request, max_tokens, timeout_s, True)) as events:
            first_end = clock() + (self._first_text_s or timeout_s)
            while failure is None:
                gap_end = clock() + (self._gap_s or timeout_s)
                moment = min(end, gap_end if text_seen else first_end)
                try:
                    async with asyncio.timeout_at(moment):
                        event = await anext(events)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    failure = self._late(timeout_s, moment < end, text_seen)
                except Exception as error:  # noqa: BLE001 - translated, and raised below
                    failure = self._translate(error, text_seen)
                else:
                    text_seen = text_seen or (isinstance(event, Piece) and bool(event.text.strip()))
                    yield event
        if failure is not None:
            raise _alone(failure)

    def _late(self, timeout_s: float, early: bool, text_seen: bool) -> ProviderError:
        if not early:
            return self._error(Kind.TIMEOUT, f"no complete answer within {timeout_s:.1f} s.")
        if text_seen:
            return self._error(Kind.TIMEOUT, f"silent for {self._gap_s:.1f} s in mid-answer.")
        return self._error(Kind.TIMEOUT, f"no text within {self._first_text_s:.1f} s.")

    def _translate(self, error: Exception, text_seen: bool) -> ProviderError:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ProviderError):
            # Our own check of the response comes back wrapped in the library's error.
            cause = cause.__cause__ or cause.__context__
        fault = cause if cause is not None else self._fault(error)
        if text_seen and fault.kind == Kind.CONNECTION:
            fault.kind = Kind.TRUNCATED
        return fault

    def _draft(self, text: str, ending: Ending, started: float) -> Draft:
        if ending.finish_reason == "content_filter":
            raise self._error(Kind.CONTENT_FILTER, "the provider's content filter refused it.")
        if ending.finish_reason is None:
            raise self._error(
                Kind.TRUNCATED,
                f"the answer broke off after {len(text)} characters, without an end.",
            )
        if not text.strip():
            cure = "" if ending.finish_reason != "length" else _RAISE_MAX_TOKENS
            fact = f"an empty answer (finish reason {ending.finish_reason!r})."
            raise self._error(Kind.EMPTY, fact, cure)
        return Draft(
            text=text,
            code=extract_code(text),
            provider=self.name,
            model=ending.model or self.model,
            finish_reason=ending.finish_reason,
            prompt_tokens=ending.prompt_tokens,
            completion_tokens=ending.completion_tokens,
            latency_s=time.monotonic() - started,
        )

    def _error(
        self, kind: Kind, fact: str, cure: str = "", retry_after_s: float | None = None
    ) -> ProviderError:
        """A ProviderError in which no key can be read, whoever wrote the text."""
        fact = " ".join(fact.split())
        for key in (self._key, *self._former):
            fact = fact.replace(key, "…") if key else fact
        if len(fact) > _LONGEST_FACT:
            fact = fact[:_LONGEST_FACT] + "…"
        return ProviderError(
            self.name, kind, for_a_message(fact), cure, retry_after_s=retry_after_s
        )


def _alone(failure: ProviderError) -> ProviderError:
    """To be raised outside of handlers, without a past: the library's own error may quote headers
    or the key, and whoever logs ours with its context would log those."""
    failure.__context__, failure.__cause__, failure.__suppress_context__ = None, None, True
    return failure
