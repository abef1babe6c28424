"""A promotion reaches a process that answers already, and no request notices the change."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.config import Settings
from qc_builder_lora.errors import QcLoraError, StoreUnavailable
from qc_builder_lora.models import provider as provider_module
from qc_builder_lora.models.breaker import State
from qc_builder_lora.models.provider import StrategyProvider
from qc_builder_lora.models.succession import Succession, following
from qc_builder_lora.store import Store
from tests.models.tiny_home import Home
from tests.models.upstream import CODE, Upstream

WaitUntil = Callable[..., bool]
LONG = 300
"""Tokens of an answer that is still being read while the model changes."""


@pytest.fixture
def provider(home: Home) -> Iterator[StrategyProvider]:
    """One that answers with m1, which is in production."""
    home.promote(home.model("m1"))
    with StrategyProvider(home.settings()) as made:
        assert made.generate("Buy SPY").model == "m1"
        yield made


def pid_of(provider: StrategyProvider) -> int:
    assert provider.local_server is not None
    pid = provider.local_server.pid
    assert pid is not None
    return pid


def test_a_promoted_model_answers_and_the_child_of_the_old_one_is_gone(
    home: Home, provider: StrategyProvider, is_running: Callable[[int], bool]
) -> None:
    old, chain = pid_of(provider), provider.chain
    home.promote(home.model("m2"))
    assert provider.generate("Buy SPY").model == "m1"
    Succession(provider).look()
    assert provider.generate("Buy SPY").model == "m2"
    assert provider.chain is chain
    assert [writer.model for writer in chain.writers] == ["m2"]
    assert not is_running(old)


def test_a_model_taken_back_answers_again(home: Home, provider: StrategyProvider) -> None:
    home.promote(home.model("m2"))
    succession = Succession(provider)
    succession.look()
    home.store.promotions.rollback("Ada")
    succession.look()
    assert provider.generate("Buy SPY").model == "m1"


def test_looking_changes_nothing_where_production_is_what_answers(
    home: Home, provider: StrategyProvider
) -> None:
    pid = pid_of(provider)
    home.model("newer candidate")
    Succession(provider).look()
    assert pid_of(provider) == pid


def test_a_stream_is_ended_by_the_model_that_began_it_whose_child_then_ends(
    home: Home, provider: StrategyProvider, is_running: Callable[[int], bool]
) -> None:
    old = pid_of(provider)
    request = provider_module.new_request("Buy SPY")
    stream = provider.chain.stream(request, max_tokens=LONG)
    chunks = [next(stream), next(stream)]
    home.promote(home.model("m2"))
    Succession(provider).look()
    assert provider.generate("Buy SPY").model == "m2"
    assert is_running(old)
    chunks += stream
    draft = chunks[-1].draft
    assert draft is not None
    assert (draft.model, draft.completion_tokens) == ("m1", LONG)
    assert {chunk.model for chunk in chunks} == {"m1"}
    assert not is_running(old)


def test_an_awaited_stream_is_ended_by_the_model_that_began_it_and_nobody_waits_for_its_child(
    home: Home,
    provider: StrategyProvider,
    is_running: Callable[[int], bool],
    wait_until: WaitUntil,
) -> None:
    old = pid_of(provider)
    request = provider_module.new_request("Buy SPY")
    home.promote(home.model("m2"))

    async def read() -> list[Any]:
        stream = provider.chain.stream_async(request, max_tokens=LONG)
        chunks = [await anext(stream)]
        await asyncio.to_thread(Succession(provider).look)
        assert (await provider.chain.write_async(request)).model == "m2"
        assert is_running(old)
        return chunks + [chunk async for chunk in stream]

    chunks = asyncio.run(read())
    draft = chunks[-1].draft
    assert (draft.model, draft.completion_tokens) == ("m1", LONG)
    assert {chunk.model for chunk in chunks} == {"m1"}
    assert wait_until(lambda: not is_running(old))


def test_no_awaited_request_fails_while_models_change(
    home: Home, provider: StrategyProvider
) -> None:
    request, models = provider_module.new_request("Buy SPY"), []
    for name in ("m2", "m3"):
        home.model(name)

    async def crowd() -> None:
        over = asyncio.Event()

        async def ask() -> None:
            while not over.is_set():
                models.append((await provider.chain.write_async(request, max_tokens=8)).model)

        asking = [asyncio.create_task(ask()) for _ in range(3)]
        succession = Succession(provider)
        for name in ("m2", "m3"):
            home.promote(home.store.models.get(name))
            await asyncio.to_thread(succession.look)
        over.set()
        await asyncio.gather(*asking)
        models.append((await provider.chain.write_async(request, max_tokens=8)).model)

    asyncio.run(crowd())
    assert list(dict.fromkeys(models)) == ["m1", "m2", "m3"]


def test_child_that_was_killed_is_started_again_for_who_awaits(
    home: Home, provider: StrategyProvider
) -> None:
    request, old = provider_module.new_request("Buy SPY"), pid_of(provider)

    async def ask() -> str:
        await provider.chain.write_async(request, max_tokens=8)
        os.kill(old, signal.SIGKILL)
        os.waitid(os.P_PID, old, os.WEXITED | os.WNOWAIT)
        # The loop goes on while the model is loaded again.
        ticks, work = 0, asyncio.create_task(provider.chain.write_async(request, max_tokens=8))
        while not work.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert ticks > 10
        return (await work).model

    assert asyncio.run(ask()) == "m1"
    assert pid_of(provider) != old


def test_no_request_fails_while_models_change_back_and_forth(
    home: Home, provider: StrategyProvider
) -> None:
    stop, models, failures = threading.Event(), [], []

    def ask() -> None:
        while not stop.is_set():
            try:
                models.append(provider.generate("Buy SPY").model)
            except QcLoraError as error:
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    succession = Succession(provider)
    for name in ("m2", "m3", "m4"):
        home.promote(home.model(name))
        succession.look()
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert list(dict.fromkeys(models))[:3] == ["m1", "m2", "m3"]


def test_a_model_that_does_not_come_up_changes_nothing_and_is_told_once(
    home: Home, provider: StrategyProvider, weights: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "qc_builder_lora")
    moments = [0.0]
    succession = Succession(provider, clock=lambda: moments[0])
    cut = home.model("cut", weights.read_bytes()[:1_000_000])
    home.promote(cut)
    pid = pid_of(provider)
    for _ in range(3):
        succession.look()
        moments[0] += 200
    assert (pid_of(provider), provider.generate("Buy SPY").model) == (pid, "m1")
    (line,) = [r.getMessage() for r in caplog.records if "does not come up" in r.getMessage()]
    assert "answers=m1 as before" in line
    assert "cut short: 1,000,000 bytes" in line
    Path(cut.path).write_bytes(weights.read_bytes())
    moments[0] += 301
    succession.look()
    assert provider.generate("Buy SPY").model == "cut"


def test_a_first_promotion_puts_the_local_model_at_its_place_in_the_chain(home: Home) -> None:
    with Upstream("anthropic") as one, Upstream("openai") as two:
        settings = home.settings(
            providers=("anthropic", "local", "openai"),
            anthropic_key="sk-a", anthropic_url=one.url, anthropic_model="claude-sonnet-4-6",
            openai_key="sk-o", openai_url=two.url, openai_model="gpt-4.1",
        )  # fmt: skip
        with StrategyProvider(settings) as provider:
            assert provider.generate("Buy SPY").code == CODE
            home.promote(home.model("m1"))
            Succession(provider).look()
            names = [writer.name for writer in provider.chain.writers]
            assert names == ["anthropic", "local", "openai"]
            assert set(provider.chain.breakers) == set(names)
            request = provider_module.new_request("Buy SPY")
            assert provider.chain.only("local").write(request, max_tokens=8).model == "m1"


def test_a_provider_closed_meanwhile_keeps_no_child(
    home: Home,
    provider: StrategyProvider,
    is_running: Callable[[int], bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home.promote(home.model("m2"))
    started: list[int] = []
    real = provider_module.probe

    def closing(writer: Any) -> None:
        real(writer)
        started.append(writer.server.pid)
        provider.close()

    monkeypatch.setattr(provider_module, "probe", closing)
    Succession(provider).look()
    assert started
    assert not is_running(started[0])
    assert provider.local_server is None


def test_a_home_without_a_database_is_looked_at_in_silence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Upstream("openai") as upstream:
        settings = Settings(home=tmp_path, openai_key="sk-o", openai_url=upstream.url)
        with StrategyProvider(settings) as provider:
            assert [writer.name for writer in provider.chain.writers] == ["openai"]
            caplog.clear()
            Succession(provider).look()
    assert caplog.records == []
    assert not (tmp_path / "store.db").exists()


def test_production_is_followed_as_long_as_the_block_lasts(
    home: Home, provider: StrategyProvider, wait_until: WaitUntil
) -> None:
    home.promote(home.model("m2"))
    with following(provider, every_s=0.05):
        assert wait_until(lambda: provider.local_model == "m2")
    home.store.promotions.rollback("Ada")
    assert not wait_until(lambda: provider.local_model == "m1", 0.5)


def test_a_model_that_the_settings_name_is_left_where_it_is(
    home: Home, wait_until: WaitUntil
) -> None:
    home.promote(home.model("m1"))
    with StrategyProvider(home.settings(local_model="m1")) as provider:
        assert provider.generate("Buy SPY").model == "m1"
        home.promote(home.model("m2"))
        with following(provider, every_s=0.02):
            assert not wait_until(lambda: provider.local_model == "m2", 1)


def test_a_new_model_is_not_blamed_for_the_old_ones_failures(
    home: Home, provider: StrategyProvider
) -> None:
    while provider.chain.breakers["local"].allow():
        provider.chain.breakers["local"].failed("refused")
    home.promote(home.model("m2"))
    Succession(provider).look()
    assert provider.chain.breakers["local"].state is State.CLOSED
    assert provider.generate("Buy SPY").model == "m2"


def test_a_running_gateway_serves_what_is_promoted(home: Home, wait_until: WaitUntil) -> None:
    home.promote(home.model("m1"))
    code = "from qc_builder_lora.cli import main; main()"
    environment = {
        "QC_LORA_HOME": str(home.folder), "QC_LORA_LOCAL_CONTEXT": "512", "PATH": "/usr/bin:/bin",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }  # fmt: skip
    command = [sys.executable, "-c", code, "serve", "--port", "0", "--key-file", "key"]
    with subprocess.Popen(
        command, env=environment, cwd=home.folder, text=True, stdout=subprocess.PIPE
    ) as gateway:
        try:
            assert gateway.stdout is not None
            url = gateway.stdout.readline().split()[0]
            key = (home.folder / "key").read_text().strip()

            def listed() -> list[str]:
                asked = urllib.request.Request(f"{url}/models")
                asked.add_header("Authorization", f"Bearer {key}")
                with urllib.request.urlopen(asked, timeout=60) as response:
                    return [model["id"] for model in json.load(response)["data"]]

            assert listed() == ["qc-lora", "m1"]
            home.promote(home.model("m2"))
            assert wait_until(lambda: listed() == ["qc-lora", "m2"], 60)
        finally:
            gateway.terminate()


def test_a_store_that_is_away_is_said_once_though_its_words_change(
    home: Home,
    provider: StrategyProvider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "qc_builder_lora")
    free = iter(range(9000, 0, -1))

    def away(*_: Any, **__: Any) -> Store:
        raise StoreUnavailable(f"reading failed. Check the disk's free space ({next(free)} MB).")

    monkeypatch.setattr(Store, "open", away)
    succession = Succession(provider)
    for _ in range(5):
        succession.look()
    assert caplog.text.count("production cannot be looked up") == 1
    assert "9000 MB" in caplog.text
