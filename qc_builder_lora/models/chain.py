"""The fallback chain: providers in order, and the one owner of retries, time, money and breakers.

    local ──▶ anthropic ──▶ openai ──▶ gemini

Each failure is looked up in `faults`: asked again here, passed to the next provider, or the end.
All attempts share one deadline, and a provider that has others behind it may use only a part of
what is left, so that one that hangs does not take the others' time with it. A stream is held back
until its first text: before that a broken one falls back unseen, after it a broken one is an
error, for two models' halves do not make one strategy.

Asked by a blocking caller or an awaiting one, it is the same code: only the `means` differ.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import TypeAlias, TypeVar

from qc_builder_lora.errors import BudgetExhausted, NoProvider, ProviderError, QcLoraError
from qc_builder_lora.log import get_logger
from qc_builder_lora.models.breaker import Breaker, State
from qc_builder_lora.models.budget import LOCAL, Budget, Reservation
from qc_builder_lora.models.call import (
    Answer,
    Answered,
    Call,
    Opened,
    Outcome,
    Traffic,
    Trial,
    late,
    not_asked,
    settle_failed,
    until_text,
)
from qc_builder_lora.models.faults import Action, Kind, rule_of
from qc_builder_lora.models.means import Awaited, Blocking, Means, finished, one_by_one
from qc_builder_lora.models.roster import Roster
from qc_builder_lora.models.writer import Chunk, Draft, Writer
from qc_builder_lora.records import Request

__all__ = ["Answered", "Chain", "Outcome", "Trial"]

T = TypeVar("T")
Ask: TypeAlias = Callable[[Writer, float], Awaitable[T]]

log = get_logger(__name__)


class Chain(Roster):
    """Asks one provider after another until one answers."""

    def __init__(
        self,
        writers: Sequence[Writer],
        *,
        budget: Budget | None = None,
        max_tokens: int = 1024,
        deadline_s: float = 300.0,
        attempts: int = 2,
        share: float = 0.6,
        wait_cap_s: float = 20.0,
        breakers: Mapping[str, Breaker] | None = None,
        on_failure: Callable[[ProviderError], object] = lambda error: None,
        on_answer: Callable[[Answered], object] = lambda answered: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`attempts` is how often one provider is asked for one request, `share` the part of the
        time left that a provider with others behind it may use, `wait_cap_s` the longest
        Retry-After that is waited for.
        """
        super().__init__(writers, breakers, clock)
        self._budget = budget
        self._max_tokens, self._deadline_s = max_tokens, deadline_s
        self._attempts, self._share, self._wait_cap_s = attempts, share, wait_cap_s
        self._blocking, self._awaited, self._jitter = Blocking(sleep), Awaited(), jitter
        self._traffic = Traffic()
        self._listeners: list[Callable[[Outcome], object]] = []
        self.on_failure = on_failure
        self.on_answer = on_answer
        """Told of every answer, on the caller's thread: it must neither wait nor raise. For an
        awaiting caller that is a moment after he has it."""

    def write(
        self,
        request: Request,
        *,
        max_tokens: int | None = None,
        deadline_s: float | None = None,
        build_id: str = "",
        route: str | None = None,
    ) -> Draft:
        """The first provider's answer; NoProvider or BudgetExhausted when none has one.

        `route` picks the model while one is on trial; by default the Build does, or, where that
        has no name, the request.
        """
        call = self._call(request, max_tokens, deadline_s, build_id, route)
        return finished(self._write(call, self._blocking))

    async def write_async(
        self,
        request: Request,
        *,
        max_tokens: int | None = None,
        deadline_s: float | None = None,
        build_id: str = "",
        route: str | None = None,
    ) -> Draft:
        """As `write`, awaited; cancelling it ends the request, and its tokens are charged."""
        call = self._call(request, max_tokens, deadline_s, build_id, route)
        return await self._write(call, self._awaited)

    def stream(
        self,
        request: Request,
        *,
        max_tokens: int | None = None,
        deadline_s: float | None = None,
        build_id: str = "",
        route: str | None = None,
    ) -> Iterator[Chunk]:
        """The first provider's answer as it is written; the last Chunk carries the Draft.

        The errors of `write` come before the first Chunk. After it a failure is a ProviderError.
        """
        call = self._call(request, max_tokens, deadline_s, build_id, route)
        yield from one_by_one(self._stream(call, self._blocking))

    def stream_async(
        self,
        request: Request,
        *,
        max_tokens: int | None = None,
        deadline_s: float | None = None,
        build_id: str = "",
        route: str | None = None,
    ) -> AsyncGenerator[Chunk, None]:
        """As `stream`, awaited; closing it, or cancelling who waits for it, ends the request."""
        call = self._call(request, max_tokens, deadline_s, build_id, route)
        return self._stream(call, self._awaited)

    @property
    def busy(self) -> bool:
        """Whether a request is under way, through this chain or one provider of it alone."""
        return self._traffic.count > 0

    @property
    def under_way(self) -> int:
        """Requests that have begun and not ended."""
        return self._traffic.count

    def listen(self, listener: Callable[[Outcome], object]) -> None:
        """Tell `listener` how each provider that was asked did; it must neither wait nor raise."""
        self._listeners.append(listener)

    def _call(
        self,
        request: Request,
        max_tokens: int | None,
        deadline_s: float | None,
        build_id: str,
        route: str | None,
    ) -> Call:
        end = self._clock() + (deadline_s or self._deadline_s)
        order, trial = self.writers, self.trial
        if trial is not None and not trial.takes(route or build_id or request.id):
            trial = None
        if trial is not None:
            order = (*order[: trial.place], trial.writer, *order[trial.place :])
        return Call(request, max_tokens or self._max_tokens, build_id, end, order, trial)

    async def _write(self, call: Call, means: Means) -> Draft:
        async def ask(writer: Writer, left_s: float) -> Draft:
            return await means.write(
                writer, call.request, max_tokens=call.max_tokens, deadline_s=left_s
            )

        with self._traffic.one():
            answer = await self._first(call, means, ask)
            self._breaker(call, answer.writer).succeeded()
            draft = await self._charged(means, answer.value, answer.reservation)
        means.then(partial(self._answered, call, answer.writer, draft))
        return draft

    async def _stream(self, call: Call, means: Means) -> AsyncGenerator[Chunk, None]:
        async def ask(writer: Writer, left_s: float) -> Opened:
            stream = means.stream(
                writer, call.request, max_tokens=call.max_tokens, deadline_s=left_s
            )
            return await until_text(writer.name, stream)

        with self._traffic.one():
            answer = await self._first(call, means, ask)
            async with aclosing(self._continue(call, means, answer)) as chunks:
                async for chunk in chunks:
                    yield chunk

    def _answered(self, call: Call, writer: Writer, draft: Draft) -> None:
        self._tell(call, writer, draft.model, draft=draft)
        self.on_answer(Answered(call.request, draft, call.build_id, call.max_tokens))

    def _breaker(self, call: Call, writer: Writer) -> Breaker:
        if call.trial is not None and call.tries(writer):
            return call.trial.breaker
        return self.breakers[writer.name]

    def _tell(
        self,
        call: Call,
        writer: Writer,
        model: str,
        *,
        kind: str | None = None,
        draft: Draft | None = None,
    ) -> None:
        outcome = Outcome(
            provider=writer.name, model=model, canary=call.tries(writer), kind=kind, draft=draft
        )
        for listener in self._listeners:
            listener(outcome)

    async def _first(self, call: Call, means: Means, ask: Ask[T]) -> Answer[T]:
        for index, writer in enumerate(call.order):
            left = call.end - self._clock()
            if left <= 0:
                self._note(call, writer, late(writer))
                break
            last = index == len(call.order) - 1
            model, call.asked = writer.model, False
            try:
                end = self._clock() + left * (1 if last else self._share)
                return await self._ask(call, means, writer, ask, end)
            except ProviderError as error:
                if call.asked:
                    self._tell(call, writer, model, kind=error.kind)
                if rule_of(error.kind).action is Action.STOP:
                    raise
        raise self._nobody(call)

    async def _ask(
        self, call: Call, means: Means, writer: Writer, ask: Ask[T], end: float
    ) -> Answer[T]:
        """One provider, with its retries; its last failure if it has no answer."""
        for number in itertools.count(1):
            try:
                return await self._once(call, means, writer, ask, end)
            except ProviderError as error:
                wait = self._wait(self._breaker(call, writer), error, number)
                if wait is not None and self._clock() + wait >= end:
                    wait = None
                self._note(call, writer, error, wait)
                if wait is None:
                    raise
                await means.sleep(wait)
        raise AssertionError("unreachable")

    async def _once(
        self, call: Call, means: Means, writer: Writer, ask: Ask[T], end: float
    ) -> Answer[T]:
        breaker = self._breaker(call, writer)
        if getattr(writer, "renewed", bool)():
            breaker.succeeded()  # It may have been the old key that was refused.
        if not breaker.allow():
            rest = f"rests after failing; it is asked again in {breaker.opens_in_s:.0f} s."
            raise ProviderError(writer.name, Kind.REFUSED, rest)
        call.asked = True
        reservation: Reservation | None = None
        try:
            reservation = await self._reserve(call, means, writer)
            left = max(0.001, end - self._clock())
            return Answer(writer, await ask(writer, left), reservation)
        except ProviderError as error:
            self._report(breaker, error)
            if reservation is not None and not reservation.free:
                await means.book(partial(settle_failed, reservation, error))
            raise
        except QcLoraError as error:
            # Money, a missing library, a missing model: this one was not asked at all.
            fault = not_asked(writer, error)
            breaker.forget() if fault.kind == Kind.BUDGET else breaker.failed(fault.kind)
            raise fault from error
        except BaseException:
            breaker.forget()
            await self._kept(means, reservation)
            raise

    async def _reserve(self, call: Call, means: Means, writer: Writer) -> Reservation | None:
        budget = self._budget
        if budget is None:
            return None
        most = call.max_tokens + getattr(writer, "thinking_room", 0)

        def reserve() -> Reservation:
            return budget.reserve(call.build_id, writer.name, writer.model, call.request, most)

        # Nothing is set aside for the local model, and no thread needed to find that out.
        return reserve() if writer.name == LOCAL else await means.book(reserve)

    async def _kept(self, means: Means, reservation: Reservation | None) -> None:
        """All of it is charged: a reader that went away has had its tokens written all the same."""
        if reservation is not None and not reservation.free:
            await means.book(reservation.keep)

    def _report(self, breaker: Breaker, error: ProviderError) -> None:
        breaker.failed(error.kind, error.retry_after_s)
        if (error.retry_after_s or 0.0) > self._wait_cap_s:
            breaker.rest(error.retry_after_s or 0.0)

    def _wait(self, breaker: Breaker, error: ProviderError, number: int) -> float | None:
        """Seconds before this provider is asked again; None to go on to the next."""
        if rule_of(error.kind).action is not Action.RETRY or number >= self._attempts:
            return None
        if breaker.state is not State.CLOSED:
            return None
        if error.retry_after_s is not None:
            return error.retry_after_s if error.retry_after_s <= self._wait_cap_s else None
        return 0.5 * 2.0 ** (number - 1) * (1.0 + 0.25 * self._jitter())

    def _note(
        self, call: Call, writer: Writer, error: ProviderError, wait: float | None = None
    ) -> None:
        call.failures.append(error)
        self.on_failure(error)
        action = f"again in {wait:.1f} s" if wait is not None else "next provider"
        log.warning(
            "provider failed",
            provider=writer.name,
            kind=str(error.kind),
            then=action,
            fact=str(error),
        )

    async def _charged(self, means: Means, draft: Draft, reservation: Reservation | None) -> Draft:
        if reservation is None:
            return draft
        if reservation.free:
            return replace(draft, cost_usd=reservation.settle(draft))
        return replace(draft, cost_usd=await means.book(partial(reservation.settle, draft)))

    async def _continue(
        self, call: Call, means: Means, answer: Answer[Opened]
    ) -> AsyncGenerator[Chunk, None]:
        """What was held back, then the rest; the reservation ends here however this ends."""
        name, reservation = answer.writer.name, answer.reservation
        breaker = self._breaker(call, answer.writer)
        sent, told = 0, False
        try:
            async for chunk in answer.value.chunks():
                sent += len(chunk.text)
                if chunk.draft is None:
                    model = chunk.model or answer.writer.model
                    yield replace(chunk, provider=name, model=model)
                    continue
                told = True
                breaker.succeeded()
                held, reservation = reservation, None
                draft = await self._charged(means, chunk.draft, held)
                means.then(partial(self._answered, call, answer.writer, draft))
                yield Chunk(text=chunk.text, draft=draft, provider=name, model=draft.model)
                return
        except ProviderError as error:
            told = True
            breaker.failed(error.kind, error.retry_after_s)
            self._tell(call, answer.writer, answer.writer.model, kind=error.kind)
            self._note(call, answer.writer, error)
            more = f"({sent} characters were sent already; no other model continues them.)"
            fact = str(error).removeprefix(f"{name}: ")
            raise ProviderError(name, error.kind, fact, more) from error
        finally:
            if not told:
                breaker.forget()
            await answer.value.rest.aclose()
            await self._kept(means, reservation)

    def _nobody(self, call: Call) -> NoProvider:
        if not call.order:
            return NoProvider("No provider is configured. Set QC_LORA_PROVIDERS, or a key.")
        told = "; ".join(dict.fromkeys(str(error) for error in call.failures))
        money = any(error.kind == Kind.BUDGET for error in call.failures)
        kind = BudgetExhausted if money else NoProvider
        return kind(f"No provider answered. {told}", call.failures)
