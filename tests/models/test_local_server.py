import http.client
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from qc_builder_lora.errors import CorruptFile, NotFound, ProviderError
from qc_builder_lora.models.artefact import describe
from qc_builder_lora.models.local import LocalWriter
from qc_builder_lora.models.local_server import LocalServer
from qc_builder_lora.models.writer import new_request
from qc_builder_lora.template import GEMMA

pytestmark = pytest.mark.weights

CHAT = {"messages": [{"role": "user", "content": "def fib(n):"}], "max_tokens": 6}


def call(server, path, body=None, key=None, method=None):
    """Status, headers and JSON of one plain HTTP request."""
    host = server.url.removeprefix("http://").removesuffix("/v1")
    connection = http.client.HTTPConnection(host, timeout=120)
    headers = {"Authorization": f"Bearer {server.key if key is None else key}"}
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    connection.request(method or ("POST" if content is not None else "GET"), path, content, headers)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, response.headers, text


def answer(server, path, body):
    status, _, text = call(server, path, body)
    assert status == 200, text
    return json.loads(text)


def written(server):
    """Tokens the model has written so far, whoever they were for."""
    return json.loads(call(server, "/health")[2])["tokens_written"]


def events(text):
    lines = [line.removeprefix("data: ") for line in text.decode().splitlines() if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def test_chat_answers_with_text_usage_and_reason(child):
    told = answer(child, "/v1/chat/completions", CHAT)
    assert told["choices"][0]["message"]["content"]
    assert told["choices"][0]["finish_reason"] == "length"
    assert told["usage"]["completion_tokens"] == 6
    assert told["model"] == "gemma-3-270m"


def test_stream_gives_the_same_text_and_the_usage(child):
    whole = answer(child, "/v1/chat/completions", CHAT)
    body = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    status, headers, text = call(child, "/v1/chat/completions", body)
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    told = events(text)
    pieces = [e["choices"][0]["delta"].get("content", "") for e in told if e["choices"]]
    assert "".join(pieces) == whole["choices"][0]["message"]["content"]
    assert told[-1]["choices"] == []
    assert told[-1]["usage"]["completion_tokens"] == 6
    assert told[-2]["choices"][0]["finish_reason"] == "length"


def test_greedy_answer_repeats_whatever_was_asked_before(child):
    ask = {**CHAT, "cache_prompt": False, "max_tokens": 12}
    first = answer(child, "/v1/chat/completions", ask)
    answer(child, "/v1/completions", {"prompt": "something else", "max_tokens": 3})
    again = answer(child, "/v1/chat/completions", ask)
    assert again["choices"] == first["choices"]


def test_same_prompt_again_is_read_from_the_cache(child):
    ask = {"prompt": "x = 1\n" * 40, "max_tokens": 1}
    answer(child, "/v1/completions", ask)
    used = answer(child, "/v1/completions", ask)["usage"]
    assert used["prompt_tokens_details"]["cached_tokens"] == used["prompt_tokens"] - 1


def test_bos_is_added_exactly_once(child):
    plain = answer(child, "/tokenize", {"content": "hi", "add_special": True})["tokens"]
    doubled = answer(child, "/tokenize", {"content": "<bos>hi", "add_special": True})["tokens"]
    assert plain == doubled
    assert plain.count(2) == 1
    assert answer(child, "/tokenize", {"content": "hi"})["tokens"] == plain[1:]


def test_control_texts_of_the_template_become_single_tokens(child):
    text = GEMMA.render("hi")
    tokens = answer(child, "/tokenize", {"content": text, "add_special": True})["tokens"]
    assert tokens == [2, 105, 2364, 107, 2202, 106, 107, 105, 4368, 107]
    used = answer(
        child, "/v1/chat/completions", {**CHAT, "messages": [{"role": "user", "content": "hi"}]}
    )
    assert used["usage"]["prompt_tokens"] == len(tokens)


def test_prompt_of_token_numbers_is_taken_as_it_is(child):
    told = answer(child, "/v1/completions", {"prompt": [2, 105, 2364], "max_tokens": 1})
    assert told["usage"]["prompt_tokens"] == 3
    status, _, text = call(child, "/v1/completions", {"prompt": [999_999], "max_tokens": 1})
    assert (status, b"from 0 to 262143" in text) == (400, True)


def test_stop_text_ends_the_answer_and_is_not_part_of_it(child):
    long = answer(child, "/v1/completions", {"prompt": "def fib(n):", "max_tokens": 20})
    text = long["choices"][0]["text"]
    stop = text[5:9]
    cut = answer(
        child, "/v1/completions", {"prompt": "def fib(n):", "max_tokens": 20, "stop": stop}
    )
    assert cut["choices"][0]["text"] == text[: text.index(stop)]
    assert cut["choices"][0]["finish_reason"] == "stop"


def test_answer_that_ends_by_itself_says_stop_and_shows_no_control_text(child):
    ask = {"prompt": "x\n<eos>" * 15 + "x\n", "max_tokens": 8}
    told = answer(child, "/v1/completions", ask)
    assert told["choices"][0] == {
        "index": 0,
        "text": "",
        "logprobs": None,
        "finish_reason": "stop",
    }
    assert told["usage"]["completion_tokens"] == 1


def test_unknown_model_is_404_and_names_the_real_one(child):
    status, _, text = call(child, "/v1/chat/completions", {**CHAT, "model": "gpt-4"})
    assert status == 404
    assert json.loads(text)["error"]["message"] == (
        "The model 'gpt-4' does not exist here. Models: gemma-3-270m."
    )


def test_prompt_longer_than_the_window_is_400_with_openais_code(child):
    status, _, text = call(child, "/v1/completions", {"prompt": "word " * 1100})
    error = json.loads(text)["error"]
    assert (status, error["code"]) == (400, "context_length_exceeded")
    said = r"The prompt has (at least )?1\d\d\d tokens and the context window of the model is 1024"
    assert re.match(said, error["message"]), error["message"]


def test_answer_never_outgrows_the_window(child):
    told = answer(child, "/v1/completions", {"prompt": "a b c\n" * 250, "max_tokens": 4000})
    assert told["usage"]["total_tokens"] <= 1024


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/chat/completions", "/v1/completions", "/tokenize"]
)
def test_wrong_or_missing_key_is_401(child, path):
    for key in ("wrong", ""):
        status, _, text = call(child, path, None if path == "/v1/models" else CHAT, key=key)
        assert status == 401
        assert b"API key is missing or wrong" in text


def test_health_needs_no_key_and_models_lists_the_one(child):
    assert call(child, "/health", key="")[0] == 200
    assert [m["id"] for m in answer(child, "/v1/models", None)["data"]] == ["gemma-3-270m"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not valid JSON"),
        (b"[]", "not a JSON object"),
        ({"messages": []}, "messages must be a list of at least one message"),
        ({"messages": [{"role": "robot", "content": ""}]}, r"messages[0].role must be"),
        ({**CHAT, "max_tokens": -1}, "max_tokens must be a whole number of at least 1, got -1"),
        ({**CHAT, "temperature": 3}, "temperature must be a number from 0.0 to 2.0, got 3"),
        ({**CHAT, "n": 2}, "only 1 is supported"),
        ({**CHAT, "stop": 5}, "stop must be a text or a list of texts"),
    ],
)
def test_bad_request_is_400_and_says_which_field(child, body, said):
    status, _, text = call(child, "/v1/chat/completions", body)
    assert status == 400
    assert said in json.loads(text)["error"]["message"]


def leave(server, body, after_bytes):
    host = server.url.removeprefix("http://").removesuffix("/v1")
    leaving = http.client.HTTPConnection(host, timeout=60)
    headers = {"Authorization": f"Bearer {server.key}"}
    leaving.request("POST", "/v1/completions", json.dumps(body), headers)
    if after_bytes:
        leaving.getresponse().read(after_bytes)
    else:
        threading.Event().wait(0.3)
    leaving.close()


def test_client_that_leaves_in_mid_stream_frees_the_model(child):
    before = written(child)
    leave(child, {"prompt": "1 2 3", "max_tokens": 900, "stream": True}, after_bytes=10)
    answer(child, "/v1/completions", {"prompt": "a", "max_tokens": 2})
    assert written(child) - before < 200


def test_client_that_leaves_while_it_waits_frees_the_model(child):
    before = written(child)
    prompt = " ".join(str(number) for number in range(100))
    leave(child, {"prompt": prompt, "max_tokens": 700, "cache_prompt": False}, after_bytes=0)
    answer(child, "/v1/completions", {"prompt": "a", "max_tokens": 2})
    assert written(child) - before < 200


def test_several_at_once_all_get_their_own_answer(child):
    told = {}

    def ask(number):
        body = {"prompt": f"The number {number}", "max_tokens": 4, "cache_prompt": False}
        told[number] = answer(child, "/v1/completions", body)["choices"][0]["text"]

    alone = {}
    for number in range(3):
        ask(number)
    alone.update(told)
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == alone


def test_killed_child_is_started_again_by_the_next_request(base_gguf, kill_hard):
    with LocalServer(describe(base_gguf), context=512) as server:
        writer = LocalWriter(server=server)
        first = writer.write(new_request("def fib(n):"), max_tokens=4, deadline_s=120)
        killed = server.pid
        kill_hard(server)
        again = writer.write(new_request("def fib(n):"), max_tokens=4, deadline_s=120)
        assert again.text == first.text
        assert server.pid != killed
        writer.close()
        assert server.pid is None


def test_child_that_keeps_dying_is_left_alone_for_a_while(base_gguf, kill_hard):
    moments = [0.0]
    server = LocalServer(describe(base_gguf), context=512, clock=lambda: moments[0])
    with server:
        server.ensure()
        kill_hard(server)
        server.ensure()
        kill_hard(server)
        with pytest.raises(
            ProviderError, match=r"died 2 times \(it was killed.*again in 1 s"
        ) as caught:
            server.ensure()
        assert caught.value.kind == "refused"
        moments[0] += 1.5
        server.ensure()
        assert server.healthy()


def test_child_dies_with_a_parent_that_was_killed(base_gguf, is_running, wait_until):
    program = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        from qc_builder_lora.models.artefact import describe
        from qc_builder_lora.models.local_server import LocalServer
        server = LocalServer(describe(Path({str(base_gguf)!r})), context=512)
        server.ensure()
        print(server.pid, flush=True)
        time.sleep(600)
    """)
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    assert is_running(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert wait_until(lambda: not is_running(pid))


def test_child_dies_even_if_a_fork_of_the_parent_holds_its_pipe(base_gguf, is_running, wait_until):
    program = textwrap.dedent(f"""
        import os, sys, time
        from pathlib import Path
        from qc_builder_lora.models.artefact import describe
        from qc_builder_lora.models.local_server import LocalServer
        server = LocalServer(describe(Path({str(base_gguf)!r})), context=512)
        server.ensure()
        fork = os.fork()
        if not fork:
            time.sleep(600)
        print(server.pid, fork, flush=True)
        time.sleep(600)
    """)
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    pid, fork = map(int, parent.stdout.readline().split())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    try:
        assert wait_until(lambda: not is_running(pid))
        assert is_running(fork)
    finally:
        os.kill(fork, signal.SIGKILL)


def test_nothing_of_llama_cpp_reaches_the_users_terminal(base_gguf, capfd):
    with LocalServer(describe(base_gguf), context=512) as server:
        LocalWriter(server=server).write(new_request("hi"), max_tokens=2, deadline_s=120)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("engine", ["llama-cpp-python", "xllamacpp"])
def test_memory_limit_too_small_for_the_model_is_said_with_the_limit(base_gguf, engine):
    if engine == "xllamacpp":
        pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    with (
        LocalServer(describe(base_gguf), memory_mb=700, engine=engine, slots=4) as server,
        pytest.raises(
            ProviderError, match=r"out of memory \(its limit is 700 MB; see QC_LORA_LOCAL_MEMORY_MB"
        ) as caught,
    ):
        server.ensure()
    assert caught.value.kind == "refused"


def test_child_that_cannot_load_is_not_started_for_every_request(base_gguf):
    moments = [0.0]
    with LocalServer(describe(base_gguf), memory_mb=700, clock=lambda: moments[0]) as server:
        for _ in range(2):
            with pytest.raises(ProviderError, match="out of memory"):
                server.ensure()
        with pytest.raises(ProviderError, match=r"died 2 times \(out of memory.*again in 1 s"):
            server.ensure()
        assert server.pid is None


def test_file_that_is_cut_short_is_refused_before_a_process_is_started(base_gguf, tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(base_gguf.read_bytes()[: 100 * 2**20])
    with LocalServer(describe(cut)) as server:
        with pytest.raises(CorruptFile, match=r"cut\.gguf: cut short: 104,857,600 bytes of 253,\d"):
            server.ensure()
        assert server.pid is None


def test_header_that_lies_ends_in_an_error_that_quotes_llama_cpp(base_gguf, tmp_path):
    # Whole by its length, but of an architecture that llama.cpp does not know.
    lying = tmp_path / "lying.gguf"
    lying.write_bytes(base_gguf.read_bytes().replace(b"gemma3", b"gemmaX"))
    with (
        LocalServer(describe(lying)) as server,
        pytest.raises(
            ProviderError, match=r"cannot serve .*lying\.gguf.*unknown model architecture: 'gemmaX'"
        ),
    ):
        server.ensure()


def test_missing_file_is_named(tmp_path):
    with (
        LocalServer(describe(tmp_path / "nothing.gguf")) as server,
        pytest.raises(NotFound, match=r"nothing\.gguf"),
    ):
        server.ensure()


def test_writer_turns_a_bad_file_into_one_providers_failure(tmp_path):
    (tmp_path / "bad.gguf").write_bytes(b"nonsense" * 10)
    writer = LocalWriter(server=LocalServer(describe(tmp_path / "bad.gguf")))
    with pytest.raises(ProviderError, match=r"local: .*bad\.gguf: starts with b'nons'") as caught:
        writer.write(new_request("hi"), max_tokens=2, deadline_s=10)
    assert caught.value.kind == "not_found"


def test_hosted_keys_are_not_handed_to_the_child(base_gguf, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-very-secret")
    with LocalServer(describe(base_gguf), context=512) as server:
        server.ensure()
        assert b"very-secret" not in Path(f"/proc/{server.pid}/environ").read_bytes()
        assert server.key.encode() not in Path(f"/proc/{server.pid}/cmdline").read_bytes()


def test_deadline_ends_a_long_answer_and_frees_the_model(child):
    writer, before = LocalWriter(server=child), written(child)
    with pytest.raises(ProviderError, match=r"no complete answer within 0\.\d s") as caught:
        writer.write(new_request("Count to a thousand: 1 2 3"), max_tokens=900, deadline_s=0.5)
    assert caught.value.kind == "timeout"
    assert writer.write(new_request("a"), max_tokens=2, deadline_s=60).completion_tokens == 2
    assert written(child) - before < 200


def test_stream_that_is_not_read_to_the_end_frees_the_model(child):
    writer, before = LocalWriter(server=child), written(child)
    stream = writer.stream(
        new_request("Count to a thousand: 1 2 3"), max_tokens=900, deadline_s=100
    )
    assert next(stream).text
    stream.close()
    assert writer.write(new_request("a"), max_tokens=2, deadline_s=60).completion_tokens == 2
    assert written(child) - before < 200


def test_stream_ends_with_the_draft(child):
    writer = LocalWriter(server=child)
    chunks = list(writer.stream(new_request("def fib(n):"), max_tokens=6, deadline_s=60))
    assert all(chunk.draft is None for chunk in chunks[:-1])
    draft = chunks[-1].draft
    assert draft.text == "".join(chunk.text for chunk in chunks)
    assert (draft.provider, draft.model, draft.finish_reason) == ("local", "gemma-3-270m", "length")
    assert draft.completion_tokens == 6
    assert draft.prompt_tokens > 5
