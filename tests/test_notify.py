"""Events told to a real HTTP server on loopback, which fails as it is told to."""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qc_builder_lora.config import Settings, load_settings
from qc_builder_lora.errors import SettingsError
from qc_builder_lora.notify import Webhook, check_url
from tests.models.loopback_hook import Hook

EVENT = {"event": "rollback", "id": "p1", "text": "m2 was taken back", "figures": {"bad": 3}}


def wait(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_an_event_arrives_as_json_and_signed() -> None:
    with Hook() as hook:
        webhook = Webhook(hook.url, "s3cret")
        webhook.send(EVENT)
        webhook.close()
        assert hook.events == [EVENT]
        digest = hmac.new(b"s3cret", hook.bodies[0], hashlib.sha256).hexdigest()
        assert hook.headers[0]["X-QC-Signature"] == f"sha256={digest}"
        assert hook.headers[0]["X-QC-Delivery"] == "p1"
        assert webhook.counts == {"delivered": 1}


def test_without_a_secret_nothing_is_signed() -> None:
    with Hook() as hook:
        webhook = Webhook(hook.url)
        webhook.send(EVENT)
        webhook.close()
        assert "X-QC-Signature" not in hook.headers[0]


@pytest.mark.parametrize("answers", [(500, 503, 200), (429, 408, 200), ("drop", "drop", 204)])
def test_it_is_tried_again_until_it_is_taken(answers: tuple[object, ...]) -> None:
    with Hook(*answers) as hook:
        webhook = Webhook(hook.url, waits_s=(0.01, 0.02, 0.03))
        webhook.send(EVENT)
        wait(lambda: webhook.counts["delivered"] == 1)
        assert len(hook.events) == 3
        assert {headers["X-QC-Delivery"] for headers in hook.headers} == {"p1"}
        webhook.close()


def test_a_dead_address_is_given_up_and_said_without_its_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "qc_builder_lora")
    with Hook() as hook:
        url = hook.url
    webhook = Webhook(url, "s3cret", waits_s=(0.01, 0.01))
    started = time.monotonic()
    webhook.send(EVENT)
    assert time.monotonic() - started < 0.5
    wait(lambda: webhook.counts["failed"] == 1)
    webhook.close()
    assert "nobody could be notified host=127.0.0.1 event_id=p1" in caplog.text
    assert "Connection refused" in caplog.text
    assert "T0PSECRET" not in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_what_no_waiting_cures_is_not_tried_again(status: int) -> None:
    with Hook(status) as hook:
        webhook = Webhook(hook.url, waits_s=(0.01, 0.01))
        webhook.send(EVENT)
        wait(lambda: webhook.counts["failed"] == 1)
        assert len(hook.events) == 1
        webhook.close()


def test_a_redirect_is_not_followed() -> None:
    with Hook(302) as hook:
        webhook = Webhook(hook.url, waits_s=())
        webhook.send(EVENT)
        wait(lambda: webhook.counts["failed"] == 1)
        webhook.close()


def test_a_hanging_address_holds_nobody_up_and_too_many_events_are_dropped() -> None:
    with Hook("hang") as hook:
        webhook = Webhook(hook.url)
        started = time.monotonic()
        for _ in range(150):
            webhook.send(EVENT)
        assert webhook.counts["dropped"] >= 40
        webhook.close(0.1)
        assert time.monotonic() - started < 5


def test_secrets_in_the_words_are_redacted() -> None:
    with Hook() as hook:
        webhook = Webhook(hook.url)
        webhook.send({**EVENT, "reason": "401 for sk-ant-" + "a1B2" * 8})
        webhook.close()
        assert hook.events[0]["reason"] == "401 for REDACTED_ANTHROPIC_KEY"


@pytest.mark.parametrize(
    "url", ["ftp://x/", "hooks.example.com", "http://", "http://a b/", "http://x:y/"]
)
def test_an_address_that_is_none_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(SettingsError, match="notify_webhook must be an address like https"):
        check_url(url)


def test_address_and_secret_are_kept_out_of_what_is_saved_and_shown(tmp_path: Path) -> None:
    given = {"QC_LORA_NOTIFY_WEBHOOK": "https://h/T0P", "QC_LORA_NOTIFY_SECRET": "s3cret"}
    found = load_settings(given, tmp_path)
    assert (found.notify_webhook, found.notify_secret) == ("https://h/T0P", "s3cret")
    for text in (repr(found), str(found.public())):
        assert "T0P" not in text
        assert "s3cret" not in text
    assert Settings().notify_webhook is None
