"""What /metrics says, read with Prometheus' own parser."""

import re
import time
from decimal import Decimal

import pytest
from prometheus_client.parser import text_string_to_metric_families

from qc_builder_lora.gateway.exposition import Family, exposition
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


def scraped(running):
    _, _, text = call(running, "/metrics")
    return {family.name: family for family in text_string_to_metric_families(text)}


def values(family):
    return {tuple(one.labels.values()): one.value for one in family.samples}


def wait(happened):
    end = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_every_family_has_a_help_a_type_and_a_name_by_convention(gateway, upstream):
    running = gateway(
        **hosted(upstream("anthropic")), shadow_share=1.0, shadow_model="anthropic", with_side=True
    )
    call(running, "/v1/chat/completions", CHAT)
    _, _, text = call(running, "/metrics")
    families = list(text_string_to_metric_families(text))
    assert len({one.name for one in families}) == len(families) >= 25
    for one in families:
        assert re.fullmatch(r"qc_lora_[a-z_]+", one.name)
        assert one.documentation.endswith((".", ";"))
        assert one.type in ("counter", "gauge", "summary")
        for sample in one.samples:
            assert one.type != "counter" or sample.name.endswith("_total")
    assert len(re.findall("^# TYPE", text, re.MULTILINE)) == len(families)


def test_shadow_and_recorder_are_counted_by_what_became_of_each_request(gateway, upstream):
    settings = {**hosted(upstream("openai")), **hosted(upstream("anthropic"))}
    running = gateway(**settings, shadow_share=1.0, shadow_model="openai",
                      shadow_daily_usd=Decimal(1), with_side=True)  # fmt: skip
    for number in range(3):
        body = {**CHAT, "messages": [{"role": "user", "content": f"Buy {number}"}]}
        call(running, "/v1/chat/completions", body)
        # The next request would take the shadow's turn away.
        wait(lambda: running.side.shadow.counts["answered"] > number)  # noqa: B023
    page = {name: values(family) for name, family in scraped(running).items()}
    for name, value in (("offered", 3), ("sampled", 3), ("asked", 3), ("answered", 3), ("off", 0)):
        assert page[f"qc_lora_shadow_{name}"] == {(): value}
    assert set(page["qc_lora_shadow_dropped"].values()) == {0}
    assert ("queue_full",) in page["qc_lora_shadow_dropped"]
    assert page["qc_lora_recorder_kept"] == {(): 3}
    assert page["qc_lora_recorder_dropped"] == {(): 0}
    assert page["qc_lora_queue_depth"] == {("gateway",): 0, ("local",): 0}
    assert page["qc_lora_requests_in_flight"] == {(): 0}
    assert page["qc_lora_automatic_rollbacks"] == {(): 0}


def test_a_shadow_that_has_switched_itself_off_says_so(gateway, upstream):
    settings = {**hosted(upstream("openai", "401")), **hosted(upstream("anthropic"))}
    running = gateway(**settings, shadow_share=1.0, shadow_model="openai",
                      shadow_daily_usd=Decimal(1), with_side=True)  # fmt: skip
    for number in range(5):
        body = {**CHAT, "messages": [{"role": "user", "content": f"Buy {number}"}]}
        call(running, "/v1/chat/completions", body)
        wait(lambda: running.side.shadow.counts["failed"] > number)  # noqa: B023
    assert values(scraped(running)["qc_lora_shadow_off"]) == {(): 1}
    dropped = values(scraped(running)["qc_lora_shadow_dropped"])
    assert dropped["failed",] == 5


def test_money_circuits_and_seconds(gateway, upstream):
    running = gateway(
        **hosted(upstream("anthropic", "401"), upstream("openai")), budget_usd=Decimal("0.05")
    )
    call(running, "/v1/chat/completions", {**CHAT, "max_tokens": 100})
    call(running, "/v1/chat/completions", {**CHAT, "max_tokens": 1_000_000})
    page = {name: values(family) for name, family in scraped(running).items()}
    assert page["qc_lora_breaker"] == {("anthropic",): 2, ("openai",): 0}
    assert page["qc_lora_budget_limit_usd"] == {(): 0.05}
    assert page["qc_lora_budget_refusals"] == {("openai",): 1}
    seconds = {one.name: one.value for one in scraped(running)["qc_lora_answer_seconds"].samples}
    assert seconds["qc_lora_answer_seconds_count"] == 1
    assert 0 < seconds["qc_lora_answer_seconds_sum"] < 60
    assert page["qc_lora_canary_share"] == {(): 0}


def test_a_label_with_quotes_and_lines_survives():
    family = Family("x_total", "counter", 'A "help"\nof\\two lines.').add(3, who='a"b\\c\nd')
    (read,) = text_string_to_metric_families(exposition([family]))
    assert read.samples[0].labels == {"who": 'a"b\\c\nd'}
    assert read.documentation == 'A "help"\nof\\two lines.'
