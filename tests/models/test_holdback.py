"""The model before a promotion in doubt answers beside it: same traffic, then a decision.

Two tiny models that llama.cpp really serves, and a hosted one on loopback.
"""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.errors import NoProvider
from qc_builder_lora.models import memory
from qc_builder_lora.models.guard import HOSTED
from qc_builder_lora.models.provider import StrategyProvider
from qc_builder_lora.models.rollback_rule import RollbackRule
from qc_builder_lora.models.routing import takes
from qc_builder_lora.models.succession import Succession
from qc_builder_lora.models.watch import Watch, new_watch
from qc_builder_lora.models.writer import new_request
from tests.gateway.conftest import Running
from tests.models.test_canary import metrics_of, pids
from tests.models.tiny_home import Home
from tests.models.upstream import Upstream

REQUEST = new_request("Buy SPY")


def ask(provider: StrategyProvider, number: int, first: int = 0) -> Counter[str]:
    """Who answers so many Builds; those that nobody answers are counted too."""
    found = Counter[str]()
    for build in range(first, first + number):
        try:
            found[provider.chain.write(REQUEST, build_id=f"b{build}").model] += 1
        except NoProvider:
            found["nobody"] += 1
    return found


def silent(home: Home, name: str) -> Any:
    """A model that says nothing: with this template the random weights write blanks."""
    model = home.model(name)
    (Path(model.path).parent / "manifest.json").write_text('{"template": "gemma"}')
    return model


@contextlib.contextmanager
def serving(home: Home, **settings: Any) -> Iterator[tuple[StrategyProvider, Succession, Watch]]:
    with StrategyProvider(home.settings(**settings)) as provider:
        watch = new_watch(home.settings(**settings), "gateway")
        provider.chain.listen(watch.note)
        succession = Succession(provider)
        succession.step(watch)
        yield provider, succession, watch
        watch.close()


def test_a_promotion_that_says_nothing_is_put_beside_the_one_before_and_then_taken_back(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "qc_builder_lora")
    home.promote(home.model("m1"))
    with serving(home, local_standby_s=60) as (provider, succession, watch):
        assert ask(provider, 30) == {"m1": 30}
        succession.step(watch)
        home.promote(silent(home, "m2"))
        succession.step(watch)
        loaded = pids(provider)
        assert ask(provider, 30) == {"nobody": 30}
        succession.step(watch)
        assert provider.holdback == "m1"
        assert sorted(pids(provider)[:2]) == sorted(loaded)
        expected = sum(takes("holdback:m1", 0.5, f"b{build}") for build in range(60))
        assert ask(provider, 60) == {"m1": expected, "nobody": 60 - expected}
        succession.step(watch)
        assert provider.holdback is None
        assert ask(provider, 5) == {"m1": 5}
    last = home.store.promotions.history()[-1]
    assert last.automatic
    assert last.reason is not None
    assert last.reason.startswith(f"error rate: {60 - expected} of {60 - expected} requests failed")
    assert f"of m1 0 of {expected}" in last.reason
    assert "looks worse; the model before answers beside it" in caplog.text
    assert "the model before answers again model=m1 share=0.5" in caplog.text


def test_a_promotion_that_is_as_good_is_left_alone_and_answers_for_all_in_the_end(
    home: Home,
) -> None:
    home.promote(home.model("m1"))
    with serving(home) as (provider, succession, watch):
        ask(provider, 30)
        watch.guard.rule = RollbackRule(watch=70)
        succession.step(watch)
        home.promote(home.model("m2"))
        succession.step(watch)
        # As if the machine had been busy with something else.
        ask(provider, 30)
        watch.guard.count()
        for (_, model), tally in watch.guard.tallies.items():
            tally.latencies.clear()
            tally.latencies.extend([99.0 if model == "m2" else 0.0] * 60)
        succession.step(watch)
        assert provider.holdback == "m1"
        found = ask(provider, 60)
        assert found["m1"] + found["m2"] == 60
        assert min(found["m1"], found["m2"]) >= 20
        succession.step(watch)
        assert len(home.store.promotions.history()) == 2
        ask(provider, 40, first=1000)
        succession.step(watch)
        assert provider.holdback is None
        assert ask(provider, 10) == {"m2": 10}
    assert len(home.store.promotions.history()) == 2


def test_hosted_models_before_it_are_asked_again_for_their_part(home: Home) -> None:
    with Upstream("openai") as upstream:
        keys = {"openai_key": "sk-o", "openai_url": upstream.url, "openai_model": "gpt-4.1"}
        with serving(home, **keys) as (provider, succession, watch):
            assert ask(provider, 30) == {"gpt-real": 30}
            succession.step(watch)
            home.promote(silent(home, "m1"))
            succession.step(watch)
            assert ask(provider, 30) == {"gpt-real": 30}
            succession.step(watch)
            assert provider.holdback == HOSTED
            ask(provider, 60)
            succession.step(watch)
            assert provider.holdback is None
            assert provider.local_model == ""
            assert ask(provider, 3) == {"gpt-real": 3}
    assert home.store.promotions.history()[-1].automatic


def test_without_room_for_the_one_before_its_earlier_figures_decide(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.promote(home.model("m1"))
    with serving(home) as (provider, succession, watch):
        ask(provider, 30)
        succession.step(watch)
        home.promote(silent(home, "m2"))
        succession.step(watch)
        ask(provider, 30)
        monkeypatch.setattr(memory, "available_mb", lambda: 50.0)
        succession.step(watch)
        assert provider.holdback is None
        ask(provider, 40)
        monkeypatch.undo()
        succession.step(watch)
        assert ask(provider, 3) == {"m1": 3}
    assert home.store.promotions.history()[-1].automatic


def test_a_canary_takes_the_place_of_a_holdback(home: Home) -> None:
    home.promote(home.model("m1"))
    with serving(home) as (provider, succession, watch):
        ask(provider, 30)
        succession.step(watch)
        home.promote(silent(home, "m2"))
        succession.step(watch)
        ask(provider, 30)
        succession.step(watch)
        assert provider.holdback == "m1"
        home.promote(home.model("m3"), 0.3)
        succession.step(watch)
        assert (provider.holdback, provider.trial is not None) == (None, True)


def test_metrics_tell_of_a_holdback(home: Home) -> None:
    home.promote(home.model("m1"))
    running = Running(home.settings())
    try:
        ask(running.provider, 1)
        home.promote(home.model("m2"))
        Succession(running.provider).look()
        assert metrics_of(running)["qc_lora_holdback"] == {(): 0}
        running.provider.hold_back(home.store.models.get("m1"), 0.5)
        page = metrics_of(running)
        assert page["qc_lora_holdback"] == {(): 1}
        assert page["qc_lora_canary_share"] == {(): 0}
        assert set(page["qc_lora_breaker"]) == {("local",), ("holdback",)}
    finally:
        running.close()
