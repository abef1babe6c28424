"""One request on its way through the chain: what is known of it, and what became of it.

Only the pieces: who is asked when, and what a failure means, is decided in `chain`.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from qc_builder_lora.errors import (
    BudgetExhausted,
    PromptTooLong,
    ProviderError,
    QcLoraError,
    UnknownPrice,
)
from qc_builder_lora.models.breaker import Breaker
from qc_builder_lora.models.budget import Reservation
from qc_builder_lora.models.faults import Kind, rule_of
from qc_builder_lora.models.writer import Chunk, Draft, Writer
from qc_builder_lora.records import Request

T = TypeVar("T")


@dataclass(frozen=True)
class Answered:
    """A request that was answered, for those who keep it or ask another model the same."""

    request: Request
    draft: Draft
    build_id: str
    max_tokens: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one provider did with one request, its retries included."""

    provider: str
    model: str
    canary: bool
    kind: str | None = None
    """Of the failure; None for an answer."""
    draft: Draft | None = None


@dataclass(frozen=True)
class Trial:
    """A second writer that some requests are given to, before the one at its place is asked.

    It has a breaker of its own: its failures say nothing of the other.
    """

    writer: Writer
    place: int
    takes: Callable[[str], bool]
    """Whether it is asked for the Build, or the request, of that id."""
    breaker: Breaker


@dataclass
class Call:
    """One request on its way through the chain."""

    request: Request
    max_tokens: int
    build_id: str
    end: float
    order: tuple[Writer, ...]
    trial: Trial | None = None
    """Where the canary is to answer; kept here, for it may end meanwhile."""
    failures: list[ProviderError] = field(default_factory=list)
    asked: bool = False
    """Whether the provider at hand was asked, and not only found to be resting."""

    def tries(self, writer: Writer) -> bool:
        """Whether that is the canary."""
        return self.trial is not None and writer is self.trial.writer


@dataclass
class Opened:
    """A stream that has given its first text, with what was held back until then."""

    held: list[Chunk]
    rest: AsyncGenerator[Chunk, None]

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """All of it; closing `rest` is for whoever holds it."""
        for chunk in self.held:
            yield chunk
        async for chunk in self.rest:
            yield chunk


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a provider gave, and the money set aside for it."""

    writer: Writer
    value: T
    reservation: Reservation | None


class Traffic:
    """Counts the requests under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """One more, as long as the block lasts."""
        with self._lock:
            self.count += 1
        try:
            yield
        finally:
            with self._lock:
                self.count -= 1


async def until_text(name: str, stream: AsyncGenerator[Chunk, None]) -> Opened:
    """Read a stream up to its first text; whatever fails before that fails as if it never began."""
    held: list[Chunk] = []
    async for chunk in stream:
        held.append(chunk)
        if chunk.text.strip() or chunk.draft:
            return Opened(held, stream)
    raise ProviderError(name, Kind.TRUNCATED, "the stream ended without a word.")


def late(writer: Writer) -> ProviderError:
    """It was not asked: the time was up."""
    return ProviderError(writer.name, Kind.TIMEOUT, "no time was left to ask it.")


def not_asked(writer: Writer, error: QcLoraError) -> ProviderError:
    """It was not asked: no money, no library, no model."""
    money = isinstance(error, BudgetExhausted | UnknownPrice)
    kind = Kind.BUDGET if money else Kind.NOT_FOUND
    if isinstance(error, PromptTooLong):
        kind = Kind.CONTEXT_OVERFLOW
    return ProviderError(writer.name, kind, str(error).removeprefix(f"{writer.name}: "))


def settle_failed(reservation: Reservation | None, error: ProviderError) -> None:
    """Charge a failed call, unless nothing can have been written."""
    if reservation is None:
        return
    if rule_of(error.kind).billed:
        reservation.keep()
    else:
        reservation.release()
