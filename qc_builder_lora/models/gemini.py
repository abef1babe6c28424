"""The Writer for Gemini, through the official SDK."""

from __future__ import annotations

import re
from typing import Any

from qc_builder_lora.models.background import submit
from qc_builder_lora.models.dialogue import messages_of, split_system
from qc_builder_lora.models.exchange import THINKING_ROOM, Ending, Events, Piece
from qc_builder_lora.models.http_exchange import HttpExchange
from qc_builder_lora.models.writer import SYSTEM_PROMPT
from qc_builder_lora.records import Request

_URL = "https://generativelanguage.googleapis.com"
_REASONS = {"STOP": "stop", "MAX_TOKENS": "length"}
_FILTERED = {
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "LANGUAGE",
    "IMAGE_SAFETY",
}
# Thoughts are taken from the tokens of the answer. Some models can be told not to think, the
# small ones of later generations hardly do by themselves, the others only more or less.
_CAN_STOP_THINKING = re.compile(r"gemini-2\.5-flash")
_THINKS = re.compile(r"gemini-(?:2\.5-pro|[3-9])(?!.*-lite)")


class GeminiWriter(HttpExchange):
    """Asks `models/…:generateContent`."""

    def __init__(
        self,
        key: str,
        model: str,
        *,
        url: str | None = None,
        first_text_s: float | None = 60.0,
        gap_s: float | None = 30.0,
    ) -> None:
        super().__init__("gemini", model, key=key, first_text_s=first_text_s, gap_s=gap_s)
        self._url = url or _URL
        self.thinking_room = THINKING_ROOM if _THINKS.match(model) else 0
        self._http: Any = None

    def _make_client(self) -> Any:
        from google.genai import Client
        from google.genai.types import HttpOptions, HttpRetryOptions

        # With an HTTP client of ours the SDK leaves aiohttp alone, where it retries by itself
        # after a sleep of up to ten seconds.
        self._http = self._http_client(follow_redirects=True)
        options = HttpOptions(
            base_url=self._url,
            httpx_async_client=self._http,
            retry_options=HttpRetryOptions(attempts=1),
        )
        return Client(api_key=self._key, vertexai=False, http_options=options).aio

    def close(self) -> None:
        """Close the connections."""
        super().close()
        http, self._http = self._http, None
        if http is not None:
            submit(http.aclose()).result(timeout=5)

    async def _events(
        self, request: Request, max_tokens: int, timeout_s: float, stream: bool
    ) -> Events:
        system, turns = split_system(messages_of(request, SYSTEM_PROMPT))
        asked = {
            "model": self.model,
            "contents": [_content(turn) for turn in turns],
            "config": self._config(system, max_tokens, timeout_s),
        }
        models = self._client().models
        if stream:
            answers = await models.generate_content_stream(**asked)
        else:
            answers = _one(await models.generate_content(**asked))
        finish = model = usage = None
        async for answer in answers:
            finish = _reason(answer) or finish
            usage = answer.usage_metadata or usage
            model = answer.model_version or model
            yield Piece(_text(answer))
        yield Ending(
            finish_reason=finish,
            prompt_tokens=getattr(usage, "prompt_token_count", None),
            completion_tokens=_completion_tokens(usage),
            model=model,
        )

    def _config(self, system: str, max_tokens: int, timeout_s: float) -> Any:
        from google.genai import types

        thinking = None
        if _CAN_STOP_THINKING.match(self.model):
            thinking = types.ThinkingConfig(thinking_budget=0)
        elif self.thinking_room and not self.model.startswith("gemini-2"):
            thinking = types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW)
        return types.GenerateContentConfig(
            system_instruction=system or None,
            max_output_tokens=max_tokens,
            thinking_config=thinking,
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            # Milliseconds here, and none at all by default.
            http_options=types.HttpOptions(timeout=max(1, int(timeout_s * 1000) + 1000)),
        )


def _content(turn: dict[str, str]) -> dict[str, Any]:
    role = "model" if turn["role"] == "assistant" else "user"
    return {"role": role, "parts": [{"text": turn["content"]}]}


async def _one(answer: Any) -> Any:
    yield answer


def _reason(answer: Any) -> str | None:
    feedback = answer.prompt_feedback
    if feedback is not None and feedback.block_reason is not None:
        return "content_filter"
    found = answer.candidates[0].finish_reason if answer.candidates else None
    if found is None:
        return None
    name = str(getattr(found, "value", found))
    return "content_filter" if name in _FILTERED else _REASONS.get(name, name.lower())


def _text(answer: Any) -> str:
    # Not `answer.text`, which warns into the log when there is none.
    content = answer.candidates[0].content if answer.candidates else None
    parts = (content.parts if content else None) or ()
    return "".join(part.text for part in parts if part.text and not part.thought)


def _completion_tokens(usage: Any) -> int | None:
    """Tokens written, thoughts included: they are charged alike."""
    written = getattr(usage, "candidates_token_count", None)
    thought = getattr(usage, "thoughts_token_count", None)
    return None if written is None and thought is None else (written or 0) + (thought or 0)
