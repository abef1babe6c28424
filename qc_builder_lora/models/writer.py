"""What every source of strategies is to us: a Request in, a Draft out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from qc_builder_lora.errors import InputError
from qc_builder_lora.records import Request
from qc_builder_lora.requests import new_request as request_of
from qc_builder_lora.requests import not_text

__all__ = ["SYSTEM_PROMPT", "Chunk", "Draft", "Writer", "new_request"]

SYSTEM_PROMPT = (
    "You write trading strategies for QuantConnect (LEAN) in Python. "
    "Answer with one complete Python file and nothing else."
)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """One answer of one model, with what it cost. Unknown figures are None, never zero."""

    text: str
    """The model's answer as it came."""
    code: str
    """The Python taken out of it."""
    provider: str
    model: str
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: Decimal | None = None
    latency_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A piece of a streamed answer; the last one carries the Draft."""

    text: str = ""
    draft: Draft | None = None
    provider: str | None = None
    """Who writes: on every Chunk of a chain, before the Draft says it."""
    model: str | None = None


class Writer(Protocol):
    """Writes a strategy for a Request.

    All methods raise ProviderError (its `kind` says what a chain should do) and never retry by
    themselves: the chain is the one owner of retries, deadlines, budget and breaker. An answer
    without a finish reason, or an empty one, is an error, not an answer. Each way of asking comes
    in two forms, one that blocks and one that is awaited.
    """

    @property
    def name(self) -> str:
        """`local`, `anthropic`, `openai` or `gemini`."""
        ...

    @property
    def model(self) -> str:
        """What it is called, by itself or by its provider."""
        ...

    def write(self, request: Request, *, max_tokens: int, deadline_s: float) -> Draft:
        """The whole answer, or ProviderError within `deadline_s` seconds."""
        ...

    def stream(self, request: Request, *, max_tokens: int, deadline_s: float) -> Iterator[Chunk]:
        """The answer as it is written; the last Chunk carries the Draft."""
        ...

    async def write_async(self, request: Request, *, max_tokens: int, deadline_s: float) -> Draft:
        """As `write`; cancelling it ends the request, with a ProviderError that says so."""
        ...

    def stream_async(
        self, request: Request, *, max_tokens: int, deadline_s: float
    ) -> AsyncGenerator[Chunk, None]:
        """As `stream`; closing it ends the request."""
        ...


def new_request(instruction: str, context: str = "") -> Request:
    """A Request that can be sent to a model; InputError for what is no valid Unicode."""
    for name, value in (("prompt", instruction), ("context", context)):
        fault = not_text(value)
        if fault:
            raise InputError(f"The {name} {fault}. Read it with errors='replace', or leave it out.")
    return request_of(instruction, context)
