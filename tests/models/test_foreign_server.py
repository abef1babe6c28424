"""Another's OpenAI-compatible server in place of our child: llama.cpp's own, as others start it."""

import subprocess
import sys

import pytest

from qc_builder_lora.config import Settings
from qc_builder_lora.errors import NoProvider
from qc_builder_lora.models.provider import StrategyProvider
from qc_builder_lora.template import INST
from tests.models.upstream import CODE, Upstream

KEY = "k-foreign"
SERVER = f"""
import sys, xllamacpp
chosen = xllamacpp.CommonParams()
chosen.model.path, chosen.n_ctx, chosen.n_parallel = sys.argv[1], 512, 1
chosen.hostnames, chosen.port, chosen.api_keys = ["127.0.0.1"], 0, [{KEY!r}]
chosen.use_jinja, chosen.chat_template, chosen.model_alias = True, {INST.jinja!r}, {{"theirs"}}
chosen.verbosity = 0
server = xllamacpp.Server(chosen)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def theirs(weights):
    """Its address, ending in /v1."""
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    command = [sys.executable, "-c", SERVER, str(weights)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    address = process.stdout.readline().strip()
    yield f"http://{address.removeprefix('http://')}/v1"
    process.stdin.close()
    process.wait(20)
    process.stdout.close()


def test_it_answers_whole_and_as_a_stream_by_the_name_it_lists(theirs):
    with StrategyProvider(
        Settings(local_url=theirs, local_key=KEY, max_tokens=9, providers=("local",))
    ) as provider:
        whole = provider.generate("Buy SPY")
        assert provider.local_server is None
        chunks = list(provider.stream("Buy SPY"))
    assert (whole.provider, whole.model, whole.cost_usd) == ("local", "theirs", 0)
    assert (whole.completion_tokens, whole.finish_reason) == (9, "length")
    assert whole.prompt_tokens > 9
    assert chunks[-1].draft.text == whole.text
    assert chunks[-1].draft.completion_tokens == 9


def test_prompt_too_long_for_it_goes_on_to_a_hosted_model(theirs):
    with Upstream("openai") as hosted:
        settings = Settings(
            local_url=theirs, local_key=KEY, openai_url=hosted.url, openai_key="sk-x",
            openai_model="gpt-4.1", providers=("local", "openai"),
        )  # fmt: skip
        with StrategyProvider(settings) as provider:
            draft = provider.generate("word " * 600)
    assert (draft.provider, draft.code) == ("openai", CODE)


def test_its_refusal_of_a_wrong_key_is_said(theirs):
    settings = Settings(local_url=theirs, local_key="wrong", providers=("local",))
    with (
        StrategyProvider(settings) as provider,
        pytest.raises(NoProvider, match=r"local: HTTP 401: .*Check the key"),
    ):
        provider.generate("Buy SPY")
