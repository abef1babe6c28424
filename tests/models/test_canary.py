"""A canary answers for its share of the Builds, in process and through HTTP, and ends unnoticed.

Two tiny models that llama.cpp really serves; the gateway is real HTTP on loopback.
"""

from __future__ import annotations

import json
import logging
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from qc_builder_lora.errors import QcLoraError
from qc_builder_lora.models import memory
from qc_builder_lora.models.provider import StrategyProvider
from qc_builder_lora.models.routing import takes
from qc_builder_lora.models.succession import Succession
from tests.gateway.conftest import Running
from tests.models.tiny_home import Home
from tests.models.upstream import Upstream

BUILDS = [f"build-{number}" for number in range(12)]


def try_out(home: Home, name: str, share: float) -> None:
    known = home.store.models.has(name)
    home.promote(home.store.models.get(name) if known else home.model(name), share)


def expected(share: float) -> dict[str, str]:
    return {build: "m2" if takes("m2", share, build) else "m1" for build in BUILDS}


def asked(provider: StrategyProvider) -> dict[str, str]:
    return {build: provider.generate("Buy SPY", build_id=build).model for build in BUILDS}


@pytest.fixture
def both(home: Home) -> Home:
    """m1 in production, m2 the canary for 40 % of the Builds."""
    home.promote(home.model("m1"))
    try_out(home, "m2", 0.4)
    return home


def pids(provider: StrategyProvider) -> list[int]:
    seat = provider._seat
    assert seat is not None
    found = (seat._champion, seat._canary, seat._before)
    return [one.server.pid for one in found if one and one.server and one.server.pid]


def test_the_same_build_gets_the_same_model_after_a_restart_and_through_http(both: Home) -> None:
    with StrategyProvider(both.settings()) as provider:
        assert asked(provider) == expected(0.4)
        assert set(expected(0.4).values()) == {"m1", "m2"}
    running = Running(both.settings())
    try:
        for build in BUILDS:
            assert post(running, "Sell", build) == expected(0.4)[build]
        nameless = Counter(post(running, f"Buy {number}", None) for number in range(12))
        assert set(nameless) == {"m1", "m2"}
        assert post(running, "Buy 3", None) == post(running, "Buy 3", None)
        assert post(running, "Buy 3", None, model="m2") == "m2"
        page = metrics_of(running)
        assert page["qc_lora_canary_share"] == {(): 0.4}
        arms = page["qc_lora_canary_requests"]
        assert arms["canary", "answered"] + arms["champion", "answered"] == 12 + 12 + 3
        assert arms["canary", "answered"] >= 2
        assert page["qc_lora_breaker"] == {("local",): 0, ("canary",): 0}
    finally:
        running.close()


def metrics_of(running: Any) -> dict[str, dict[tuple[str, ...], float]]:
    asked = urllib.request.Request(f"{running.url}/metrics")
    asked.add_header("Authorization", f"Bearer {running.key}")
    with urllib.request.urlopen(asked, timeout=60) as response:
        families = text_string_to_metric_families(response.read().decode())
    return {
        family.name: {tuple(one.labels.values()): one.value for one in family.samples}
        for family in families
    }


def post(running: Any, text: str, build: str | None, model: str = "qc-lora") -> str:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    request = urllib.request.Request(
        f"{running.url}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {running.key}", **({"x-qc-build": build} if build else {})},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        assert json.load(response)["model"] == response.headers["x-qc-model"]
        return str(response.headers["x-qc-model"])


def test_a_canary_comes_widens_and_ends_while_requests_go_on(
    home: Home,
    is_running: Callable[[int], bool],
) -> None:
    home.promote(home.model("m1"))
    with StrategyProvider(home.settings()) as provider:
        assert set(asked(provider).values()) == {"m1"}
        succession = Succession(provider)
        try_out(home, "m2", 0.4)
        succession.look()
        assert asked(provider) == expected(0.4)
        loaded = pids(provider)
        assert len(loaded) == 2
        try_out(home, "m2", 0.8)
        succession.look()
        assert asked(provider) == expected(0.8)
        assert pids(provider) == loaded
        home.store.promotions.rollback("Ada")
        succession.look()
        assert set(asked(provider).values()) == {"m1"}
        assert [is_running(pid) for pid in loaded] == [True, False]


def test_a_finished_canary_answers_for_all_without_being_loaded_again(both: Home) -> None:
    with StrategyProvider(both.settings()) as provider:
        asked(provider)
        _, canary = pids(provider)
        canary_row = both.store.promotions.course().canary
        assert canary_row is not None
        both.store.promotions.promote(
            "m2", canary_row.model_sha256, str(canary_row.report_sha256), "Ada"
        )
        Succession(provider).look()
        assert set(asked(provider).values()) == {"m2"}
        assert pids(provider) == [canary]
        assert provider.trial is None


def test_the_model_before_is_kept_for_a_while_and_answers_again_at_once(
    both: Home, is_running: Callable[[int], bool]
) -> None:
    both.store.promotions.rollback("Ada")
    moments = [0.0]
    with StrategyProvider(both.settings(local_standby_s=60)) as provider:
        provider.generate("Buy SPY")
        (first,) = pids(provider)
        succession = Succession(provider, clock=lambda: moments[0])
        both.promote(both.store.models.get("m2"))
        succession.look()
        second, kept = pids(provider)
        assert kept == first
        both.store.promotions.rollback("Ada")
        succession.look()
        assert provider.generate("Buy SPY").model == "m1"
        assert pids(provider) == [first, second]
        moments[0] += 61
        succession.look()
        assert (is_running(first), is_running(second)) == (True, False)


def test_where_the_canary_fails_production_answers(
    both: Home, kill_hard: Callable[[Any], None]
) -> None:
    mine = next(build for build, model in expected(0.4).items() if model == "m2")
    with StrategyProvider(both.settings()) as provider:
        assert provider.generate("Buy SPY", build_id=mine).model == "m2"
        seat = provider._seat
        assert seat is not None
        assert seat._canary is not None
        Path(both.store.models.get("m2").path).write_bytes(b"GGUF")
        kill_hard(seat._canary.server)
        assert provider.generate("Buy SPY", build_id=mine).model == "m1"
        # Its failures are its own: production's breaker knows nothing of them.
        assert provider.chain.breakers["local"].state == "closed"


def test_no_request_fails_while_a_canary_comes_and_goes(home: Home) -> None:
    home.promote(home.model("m1"))
    stop, models, failures = threading.Event(), Counter[str](), []
    with StrategyProvider(home.settings()) as provider:
        provider.generate("Buy SPY")

        def ask(number: int) -> None:
            while not stop.is_set():
                try:
                    build = BUILDS[number]
                    models[provider.chain.write(request, build_id=build).model] += 1
                except QcLoraError as error:
                    failures.append(error)

        from qc_builder_lora.models.writer import new_request

        request = new_request("Buy SPY")
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        succession = Succession(provider)
        for share in (0.5, 0.99):
            try_out(home, "m2", share)
            succession.look()
            home.store.promotions.rollback("Ada")
            succession.look()
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert models["m1"] > 0


def test_a_canary_beside_hosted_models_alone(home: Home) -> None:
    with Upstream("openai") as upstream:
        settings = home.settings(openai_key="sk-o", openai_url=upstream.url, openai_model="gpt-4.1")
        try_out(home, "m2", 0.4) if home.store.models.has("m2") else home.model("m2")
        try_out(home, "m2", 0.4)
        with StrategyProvider(settings) as provider:
            found = asked(provider)
            assert {b for b, model in found.items() if model == "m2"} == {
                b for b, model in expected(0.4).items() if model == "m2"
            }
            home.store.promotions.rollback("Ada")
            Succession(provider).look()
            assert "m2" not in asked(provider).values()


def test_a_first_model_taken_back_leaves_the_hosted_ones(home: Home) -> None:
    with Upstream("openai") as upstream:
        settings = home.settings(openai_key="sk-o", openai_url=upstream.url, openai_model="gpt-4.1")
        home.promote(home.model("m1"))
        with StrategyProvider(settings) as provider:
            assert provider.generate("Buy SPY").model == "m1"
            home.store.promotions.rollback("Ada", emptying=True)
            Succession(provider).look()
            assert provider.generate("Buy SPY").provider == "openai"
            assert pids(provider) == []


def test_a_canary_without_room_in_memory_is_not_started(
    both: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(memory, "available_mb", lambda: 50.0)
    monkeypatch.setattr("qc_builder_lora.models.provider.available_mb", lambda: 750.0)
    caplog.set_level(logging.WARNING, "qc_builder_lora")
    with StrategyProvider(both.settings()) as provider:
        assert set(asked(provider).values()) == {"m2", "m1"}
    monkeypatch.setattr("qc_builder_lora.models.provider.available_mb", lambda: 700.0)
    with StrategyProvider(both.settings()) as provider:
        assert set(asked(provider).values()) == {"m1"}
        assert "the canary does not answer then=all Builds as before" in caplog.text
        Succession(provider).look()
        assert set(asked(provider).values()) == {"m1"}
    assert "beside the model that answers now it needs about" in caplog.text
    assert "and 50 MB are free" in caplog.text


def test_a_python_process_with_a_canary_follows_what_becomes_of_it(
    both: Home, wait_until: Callable[..., bool]
) -> None:
    with StrategyProvider(both.settings()) as provider:
        assert asked(provider) == expected(0.4)
        both.store.promotions.rollback("Ada")
        assert wait_until(lambda: provider.trial is None)
        assert set(asked(provider).values()) == {"m1"}


def test_a_python_process_takes_a_canary_back_that_does_worse(
    both: Home, wait_until: Callable[..., bool]
) -> None:
    folder = Path(both.store.models.get("m2").path).parent
    # With this template the random weights write blanks, which is no answer.
    (folder / "manifest.json").write_text('{"template": "gemma"}')
    with StrategyProvider(both.settings()) as provider:
        for number in range(90):
            assert provider.generate("Buy SPY", build_id=f"b{number}").model == "m1"
        assert wait_until(lambda: provider.trial is None)
    last = both.store.promotions.history()[-1]
    assert last.decided_by.startswith("automatic (builder ")
