import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.request

import pytest
from click.testing import CliRunner

from qc_builder_lora.errors import SettingsError
from qc_builder_lora.gateway.serving import listen, read_key
from tests.models.upstream import CODE, TEXT, Upstream


@pytest.fixture
def environment(tmp_path):
    """Of a machine with one server of the OpenAI protocol and nothing else."""
    with Upstream("local") as upstream:
        yield {
            "QC_LORA_HOME": str(tmp_path / "home"),
            "QC_LORA_LOCAL_URL": upstream.url,
            "QC_LORA_LOCAL_MODEL": "gpt-real",
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }


def qc_lora(*arguments, environment, folder, **options):
    code = "from qc_builder_lora.cli import main; main()"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(
        command, env=environment, cwd=folder, text=True, stdout=subprocess.PIPE, **options
    )


def test_serve_prints_address_and_key_and_answers_until_it_is_stopped(environment, tmp_path):
    child = qc_lora("serve", "--port", "0", environment=environment, folder=tmp_path)
    try:
        url = child.stdout.readline().split()[0]
        key = child.stdout.readline().split()[2].rstrip(";")
        assert url.startswith("http://127.0.0.1:")
        body = json.dumps({"messages": [{"role": "user", "content": "x"}]}).encode()
        asked = urllib.request.Request(f"{url}/chat/completions", body)
        asked.add_header("Authorization", f"Bearer {key}")
        with urllib.request.urlopen(asked, timeout=60) as response:
            assert json.load(response)["choices"][0]["message"]["content"] == TEXT
    finally:
        child.send_signal(signal.SIGINT)
        assert child.wait(30) in (0, 130)
        child.stdout.close()


def test_key_file_is_made_for_its_owner_alone_and_used_again(tmp_path):
    path = tmp_path / "deep" / "gateway.key"
    key, made = read_key(path)
    assert made
    assert len(key) > 40
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key(path) == (key, False)


def test_empty_key_file_is_refused_and_not_taken_for_no_key(tmp_path):
    (tmp_path / "gateway.key").write_text(" \n")
    with pytest.raises(SettingsError, match=r"gateway\.key is empty"):
        read_key(tmp_path / "gateway.key")


def test_port_that_is_taken_is_named():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            SettingsError, match=f"Cannot listen on 127.0.0.1 port {port}: .*--port"
        ):
            listen("127.0.0.1", port)


def test_connections_send_the_end_of_an_answer_without_waiting_for_the_client():
    # With Nagle's algorithm it waits 40 ms for the acknowledgement of the beginning.
    with listen("127.0.0.1", 0) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        accepted.close()
        client.close()


def test_serve_without_anything_to_answer_says_what_to_do(tmp_path):
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(sys.path)}
    child = qc_lora(
        "serve", "--port", "0", environment=environment, folder=tmp_path, stderr=subprocess.PIPE
    )
    _, said = child.communicate(timeout=60)
    assert child.returncode == 1
    assert said.startswith("qc-lora: No model can answer")


def generate(*arguments, environment, folder):
    child = qc_lora(
        "generate", *arguments, environment=environment, folder=folder, stderr=subprocess.PIPE
    )
    out, said = child.communicate(timeout=60)
    return child.returncode, out, said


def test_generate_prints_the_code_alone_on_standard_output(environment, tmp_path):
    code, out, said = generate("Buy SPY", environment=environment, folder=tmp_path)
    assert (code, out) == (0, CODE)
    assert "local (gpt-real), 22 tokens" in said
    assert "$0.0000" in said


def test_generate_writes_a_file_and_json(environment, tmp_path):
    code, out, said = generate(
        "Buy SPY", "--out", "main.py", "--json", environment=environment, folder=tmp_path
    )
    told = json.loads(out)
    assert (code, told["provider"], told["code"], told["prompt_tokens"]) == (0, "local", CODE, 31)
    assert (tmp_path / "main.py").read_text() == CODE
    assert "-> main.py" in said


def test_generate_streams_the_answer(environment, tmp_path):
    code, out, _ = generate("Buy SPY", "--stream", environment=environment, folder=tmp_path)
    assert (code, out) == (0, TEXT + "\n")


def test_empty_prompt_is_refused():
    from qc_builder_lora.cli.generate import command

    result = CliRunner().invoke(command, ["  "])
    assert "The prompt is empty" in str(result.exception)


def test_nothing_listening_is_one_line_and_an_exit_code(environment, tmp_path):
    environment["QC_LORA_LOCAL_URL"] = "http://127.0.0.1:9/v1"
    code, out, said = generate("Buy SPY", environment=environment, folder=tmp_path)
    assert (code, out) == (1, "")
    assert "qc-lora: No provider answered. local: nobody answers there" in said
