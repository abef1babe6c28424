"""The fallback chain: providers in order, and the one owner of retries, time, money and breakers.

    local ──▶ anthropic ──▶ openai ──▶ gemini

Each failure is looked up in `faults`: asked again here, passed to the next provider, or the end.
All attempts share one deadline, and a provider that has others behind it may use only a part of
what is left, so that one that hangs does not take the others' time with it. A stream is held back
until its first text: before that a broken one falls back unseen, after it a broken one is an
error, for two models' halves do not make one strategy.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from qc_builder_lora.errors import (
    BudgetExhausted,
    NoProvider,
    ProviderError,
    QcLoraError,
    UnknownPrice,
)
from qc_builder_lora.log import get_logger
from qc_builder_lora.models.breaker import Breaker, State
from qc_builder_lora.models.budget import Budget, Reservation
from qc_builder_lora.models.faults import Action, Kind, rule_of
from qc_builder_lora.models.writer import Chunk, Draft, Writer
from qc_builder_lora.records import Request

T = TypeVar("T")

log = get_logger(__name__)


@dataclass(frozen=True)
class Answered:
    """A request that was answered, for those who keep it or ask another model the same."""

    request: Request
    draft: Draft
    build_id: str
    max_tokens: int


class _Traffic:
    """Counts the requests under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        with self._lock:
            self.count += 1
        try:
            yield
        finally:
            with self._lock:
                self.count -= 1


@dataclass
class _Call:
    """One request on its way through the chain."""

    request: Request
    max_tokens: int
    build_id: str
    end: float
    failures: list[ProviderError] = field(default_factory=list)


@dataclass
class _Opened:
    """A stream that has given its first text, with what was held back until then."""

    held: list[Chunk]
    rest: Iterator[Chunk]


@dataclass(frozen=True)
class _Answer(Generic[T]):
    """What a provider gave, and the money set aside for it."""

    writer: Writer
    value: T
    reservation: Reservation | None


class Chain:
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
        self.writers = tuple(writers)
        self._budget = budget
        self._max_tokens, self._deadline_s = max_tokens, deadline_s
        self._attempts, self._share, self._wait_cap_s = attempts, share, wait_cap_s
        self._clock, self._sleep, self._jitter = clock, sleep, jitter
        self._traffic = _Traffic()
        self.on_failure = on_failure
        self.on_answer = on_answer
        """Told of every answer, on the caller's thread: it must neither wait nor raise."""
        given = breakers or {}
        self.breakers = {w.name: given.get(w.name) or Breaker(clock=clock) for w in self.writers}

    def write(
        self,
        request: Request,
        *,
        max_tokens: int | None = None,
        deadline_s: float | None = None,
        build_id: str = "",
    ) -> Draft:
        """The first provider's answer; NoProvider or BudgetExhausted when none has one."""

        def ask(writer: Writer, left_s: float) -> Draft:
            return writer.write(request, max_tokens=call.max_tokens, deadline_s=left_s)

        call = self._call(request, max_tokens, deadline_s, build_id)
        with self._traffic.one():
            answer = self._first(call, ask)
        self.breakers[answer.writer.name].succeeded()
        draft = self._charged(answer.value, answer.reservation)
        self.on_answer(Answered(call.request, draft, call.build_id, call.max_tokens))
        return draft

    def stream(
        self,
        request: Request,
        *,
        max_tokens: int | None = None,
        deadline_s: float | None = None,
        build_id: str = "",
    ) -> Iterator[Chunk]:
        """The first provider's answer as it is written; the last Chunk carries the Draft.

        The errors of `write` come before the first Chunk. After it a failure is a ProviderError.
        """

        def ask(writer: Writer, left_s: float) -> _Opened:
            stream = writer.stream(request, max_tokens=call.max_tokens, deadline_s=left_s)
            return _until_text(writer.name, stream)

        call = self._call(request, max_tokens, deadline_s, build_id)
        with self._traffic.one():
            answer = self._first(call, ask)
            yield from self._continue(call, answer)

    @property
    def busy(self) -> bool:
        """Whether a request is under way, through this chain or one provider of it alone."""
        return self._traffic.count > 0

    def admit(self, writer: Writer, place: int) -> None:
        """Ask one more provider from now on, at that place in the order.

        One that is there already starts with a clean record.
        """
        # New objects, not changes: requests under way and `only` hold the old ones.
        self.breakers = {**self.breakers, writer.name: Breaker(clock=self._clock)}
        if writer not in self.writers:
            self.writers = (*self.writers[:place], writer, *self.writers[place:])

    def only(self, name: str) -> Chain:
        """One provider of this chain alone, with its breaker and the same budget."""
        alone = copy(self)
        alone.writers = tuple(writer for writer in self.writers if writer.name == name)
        return alone

    def close(self) -> None:
        """Close every Writer that can be closed."""
        for writer in self.writers:
            close = getattr(writer, "close", None)
            if close is not None:
                close()

    def _call(
        self, request: Request, max_tokens: int | None, deadline_s: float | None, build_id: str
    ) -> _Call:
        end = self._clock() + (deadline_s or self._deadline_s)
        return _Call(request, max_tokens or self._max_tokens, build_id, end)

    def _first(self, call: _Call, ask: Callable[[Writer, float], T]) -> _Answer[T]:
        for index, writer in enumerate(self.writers):
            left = call.end - self._clock()
            if left <= 0:
                self._note(call, writer, _late(writer))
                break
            last = index == len(self.writers) - 1
            try:
                return self._ask(
                    call, writer, ask, self._clock() + left * (1 if last else self._share)
                )
            except ProviderError as error:
                if rule_of(error.kind).action is Action.STOP:
                    raise
        raise self._nobody(call)

    def _ask(
        self, call: _Call, writer: Writer, ask: Callable[[Writer, float], T], end: float
    ) -> _Answer[T]:
        """One provider, with its retries; its last failure if it has no answer."""
        for number in itertools.count(1):
            try:
                return self._once(call, writer, ask, end)
            except ProviderError as error:
                wait = self._wait(writer, error, number)
                if wait is not None and self._clock() + wait >= end:
                    wait = None
                self._note(call, writer, error, wait)
                if wait is None:
                    raise
                self._sleep(wait)
        raise AssertionError("unreachable")

    def _once(
        self, call: _Call, writer: Writer, ask: Callable[[Writer, float], T], end: float
    ) -> _Answer[T]:
        breaker = self.breakers[writer.name]
        if not breaker.allow():
            rest = f"rests after failing; it is asked again in {breaker.opens_in_s:.0f} s."
            raise ProviderError(writer.name, Kind.REFUSED, rest)
        reservation: Reservation | None = None
        try:
            reservation = self._reserve(call, writer)
            left = max(0.001, end - self._clock())
            return _Answer(writer, ask(writer, left), reservation)
        except ProviderError as error:
            self._report(writer, error)
            _end(reservation, error)
            raise
        except QcLoraError as error:
            # Money, a missing library, a missing model: this one was not asked at all.
            fault = _not_asked(writer, error)
            breaker.forget() if fault.kind == Kind.BUDGET else breaker.failed(fault.kind)
            raise fault from error
        except BaseException:
            breaker.forget()
            if reservation is not None:
                reservation.keep()
            raise

    def _reserve(self, call: _Call, writer: Writer) -> Reservation | None:
        if self._budget is None:
            return None
        most = call.max_tokens + getattr(writer, "thinking_room", 0)
        return self._budget.reserve(call.build_id, writer.name, writer.model, call.request, most)

    def _report(self, writer: Writer, error: ProviderError) -> None:
        breaker = self.breakers[writer.name]
        breaker.failed(error.kind, error.retry_after_s)
        if (error.retry_after_s or 0.0) > self._wait_cap_s:
            breaker.rest(error.retry_after_s or 0.0)

    def _wait(self, writer: Writer, error: ProviderError, number: int) -> float | None:
        """Seconds before this provider is asked again; None to go on to the next."""
        if rule_of(error.kind).action is not Action.RETRY or number >= self._attempts:
            return None
        if self.breakers[writer.name].state is not State.CLOSED:
            return None
        if error.retry_after_s is not None:
            return error.retry_after_s if error.retry_after_s <= self._wait_cap_s else None
        return 0.5 * 2.0 ** (number - 1) * (1.0 + 0.25 * self._jitter())

    def _note(
        self, call: _Call, writer: Writer, error: ProviderError, wait: float | None = None
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

    def _charged(self, draft: Draft, reservation: Reservation | None) -> Draft:
        return replace(draft, cost_usd=reservation.settle(draft)) if reservation else draft

    def _continue(self, call: _Call, answer: _Answer[_Opened]) -> Iterator[Chunk]:
        """What was held back, then the rest; the reservation ends here however this ends."""
        name, reservation = answer.writer.name, answer.reservation
        breaker = self.breakers[name]
        sent, told = 0, False
        try:
            for chunk in itertools.chain(answer.value.held, answer.value.rest):
                sent += len(chunk.text)
                if chunk.draft is None:
                    model = chunk.model or answer.writer.model
                    yield replace(chunk, provider=name, model=model)
                    continue
                told = True
                breaker.succeeded()
                draft, reservation = self._charged(chunk.draft, reservation), None
                self.on_answer(Answered(call.request, draft, call.build_id, call.max_tokens))
                yield Chunk(text=chunk.text, draft=draft, provider=name, model=draft.model)
                return
        except ProviderError as error:
            told = True
            breaker.failed(error.kind, error.retry_after_s)
            self._note(call, answer.writer, error)
            more = f"({sent} characters were sent already; no other model continues them.)"
            fact = str(error).removeprefix(f"{name}: ")
            raise ProviderError(name, error.kind, fact, more) from error
        finally:
            # A reader that went away has had its tokens written all the same.
            if reservation is not None:
                reservation.keep()
            if not told:
                breaker.forget()
            close = getattr(answer.value.rest, "close", None)
            if close is not None:
                close()

    def _nobody(self, call: _Call) -> NoProvider:
        if not self.writers:
            return NoProvider("No provider is configured. Set QC_LORA_PROVIDERS, or a key.")
        told = "; ".join(dict.fromkeys(str(error) for error in call.failures))
        money = any(error.kind == Kind.BUDGET for error in call.failures)
        kind = BudgetExhausted if money else NoProvider
        return kind(f"No provider answered. {told}", call.failures)


def _late(writer: Writer) -> ProviderError:
    return ProviderError(writer.name, Kind.TIMEOUT, "no time was left to ask it.")


def _not_asked(writer: Writer, error: QcLoraError) -> ProviderError:
    money = isinstance(error, BudgetExhausted | UnknownPrice)
    kind = Kind.BUDGET if money else Kind.NOT_FOUND
    return ProviderError(writer.name, kind, str(error).removeprefix(f"{writer.name}: "))


def _end(reservation: Reservation | None, error: ProviderError) -> None:
    if reservation is None:
        return
    if rule_of(error.kind).billed:
        reservation.keep()
    else:
        reservation.release()


def _until_text(name: str, stream: Iterator[Chunk]) -> _Opened:
    """Read a stream up to its first text; whatever fails before that fails as if it never began."""
    held: list[Chunk] = []
    for chunk in stream:
        held.append(chunk)
        if chunk.text.strip() or chunk.draft:
            return _Opened(held, stream)
    raise ProviderError(name, Kind.TRUNCATED, "the stream ended without a word.")
