"""The Writer for Claude, through the official SDK."""

from __future__ import annotations

import re
from typing import Any

from qc_builder_lora.models.dialogue import messages_of, split_system
from qc_builder_lora.models.exchange import THINKING_ROOM, Ending, Events, Piece
from qc_builder_lora.models.faults import Kind
from qc_builder_lora.models.http_exchange import HttpExchange
from qc_builder_lora.models.writer import SYSTEM_PROMPT
from qc_builder_lora.records import Request

_URL = "https://api.anthropic.com"
# From the fifth generation on Claude thinks unless it is easy, and only effort limits it.
_THINKS = re.compile(r"claude-[a-z]+-(?:[5-9]|\d\d)")
_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}


class AnthropicWriter(HttpExchange):
    """Asks `/v1/messages`."""

    def __init__(
        self,
        key: str,
        model: str,
        *,
        url: str | None = None,
        first_text_s: float | None = 60.0,
        gap_s: float | None = 30.0,
    ) -> None:
        super().__init__("anthropic", model, key=key, first_text_s=first_text_s, gap_s=gap_s)
        self._url = url or _URL
        thinks = bool(_THINKS.match(model))
        self._options: dict[str, Any] = {"output_config": {"effort": "low"}} if thinks else {}
        self.thinking_room = THINKING_ROOM if thinks else 0

    def _make_client(self) -> Any:
        from anthropic import AsyncAnthropic

        return AsyncAnthropic(
            api_key=self._key,
            base_url=self._url,
            max_retries=0,
            http_client=self._http_client(),
        )

    async def _events(
        self, request: Request, max_tokens: int, timeout_s: float, stream: bool
    ) -> Events:
        system, turns = split_system(messages_of(request, SYSTEM_PROMPT))
        # With a timeout of the request's own the SDK does not refuse long answers without a
        # stream, as it does when it has to guess how long they take.
        answer = await self._client().messages.create(
            model=self.model,
            messages=turns,
            max_tokens=max_tokens,
            timeout=self._timeout(timeout_s),
            stream=stream,
            **self._options,
            **({"system": system} if system else {}),
        )
        events = self._read_stream(answer) if stream else self._read_whole(answer)
        async for event in events:
            yield event

    async def _read_whole(self, answer: Any) -> Events:
        try:
            texts = [block.text for block in answer.content if block.type == "text"]
        except (AttributeError, TypeError):
            raise self._error(Kind.MALFORMED, f"an answer without content: {answer!r}") from None
        yield Piece("".join(texts))
        yield Ending(
            finish_reason=_reason(answer.stop_reason),
            prompt_tokens=_prompt_tokens(answer.usage),
            completion_tokens=getattr(answer.usage, "output_tokens", None),
            model=answer.model,
        )

    async def _read_stream(self, stream: Any) -> Events:
        model = reason = prompt_tokens = completion_tokens = None
        async with stream:
            async for event in stream:
                if event.type == "message_start":
                    model = event.message.model
                    prompt_tokens = _prompt_tokens(event.message.usage)
                elif event.type == "message_delta":
                    reason = event.delta.stop_reason or reason
                    completion_tokens = getattr(event.usage, "output_tokens", None)
                is_text = event.type == "content_block_delta" and event.delta.type == "text_delta"
                yield Piece(event.delta.text if is_text else "")
        yield Ending(
            finish_reason=_reason(reason),
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            model=model,
        )


def _reason(reason: str | None) -> str | None:
    return _REASONS.get(reason, reason) if reason else None


def _prompt_tokens(usage: Any) -> int | None:
    """All tokens that were read: those of the prompt cache are counted apart by the API."""
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    counts = [getattr(usage, name, None) for name in names]
    return sum(count or 0 for count in counts) if counts[0] is not None else None
