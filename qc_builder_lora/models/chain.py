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
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import TypeVar

from qc_builder_lora.errors import BudgetExhausted, NoProvider, ProviderError, QcLoraError
from qc_builder_lora.log import get_logger
from qc_builder_lora.models.breaker import Breaker, State
from qc_builder_lora.models.budget import Budget, Reservation
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
from qc_builder_lora.models.writer import Chunk, Draft, Writer
from qc_builder_lora.records import Request

__all__ = ["Answered", "Chain", "Outcome", "Trial"]

T = TypeVar("T")

log = get_logger(__name__)


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
        self._traffic = Traffic()
        self.trial: Trial | None = None
        """A second writer that some requests are given to first: see `try_out`."""
        self._listeners: list[Callable[[Outcome], object]] = []
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
        route: str | None = None,
    ) -> Draft:
        """The first provider's answer; NoProvider or BudgetExhausted when none has one.

        `route` picks the model while one is on trial; by default the Build does, or, where that
        has no name, the request.
        """

        def ask(writer: Writer, left_s: float) -> Draft:
            return writer.write(request, max_tokens=call.max_tokens, deadline_s=left_s)

        call = self._call(request, max_tokens, deadline_s, build_id, route)
        with self._traffic.one():
            answer = self._first(call, ask)
        self._breaker(call, answer.writer).succeeded()
        draft = self._charged(answer.value, answer.reservation)
        self._tell(call, answer.writer, draft.model, draft=draft)
        self.on_answer(Answered(call.request, draft, call.build_id, call.max_tokens))
        return draft

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

        def ask(writer: Writer, left_s: float) -> Opened:
            stream = writer.stream(request, max_tokens=call.max_tokens, deadline_s=left_s)
            return until_text(writer.name, stream)

        call = self._call(request, max_tokens, deadline_s, build_id, route)
        with self._traffic.one():
            answer = self._first(call, ask)
            yield from self._continue(call, answer)

    @property
    def busy(self) -> bool:
        """Whether a request is under way, through this chain or one provider of it alone."""
        return self._traffic.count > 0

    @property
    def under_way(self) -> int:
        """Requests that have begun and not ended."""
        return self._traffic.count

    def admit(self, writer: Writer, place: int) -> None:
        """Ask one more provider from now on, at that place in the order.

        One that is there already starts with a clean record.
        """
        # New objects, not changes: requests under way and `only` hold the old ones.
        self.breakers = {**self.breakers, writer.name: Breaker(clock=self._clock)}
        if writer not in self.writers:
            self.writers = (*self.writers[:place], writer, *self.writers[place:])

    def dismiss(self, name: str) -> None:
        """Ask the provider of that name no more."""
        self.writers = tuple(writer for writer in self.writers if writer.name != name)

    def try_out(self, writer: Writer, place: int, takes: Callable[[str], bool]) -> None:
        """Give `writer` those requests whose Build it `takes`, before who is at that place.

        Where it fails, the others are asked as ever. A second call changes whom it takes.
        """
        before = self.trial
        same = before is not None and before.writer is writer
        breaker = before.breaker if before and same else Breaker(clock=self._clock)
        self.trial = Trial(writer, place, takes, breaker)

    def end_trial(self) -> None:
        """Give it nothing more; what it has begun it may end."""
        self.trial = None

    def listen(self, listener: Callable[[Outcome], object]) -> None:
        """Tell `listener` how each provider that was asked did; it must neither wait nor raise."""
        self._listeners.append(listener)

    def only(self, name: str) -> Chain:
        """One provider of this chain alone, with its breaker and the same budget."""
        alone = copy(self)
        alone.trial = None
        alone.writers = tuple(writer for writer in self.writers if writer.name == name)
        return alone

    def by_model(self) -> dict[str, Chain]:
        """Each provider alone, by its model's name; the one on trial too."""
        found = {writer.model: self.only(writer.name) for writer in self.writers}
        trial = self.trial
        if trial is not None:
            alone = copy(self)
            alone.writers, alone.trial = (), replace(trial, place=0, takes=lambda key: True)
            found[trial.writer.model] = alone
        return found

    def close(self) -> None:
        """Close every Writer that can be closed."""
        for writer in self.writers:
            close = getattr(writer, "close", None)
            if close is not None:
                close()

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

    def _first(self, call: Call, ask: Callable[[Writer, float], T]) -> Answer[T]:
        for index, writer in enumerate(call.order):
            left = call.end - self._clock()
            if left <= 0:
                self._note(call, writer, late(writer))
                break
            last = index == len(call.order) - 1
            model, call.asked = writer.model, False
            try:
                return self._ask(
                    call, writer, ask, self._clock() + left * (1 if last else self._share)
                )
            except ProviderError as error:
                if call.asked:
                    self._tell(call, writer, model, kind=error.kind)
                if rule_of(error.kind).action is Action.STOP:
                    raise
        raise self._nobody(call)

    def _ask(
        self, call: Call, writer: Writer, ask: Callable[[Writer, float], T], end: float
    ) -> Answer[T]:
        """One provider, with its retries; its last failure if it has no answer."""
        for number in itertools.count(1):
            try:
                return self._once(call, writer, ask, end)
            except ProviderError as error:
                wait = self._wait(self._breaker(call, writer), error, number)
                if wait is not None and self._clock() + wait >= end:
                    wait = None
                self._note(call, writer, error, wait)
                if wait is None:
                    raise
                self._sleep(wait)
        raise AssertionError("unreachable")

    def _once(
        self, call: Call, writer: Writer, ask: Callable[[Writer, float], T], end: float
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
            reservation = self._reserve(call, writer)
            left = max(0.001, end - self._clock())
            return Answer(writer, ask(writer, left), reservation)
        except ProviderError as error:
            self._report(breaker, error)
            settle_failed(reservation, error)
            raise
        except QcLoraError as error:
            # Money, a missing library, a missing model: this one was not asked at all.
            fault = not_asked(writer, error)
            breaker.forget() if fault.kind == Kind.BUDGET else breaker.failed(fault.kind)
            raise fault from error
        except BaseException:
            breaker.forget()
            if reservation is not None:
                reservation.keep()
            raise

    def _reserve(self, call: Call, writer: Writer) -> Reservation | None:
        if self._budget is None:
            return None
        most = call.max_tokens + getattr(writer, "thinking_room", 0)
        return self._budget.reserve(call.build_id, writer.name, writer.model, call.request, most)

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

    def _charged(self, draft: Draft, reservation: Reservation | None) -> Draft:
        return replace(draft, cost_usd=reservation.settle(draft)) if reservation else draft

    def _continue(self, call: Call, answer: Answer[Opened]) -> Iterator[Chunk]:
        """What was held back, then the rest; the reservation ends here however this ends."""
        name, reservation = answer.writer.name, answer.reservation
        breaker = self._breaker(call, answer.writer)
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
                self._tell(call, answer.writer, draft.model, draft=draft)
                self.on_answer(Answered(call.request, draft, call.build_id, call.max_tokens))
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
            # A reader that went away has had its tokens written all the same.
            if reservation is not None:
                reservation.keep()
            if not told:
                breaker.forget()
            close = getattr(answer.value.rest, "close", None)
            if close is not None:
                close()

    def _nobody(self, call: Call) -> NoProvider:
        if not call.order:
            return NoProvider("No provider is configured. Set QC_LORA_PROVIDERS, or a key.")
        told = "; ".join(dict.fromkeys(str(error) for error in call.failures))
        money = any(error.kind == Kind.BUDGET for error in call.failures)
        kind = BudgetExhausted if money else NoProvider
        return kind(f"No provider answered. {told}", call.failures)
