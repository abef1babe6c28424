"""What a child remembers of former prompts is bounded, whatever is asked, on each engine."""

import os
from pathlib import Path

import pytest

from qc_builder_lora.models.artefact import describe
from qc_builder_lora.models.local import LocalWriter
from qc_builder_lora.models.local_server import LocalServer
from qc_builder_lora.models.writer import new_request
from tests.models.test_local_server import answer


def megabytes(server):
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.fixture(params=["llama-cpp-python", "xllamacpp"])
def server(request, weights):
    if request.param == "xllamacpp":
        pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    artefact = describe(weights, "tiny", "inst")
    with LocalServer(artefact, context=1024, engine=request.param) as made:
        made.ensure()
        yield made


def test_memory_stays_where_it_is_after_many_long_prompts(server):
    writer, sizes = LocalWriter(server=server), []
    for number in range(55):
        prompt = f"{number + 10} " * 320
        writer.write(new_request(prompt), max_tokens=1, deadline_s=60)
        sizes.append(megabytes(server))
    # Without a bound these 17 prompts would be 17 MB.
    assert sizes[-1] - sizes[37] < 8


def test_beginning_that_two_prompts_share_is_read_once(server):
    system = "x = 1\n" * 60
    first = {"prompt": system + "buy", "max_tokens": 1}
    answer(server, "/v1/completions", first)
    used = answer(server, "/v1/completions", {**first, "prompt": system + "sell"})["usage"]
    cached = used["prompt_tokens_details"]["cached_tokens"]
    assert used["prompt_tokens"] - 8 < cached < used["prompt_tokens"]
