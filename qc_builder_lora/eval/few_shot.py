"""The arm without training: the base model, shown the nearest examples before it is asked.

If this does as well as the tuned model, training was not needed. Examples come from the train
split of a snapshot, by the weight of the words that a request and an instruction share; one with
the request's own words is left out, for it would be the answer.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from qc_builder_lora.errors import ProviderError
from qc_builder_lora.models.dialogue import Dialogue, messages_of
from qc_builder_lora.models.faults import Kind
from qc_builder_lora.models.writer import Chunk, Draft, Writer
from qc_builder_lora.records import Request

SHOTS = 2
"""Examples before a request: what fits a small model's context beside the answer."""
_WORD = re.compile(r"[a-z]+|\d+")


class Shown(Protocol):
    """What a shot is made of."""

    @property
    def instruction(self) -> str: ...
    @property
    def code(self) -> str: ...


class Nearest:
    """Finds the examples whose instructions are nearest to a text (TF-IDF, cosine)."""

    def __init__(self, examples: Sequence[Shown]) -> None:
        self._examples = examples
        counts = [Counter(_words(one.instruction)) for one in examples]
        seen = Counter(word for count in counts for word in count)
        self._weights = {word: math.log(1 + len(examples) / n) for word, n in seen.items()}
        self._vectors = [self._vector(count) for count in counts]

    def to(self, text: str, count: int) -> list[Shown]:
        """At most `count`, the nearest last, where a model minds it most."""
        own = _words(text)
        asked = self._vector(Counter(own))
        ranked = sorted(
            (
                (_dot(asked, vector), -number)
                for number, vector in enumerate(self._vectors)
                if _words(self._examples[number].instruction) != own
            ),
            reverse=True,
        )
        return [self._examples[-number] for _, number in reversed(ranked[:count])]

    def _vector(self, counts: Counter[str]) -> dict[str, float]:
        raw = {word: n * self._weights.get(word, 0.0) for word, n in counts.items()}
        length = math.sqrt(sum(value * value for value in raw.values()))
        return {word: value / length for word, value in raw.items()} if length else {}


class FewShotWriter:
    """Asks another Writer, with the nearest examples as turns of the conversation before."""

    def __init__(self, writer: Writer, examples: Sequence[Shown], shots: int = SHOTS) -> None:
        self._writer, self._nearest, self._shots = writer, Nearest(examples), shots
        self.name = writer.name
        self.model = f"{writer.model}+{shots}-shot"

    def write(self, request: Request, *, max_tokens: int, deadline_s: float) -> Draft:
        """The whole answer; with fewer examples where the context cannot take them."""
        shots = self._nearest.to(request.instruction, self._shots)
        while True:
            asked = _with_shots(request, shots)
            try:
                draft = self._writer.write(asked, max_tokens=max_tokens, deadline_s=deadline_s)
            except ProviderError as error:
                if error.kind != Kind.CONTEXT_OVERFLOW or not shots:
                    raise
                shots = shots[1:]
                continue
            return replace(draft, model=self.model)

    def stream(self, request: Request, *, max_tokens: int, deadline_s: float) -> Iterator[Chunk]:
        """The whole answer at once: nobody reads along in an evaluation."""
        draft = self.write(request, max_tokens=max_tokens, deadline_s=deadline_s)
        yield Chunk(text=draft.text, draft=draft)

    def close(self) -> None:
        """End the Writer's child, if it has one."""
        close = getattr(self._writer, "close", None)
        if close is not None:
            close()


def _with_shots(request: Request, shots: Sequence[Shown]) -> Dialogue:
    turns: list[dict[str, str]] = []
    for shot in shots:
        turns.append({"role": "user", "content": shot.instruction})
        turns.append({"role": "assistant", "content": shot.code})
    messages = messages_of(request)
    system = [one for one in messages if one["role"] == "system"]
    rest = [one for one in messages if one["role"] != "system"]
    return Dialogue(
        id=request.id,
        instruction=request.instruction,
        context=request.context,
        created_at=request.created_at,
        messages=(*system, *turns, *rest),
    )


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _dot(left: dict[str, float], right: dict[str, float]) -> float:
    return sum(value * right.get(word, 0.0) for word, value in left.items())
