"""The few-shot arm: the nearest examples, never the answer itself, and as many as fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from qc_builder_lora.errors import ProviderError
from qc_builder_lora.eval.few_shot import FewShotWriter, Nearest
from qc_builder_lora.models.dialogue import messages_of
from qc_builder_lora.models.faults import Kind
from qc_builder_lora.models.writer import Chunk, Draft
from qc_builder_lora.records import Request
from qc_builder_lora.requests import new_request


@dataclass(frozen=True)
class Shot:
    instruction: str
    code: str = "x = 1\n"


SHOTS = [
    Shot("Trade the RSI of SPY below 30."),
    Shot("Buy when the 20-day average of AAPL crosses its 50-day average."),
    Shot("Rotate among sectors each month by momentum."),
]


class Small:
    """A Writer whose context takes so many messages."""

    name, model = "local", "base:tiny"

    def __init__(self, room: int = 99, kind: str = Kind.CONTEXT_OVERFLOW) -> None:
        self.room, self.kind = room, kind
        self.asked: list[list[dict[str, str]]] = []

    def write(self, request: Request, *, max_tokens: int, deadline_s: float) -> Draft:
        messages = messages_of(request)
        self.asked.append(messages)
        if len(messages) > self.room:
            raise ProviderError("local", self.kind, "too long")
        return Draft(text="x", code="x\n", provider="local", model=self.model)

    def stream(self, request: Request, *, max_tokens: int, deadline_s: float) -> Iterator[Chunk]:
        raise NotImplementedError


def ask(writer: Any, text: str) -> Draft:
    draft: Draft = writer.write(new_request(text), max_tokens=9, deadline_s=9)
    return draft


def test_the_nearest_example_stands_last_before_the_request() -> None:
    inner = Small()
    draft = ask(FewShotWriter(inner, SHOTS), "Buy AAPL when its 10-day average crosses the 30-day.")
    assert draft.model == "base:tiny+2-shot"
    (messages,) = inner.asked
    assert [one["role"] for one in messages] == ["user", "assistant"] * 2 + ["user"]
    assert "20-day average of AAPL" in messages[2]["content"]
    assert messages[-1]["content"].startswith("Buy AAPL when its 10-day")


def test_an_example_with_the_requests_own_words_is_not_shown() -> None:
    nearest = Nearest(SHOTS).to("trade the rsi of spy, below 30!", 3)
    assert SHOTS[0] not in nearest
    assert len(nearest) == 2


def test_words_of_every_instruction_weigh_less_than_rare_ones() -> None:
    common = [Shot(f"Trade a strategy for QuantConnect with rule {word}") for word in "abcdef"]
    rare = Shot("Keltner")
    (found,) = Nearest([*common, rare]).to("Trade a strategy with Keltner channels", 1)
    assert found == rare


@pytest.mark.parametrize(("room", "shown"), [(5, 2), (4, 1), (2, 0), (1, 0)])
def test_examples_that_do_not_fit_are_left_out_the_farthest_first(room: int, shown: int) -> None:
    inner = Small(room)
    ask(FewShotWriter(inner, SHOTS), "Buy AAPL by its average")
    assert len(inner.asked[-1]) == 2 * shown + 1
    if shown == 1:
        assert "AAPL" in inner.asked[-1][0]["content"]


def test_a_request_that_does_not_fit_alone_fails_as_it_would_without_examples() -> None:
    with pytest.raises(ProviderError, match="too long"):
        ask(FewShotWriter(Small(0), SHOTS), "Trade AAPL")


def test_another_failure_is_not_tried_again() -> None:
    inner = Small(1, Kind.TIMEOUT)
    with pytest.raises(ProviderError):
        ask(FewShotWriter(inner, SHOTS), "Trade AAPL")
    assert len(inner.asked) == 1
