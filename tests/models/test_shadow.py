"""The shadow: sampled, silent, out of the way, and off by itself when it fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.errors import ProviderError, SettingsError
from qc_builder_lora.models.budget import Budget
from qc_builder_lora.models.chain import Answered, Chain
from qc_builder_lora.models.dialogue import new_dialogue
from qc_builder_lora.models.faults import Kind
from qc_builder_lora.models.prices import Price, Prices
from qc_builder_lora.models.shadow import Shadow, ShadowRule, parse_window
from qc_builder_lora.models.writer import Chunk, Draft
from qc_builder_lora.records import Request, Role
from qc_builder_lora.store import Store


class Scripted:
    """A Writer that answers, fails or waits as it is told."""

    name, model = "local", "candidate-1"

    def __init__(self, *does: Any) -> None:
        self.does = list(does) or ["x = 2"]
        self.asked: list[Request] = []
        self.closed = False

    def write(self, request: Request, *, max_tokens: int, deadline_s: float) -> Draft:
        from qc_builder_lora.models.cancel import on_cancel

        self.asked.append(request)
        step = self.does[min(len(self.asked), len(self.does)) - 1]
        if isinstance(step, Kind):
            raise ProviderError(self.name, step, "as scripted.")
        if step == "hang":
            stopped = threading.Event()
            with on_cancel(stopped.set):
                stopped.wait(30)
            raise ProviderError(self.name, Kind.CANCELLED, "nobody waits.")
        return Draft(text=step, code=step, provider=self.name, model=self.model,
                     prompt_tokens=5, completion_tokens=6)  # fmt: skip

    def stream(self, request: Request, *, max_tokens: int, deadline_s: float) -> Iterator[Chunk]:
        raise NotImplementedError

    def close(self) -> None:
        self.closed = True


def answered(text: str = "Buy SPY", model: str = "claude") -> Answered:
    draft = Draft(text="x", code="x", provider="anthropic", model=model)
    return Answered(new_dialogue([{"role": "user", "content": text}]), draft, "b", 64)


@pytest.fixture
def url(tmp_path: Path) -> str:
    found = f"sqlite:///{tmp_path / 'store.db'}"
    Store.open(found).close()
    return found


@pytest.fixture
def shadow(url: str) -> Iterator[Callable[..., Shadow]]:
    made: list[Shadow] = []

    def start(writer: Any, busy: Callable[[], bool] = lambda: False, *, budget: Any = None,
              today: Any = None, **rule: Any) -> Shadow:  # fmt: skip
        chain = Chain([writer], budget=budget, attempts=1)
        clock = {"today": today} if today else {}
        made.append(Shadow(chain, ShadowRule(**rule), lambda: Store.open(url), busy=busy, **clock))
        return made[-1]

    yield start
    for one in made:
        one.close()


def keep(url: str, *ones: Answered) -> None:
    """The Requests, as the recorder would have kept them before it offers them."""
    with Store.open(url) as store:
        for one in ones:
            asked = one.request
            store.requests.add(
                Request(
                    id=asked.id,
                    instruction=asked.instruction,
                    context=asked.context,
                    created_at=asked.created_at,
                )
            )


def wait(happened: Callable[[], bool], within_s: float = 10.0) -> bool:
    end = time.monotonic() + within_s
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def test_what_was_served_is_asked_and_kept_as_a_shadow_answer(url: str, shadow: Any) -> None:
    one = answered()
    keep(url, one)
    running = shadow(Scripted("x = 2"))
    running.offer(one)
    assert wait(lambda: running.counts["answered"] == 1)
    with Store.open(url) as store:
        (kept,) = store.generations.find()
        assert (kept.role, kept.model, kept.code) == (Role.SHADOW, "candidate-1", "x = 2")
        assert kept.cost_usd == 0
        assert store.strategies.count() == 0


def test_the_share_is_the_same_requests_every_time(shadow: Any) -> None:
    rule = ShadowRule(share=0.3)
    ids = [new_dialogue([{"role": "user", "content": str(n)}]).id for n in range(4000)]
    taken = {one for one in ids if rule.takes(one)}
    assert len(taken) / len(ids) == pytest.approx(0.3, abs=0.03)
    assert taken == {one for one in ids if ShadowRule(share=0.3).takes(one)}
    # A larger share takes these and more: a comparison that is widened keeps its pairs.
    assert taken < {one for one in ids if ShadowRule(share=0.5).takes(one)}
    assert not any(ShadowRule(share=0.0).takes(one) for one in ids)
    assert all(ShadowRule(share=1.0).takes(one) for one in ids)


def test_its_own_answers_and_those_outside_the_share_are_not_asked(shadow: Any) -> None:
    writer = Scripted()
    running = shadow(writer, share=0.0)
    running.offer(answered())
    assert running.counts["not_sampled"] == 1
    own = shadow(writer)
    own.offer(answered(model="candidate-1"))
    assert own.counts["same_model"] == 1
    assert writer.asked == []


@pytest.mark.parametrize(
    ("hour", "window", "asked"),
    [(23, "22:00-06:00", True), (3, "22:00-06:00", True), (12, "22:00-06:00", False),
     (12, "08:00-18:00", True), (18, "08:00-18:00", False)],
)  # fmt: skip
def test_it_works_only_in_its_window(hour: int, window: str, asked: bool) -> None:
    rule = ShadowRule(window=parse_window(window))
    assert rule.open_at(datetime(2026, 5, 1, hour, tzinfo=UTC)) is asked


def test_a_window_that_is_no_window_is_refused() -> None:
    with pytest.raises(SettingsError, match="two times in UTC like 22:00-06:00, got 'night'"):
        parse_window("night")


def test_a_full_queue_drops_and_counts_and_never_waits(url: str, shadow: Any) -> None:
    running = shadow(Scripted("hang"), queue=2)
    start = time.monotonic()
    for number in range(50):
        running.offer(answered(str(number)))
    assert time.monotonic() - start < 1
    assert running.counts["queue_full"] >= 47


def test_it_waits_for_a_quiet_moment_and_gives_up_after_its_patience(shadow: Any) -> None:
    busy = [True]
    writer = Scripted()
    running = shadow(writer, lambda: busy[0], patience_s=0.05)
    running.offer(answered())
    assert wait(lambda: running.counts["foreground_busy"] == 1)
    assert writer.asked == []


def test_a_foreground_request_ends_the_one_under_way(shadow: Any) -> None:
    busy = [False]
    writer = Scripted("hang")
    running = shadow(writer, lambda: busy[0])
    running.offer(answered())
    assert wait(lambda: len(writer.asked) == 1)
    busy[0] = True
    assert wait(lambda: running.counts["preempted"] == 1)
    assert running.paused is None


def test_it_switches_itself_off_after_failures_in_a_row(shadow: Any) -> None:
    running = shadow(Scripted(Kind.SERVER), errors=3)
    for number in range(5):
        running.offer(answered(str(number)))
    assert wait(lambda: running.counts["failed"] + running.counts["paused"] == 5)
    assert running.counts["failed"] == 3
    assert "3 failures in a row, the last: " in (running.paused or "")
    running.offer(answered("one more"))
    assert running.counts["paused"] == 3


def test_one_success_forgives_the_failures_before_it(url: str, shadow: Any) -> None:
    ones = [answered(str(number)) for number in range(5)]
    keep(url, *ones)
    running = shadow(Scripted(Kind.SERVER, Kind.SERVER, "x = 1", Kind.SERVER, "x = 1"), errors=3)
    for one in ones:
        running.offer(one)
    assert wait(lambda: running.counts["asked"] == 5 and running.counts["answered"] == 2)
    assert running.paused is None


def test_an_answer_without_code_is_the_models_own_failure_and_is_kept(
    url: str, shadow: Any
) -> None:
    one = answered()
    keep(url, one)
    running = shadow(Scripted(Kind.EMPTY))
    running.offer(one)
    assert wait(lambda: running.counts["answered"] == 1)
    with Store.open(url) as store:
        (kept,) = store.generations.find(role=Role.SHADOW)
        assert kept.code == ""
        assert "as scripted" in (kept.error or "")


def test_a_hosted_shadow_stays_within_its_daily_money(url: str, shadow: Any) -> None:
    ones = [answered(str(number)) for number in range(3)]
    keep(url, *ones)

    class Hosted(Scripted):
        name, model = "openai", "gpt"

    table = {("openai", "gpt"): Price(Decimal(10), Decimal(10))}
    budget = Budget(Prices(table, "prices.toml"), Decimal("0.002"))
    day = [datetime(2026, 5, 1, tzinfo=UTC)]
    running = shadow(Hosted(), budget=budget, today=lambda: day[0])
    running.offer(ones[0])
    assert wait(lambda: running.counts["answered"] == 1)
    for _ in range(30):
        running.offer(replace(ones[1]))
        assert wait(lambda: running.waiting == 0)
        if running.counts["over_budget"]:
            break
    assert wait(lambda: running.counts["over_budget"] >= 1)
    assert running.paused is None
    day[0] = datetime(2026, 5, 2, tzinfo=UTC)
    before = running.counts["answered"]
    running.offer(ones[2])
    assert wait(lambda: running.counts["answered"] == before + 1)


def test_a_request_the_store_does_not_have_is_counted_as_not_kept(shadow: Any) -> None:
    running = shadow(Scripted())
    running.offer(answered())
    assert wait(lambda: running.counts["not_kept"] == 1)


def test_closing_ends_a_hanging_request_and_closes_the_writer(shadow: Any) -> None:
    writer = Scripted("hang")
    running = shadow(writer)
    running.offer(answered())
    assert wait(lambda: len(writer.asked) == 1)
    start = time.monotonic()
    running.close()
    assert time.monotonic() - start < 4
    assert writer.closed
