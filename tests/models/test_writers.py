"""One suite over every Writer: the same faults, the same words for them."""

import asyncio
import os
import pickle
import subprocess
import sys
import threading
import traceback

import pytest

from qc_builder_lora.errors import ProviderError
from qc_builder_lora.models.anthropic import AnthropicWriter
from qc_builder_lora.models.dialogue import new_dialogue
from qc_builder_lora.models.faults import RULES, Kind
from qc_builder_lora.models.gemini import GeminiWriter
from qc_builder_lora.models.local import LocalWriter
from qc_builder_lora.models.openai import OpenAIWriter
from qc_builder_lora.models.writer import SYSTEM_PROMPT, new_request
from tests.models.upstream import (
    CODE,
    COMPLETION_TOKENS,
    FAULTS,
    PROMPT_TOKENS,
    TEXT,
    AnthropicDialect,
    Upstream,
    sse,
)

KEY = "sk-very-secret-key-0123456789"
CLASSES = {
    "local": "LocalWriter",
    "openai": "OpenAIWriter",
    "anthropic": "AnthropicWriter",
    "gemini": "GeminiWriter",
}
NAMES = tuple(CLASSES)
STREAMS = [False, True]
WAYS = [(name, False) for name in NAMES] + [("local", True), ("gemini", True)]
"""Who is asked, and whether awaited: once on the caller's own loop, once on the background's."""
REQUEST = new_request("Buy SPY when it crosses its mean", context="class Old: ...")


def make(upstream, **options):
    """The Writer for an upstream's protocol."""
    if upstream.name == "local":
        return LocalWriter(url=upstream.url, model="gpt-real", key=KEY, **options)
    if upstream.name == "openai":
        return OpenAIWriter(KEY, "gpt-4.1", url=upstream.url, **options)
    if upstream.name == "anthropic":
        return AnthropicWriter(KEY, "claude-x", url=upstream.url, **options)
    return GeminiWriter(KEY, "gemini-2.5-flash", url=upstream.url, **options)


async def awaited_draft(writer, stream, request=REQUEST, asked=None):
    """What a Writer or a Chain answers on an event loop."""
    asked = asked or {}
    if not stream:
        return await writer.write_async(request, **asked)
    chunks = [chunk async for chunk in writer.stream_async(request, **asked)]
    assert "".join(chunk.text for chunk in chunks) == chunks[-1].draft.text
    return chunks[-1].draft


@pytest.fixture
def ask():
    """Ask a Writer of that name, with or without a stream; gives (upstream, Draft)."""
    opened = []

    def run(
        name,
        fault="answer",
        stream=False,
        request=REQUEST,
        deadline_s=20.0,
        awaited=False,
        **options,
    ):
        upstream = Upstream(name, fault, key=KEY)
        writer = make(upstream, **options)
        opened.extend([writer, upstream.__exit__])
        asked = {"max_tokens": 333, "deadline_s": deadline_s}
        if awaited:
            return upstream, asyncio.run(awaited_draft(writer, stream, request, asked))
        if stream:
            chunks = list(writer.stream(request, **asked))
            assert "".join(chunk.text for chunk in chunks) == chunks[-1].draft.text
            return upstream, chunks[-1].draft
        return upstream, writer.write(request, **asked)

    yield run
    for item in opened:
        item() if callable(item) else item.close()


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize(("name", "awaited"), WAYS)
def test_answer_comes_with_code_reason_usage_and_the_real_models_name(ask, name, awaited, stream):
    _, draft = ask(name, stream=stream, awaited=awaited)
    assert draft.text == TEXT
    assert draft.code == CODE
    assert draft.finish_reason == "stop"
    assert (draft.prompt_tokens, draft.completion_tokens) == (PROMPT_TOKENS, COMPLETION_TOKENS)
    assert draft.provider == name
    assert draft.model.endswith("-real")
    assert draft.latency_s > 0
    assert draft.cost_usd is None


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("name", "awaited"), WAYS)
def test_fault_is_named_and_asked_only_once(ask, every_log, name, awaited, fault, stream):
    hangs = fault in ("hang_before_headers", "hang_mid_answer", "trickle")
    upstreams = []
    with pytest.raises(ProviderError) as caught:
        upstreams.append(
            ask(name, fault, stream, deadline_s=0.6 if hangs else 20.0, awaited=awaited)
        )
    error = caught.value
    assert error.kind == FAULTS[fault][stream], error
    assert error.provider == name
    assert str(error).startswith(f"{name}: ")
    assert error.retry_after_s == (7.0 if fault == "429_retry_after" else None)
    told = "".join(traceback.format_exception(error)) + repr(error) + every_log.text
    assert KEY not in told
    assert error.__context__ is None
    assert error.__cause__ is None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", ["500", "529", "429", "cut_before_text", "hang_before_headers"])
def test_sdk_never_retries_by_itself(name, fault):
    asked = {"max_tokens": 9, "deadline_s": 0.6}
    with Upstream(name, fault) as upstream:
        writer = make(upstream)
        with pytest.raises(ProviderError):
            writer.write(REQUEST, **asked)
        with pytest.raises(ProviderError):
            list(writer.stream(REQUEST, **asked))
        writer.close()
        assert len(upstream.requests) == 2


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("name", NAMES)
def test_max_tokens_and_the_system_text_are_always_sent(ask, name, stream):
    upstream, _ = ask(name, stream=stream)
    sent = upstream.requests[0]["body"]
    user = "Buy SPY when it crosses its mean\n\nclass Old: ..."
    if name == "anthropic":
        assert (sent["max_tokens"], sent["system"]) == (333, SYSTEM_PROMPT)
        assert sent["messages"] == [{"role": "user", "content": user}]
    elif name == "gemini":
        assert sent["generationConfig"]["maxOutputTokens"] == 333
        assert sent["systemInstruction"]["parts"][0]["text"] == SYSTEM_PROMPT
        assert sent["contents"] == [{"role": "user", "parts": [{"text": user}]}]
    else:
        assert sent["max_tokens" if name == "local" else "max_completion_tokens"] == 333
        system = {"role": "system", "content": SYSTEM_PROMPT}
        assert sent["messages"] == [system, {"role": "user", "content": user}]


@pytest.mark.parametrize(
    ("name", "model", "field", "sent", "room"),
    [
        ("openai", "gpt-4.1", "reasoning_effort", None, 0),
        ("openai", "gpt-6.1-terra", "reasoning_effort", "low", 4096),
        ("openai", "o3", "reasoning_effort", "low", 4096),
        ("anthropic", "claude-sonnet-4-6", "output_config", None, 0),
        ("anthropic", "claude-sonnet-5-5", "output_config", {"effort": "low"}, 4096),
        ("gemini", "gemini-3.5-flash-lite", "thinkingConfig", None, 0),
        ("gemini", "gemini-3.5-flash", "thinkingConfig", {"thinking_level": "LOW"}, 4096),
        ("gemini", "gemini-2.5-flash", "thinkingConfig", {"thinking_budget": 0}, 0),
    ],
)
def test_model_that_thinks_gets_little_to_think_and_room_for_it(name, model, field, sent, room):
    with Upstream(name) as upstream:
        writer = {"openai": OpenAIWriter, "anthropic": AnthropicWriter, "gemini": GeminiWriter}[
            name
        ](KEY, model, url=upstream.url)
        writer.write(REQUEST, max_tokens=100, deadline_s=20.0)
        writer.close()
    body = upstream.requests[0]["body"]
    body = body.get("generationConfig", body)
    assert body.get(field) == sent
    assert 100 + room in body.values()
    assert writer.thinking_room == room


@pytest.mark.parametrize("name", NAMES)
def test_clients_own_messages_go_through_unchanged(ask, name):
    turns = [("system", "S"), ("user", "a"), ("assistant", "b"), ("user", "c")]
    messages = [{"role": role, "content": content} for role, content in turns]
    upstream, _ = ask(name, request=new_dialogue(messages))
    sent = upstream.requests[0]["body"]
    if name == "anthropic":
        assert (sent["system"], sent["messages"]) == ("S", messages[1:])
    elif name == "gemini":
        assert [(c["role"], c["parts"][0]["text"]) for c in sent["contents"]] == [
            ("user", "a"),
            ("model", "b"),
            ("user", "c"),
        ]
    else:
        assert sent["messages"] == messages


@pytest.mark.parametrize("name", NAMES)
def test_answer_without_usage_has_unknown_tokens_and_not_zero(ask, name):
    _, draft = ask(name, "no_usage")
    assert (draft.prompt_tokens, draft.completion_tokens) == (None, None)


@pytest.mark.parametrize(("name", "awaited"), WAYS)
def test_silence_after_the_first_text_is_a_timeout_of_its_own(ask, name, awaited):
    with pytest.raises(ProviderError, match=r"silent for 0\.3 s in mid-answer") as caught:
        ask(name, "hang_mid_answer", stream=True, gap_s=0.3, awaited=awaited)
    assert caught.value.kind == "timeout"


@pytest.mark.parametrize(("name", "awaited"), WAYS)
def test_no_text_at_all_is_a_timeout_of_its_own(ask, name, awaited):
    with pytest.raises(ProviderError, match=r"no text within 0\.3 s") as caught:
        ask(name, "hang_before_headers", stream=True, first_text_s=0.3, awaited=awaited)
    assert caught.value.kind == "timeout"


@pytest.mark.parametrize("name", NAMES)
def test_consumer_that_stops_listening_closes_the_connection(name):
    with Upstream(name, "trickle") as upstream:
        writer = make(upstream)
        stream = writer.stream(REQUEST, max_tokens=9, deadline_s=30.0)
        assert next(stream).text
        stream.close()
        assert upstream.gone.wait(10)
        writer.close()


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("name", ["local", "gemini"])
def test_who_is_cancelled_closes_the_connection_and_that_is_an_error_of_its_kind(name, stream):
    async def leave(writer):
        asked = {"max_tokens": 9, "deadline_s": 30.0}
        work = asyncio.create_task(awaited_draft(writer, stream, asked=asked))
        while not upstream.requests:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        work.cancel()
        with pytest.raises(ProviderError) as caught:
            await work
        return caught.value.kind

    with Upstream(name, "trickle") as upstream:
        writer = make(upstream)
        assert asyncio.run(leave(writer)) == "cancelled"
        assert upstream.gone.wait(10)
        writer.close()


@pytest.mark.parametrize("name", ["local", "gemini"])
def test_writer_serves_many_at_once_on_one_loop_and_on_the_next(name):
    async def together(writer):
        asked = {"max_tokens": 9, "deadline_s": 30.0}
        return await asyncio.gather(*(writer.write_async(REQUEST, **asked) for _ in range(8)))

    with Upstream(name) as upstream:
        writer = make(upstream)
        for _ in range(2):
            drafts = asyncio.run(together(writer))
            assert [draft.code for draft in drafts] == [CODE] * 8
        writer.close()


@pytest.mark.parametrize("name", NAMES)
def test_writer_serves_many_threads_at_once(name):
    with Upstream(name) as upstream:
        writer = make(upstream)
        drafts = []
        threads = [
            threading.Thread(
                target=lambda: drafts.append(writer.write(REQUEST, max_tokens=9, deadline_s=30.0))
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        writer.close()
        assert [draft.code for draft in drafts] == [CODE] * 8


class Overloaded(AnthropicDialect):
    def events(self, pieces, finish="end_turn"):
        yield from list(super().events(pieces))[:5]
        told = {"type": "overloaded_error", "message": "Overloaded"}
        yield sse({"type": "error", "error": told}, "error")


def test_anthropic_error_in_mid_stream_is_named_by_its_type():
    with Upstream("anthropic") as upstream:
        upstream.dialect = Overloaded()
        writer = make(upstream)
        with pytest.raises(ProviderError, match="overloaded_error Overloaded") as caught:
            list(writer.stream(REQUEST, max_tokens=9, deadline_s=20.0))
        assert caught.value.kind == "overloaded"
        writer.close()


LIBRARIES = {
    "anthropic": "anthropic",
    "openai": "openai",
    "gemini": "google.genai",
    "local": "httptools",
}


@pytest.mark.parametrize("name", NAMES)
def test_missing_library_names_the_extra(name):
    extra = "serve" if name == "local" else "hosted"
    made = 'url="http://127.0.0.1:9"' if name == "local" else '"key", "model"'
    program = f"""
import sys
sys.modules[{LIBRARIES[name]!r}] = None
from qc_builder_lora.errors import MissingExtra
from qc_builder_lora.models.{name} import {CLASSES[name]}
from qc_builder_lora.models.writer import new_request
try:
    {CLASSES[name]}({made}).write(new_request("x"), max_tokens=1, deadline_s=1)
except MissingExtra as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert f"pip install 'qc-builder-lora[{extra}]'" in done.stdout, done.stderr


def test_environment_of_the_sdks_does_not_move_the_address(monkeypatch):
    for variable in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9/")
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    for name in ("openai", "anthropic", "gemini"):
        with Upstream(name) as upstream:
            writer = make(upstream)
            assert writer.write(REQUEST, max_tokens=9, deadline_s=20.0).code == CODE
            writer.close()
    assert OpenAIWriter(KEY, "m")._client().base_url.host == "api.openai.com"
    assert AnthropicWriter(KEY, "m")._client().base_url.host == "api.anthropic.com"


def test_writer_works_after_a_fork():
    with Upstream("openai") as upstream:
        writer = make(upstream)
        assert writer.write(REQUEST, max_tokens=9, deadline_s=20.0).code == CODE
        pid = os.fork()
        if not pid:
            done = writer.write(REQUEST, max_tokens=9, deadline_s=20.0).code == CODE
            os._exit(0 if done else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        writer.close()


def test_every_kind_has_a_rule():
    assert set(RULES) == set(Kind)


def test_provider_error_survives_pickling_between_processes():
    error = ProviderError("openai", "timeout", "late", retry_after_s=3.0)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.kind, again.retry_after_s) == ("openai: late", "timeout", 3.0)
