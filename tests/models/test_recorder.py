"""What was served is kept; the store's troubles are not the client's."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from qc_builder_lora.errors import StoreUnavailable
from qc_builder_lora.models.chain import Answered
from qc_builder_lora.models.dialogue import Dialogue, messages_of, new_dialogue, restored
from qc_builder_lora.models.recorder import Recorder
from qc_builder_lora.models.writer import Draft
from qc_builder_lora.records import Request, Role
from qc_builder_lora.requests import new_request
from qc_builder_lora.store import Store

DRAFT = Draft(
    text="x = 1", code="x = 1", provider="openai", model="gpt", finish_reason="stop",
    prompt_tokens=3, completion_tokens=4, cost_usd=Decimal("0.5"), latency_s=0.25,
)  # fmt: skip


def answered(text: str = "Buy SPY", build: str = "b", code: str = "x = 1") -> Answered:
    draft = Draft(**{**{n: getattr(DRAFT, n) for n in DRAFT.__dataclass_fields__}, "code": code})
    return Answered(new_dialogue([{"role": "user", "content": text}]), draft, build, 100)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


def test_an_answer_is_kept_with_its_request_its_build_and_its_cost(url: str) -> None:
    recorder = Recorder(lambda: Store.open(url), host="gateway")
    recorder.take(answered())
    recorder.take(answered())
    assert recorder.flush()
    recorder.close()
    with Store.open(url) as store:
        (request,) = store.requests.find()
        assert request.instruction == "Buy SPY"
        first, second = store.generations.find(role=Role.SERVED)
        assert first.id != second.id
        assert (first.model, first.cost_usd, first.latency_s) == ("gpt", Decimal("0.5"), 0.25)
        assert (first.build_id, store.builds.get("b").host) == ("b", "gateway")
        # No Strategy is made of it, so no gate ever sees it and nobody is taught by it.
        assert store.strategies.count() == 0
        assert first.strategy_id is None


@pytest.mark.parametrize("ends_at", [0, 5, 10**9])
def test_answers_are_written_when_a_request_has_ended_or_soon_without_one(
    url: str, ends_at: int
) -> None:
    looked: list[bool] = []

    def busy() -> bool:
        looked.append(not recorder.counts["kept"])
        return len(looked) <= ends_at

    recorder = Recorder(lambda: Store.open(url), host="gateway", gather_s=0.01, busy=busy)
    recorder.take(answered())
    assert recorder.flush()
    recorder.close()
    assert recorder.counts["kept"] == 1
    # Nothing was written while it was looking, once before it read the answers and once after.
    assert all(looked)
    assert len(looked) == {0: 21 + 21, 5: 6 + 21}.get(ends_at, 50 + 50)


def test_a_build_that_was_taken_out_of_the_store_is_made_again(url: str) -> None:
    recorder = Recorder(lambda: Store.open(url), host="gateway", gather_s=0.01, rest_s=0.01)
    recorder.take(answered("one"))
    assert recorder.flush()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as raw, raw:
        assert raw.execute("delete from builds").rowcount == 1
    recorder.take(answered("two"))
    assert recorder.flush()
    recorder.close()
    with Store.open(url) as store:
        assert store.builds.get("b").host == "gateway"
        assert {one.build_id for one in store.generations.find()} == {"b"}


def test_secrets_are_gone_before_anything_is_stored(url: str) -> None:
    key = "sk-ant-" + "a1B2" * 8
    recorder = Recorder(lambda: Store.open(url), host="gateway")
    recorder.take(answered(f"Use {key}", code=f'KEY = "{key}"'))
    assert recorder.flush()
    recorder.close()
    assert recorder.counts["redacted"] == 2
    raw = b"".join(path.read_bytes() for path in Path(url[10:]).parent.glob("store.db*"))
    assert key.encode() not in raw


def test_a_store_that_is_away_for_a_while_costs_the_caller_nothing(url: str) -> None:
    gone = [True]

    def flaky() -> Store:
        if gone[0]:
            raise StoreUnavailable("the database is not reachable.")
        return Store.open(url)

    recorder = Recorder(flaky, host="gateway", most=3, rest_s=0.02)
    start = time.monotonic()
    for number in range(10):
        recorder.take(answered(f"Buy {number}"))
    assert time.monotonic() - start < 1
    assert recorder.counts["dropped"] >= 6
    assert not recorder.flush(0.05)
    gone[0] = False
    assert recorder.flush()
    recorder.close()
    with Store.open(url) as store:
        assert store.generations.count() == 10 - recorder.counts["dropped"]


def test_answers_that_were_never_kept_are_said_at_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def never() -> Store:
        raise StoreUnavailable("the database is not reachable.")

    recorder = Recorder(never, host="gateway", rest_s=0.01)
    recorder.take(answered())
    recorder.close()
    assert "served answers wait for the store" in caplog.text
    assert "served answers were not kept" in caplog.text
    assert recorder.counts["dropped"] == 1


TURNS = [
    [{"role": "user", "content": "Buy SPY"}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Buy SPY"}],
    [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Buy SPY"},
        {"role": "assistant", "content": "x = 1"},
        {"role": "user", "content": 'Now "sell"\nit'},
    ],
    [{"role": "user", "content": "Buy"}, {"role": "assistant", "content": "x"}],
    [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}],
]


@pytest.mark.parametrize("messages", TURNS)
def test_a_stored_dialogue_is_asked_again_in_the_same_messages(
    url: str, messages: list[dict[str, str]]
) -> None:
    asked = new_dialogue(messages)
    stored = Request(
        id=asked.id, instruction=asked.instruction, context=asked.context,
        created_at=asked.created_at,
    )  # fmt: skip
    with Store.open(url) as store:
        kept = store.requests.add(stored)
    again = restored(kept)
    assert isinstance(again, Dialogue)
    assert messages_of(again) == messages


def test_a_request_that_was_no_dialogue_stays_what_it_was() -> None:
    plain = new_request("Buy SPY", "Be brief.")
    assert restored(plain) is plain
