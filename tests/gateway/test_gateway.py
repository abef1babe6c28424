import http.client
import json
import shutil
import subprocess
import threading
from decimal import Decimal
from urllib.parse import urlsplit

import openai
import pytest

from tests.models.upstream import CODE, TEXT, Upstream

CHAT = {"model": "qc-lora", "messages": [{"role": "user", "content": "Buy SPY"}]}


def call(running, path, body=None, key=None, headers=None):
    """Status, headers and text of one plain request."""
    connection = http.client.HTTPConnection(urlsplit(running.url).netloc, timeout=60)
    sent = {"Authorization": f"Bearer {running.key if key is None else key}", **(headers or {})}
    content = None if body is None else json.dumps(body)
    connection.request("POST" if body is not None else "GET", path, content, sent)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, response.headers, text


@pytest.fixture
def upstream():
    opened = []

    def start(*arguments):
        opened.append(Upstream(*arguments))
        return opened[-1]

    yield start
    for item in opened:
        item.__exit__()


def hosted(*upstreams, **more):
    """Settings whose chain is exactly these upstreams."""
    settings = {"providers": tuple(u.name for u in upstreams), **more}
    models = {"anthropic": "claude-sonnet-4-6", "openai": "gpt-4.1", "gemini": "gemini-2.5-flash"}
    for item in upstreams:
        settings[f"{item.name}_url"] = item.url
        settings[f"{item.name}_model"] = models.get(item.name, "gpt-real")
        settings[f"{item.name}_key"] = "sk-upstream"
    return settings


def test_answer_says_who_gave_it_and_what_it_cost(gateway, upstream):
    running = gateway(**hosted(upstream("anthropic")))
    status, headers, text = call(running, "/v1/chat/completions", CHAT)
    told = json.loads(text)
    assert status == 200
    assert told["choices"][0]["message"]["content"] == TEXT
    assert told["usage"]["total_tokens"] == 53
    assert (headers["x-qc-provider"], headers["x-qc-model"]) == ("anthropic", "claude-real")
    assert Decimal(headers["x-qc-cost-usd"]) == Decimal("0.000423")


def test_failing_provider_is_not_seen_by_the_client(gateway, upstream):
    running = gateway(**hosted(upstream("anthropic", "401"), upstream("openai")))
    status, headers, _ = call(running, "/v1/chat/completions", CHAT)
    assert (status, headers["x-qc-provider"]) == (200, "openai")


def test_official_client_works_unchanged_with_and_without_a_stream(gateway, upstream):
    running = gateway(**hosted(upstream("gemini")))
    client = openai.OpenAI(api_key=running.key, base_url=f"{running.url}/v1", max_retries=0)
    whole = client.chat.completions.create(**CHAT)
    assert whole.choices[0].message.content == TEXT
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = list(client.chat.completions.create(**CHAT, **options))
    pieces = [c.choices[0].delta.content or "" for c in chunks if c.choices]
    assert "".join(pieces) == TEXT
    assert chunks[-1].usage.total_tokens == 53
    assert {m.id for m in client.models.list()} == {"qc-lora", "gemini-2.5-flash"}
    plain = client.completions.create(model="qc-lora", prompt="Buy SPY")
    assert plain.choices[0].text == TEXT
    with pytest.raises(openai.NotFoundError, match="'gpt-99' does not exist here"):
        client.chat.completions.create(**{**CHAT, "model": "gpt-99"})
    client.close()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_reads_the_stream(gateway, upstream):
    running = gateway(**hosted(upstream("openai")))
    command = ["curl", "-sN", f"{running.url}/v1/chat/completions"]
    command += ["-H", f"Authorization: Bearer {running.key}"]
    command += ["-d", json.dumps({**CHAT, "stream": True})]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if line]
    assert lines[-1] == "data: [DONE]"
    told = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert "".join(e["choices"][0]["delta"].get("content", "") for e in told) == TEXT
    assert told[-1]["usage"]["total_tokens"] == 53


def test_one_provider_can_be_asked_alone(gateway, upstream):
    first, second = upstream("anthropic", "500"), upstream("openai")
    running = gateway(**hosted(first, second))
    status, headers, _ = call(running, "/v1/chat/completions", {**CHAT, "model": "gpt-4.1"})
    assert (status, headers["x-qc-provider"], first.requests) == (200, "openai", [])
    status, _, text = call(running, "/v1/chat/completions", {**CHAT, "model": "claude-sonnet-4-6"})
    assert (status, "anthropic: HTTP 500" in text) == (502, True)


def test_clients_messages_reach_the_model_as_they_are(gateway, upstream):
    first = upstream("openai")
    turns = [("system", "S"), ("user", "a"), ("assistant", "b"), ("user", "c")]
    messages = [{"role": role, "content": content} for role, content in turns]
    call(gateway(**hosted(first)), "/v1/chat/completions", {"messages": messages, "max_tokens": 77})
    sent = first.requests[0]["body"]
    assert (sent["messages"], sent["max_completion_tokens"]) == (messages, 77)


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/chat/completions", "/v1/completions", "/metrics"]
)
def test_wrong_or_missing_key_is_401(gateway, upstream, path):
    first = upstream("openai")
    running = gateway(**hosted(first))
    body = None if path in ("/v1/models", "/metrics") else CHAT
    for key in ("wrong", ""):
        status, _, text = call(running, path, body, key=key)
        assert (status, "API key is missing or wrong" in text) == (401, True)
    assert first.requests == []


def test_no_web_page_may_read_it(gateway, upstream):
    running = gateway(**hosted(upstream("openai")))
    _, headers, _ = call(running, "/v1/models", headers={"Origin": "https://evil.example"})
    assert not [name for name in headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("faults", "status", "code", "waits"),
    [
        (["context_overflow", "context_overflow"], 400, "context_length_exceeded", None),
        (["500", "401"], 502, "no_provider", None),
        (["529", "529"], 503, "overloaded", "5"),
        (["hang_before_headers", "hang_before_headers"], 504, "timeout", None),
    ],
)
def test_nobody_answering_has_a_status_of_its_kind(
    gateway, upstream, faults, status, code, waits, stream
):
    both = [upstream(name, fault) for name, fault in zip(("openai", "gemini"), faults, strict=True)]
    deadline = 1.0 if status == 504 else 60.0
    running = gateway(**hosted(*both, deadline_s=deadline))
    got, headers, text = call(running, "/v1/chat/completions", {**CHAT, "stream": stream})
    assert (got, json.loads(text)["error"]["code"]) == (status, code)
    assert headers["retry-after"] == waits


def test_spent_budget_is_402_which_clients_do_not_retry(gateway, upstream):
    first = upstream("anthropic")
    running = gateway(**hosted(first, budget_usd=Decimal("0.0001")))
    client = openai.OpenAI(api_key=running.key, base_url=f"{running.url}/v1", max_retries=3)
    with pytest.raises(openai.APIStatusError, match=r"of the \$0\.0001 of this build") as caught:
        client.chat.completions.create(**CHAT)
    assert caught.value.status_code == 402
    assert first.requests == []
    client.close()


def test_each_build_named_in_a_header_has_its_own_budget(gateway, upstream):
    running = gateway(**hosted(upstream("anthropic"), budget_usd=Decimal("0.0006")))
    ask = {**CHAT, "max_tokens": 10}

    def status(build):
        return call(running, "/v1/chat/completions", ask, headers={"x-qc-build": build})[0]

    assert [status("one"), status("one"), status("two")] == [200, 402, 200]


def test_stream_that_breaks_ends_with_an_error_and_without_done(gateway, upstream):
    second = upstream("openai")
    running = gateway(**hosted(upstream("anthropic", "cut"), second))
    status, headers, text = call(running, "/v1/chat/completions", {**CHAT, "stream": True})
    assert (status, headers["x-qc-provider"]) == (200, "anthropic")
    assert "no other model continues them" in text
    assert "[DONE]" not in text
    assert second.requests == []


def test_client_that_leaves_ends_the_request_upstream(gateway, upstream):
    first = upstream("anthropic", "trickle")
    running = gateway(**hosted(first, deadline_s=600.0))
    connection = http.client.HTTPConnection(urlsplit(running.url).netloc, timeout=60)
    headers = {"Authorization": f"Bearer {running.key}"}
    body = json.dumps({**CHAT, "stream": True})
    connection.request("POST", "/v1/chat/completions", body, headers)
    connection.getresponse().read(20)
    connection.close()
    assert first.gone.wait(20)


def test_client_that_leaves_before_the_first_word_ends_it_too(gateway, upstream):
    first, second = upstream("anthropic", "hang_before_headers"), upstream("openai")
    running = gateway(**hosted(first, second, deadline_s=600.0))
    connection = http.client.HTTPConnection(urlsplit(running.url).netloc, timeout=60)
    headers = {"Authorization": f"Bearer {running.key}"}
    connection.request("POST", "/v1/chat/completions", json.dumps(CHAT), headers)
    while not first.requests:
        threading.Event().wait(0.01)
    connection.close()
    seen = threading.Event()
    for _ in range(1000):
        _, _, text = call(running, "/metrics")
        if 'qc_lora_failures_total{provider="anthropic",kind="cancelled"} 1' in text:
            seen.set()
            break
        threading.Event().wait(0.02)
    assert seen.is_set()
    assert second.requests == []


def test_many_clients_at_once_all_get_their_answer(gateway, upstream):
    running = gateway(**hosted(upstream("openai")))
    got = []

    def ask():
        status, _, text = call(running, "/v1/chat/completions", CHAT)
        got.append((status, json.loads(text)["choices"][0]["message"]["content"]))

    threads = [threading.Thread(target=ask) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [(200, TEXT)] * 30


def test_metrics_count_what_happened(gateway, upstream):
    running = gateway(**hosted(upstream("anthropic", "401"), upstream("openai")))
    call(running, "/v1/chat/completions", CHAT)
    call(running, "/v1/chat/completions", {**CHAT, "model": "nobody"})
    _, headers, text = call(running, "/metrics")
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in (
        'qc_lora_requests_total{status="200"} 1',
        'qc_lora_requests_total{status="404"} 1',
        'qc_lora_answers_total{provider="openai"} 1',
        'qc_lora_failures_total{provider="anthropic",kind="auth"} 1',
        'qc_lora_tokens_total{provider="openai",direction="completion"} 22',
        'qc_lora_cost_usd_total{provider="openai"} 0.000238',
        'qc_lora_breaker{provider="anthropic"} 2',
        'qc_lora_breaker{provider="openai"} 0',
    ):
        assert line in text.splitlines()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"messages": "hi"}, "messages must be a list"),
        ({**CHAT, "tools": [{}]}, "tools are not supported"),
        ({**CHAT, "max_tokens": 0.5}, "max_tokens must be a whole number"),
    ],
)
def test_bad_request_is_400_and_asks_nobody(gateway, upstream, body, said):
    first = upstream("openai")
    status, _, text = call(gateway(**hosted(first)), "/v1/chat/completions", body)
    assert (status, said in text, first.requests) == (400, True, [])


@pytest.mark.weights
def test_real_local_model_loads_with_503_and_then_answers(gateway, base_gguf):
    running = gateway(local_model=str(base_gguf), local_context=512, max_tokens=6)
    loading = threading.Thread(target=running.provider.local_server.ensure)
    loading.start()
    seen = set()
    while loading.is_alive():
        status, headers, _ = call(running, "/healthz", key="")
        seen.add((status, headers["retry-after"]))
    assert seen <= {(200, None), (503, "2")}
    assert (503, "2") in seen
    assert call(running, "/healthz", key="")[0] == 200
    status, headers, text = call(running, "/v1/chat/completions", CHAT)
    assert (status, headers["x-qc-provider"]) == (200, "local")
    assert json.loads(text)["usage"]["completion_tokens"] == 6


def test_code_comes_out_of_the_answer_in_process_as_through_http(gateway, upstream):
    running = gateway(**hosted(upstream("openai")))
    assert running.provider.generate("Buy SPY").code == CODE


def test_body_beyond_the_limit_is_413_before_all_of_it_is_read(gateway, upstream, monkeypatch):
    monkeypatch.setattr("qc_builder_lora.models.asgi.MAX_BODY", 2**20)
    first = upstream("openai")
    running = gateway(**hosted(first))
    status, _, text = call(running, "/v1/chat/completions", {**CHAT, "user": "x" * 2**21})
    assert (status, "The body is over 1 MB." in text, first.requests) == (413, True, [])


def test_client_that_leaves_in_the_middle_of_its_body_is_no_error_of_ours(
    gateway, upstream, caplog
):
    first = upstream("openai")
    running = gateway(**hosted(first))
    connection = http.client.HTTPConnection(urlsplit(running.url).netloc, timeout=60)
    connection.putrequest("POST", "/v1/chat/completions")
    connection.putheader("Authorization", f"Bearer {running.key}")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b'{"model"')
    connection.close()
    for _ in range(1000):
        if 'qc_lora_requests_total{status="499"} 1' in call(running, "/metrics")[2]:
            break
        threading.Event().wait(0.02)
    else:
        raise AssertionError("nobody noticed")
    assert first.requests == []
    assert "Traceback" not in caplog.text


def test_slow_reader_gets_all_of_a_long_stream(gateway, upstream):
    text = "# " + "x" * 300_000
    first = upstream("local")
    first.text = text
    running = gateway(providers=("local",), local_url=first.url, local_model="m")
    connection = http.client.HTTPConnection(urlsplit(running.url).netloc, timeout=60)
    headers = {"Authorization": f"Bearer {running.key}"}
    connection.request(
        "POST", "/v1/chat/completions", json.dumps({**CHAT, "stream": True}), headers
    )
    response = connection.getresponse()
    threading.Event().wait(0.5)
    got = response.read().decode()
    connection.close()
    events = [json.loads(line[6:]) for line in got.splitlines() if line.startswith("data: {")]
    assert "".join(e["choices"][0]["delta"].get("content", "") for e in events) == text
    assert got.endswith("data: [DONE]\n\n")
