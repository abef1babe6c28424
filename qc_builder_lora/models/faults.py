"""What can go wrong with a provider, and what that means: retry here, next provider, or stop.

`ProviderError.kind` is one of the kinds below. The chain asks `rule_of(kind)` and decides nothing
else by itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Every way in which a provider fails to answer."""

    TIMEOUT = "timeout"
    REFUSED = "refused"
    """Nobody listens, or the local child cannot be started."""
    CONNECTION = "connection"
    """The connection broke before the answer began."""
    RATE_LIMIT = "rate_limit"
    OVERLOADED = "overloaded"
    SERVER = "server"
    MALFORMED = "malformed"
    """An answer that is not in the provider's protocol."""
    TRUNCATED = "truncated"
    """An answer that stopped without its end."""
    EMPTY = "empty"
    AUTH = "auth"
    """Key refused, or the account cannot pay."""
    NOT_FOUND = "not_found"
    """No such model, or no such address."""
    CONTEXT_OVERFLOW = "context_overflow"
    CONTENT_FILTER = "content_filter"
    BAD_REQUEST = "bad_request"
    CANCELLED = "cancelled"
    BUDGET = "budget"


class Action(StrEnum):
    """What the chain does next."""

    RETRY = "retry here"
    NEXT = "next provider"
    STOP = "stop"


@dataclass(frozen=True)
class Rule:
    """What one kind of failure means."""

    action: Action
    counts: bool
    """Whether it speaks against the provider's health: only then does the breaker count it."""
    billed: bool
    """Whether tokens may have been written and charged although we got no usage."""
    opens: bool = False
    """Whether the breaker opens at once: asking again cannot help until a person has acted."""


_RETRY, _NEXT, _STOP = Action.RETRY, Action.NEXT, Action.STOP

RULES: dict[Kind, Rule] = {
    # Another full wait would eat the time of the providers behind it.
    Kind.TIMEOUT: Rule(_NEXT, counts=True, billed=True),
    Kind.REFUSED: Rule(_NEXT, counts=True, billed=False),
    Kind.CONNECTION: Rule(_RETRY, counts=True, billed=True),
    Kind.RATE_LIMIT: Rule(_RETRY, counts=True, billed=False),
    Kind.OVERLOADED: Rule(_RETRY, counts=True, billed=False),
    Kind.SERVER: Rule(_RETRY, counts=True, billed=False),
    Kind.MALFORMED: Rule(_RETRY, counts=True, billed=True),
    Kind.TRUNCATED: Rule(_RETRY, counts=True, billed=True),
    # A model that had nothing to say will say nothing again.
    Kind.EMPTY: Rule(_NEXT, counts=False, billed=True),
    Kind.AUTH: Rule(_NEXT, counts=True, billed=False, opens=True),
    Kind.NOT_FOUND: Rule(_NEXT, counts=True, billed=False, opens=True),
    Kind.CONTEXT_OVERFLOW: Rule(_NEXT, counts=False, billed=False),
    Kind.CONTENT_FILTER: Rule(_NEXT, counts=False, billed=True),
    # Each provider gets the request in its own words, so one that takes offence says nothing
    # about the next.
    Kind.BAD_REQUEST: Rule(_NEXT, counts=False, billed=False),
    Kind.CANCELLED: Rule(_STOP, counts=False, billed=True),
    # Not a stop: a cheaper provider may still fit, and the local one is free.
    Kind.BUDGET: Rule(_NEXT, counts=False, billed=False),
}


def rule_of(kind: str) -> Rule:
    """The rule of a kind; a kind nobody knows is treated as the provider's own failure."""
    try:
        return RULES[Kind(kind)]
    except ValueError:
        return RULES[Kind.SERVER]


_CONTEXT = re.compile(
    r"context[ _](?:length|window|size)|maximum context|prompt is too long|input token count"
    r"|exceeds? the maximum number of tokens|too many (?:input )?tokens|exceed_context_size",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(
    r"insufficient_quota|credit balance|billing|api[ _]key not valid|API_KEY_INVALID"
    r"|invalid[ _]api[ _]key|payment",
    re.IGNORECASE,
)
_FILTER = re.compile(r"content[ _](?:filter|policy|management)|safety|moderation", re.IGNORECASE)

_BY_STATUS = {
    401: Kind.AUTH,
    402: Kind.BUDGET,
    403: Kind.AUTH,
    404: Kind.NOT_FOUND,
    408: Kind.TIMEOUT,
    413: Kind.CONTEXT_OVERFLOW,
    429: Kind.RATE_LIMIT,
    499: Kind.CANCELLED,
    503: Kind.OVERLOADED,
    504: Kind.TIMEOUT,
    529: Kind.OVERLOADED,
}


def kind_of_status(status: int, text: str) -> Kind:
    """The kind of an HTTP error, from its status and what its body says."""
    if status == 429 and _ACCOUNT.search(text):
        # "Insufficient quota" wears the status of a rate limit, and no waiting cures it.
        return Kind.AUTH
    if status in (400, 422):
        return _kind_of_refusal(text)
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return Kind.SERVER if status >= 500 or status == 409 else Kind.BAD_REQUEST


def _kind_of_refusal(text: str) -> Kind:
    if _CONTEXT.search(text):
        return Kind.CONTEXT_OVERFLOW
    if _ACCOUNT.search(text):
        return Kind.AUTH
    if _FILTER.search(text):
        return Kind.CONTENT_FILTER
    return Kind.BAD_REQUEST


_BY_WORD = (
    (re.compile(r"overloaded|UNAVAILABLE", re.IGNORECASE), Kind.OVERLOADED),
    (re.compile(r"rate_limit|RESOURCE_EXHAUSTED", re.IGNORECASE), Kind.RATE_LIMIT),
    (re.compile(r"authentication|permission|UNAUTHENTICATED", re.IGNORECASE), Kind.AUTH),
    (re.compile(r"not_found", re.IGNORECASE), Kind.NOT_FOUND),
    (re.compile(r"timeout|DEADLINE_EXCEEDED", re.IGNORECASE), Kind.TIMEOUT),
    (re.compile(r"invalid_request|INVALID_ARGUMENT", re.IGNORECASE), Kind.BAD_REQUEST),
)


def kind_of_text(text: str) -> Kind:
    """The kind of an error that came inside an answer with status 200: only its words tell."""
    refusal = _kind_of_refusal(text)
    if refusal is not Kind.BAD_REQUEST:
        return refusal
    return next((kind for word, kind in _BY_WORD if word.search(text)), Kind.SERVER)


def retry_after(header: str | None) -> float | None:
    """Seconds of a `Retry-After` header; None without one, or for a date (clocks differ)."""
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
