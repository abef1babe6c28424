"""A Request as the messages that are sent to a model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qc_builder_lora.ids import json_hash, now
from qc_builder_lora.records import Request
from qc_builder_lora.template import user_text

_MARK = "messages: "
"""Before the JSON of all messages, in the context of a Dialogue of more than two."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialogue(Request):
    """A Request that came as chat messages: a client's own words go to the model as they are."""

    messages: tuple[Mapping[str, str], ...]


def new_dialogue(messages: Sequence[Mapping[str, str]]) -> Dialogue:
    """A Request from chat messages: the last user's text is the instruction, the rest context."""
    kept = tuple({"role": m["role"], "content": m["content"]} for m in messages)
    if [message["role"] for message in kept] not in (["user"], ["system", "user"]):
        # Not lossless otherwise: a stored Request must give the same messages again.
        return _keeping_all(kept)
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


def _keeping_all(kept: tuple[Mapping[str, str], ...]) -> Dialogue:
    users = [message["content"] for message in kept if message["role"] == "user"]
    return Dialogue(
        id=json_hash({"messages": kept}),
        instruction=users[-1] if users else kept[-1]["content"],
        context=_MARK + json.dumps(list(kept), ensure_ascii=False),
        created_at=now(),
        messages=kept,
    )


def restored(request: Request) -> Request:
    """A stored Request as it was asked: with the messages of the Dialogue that it came from."""
    if isinstance(request, Dialogue):
        return request
    if request.context.startswith(_MARK):
        messages = json.loads(request.context.removeprefix(_MARK))
    else:
        system = [{"role": "system", "content": request.context}] if request.context else []
        messages = [*system, {"role": "user", "content": request.instruction}]
        if json_hash({"messages": messages}) != request.id:
            return request
    return Dialogue(
        id=request.id,
        instruction=request.instruction,
        context=request.context,
        created_at=request.created_at,
        messages=tuple(messages),
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
