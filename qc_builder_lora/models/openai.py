"""The Writer for OpenAI's models, through the official SDK."""

from __future__ import annotations

import re
from typing import Any

from qc_builder_lora.errors import ProviderError
from qc_builder_lora.models.dialogue import messages_of
from qc_builder_lora.models.exchange import THINKING_ROOM, Ending, Events, Piece
from qc_builder_lora.models.faults import Kind
from qc_builder_lora.models.http_exchange import HttpExchange
from qc_builder_lora.models.writer import SYSTEM_PROMPT
from qc_builder_lora.records import Request

_URL = "https://api.openai.com/v1"
# These reason before they write. `low` is the least effort that all of them know.
_REASONS_FIRST = re.compile(r"gpt-(?:[5-9]|\d\d)|o\d")


class OpenAIWriter(HttpExchange):
    """Asks `/chat/completions`."""

    def __init__(
        self,
        key: str,
        model: str,
        *,
        url: str | None = None,
        first_text_s: float | None = 60.0,
        gap_s: float | None = 30.0,
    ) -> None:
        super().__init__("openai", model, key=key, first_text_s=first_text_s, gap_s=gap_s)
        self._url = url or _URL
        self._options = {"reasoning_effort": "low"} if _REASONS_FIRST.match(model) else {}
        self.thinking_room = THINKING_ROOM if self._options else 0

    def _make_client(self) -> Any:
        from openai import AsyncOpenAI

        # The address is always given: the SDK would else take one from the environment.
        return AsyncOpenAI(
            api_key=self._key,
            base_url=self._url,
            max_retries=0,
            http_client=self._http_client(),
        )

    async def _events(
        self, request: Request, max_tokens: int, timeout_s: float, stream: bool
    ) -> Events:
        answer = await self._client().chat.completions.create(
            model=self.model,
            messages=messages_of(request, SYSTEM_PROMPT),
            # Not `max_tokens`: newer models refuse the old name, all know this one.
            max_completion_tokens=max_tokens,
            timeout=self._timeout(timeout_s),
            stream=stream,
            **self._options,
            **({"stream_options": {"include_usage": True}} if stream else {}),
        )
        events = self._read_stream(answer) if stream else self._read_whole(answer)
        async for event in events:
            yield event

    async def _read_whole(self, answer: Any) -> Events:
        choice = self._first_choice(answer)
        yield Piece(choice.message.content or "")
        yield _ending(answer, choice.finish_reason)

    def _first_choice(self, answer: Any) -> Any:
        try:
            return answer.choices[0]
        except (AttributeError, IndexError, TypeError):
            raise self._malformed(answer) from None

    def _malformed(self, answer: object) -> ProviderError:
        return self._error(Kind.MALFORMED, f"an answer without a choice: {answer!r}")

    async def _read_stream(self, stream: Any) -> Events:
        finish, last = None, None
        async with stream:
            async for chunk in stream:
                for choice in chunk.choices or ():
                    finish = choice.finish_reason or finish
                    yield Piece((choice.delta.content if choice.delta else None) or "")
                if last is None or chunk.usage:
                    last = chunk
        yield _ending(last, finish)


def _ending(answer: Any, finish_reason: str | None) -> Ending:
    usage = getattr(answer, "usage", None)
    return Ending(
        finish_reason=finish_reason,
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
        model=getattr(answer, "model", None),
    )
