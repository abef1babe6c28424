"""The OpenAI protocol as plain JSON: what our servers read and write, in one place.

The llama.cpp child and the gateway both speak it, so a client of one is a client of the other.
Fields we do not know are accepted and ignored, as clients expect; those we know are checked.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qc_builder_lora.ids import new_id
from qc_builder_lora.requests import not_text

DEFAULT_MAX_TOKENS = 1024
DONE = b"data: [DONE]\n\n"
# Made once: `json.dumps` makes one for every call that wants it so.
_event_text = json.JSONEncoder(ensure_ascii=False).encode
_body_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class WireError(Exception):
    """An answer that is an error: HTTP status, OpenAI's `type` and `code`, and the sentence."""

    def __init__(
        self, status: int, code: str, message: str, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.retry_after_s = retry_after_s

    @property
    def body(self) -> dict[str, Any]:
        """As OpenAI writes it."""
        kind = "invalid_request_error" if 400 <= self.status < 500 else "server_error"
        return {"error": {"message": self.message, "type": kind, "code": self.code, "param": None}}

    @property
    def headers(self) -> dict[str, str]:
        """`Retry-After` in whole seconds, where it helps to come back."""
        if self.retry_after_s is None:
            return {}
        return {"Retry-After": str(max(1, round(self.retry_after_s)))}


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One checked request for a completion."""

    model: str | None
    messages: tuple[dict[str, str], ...] = ()
    prompt: str | tuple[int, ...] | None = None
    """Of `/v1/completions`: a text, or token numbers."""
    max_tokens: int = DEFAULT_MAX_TOKENS
    stream: bool = False
    include_usage: bool = False
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 40
    seed: int | None = None
    cache_prompt: bool = True
    """llama-server's switch: False computes the whole prompt again, for answers that repeat."""

    @property
    def chat(self) -> bool:
        """Whether it came as messages."""
        return self.prompt is None


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens read and written."""

    prompt: int
    completion: int
    cached: int = 0

    @property
    def body(self) -> dict[str, Any]:
        """As OpenAI writes it."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached},
        }


def parse_ask(body: bytes, *, chat: bool, default_max_tokens: int = DEFAULT_MAX_TOKENS) -> Ask:
    """The request in a body; WireError 400 says which field is wrong and what it may be."""
    try:
        fields = json.loads(body)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(400, "invalid_json", f"The body is not valid JSON: {error}") from error
    if not isinstance(fields, dict):
        raise WireError(400, "invalid_json", "The body is not a JSON object.")
    if fields.get("n") not in (None, 1):
        raise WireError(400, "unsupported_value", f"n is {fields['n']!r}; only 1 is supported.")
    if fields.get("tools"):
        raise WireError(400, "unsupported_value", "tools are not supported.")
    asked = fields.get("max_completion_tokens") or fields.get("max_tokens") or default_max_tokens
    return Ask(
        model=_maybe(fields, "model", str),
        messages=_messages(fields.get("messages")) if chat else (),
        prompt=None if chat else _prompt(fields.get("prompt")),
        max_tokens=_integer("max_tokens", asked, low=1),
        stream=bool(fields.get("stream")),
        include_usage=bool((fields.get("stream_options") or {}).get("include_usage")),
        stop=_stop(fields.get("stop")),
        temperature=_number(fields, "temperature", 0.0, 0.0, 2.0),
        top_p=_number(fields, "top_p", 1.0, 0.0, 1.0),
        top_k=_integer("top_k", fields.get("top_k") or 40, low=1),
        seed=_maybe(fields, "seed", int),
        cache_prompt=fields.get("cache_prompt") is not False,
    )


def _maybe(fields: Mapping[str, Any], name: str, kind: type) -> Any:
    value = fields.get(name)
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        raise _wrong(name, value, f"must be of type {kind.__name__}")
    return value


def _wrong(name: str, value: object, rule: str) -> WireError:
    shown = repr(value)
    shown = shown if len(shown) <= 80 else shown[:80] + "…"
    return WireError(400, "invalid_value", f"{name} {rule}, got {shown}.")


def _integer(name: str, value: Any, low: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise _wrong(name, value, f"must be a whole number of at least {low}")
    return value


def _number(fields: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    value = fields.get(name)
    if value is None:
        return default
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise _wrong(name, value, f"must be a number from {low} to {high}")
    return float(value)


def _messages(value: Any) -> tuple[dict[str, str], ...]:
    if not isinstance(value, list) or not value:
        raise _wrong("messages", value, "must be a list of at least one message")
    return tuple(_message(index, item) for index, item in enumerate(value))


def _message(index: int, item: Any) -> dict[str, str]:
    where = f"messages[{index}]"
    if not isinstance(item, dict) or not isinstance(item.get("role"), str):
        raise _wrong(where, item, "must be an object with a role")
    if item["role"] not in ("system", "developer", "user", "assistant"):
        raise _wrong(f"{where}.role", item["role"], "must be system, user or assistant")
    return {"role": item["role"], "content": _content(where, item.get("content"))}


def _content(where: str, value: Any) -> str:
    if isinstance(value, str):
        return _text(f"{where}.content", value)
    if value is None:
        return ""
    parts = value if isinstance(value, list) else [value]
    if not all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in parts):
        raise _wrong(f"{where}.content", value, "must be text, or a list of text parts")
    return _text(f"{where}.content", "".join(part["text"] for part in parts))


def _text(where: str, value: str) -> str:
    """Only what can be sent on: every provider would fail over it, as if that were its fault."""
    fault = not_text(value)
    if fault:
        raise WireError(400, "invalid_value", f"{where} {fault}.")
    return value


def _prompt(value: Any) -> str | tuple[int, ...]:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    if isinstance(value, str) and value:
        return _text("prompt", value)
    if isinstance(value, list) and value and all(type(token) is int for token in value):
        return tuple(value)
    raise _wrong("prompt", value, "must be a text, or a list of token numbers")


def _stop(value: Any) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value or []
    if not isinstance(texts, list) or not all(isinstance(t, str) and t for t in texts):
        raise _wrong("stop", value, "must be a text or a list of texts")
    return tuple(texts)


class AnswerWriter:
    """Writes one answer as JSON or as server-sent events, with the same id throughout."""

    def __init__(self, ask: Ask, model: str, fingerprint: str | None = None) -> None:
        self._ask = ask
        self._frame = {
            "id": f"{'chatcmpl' if ask.chat else 'cmpl'}-{new_id()}",
            "created": int(time.time()),
            "model": sendable(model),
            **({"system_fingerprint": fingerprint} if fingerprint else {}),
        }

    def whole(self, text: str, finish_reason: str, usage: Usage | None) -> dict[str, Any]:
        """The answer of a request without `stream`."""
        text = sendable(text)
        piece = (
            {"message": {"role": "assistant", "content": text}}
            if self._ask.chat
            else {"text": text}
        )
        choice = {"index": 0, **piece, "logprobs": None, "finish_reason": finish_reason}
        kind = "chat.completion" if self._ask.chat else "text_completion"
        used = {"usage": usage.body} if usage else {}
        return {**self._frame, "object": kind, "choices": [choice], **used}

    def first(self) -> bytes:
        """The event that opens a stream of chat; nothing for plain completions."""
        return self._event({"role": "assistant", "content": ""}) if self._ask.chat else b""

    def piece(self, text: str) -> bytes:
        """One more piece of text."""
        text = sendable(text)
        return self._event({"content": text} if self._ask.chat else {"text": text})

    def last(self, finish_reason: str | None, usage: Usage | None) -> Iterator[bytes]:
        """What ends a stream: the reason, the usage, the mark.

        The usage rides on the last choice, for clients that never ask for it, and comes again in
        an event of its own for those that do: some clients cannot read an event without a choice.
        """
        used = {"usage": usage.body} if usage else {}
        yield self._event({} if self._ask.chat else {"text": ""}, finish_reason, used)
        if usage and self._ask.include_usage:
            yield sse({**self._frame, "object": self._kind, "choices": [], **used})
        yield DONE

    @property
    def _kind(self) -> str:
        return "chat.completion.chunk" if self._ask.chat else "text_completion"

    def _event(
        self,
        delta: Mapping[str, Any],
        finish_reason: str | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> bytes:
        piece = {"delta": delta} if self._ask.chat else delta
        choice = {"index": 0, **piece, "logprobs": None, "finish_reason": finish_reason}
        return sse({**self._frame, "object": self._kind, "choices": [choice], **(more or {})})


def sendable(text: str) -> str:
    """A provider's words as UTF-8 can carry them: half a character becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def sse(value: object) -> bytes:
    """One server-sent event."""
    return b"data: " + _event_text(value).encode() + b"\n\n"


def body_of(value: object) -> bytes:
    """A body of JSON; ValueError for what is none, UnicodeEncodeError for what is no text."""
    return _body_text(value).encode()


def model_list(names: Sequence[str], owner: str = "qc-builder-lora") -> dict[str, Any]:
    """The body of `/v1/models`."""
    return {
        "object": "list",
        "data": [{"id": n, "object": "model", "created": 0, "owned_by": owner} for n in names],
    }


def unknown_model(asked: str, known: Sequence[str]) -> WireError:
    """404, for answering with another model than was asked for would be a lie."""
    return WireError(
        404,
        "model_not_found",
        f"The model {asked!r} does not exist here. Models: {', '.join(known) or 'none'}.",
    )


def context_overflow(prompt: int, window: int, *, at_least: bool = False) -> WireError:
    """400 with OpenAI's code, which clients take as "shorten it", never as "try again"."""
    count = f"at least {prompt}" if at_least else str(prompt)
    return WireError(
        400,
        "context_length_exceeded",
        f"The prompt has {count} tokens and the context window of the model is {window}. "
        "Shorten the prompt, or start the model with a larger context (QC_LORA_LOCAL_CONTEXT).",
    )
