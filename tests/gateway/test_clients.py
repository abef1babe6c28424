"""The official client and curl, unchanged: what each makes of an answer, a stream and an error."""

import json
import shutil
import subprocess
import threading
from decimal import Decimal

import openai
import pytest

from tests.gateway.test_gateway import CHAT, hosted
from tests.models.upstream import TEXT, Upstream

needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


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
def client():
    """An official client of a running gateway; it never tries again by itself."""
    opened = []

    def connect(running, key=None, retries=0):
        made = openai.OpenAI(
            api_key=key or running.key, base_url=f"{running.url}/v1", max_retries=retries
        )
        opened.append(made)
        return made

    yield connect
    for item in opened:
        item.close()


def ask(client, stream=False, **more):
    """The text, whole or put together from a stream."""
    found = client.chat.completions.create(**{**CHAT, "stream": stream, **more})
    if not stream:
        return found.choices[0].message.content
    return "".join(chunk.choices[0].delta.content or "" for chunk in found if chunk.choices)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("faults", "kind", "code", "said"),
    [
        (["context_overflow"] * 2, openai.BadRequestError, "context_length_exceeded", "too long"),
        (["500", "401"], openai.InternalServerError, "no_provider", "HTTP 500"),
        (["529", "529"], openai.InternalServerError, "overloaded", "Overloaded"),
    ],
)
def test_error_is_the_clients_own_exception_with_our_code(
    gateway, upstream, client, faults, kind, code, said, stream
):
    both = [upstream(n, fault) for n, fault in zip(("anthropic", "openai"), faults, strict=True)]
    with pytest.raises(kind, match=said) as caught:
        ask(client(gateway(**hosted(*both))), stream)
    assert caught.value.code == code


@pytest.mark.parametrize("stream", [False, True])
def test_unknown_model_wrong_key_bad_field_and_spent_budget_have_their_exceptions(
    gateway, upstream, client, stream
):
    first = upstream("anthropic")
    running = gateway(**hosted(first, budget_usd=Decimal("0.0001")))
    right = client(running, retries=3)
    with pytest.raises(openai.NotFoundError, match="'gpt-99' does not exist here"):
        ask(right, stream, model="gpt-99")
    with pytest.raises(openai.AuthenticationError, match="API key is missing or wrong"):
        ask(client(running, key="wrong"), stream)
    with pytest.raises(openai.BadRequestError, match="max_tokens must be a whole number"):
        ask(right, stream, max_tokens=-1)
    with pytest.raises(openai.APIStatusError, match=r"of the \$0\.0001 of this build") as caught:
        ask(right, stream)
    assert (caught.value.status_code, caught.value.code) == (402, "budget_exhausted")
    assert first.requests == []


@pytest.mark.parametrize("stream", [False, True])
def test_client_waits_as_long_as_retry_after_says_and_comes_back(
    gateway, upstream, client, monkeypatch, stream
):
    # Our chain has tried twice when it gives up with 503; the client's second try is answered.
    waits = []
    monkeypatch.setattr(openai.OpenAI, "_sleep_for_retry", _noting(waits))
    running = gateway(**hosted(upstream("anthropic", "529", "529", "answer")))
    assert ask(client(running, retries=1), stream) == TEXT
    assert waits == ["5"]


def _noting(waits):
    def sleep(self, *, retries_taken, max_retries, options, response):
        waits.append(response.headers["retry-after"])

    return sleep


def test_stream_that_breaks_is_an_exception_and_not_a_short_answer(gateway, upstream, client):
    running = gateway(**hosted(upstream("anthropic", "cut")))
    with pytest.raises(openai.APIError, match="no other model continues them"):
        ask(client(running), stream=True)


def test_many_streams_at_once_are_not_mixed_up(gateway, upstream, client):
    connected, got = client(gateway(**hosted(upstream("openai")))), []
    threads = [
        threading.Thread(target=lambda: got.append(ask(connected, stream=True))) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [TEXT] * 12


def curl(running, body=None, path="/v1/chat/completions", key=None):
    """Status, headers by lower-case name, and body, as curl prints them."""
    command = ["curl", "-siN", f"{running.url}{path}"]
    command += ["-H", f"Authorization: Bearer {key or running.key}"]
    command += ["-d", json.dumps(body)] if body is not None else []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    head, _, content = done.stdout.partition("\n\n")
    first, *lines = head.splitlines()
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, content


@needs_curl
@pytest.mark.parametrize("stream", [False, True])
def test_curl_is_told_statuses_and_when_to_come_back(gateway, upstream, stream):
    running = gateway(**hosted(upstream("openai", "529")))
    status, headers, content = curl(running, {**CHAT, "stream": stream})
    assert (status, headers["retry-after"]) == (503, "5")
    assert json.loads(content)["error"]["code"] == "overloaded"
    assert curl(running, {**CHAT, "model": "gpt-99"})[0] == 404
    assert curl(running, CHAT, key="wrong")[0] == 401
    assert curl(running, {"messages": "hi"})[0] == 400


@needs_curl
def test_curl_lists_the_models_and_reads_a_whole_answer(gateway, upstream):
    running = gateway(**hosted(upstream("openai")))
    status, _, content = curl(running, path="/v1/models")
    assert (status, [one["id"] for one in json.loads(content)["data"]]) == (
        200, ["qc-lora", "gpt-4.1"],
    )  # fmt: skip
    status, headers, content = curl(running, CHAT)
    assert (status, headers["x-qc-provider"]) == (200, "openai")
    assert json.loads(content)["choices"][0]["message"]["content"] == TEXT
