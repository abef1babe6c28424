"""A Request as the messages that are sent to a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qc_builder_lora.ids import json_hash, now
from qc_builder_lora.records import Request
from qc_builder_lora.template import user_text


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialogue(Request):
    """A Request that came as chat messages: a client's own words go to the model as they are."""

    messages: tuple[Mapping[str, str], ...]


def new_dialogue(messages: Sequence[Mapping[str, str]]) -> Dialogue:
    """A Request from chat messages: the last user's text is the instruction, the rest context."""
    kept = tuple({"role": m["role"], "content": m["content"]} for m in messages)
    users = [index for index, message in enumerate(kept) if message["role"] == "user"]
    last = users[-1] if users else len(kept) - 1
    before = [message["content"] for index, message in enumerate(kept) if index != last]
    return Dialogue(
        id=json_hash({"messages": kept}),
        instruction=kept[last]["content"],
        context="\n\n".join(before),
        created_at=now(),
        messages=kept,
    )


def messages_of(request: Request, system: str = "") -> list[dict[str, str]]:
    """What is sent: a client's messages, or our system text (if any) and the user's text."""
    if isinstance(request, Dialogue):
        return [dict(message) for message in request.messages]
    user = {"role": "user", "content": user_text(request.instruction, request.context)}
    return [{"role": "system", "content": system}, user] if system else [user]


def split_system(messages: Sequence[Mapping[str, str]]) -> tuple[str, list[dict[str, str]]]:
    """The system text apart from the turns, for the providers that want it so."""
    system = [m["content"] for m in messages if m["role"] in ("system", "developer")]
    turns = [dict(m) for m in messages if m["role"] in ("user", "assistant")]
    return "\n\n".join(system), turns
