"""LoRA adapters at run time: one child, the base's weights once, and a model name an adapter."""

import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from qc_builder_lora.errors import ProviderError, QcLoraError
from qc_builder_lora.ids import file_hash
from qc_builder_lora.models.adapter_host import ADAPTER_FILE
from qc_builder_lora.models.artefact import describe
from qc_builder_lora.models.local import LocalWriter
from qc_builder_lora.models.local_server import LocalServer
from qc_builder_lora.models.provider import StrategyProvider
from qc_builder_lora.models.succession import Succession
from qc_builder_lora.models.writer import new_request
from qc_builder_lora.release.adapter import read_adapter
from qc_builder_lora.release.merge import open_base, write_lora, write_merged
from qc_builder_lora.template import INST
from tests.models.test_local_server import answer, call
from tests.tiny_base import FEED_FORWARD, HEAD_DIM, HEADS, HIDDEN, LAYERS, write_base

ENGINES = ["llama-cpp-python", "xllamacpp"]
PROMPTS = ["Buy SPY", "Hold IBM over month ends", "Sell on Friday", "x", "RSI below 30", "1 2 3"]
SHAPES = {
    "self_attn.q_proj": (HEADS * HEAD_DIM, HIDDEN),
    "self_attn.o_proj": (HIDDEN, HEADS * HEAD_DIM),
    "mlp.up_proj": (FEED_FORWARD, HIDDEN),
    "mlp.down_proj": (HIDDEN, FEED_FORWARD),
}


def write_adapter(folder, seed, reader):
    """An adapter in peft's format that makes the tiny base write letters of its own choice.

    Its tied embeddings repeat the last character for ever; so what a layer adds is turned towards
    the embeddings of some letters, by how much depends on the prompt.
    """
    source, tensors = np.random.default_rng(seed), {}
    embeddings = next(t.data for t in reader.tensors if t.name == "token_embd.weight")
    letters = embeddings[source.choice(np.arange(264, 316), 12, replace=False)]
    for layer in range(LAYERS):
        for module, (rows, columns) in SHAPES.items():
            key = f"base_model.model.model.layers.{layer}.{module}"
            a, b = source.normal(0, 0.1, (4, columns)), source.normal(0, 0.1, (rows, 4))
            if module.endswith(("o_proj", "down_proj")):
                chosen = source.choice(len(letters), 4, replace=False)
                a, b = a * 8, letters[chosen].T.astype(np.float32) * 8
            tensors[f"{key}.lora_A.weight"] = a.astype(np.float32)
            tensors[f"{key}.lora_B.weight"] = np.ascontiguousarray(b, np.float32)
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": 8}))
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The base, and two adapters of it: each as a GGUF LoRA and merged as F16."""
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    folder = tmp_path_factory.mktemp("adapters")
    found = {"base": write_base(folder / "base.gguf")}
    reader = open_base(found["base"])
    # Seeds whose letters change within an answer.
    for seed, name in ((2, "one"), (6, "two")):
        weights = read_adapter(write_adapter(folder / name, seed, reader), reader)
        found[name], found[f"{name} merged"] = folder / f"{name}.gguf", folder / f"{name}-m.gguf"
        write_lora(reader, weights, found[name])
        write_merged(reader, weights, found[f"{name} merged"], INST)
    return found


def start(path, **options):
    return LocalServer(describe(path, "base", template="inst"), context=512, **options)


def texts(server, model="base", prompts=PROMPTS):
    writer = LocalWriter(server=server, model=model, repeatable=True)
    return [
        writer.write(new_request(prompt), max_tokens=24, deadline_s=60).text for prompt in prompts
    ]


@pytest.fixture(scope="module")
def merged(files):
    """What the merged models answer, by adapter."""
    found = {}
    for name in ("one", "two"):
        with start(files[f"{name} merged"]) as server:
            found[name] = texts(server)
    with start(files["base"]) as server:
        found["base"] = texts(server)
    assert len({tuple(answers) for answers in found.values()}) == 3
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_each_adapter_answers_to_its_name_as_its_merged_model_does(files, merged, engine):
    if engine == "xllamacpp":
        pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    adapters = {name: files[name] for name in ("one", "two")}
    with start(files["base"], engine=engine, adapters=adapters) as server:
        server.ensure()
        listed = answer(server, "/v1/models", None)["data"]
        assert [model["id"] for model in listed] == ["base", "one", "two"]
        # Twice and in turn: nothing of one may stay in the cache of the other.
        for name in ("one", "base", "two", "one", "base"):
            assert texts(server, name) == merged[name], name


def test_adapter_comes_and_goes_while_the_child_runs(files, merged):
    with start(files["base"]) as server:
        server.ensure()
        pid = server.pid
        server.add_adapter("one", files["one"])
        assert texts(server, "one") == merged["one"]
        server.add_adapter("two", files["two"])
        assert texts(server, "two") == merged["two"]
        assert texts(server, "one") == merged["one"]
        server.remove_adapter("one")
        status, _, text = call(server, "/v1/completions", {"prompt": "x", "model": "one"})
        assert (status, b"Models: base, two" in text) == (404, True)
        assert texts(server, "two") == merged["two"]
        assert server.pid == pid


def test_no_request_fails_while_adapters_come_and_go(files, merged):
    wrong, over, asked = [], threading.Event(), 0
    with start(files["base"], adapters={"one": files["one"]}) as server:
        server.ensure()

        def ask():
            nonlocal asked
            while not over.is_set():
                found = texts(server, "one", PROMPTS[:1])
                asked += 1
                if found != merged["one"][:1]:
                    wrong.append(found)

        thread = threading.Thread(target=ask)
        thread.start()
        for number in range(5):
            server.add_adapter(f"two {number}", files["two"])
            assert texts(server, f"two {number}", PROMPTS[:1]) == merged["two"][:1]
            server.remove_adapter(f"two {number}")
        over.set()
        thread.join()
    assert (wrong, asked > 0) == ([], True)


def test_child_that_was_killed_comes_back_with_its_adapters(files, merged, kill_hard):
    with start(files["base"]) as server:
        server.ensure()
        server.add_adapter("one", files["one"])
        kill_hard(server)
        assert texts(server, "one", PROMPTS[:2]) == merged["one"][:2]


@pytest.mark.parametrize("what", ["missing.gguf", "base", "text"])
def test_file_that_is_no_adapter_is_refused_and_the_child_lives_on(files, merged, tmp_path, what):
    (tmp_path / "text").write_text("no adapter")
    path = files["base"] if what == "base" else tmp_path / what
    with start(files["base"]) as server:
        server.ensure()
        with pytest.raises(ProviderError, match=rf"{path.name} is no LoRA adapter in GGUF for"):
            server.add_adapter("one", path)
        assert texts(server, prompts=PROMPTS[:1]) == merged["base"][:1]
        assert len(answer(server, "/v1/models", None)["data"]) == 1


def test_name_that_is_taken_is_refused(files):
    with start(files["base"], adapters={"one": files["one"]}) as server:
        server.ensure()
        for name in ("one", "base"):
            with pytest.raises(ProviderError, match=f"{name} is served already"):
                server.add_adapter(name, files["two"])


def test_bad_adapter_at_the_start_is_said_and_ends_the_child(files):
    with (
        start(files["base"], adapters={"one": files["base"]}) as server,
        pytest.raises(ProviderError, match=r"base\.gguf is no LoRA adapter"),
    ):
        server.ensure()


def test_server_with_slots_says_that_it_takes_adapters_only_at_its_start(files):
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    with start(files["base"], engine="xllamacpp", slots=2) as server:
        server.ensure()
        with pytest.raises(ProviderError, match=r"xllamacpp cannot load one\.gguf while it runs"):
            server.add_adapter("one", files["one"])


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"lora_name": "x"}'])
def test_bad_request_for_an_adapter_is_400_and_needs_the_key(files, body):
    with start(files["base"]) as server:
        server.ensure()
        status, _, text = call(server, "/v1/load_lora_adapter", body)
        assert (status, b"lora_path" in text) == (400, True)
        assert call(server, "/v1/load_lora_adapter", body, key="wrong")[0] == 401
        assert call(server, "/v1/unload_lora_adapter", {"lora_name": "x"})[0] == 404


def test_swapping_adapters_does_not_grow_the_child(files):
    def megabytes():
        pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    with start(files["base"]) as server:
        server.ensure()
        sizes = []
        for number in range(40):
            server.add_adapter(str(number), files["one"])
            texts(server, str(number), PROMPTS[:1])
            server.remove_adapter(str(number))
            sizes.append(megabytes())
        assert sizes[-1] - sizes[9] < 20


@pytest.fixture
def shared(files, home):
    """Settings by which Models are adapters of the base, and a way to make such a Model."""

    def model(name, taught, **changed):
        made = home.model(name, files[f"{taught} merged"].read_bytes())
        folder = Path(made.path).parent
        shutil.copy(files[taught], folder / ADAPTER_FILE)
        manifest = {
            "template": "inst",
            "base": {"sha256": file_hash(files["base"])},
            "adapter": {"gguf_sha256": file_hash(files[taught])},
        }
        (folder / "manifest.json").write_text(json.dumps({**manifest, **changed}))
        return made

    settings = home.settings(
        local_base=files["base"], max_tokens=24, providers=("local",), local_context=512
    )
    return settings, model


def said(provider, prompts=PROMPTS):
    """What a provider answers, without the system text that a builder's prompt gets."""
    return [provider.generate(prompt).text for prompt in prompts]


def test_promotion_and_rollback_swap_adapters_in_one_child(home, shared, merged):
    settings, model = shared
    home.promote(model("m1", "one"))
    with StrategyProvider(settings) as provider:
        assert said(provider) == merged["one"]
        pid = provider.local_server.pid
        succession = Succession(provider)
        home.promote(model("m2", "two"))
        succession.look()
        assert (said(provider), provider.local_model) == (merged["two"], "m2")
        home.store.promotions.rollback("Ada")
        succession.look()
        assert (said(provider), provider.local_model) == (merged["one"], "m1")
        assert provider.local_server.pid == pid
        # The one that left its place has left the child too.
        listed = answer(provider.local_server, "/v1/models", None)["data"]
        assert [one["id"] for one in listed] == ["base:base", "m1"]


def test_last_model_to_go_ends_the_child(home, shared, is_running):
    settings, model = shared
    home.promote(model("m1", "one"))
    with StrategyProvider(settings) as provider:
        provider.generate("Buy SPY")
        pid = provider.local_server.pid
        assert is_running(pid)
    assert not is_running(pid)


def test_canary_and_champion_answer_from_one_child(home, shared, merged):
    settings, model = shared
    home.promote(model("m1", "one"))
    with StrategyProvider(settings) as provider:
        assert said(provider) == merged["one"]
        pid = provider.local_server.pid
        home.promote(model("m2", "two"), share=0.5)
        Succession(provider).look()
        drafts = [provider.generate(PROMPTS[0], build_id=f"b{number}") for number in range(12)]
        assert {(draft.model, draft.text) for draft in drafts} == {
            ("m1", merged["one"][0]),
            ("m2", merged["two"][0]),
        }
        assert provider.local_server.pid == pid


@pytest.mark.parametrize(
    ("changed", "fact"),
    [
        ({"base": {"sha256": "0" * 64}}, "m2 is an adapter of another base than"),
        ({"adapter": {"gguf_sha256": "0" * 64}}, "is not the adapter m2 was released with"),
        ({"adapter": {}}, "is not the adapter m2 was released with"),
        ({"template": "gemma"}, "m2 wants the template 'gemma'"),
    ],
)
def test_model_that_is_no_adapter_of_this_base_changes_nothing(
    home, shared, merged, caplog, changed, fact
):
    settings, model = shared
    home.promote(model("m1", "one"))
    with StrategyProvider(settings) as provider:
        assert said(provider, PROMPTS[:1]) == merged["one"][:1]
        home.promote(model("m2", "two", **changed))
        Succession(provider).look()
        assert (said(provider, PROMPTS[:1]), provider.local_model) == (merged["one"][:1], "m1")
        with pytest.raises(QcLoraError, match=fact):
            provider.seat(home.folder / "m2" / "model.gguf", "m2")


def test_model_without_its_adapter_is_said_with_the_cure(home, shared):
    settings, model = shared
    home.promote(model("m1", "one"))
    (home.folder / "m1" / ADAPTER_FILE).unlink()
    with (
        StrategyProvider(settings) as provider,
        pytest.raises(QcLoraError, match=r"adapter-lora\.gguf.*or unset local_base"),
    ):
        provider.generate("Buy SPY")
