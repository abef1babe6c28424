"""Serving with a shadow beside it, over real HTTP: what is kept, what is asked, what it costs."""

import json
import time
from decimal import Decimal

import pytest
from click.testing import CliRunner

from qc_builder_lora.cli import root
from qc_builder_lora.config import Settings
from qc_builder_lora.models.provider import StrategyProvider
from qc_builder_lora.models.side import Side
from qc_builder_lora.records import Role
from qc_builder_lora.store import Store
from tests.gateway.test_gateway import CHAT, call, hosted
from tests.models.upstream import Upstream


@pytest.fixture
def upstream():
    opened = []

    def start(*arguments):
        opened.append(Upstream(*arguments))
        return opened[-1]

    yield start
    for item in opened:
        item.__exit__()


@pytest.fixture
def beside():
    made = []

    def attach(running):
        made.append(Side(running.provider))
        return made[-1]

    yield attach
    for one in made:
        one.close()


def wait(happened, within_s=10.0):
    end = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def url(running):
    return running.provider.settings.database_url


def test_a_served_answer_is_kept_and_the_shadow_is_asked_the_same(gateway, upstream, beside):
    settings = hosted(upstream("anthropic"))
    second = hosted(upstream("openai"))
    running = gateway(**{**second, **settings}, shadow_share=1.0, shadow_model="openai",
                      shadow_daily_usd=Decimal(1))  # fmt: skip
    side = beside(running)
    status, headers, _ = call(running, "/v1/chat/completions", CHAT, headers={"x-qc-build": "b7"})
    assert (status, headers["x-qc-provider"]) == (200, "anthropic")
    wait(lambda: side.shadow.counts["answered"] == 1)
    with Store.open(url(running)) as store:
        (request,) = store.requests.find()
        assert request.instruction == "Buy SPY"
        by_role = {one.role: one for one in store.generations.find()}
        assert by_role[Role.SERVED].build_id == "b7"
        assert by_role[Role.SHADOW].model == "gpt-real"
        assert by_role[Role.SHADOW].cost_usd is not None
        spent = {one.build_id: one.provider for one in store.spendings.find()}
    assert spent["b7"] == "anthropic"
    assert any(build.startswith("shadow:20") for build in spent)


def test_a_shadow_without_money_is_never_asked(gateway, upstream, beside):
    silent = upstream("openai")
    settings = {**hosted(silent), **hosted(upstream("anthropic"))}
    running = gateway(**settings, shadow_share=1.0, shadow_model="openai")
    side = beside(running)
    assert call(running, "/v1/chat/completions", CHAT)[0] == 200
    wait(lambda: side.shadow.counts["over_budget"] == 1)
    assert silent.requests == []


def test_nothing_is_kept_where_the_owner_does_not_want_it(gateway, upstream, beside):
    running = gateway(**hosted(upstream("anthropic")), keep_requests=False)
    side = beside(running)
    assert side.recorder is None
    assert call(running, "/v1/chat/completions", CHAT)[0] == 200


def test_a_streamed_answer_is_kept_too(gateway, upstream, beside):
    running = gateway(**hosted(upstream("openai")))
    side = beside(running)
    status, _, text = call(running, "/v1/chat/completions", {**CHAT, "stream": True})
    assert status == 200
    assert text.rstrip().endswith("[DONE]")
    wait(lambda: side.recorder.counts["kept"] == 1)


def test_clients_wait_no_longer_with_a_hanging_shadow(gateway, upstream, beside):
    hanging = upstream("openai", *["hang_before_headers"] * 50)
    settings = {**hosted(hanging), **hosted(upstream("anthropic"))}
    running = gateway(
        **settings, shadow_share=1.0, shadow_model="openai", shadow_daily_usd=Decimal(9)
    )
    alone = gateway(**hosted(upstream("anthropic")))
    side = beside(running)

    def times(server):
        found = []
        for number in range(15):
            body = {"model": "qc-lora", "messages": [{"role": "user", "content": f"n {number}"}]}
            start = time.perf_counter()
            assert call(server, "/v1/chat/completions", body)[0] == 200
            found.append(time.perf_counter() - start)
        return sorted(found)[7]

    times(alone)
    without = times(alone)
    assert call(running, "/v1/chat/completions", CHAT)[0] == 200
    wait(lambda: side.shadow.counts["asked"] >= 1)
    # It hangs for as long as it is let: a client that had to wait for it would see seconds.
    assert times(running) < without + 0.5


def test_status_and_cost_read_what_was_done(gateway, upstream, beside, monkeypatch):
    running = gateway(**hosted(upstream("anthropic")))
    side = beside(running)
    call(running, "/v1/chat/completions", CHAT, headers={"x-qc-build": "b7"})
    wait(lambda: side.recorder.counts["kept"] == 1)
    side.close()
    monkeypatch.setenv("QC_LORA_HOME", str(running.provider.settings.home))
    told = CliRunner().invoke(root, ["shadow", "status", "--json"])
    assert json.loads(told.output)["serving"]["requests"]["kept"] == 1
    bill = CliRunner().invoke(root, ["cost", "--by", "build", "--json"])
    (line,) = json.loads(bill.output)["lines"]
    assert line["build"] == "b7"
    assert line["hosted_calls"] == 1
    assert float(line["spent_usd"]) > 0
    assert line["still_open_usd"] == "0"


def test_a_shadow_that_is_not_there_is_said_before_anything_is_served(tmp_path):
    settings = Settings(home=tmp_path, anthropic_key="sk", shadow_share=0.5)
    provider = StrategyProvider(settings)
    with pytest.raises(Exception, match="There is no candidate to ask"):
        Side(provider)
    provider.close()
