"""What goes wrong in front of and behind a running gateway, with a real child and real HTTP."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from qc_builder_lora.config import Settings
from tests.gateway.conftest import Running
from tests.gateway.test_gateway import CHAT, call, hosted
from tests.models.upstream import CODE, OpenAIDialect, Upstream
from tests.tiny_base import write_base

TOKENS = 200_000
"""Of a request; the tiny model's vocabulary has one for a letter."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    # This template ends in a bracket, which the random weights repeat: text, and not a blank.
    (folder / "manifest.json").write_text('{"template": "inst"}')
    return write_base(folder / "tiny.gguf")


@pytest.fixture
def local(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Start a gateway with our own child."""
    monkeypatch.chdir(tmp_path)
    started = []

    def start(**given: Any) -> Running:
        settings = {"local_model": str(tiny), "local_context": 1024, "max_tokens": 8, **given}
        started.append(Running(Settings(home=tmp_path, **settings), with_side=True))
        started[-1].provider.local_server.ensure()
        return started[-1]

    yield start
    for running in started:
        running.close()


def long(text: str, stream: bool = False) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "stream": stream}


@pytest.mark.parametrize("stream", [False, True])
def test_200_000_tokens_are_refused_by_the_local_model_quickly_and_in_bounds(
    local: Any, stream: bool
) -> None:
    running = local()
    child = psutil.Process(running.provider.local_server.pid)
    call(running, "/v1/chat/completions", CHAT)
    before = child.memory_info().rss
    status, _, text = call(running, "/v1/chat/completions", long("x" * TOKENS, stream))
    assert (status, json.loads(text)["error"]["code"]) == (400, "context_length_exceeded")
    # Not all of it was tokenised to find that out.
    assert "has at least 60" in text
    assert "and the context window of the model is 1024" in text
    assert call(running, "/v1/chat/completions", long("y" * 20 * TOKENS))[0] == 400
    assert child.memory_info().rss - before < 100 << 20
    assert call(running, "/v1/chat/completions", CHAT)[0] == 200


def test_200_000_tokens_go_on_to_a_provider_with_room(local: Any) -> None:
    with Upstream("openai") as upstream:
        running = local(**{**hosted(upstream), "providers": ("local", "openai")})
        status, headers, text = call(running, "/v1/chat/completions", long("x" * TOKENS))
        assert (status, headers["x-qc-provider"]) == (200, "openai")
        assert CODE.strip() in json.loads(text)["choices"][0]["message"]["content"]
        assert len(upstream.requests[0]["body"]["messages"][-1]["content"]) == TOKENS
        assert call(running, "/v1/chat/completions", CHAT)[1]["x-qc-provider"] == "local"


def left_in_mid_stream(running: Running, body: dict[str, Any], build: str = "b") -> None:
    connection = http.client.HTTPConnection(urlsplit(running.url).netloc, timeout=60)
    headers = {"Authorization": f"Bearer {running.key}", "x-qc-build": build}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    assert connection.getresponse().read(20)
    connection.close()


def wait(happened: Any) -> None:
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_client_that_leaves_in_mid_stream_frees_the_slot(local: Any) -> None:
    running = local()
    for _ in range(3):
        left_in_mid_stream(running, {**CHAT, "stream": True, "max_tokens": 900})
    wait(lambda: running.provider.local_waiting == 0)
    done = threading.Event()

    def ask() -> None:
        assert call(running, "/v1/chat/completions", CHAT)[0] == 200
        done.set()

    threading.Thread(target=ask, daemon=True).start()
    assert done.wait(20)
    wait(lambda: not running.provider.chain.busy)
    assert running.provider.chain.breakers["local"].state == "closed"


def test_a_client_that_leaves_in_mid_stream_pays_for_what_was_written(gateway: Any) -> None:
    with Upstream("anthropic", "trickle") as upstream:
        running = gateway(**hosted(upstream, deadline_s=600.0), with_side=True)
        left_in_mid_stream(running, {**CHAT, "stream": True, "max_tokens": 100}, build="left")
        assert upstream.gone.wait(20)
        wait(lambda: not running.provider.chain.busy)
        with running.side._open() as store:
            (row,) = store.spendings.find(build_id="left")
        # Nobody said what was used: all that was set aside is charged.
        assert row.cost_usd == row.reserved_usd > Decimal(0)


def test_a_model_that_the_provider_renamed_is_said_with_the_setting_and_others_answer(
    gateway: Any,
) -> None:
    with Upstream("anthropic", "404") as first, Upstream("openai") as second:
        running = gateway(**hosted(first, second))
        for _ in range(3):
            assert call(running, "/v1/chat/completions", CHAT)[1]["x-qc-provider"] == "openai"
        # Once: no waiting brings a name back. Then it is left alone for a while.
        assert len(first.requests) == 1
        alone = {**CHAT, "model": "claude-sonnet-4-6"}
        status, _, text = call(running, "/v1/chat/completions", alone)
        assert (status, "rests after failing" in text) == (502, True)
    with Upstream("anthropic", "404") as only:
        status, _, text = call(gateway(**hosted(only)), "/v1/chat/completions", CHAT)
        assert status == 502
        assert "Check the model's name in the settings." in text


def test_an_answer_under_another_name_is_kept_and_told_under_that_name(gateway: Any) -> None:
    with Upstream("openai") as upstream:
        running = gateway(**hosted(upstream), with_side=True)
        _, headers, text = call(running, "/v1/chat/completions", CHAT)
        assert upstream.requests[0]["body"]["model"] == "gpt-4.1"
        assert (headers["x-qc-model"], json.loads(text)["model"]) == ("gpt-real", "gpt-real")
        wait(lambda: running.side.recorder.counts["kept"] == 1)
        with running.side._open() as store:
            assert store.generations.find()[0].model == "gpt-real"
            (row,) = store.spendings.find()
        # Paid at the price of what was asked for.
        assert (row.model, row.cost_usd is not None) == ("gpt-4.1", True)


def test_a_store_that_is_gone_stops_no_answer_and_is_said(
    gateway: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Upstream("openai") as upstream:
        running = gateway(**hosted(upstream), with_side=True)
        assert call(running, "/v1/chat/completions", CHAT)[0] == 200
        wait(lambda: running.side.recorder.counts["kept"] == 1)
        for file in tmp_path.glob("store.db*"):
            file.rename(tmp_path / f"away-{file.name}")
        for number in range(5):
            assert call(running, "/v1/chat/completions", long(f"Buy {number}"))[0] == 200
        wait(lambda: running.side.recorder.counts["spooled"] == 5)
        assert "the database file is gone" in caplog.text
        for file in tmp_path.glob("away-*"):
            file.rename(tmp_path / file.name.removeprefix("away-"))
        wait(lambda: running.side.recorder.counts["kept"] == 6)
        with running.side._open() as store:
            assert store.generations.count() == 6


HALF = "Buy \ud800 SPY"


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("chat/completions", {"messages": [{"role": "user", "content": HALF}]}, "messages[0]"),
        (
            "chat/completions",
            {"messages": [{"role": "user", "content": [{"type": "text", "text": HALF}]}]},
            "messages[0]",
        ),
        ("completions", {"prompt": HALF}, "prompt"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_half_a_character_is_the_clients_fault_and_puts_no_provider_to_rest(
    gateway: Any, path: str, body: dict[str, Any], where: str, stream: bool
) -> None:
    with Upstream("openai") as upstream:
        running = gateway(**hosted(upstream))
        for _ in range(8):
            status, _, text = call(running, f"/v1/{path}", {**body, "stream": stream})
            assert status == 400
            assert f"{where}" in text
            assert "has half a character (U+D800, at 4)" in text
        assert call(running, "/v1/chat/completions", CHAT)[0] == 200
        assert len(upstream.requests) == 1


def test_a_prompt_of_token_numbers_is_refused_and_not_sent_as_digits(gateway: Any) -> None:
    with Upstream("openai") as upstream:
        running = gateway(**hosted(upstream))
        status, _, text = call(running, "/v1/completions", {"prompt": [1, 2, 3]})
        assert (status, json.loads(text)["error"]["code"]) == (400, "unsupported_value")


def test_a_prompt_beyond_what_a_price_holds_for_is_too_long_and_not_too_dear(
    gateway: Any,
) -> None:
    with Upstream("openai") as upstream:
        running = gateway(**{**hosted(upstream), "openai_model": "gpt-6.1-terra"})
        status, _, text = call(running, "/v1/chat/completions", long("x" * 300_000))
        assert (status, json.loads(text)["error"]["code"]) == (400, "context_length_exceeded")
        assert "the price of 'gpt-6.1-terra' is known up to 272000" in text
        assert call(running, "/v1/chat/completions", CHAT)[0] == 200


@pytest.mark.parametrize("stream", [False, True])
def test_half_a_character_in_an_answer_is_replaced_and_the_rest_arrives(
    gateway: Any, stream: bool
) -> None:
    with Upstream("openai", text="x = '\ud83d'  # price in \u20ac") as upstream:
        running = gateway(**hosted(upstream))
        body = {**CHAT, "stream": stream}
        status, _, text = call(running, "/v1/chat/completions", body)
        assert status == 200
        if stream:
            events = [json.loads(line[6:]) for line in text.splitlines() if line[6:7] == "{"]
            said = "".join(
                choice["delta"].get("content", "") for one in events for choice in one["choices"]
            )
            assert text.rstrip().endswith("[DONE]")
        else:
            said = json.loads(text)["choices"][0]["message"]["content"]
        assert said == "x = '?'  # price in \u20ac"


@pytest.mark.parametrize("name", ["gpt-\u6a21\u578b", "gpt\r\nx-evil: 1", "gpt-\ud800"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_may_rename_its_model_to_anything(
    gateway: Any,
    name: str,
    stream: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, frame = OpenAIDialect.whole, {**OpenAIDialect._frame, "model": name}
    monkeypatch.setattr(OpenAIDialect, "_frame", frame)
    monkeypatch.setattr(
        OpenAIDialect, "whole", lambda *given, **more: {**whole(*given, **more), "model": name}
    )
    with Upstream("openai") as upstream:
        running = gateway(**hosted(upstream), with_side=True)
        status, headers, text = call(running, "/v1/chat/completions", {**CHAT, "stream": stream})
        assert (status, headers["x-qc-provider"]) == (200, "openai")
        assert "x-evil" not in headers
        assert "QCAlgorithm" in text
        # It is kept behind the answer, not before it.
        end = time.monotonic() + 20
        while not running.side.recorder.counts["kept"] and time.monotonic() < end:
            time.sleep(0.02)
        assert running.side.recorder.counts["kept"] == 1
