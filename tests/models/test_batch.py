"""Many prompts at once: which engine is taken, how many slots it gets, and what a replay keeps."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.config import Settings
from qc_builder_lora.errors import MissingExtra, SettingsError
from qc_builder_lora.eval.asking import ask_all
from qc_builder_lora.ids import new_id, now
from qc_builder_lora.models.artefact import describe, read_numbers
from qc_builder_lora.models.batch import ONE, Batch, batch_for, window_bytes
from qc_builder_lora.models.local import LocalWriter
from qc_builder_lora.models.local_server import LocalServer
from qc_builder_lora.models.writer import Draft, new_request
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import Generation, Request, Role
from qc_builder_lora.shadow_job import replay_requests
from tests.eval.stand_ins import suite
from tests.models.tiny_home import Home
from tests.tiny_base import HEAD_DIM, LAYERS

PROMPTS = [f"Buy SPY {number} days after a low" for number in range(12)]


def without_xllamacpp(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "xllamacpp" else found(name)
    )


@pytest.fixture
def slots() -> None:
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")


def test_where_xllamacpp_is_not_installed_the_one_that_serves_is_taken(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_xllamacpp(monkeypatch)
    assert batch_for("auto", 8, weights, 512) == ONE
    assert batch_for("llama-cpp-python", 8, weights, 512) == ONE
    wanted = batch_for("xllamacpp", 8, weights, 512)
    server = LocalServer(describe(weights), engine=wanted.engine, slots=wanted.slots)
    with pytest.raises(MissingExtra, match=r"pip install 'qc-builder-lora\[batch\]'"):
        server.ensure()


def test_windows_take_no_more_than_a_quarter_of_free_memory(weights: Path, slots: None) -> None:
    token = window_bytes(read_numbers(weights))
    assert token == LAYERS * 1 * (HEAD_DIM + HEAD_DIM) * 2
    assert batch_for("auto", 8, weights, 100, free=4 * 3 * 100 * token) == Batch("xllamacpp", 3)
    assert batch_for("auto", 8, weights, 100, free=10**15) == Batch("xllamacpp", 8)
    assert batch_for("auto", 8, weights, 100, free=0) == Batch("xllamacpp", 1)


def test_a_model_without_grouped_heads_is_counted_by_its_width() -> None:
    # CodeLlama 7B: half a megabyte a token.
    numbers = {
        "llama.block_count": 32,
        "llama.embedding_length": 4096,
        "llama.attention.head_count": 32,
    }
    assert window_bytes(numbers) == 512 * 1024


def test_an_engine_nobody_knows_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"batch_engine must be one of auto.*got 'vllm'"):
        Settings(batch_engine="vllm")


class Crowd:
    """A Writer that answers only when so many are asking at once."""

    name, model = "local", "crowd"

    def __init__(self, size: int) -> None:
        self._all_here = threading.Barrier(size)

    def write(self, request: Request, *, max_tokens: int, deadline_s: float) -> Draft:
        self._all_here.wait(10)
        code = request.instruction
        return Draft(text=code, code=code, provider="local", model="crowd", latency_s=1.0)


def test_prompts_of_a_suite_are_asked_at_once_and_kept_in_its_order(tmp_path: Path) -> None:
    asked, journal = suite("a", "b", "c", "d"), tmp_path / "one.jsonl"
    writer: Any = Crowd(4)
    found = ask_all(writer, asked, journal, max_tokens=9, deadline_s=9.0, at_once=4)
    assert [one.code for one in found] == ["Do a.", "Do b.", "Do c.", "Do d."]
    assert {one.at_once for one in found} == {4}
    assert len(journal.read_text().splitlines()) == 4


@contextmanager
def quiet(_: str, __: float) -> Iterator[Progress]:
    yield SILENT


def serve(home: Home) -> None:
    """Answers that were served to PROMPTS."""
    for prompt in PROMPTS:
        request = home.store.requests.add(new_request(prompt))
        home.store.generations.add(
            Generation(
                id=new_id(), request_id=request.id, code="x = 1", role=Role.SERVED,
                created_at=now(), model="gpt", latency_s=1.0,
            )
        )  # fmt: skip


@pytest.mark.parametrize("engine", ["llama-cpp-python", "xllamacpp"])
def test_a_replay_asks_every_stored_request_once_whichever_engine_it_uses(
    home: Home, engine: str
) -> None:
    if engine == "xllamacpp":
        pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    serve(home)
    model = home.model("m1")
    settings = home.settings(batch_engine=engine, batch_slots=4)
    since = now() - timedelta(days=1)
    asked: dict[str, Any] = {"hosted": None, "since": since, "limit": 100, "show": quiet}
    found = replay_requests(settings, home.store, model, **asked)
    assert (found["answered"], found["requests"]) == (len(PROMPTS), len(PROMPTS))
    kept = home.store.generations.find(role=Role.SHADOW, model="m1")
    assert len({one.request_id for one in kept}) == len(PROMPTS)
    assert all(one.completion_tokens for one in kept)
    # Several were asked at once: how long one took says nothing, and unknown is not zero.
    assert {one.latency_s is None for one in kept} == {engine == "xllamacpp"}
    again = replay_requests(settings, home.store, model, **asked)
    assert (again["answered_before"], again.get("answered", 0)) == (len(PROMPTS), 0)


def test_slots_answer_at_once_and_each_gets_its_own(weights: Path, slots: None) -> None:
    artefact = describe(weights, "tiny", "inst")
    with LocalServer(artefact, context=512, engine="xllamacpp", slots=4) as server:
        writer = LocalWriter(server=server, repeatable=True)
        asked = {"max_tokens": 300, "deadline_s": 60.0}
        alone = [writer.write(new_request(prompt), **asked).text for prompt in PROMPTS[:4]]
        firsts, told = threading.Barrier(4), {}

        def ask(prompt: str) -> None:
            chunks = writer.stream(new_request(prompt), **asked)
            text = next(chunks).text
            # Nobody goes on before all four have their first words: they are written together.
            firsts.wait(30)
            told[prompt] = text + "".join(chunk.text for chunk in chunks)

        threads = [threading.Thread(target=ask, args=(prompt,)) for prompt in PROMPTS[:4]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [told[prompt] for prompt in PROMPTS[:4]] == alone
