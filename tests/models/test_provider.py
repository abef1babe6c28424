import logging
import sqlite3
import subprocess
import sys
import textwrap

import pytest

from qc_builder_lora.config import Settings, load_settings
from qc_builder_lora.errors import InputError, NoProvider, NotFound, ProviderError, StoreError
from qc_builder_lora.ids import now
from qc_builder_lora.models import provider as provider_module
from qc_builder_lora.models.provider import StrategyProvider
from qc_builder_lora.records import Model, Stage
from qc_builder_lora.store import Store
from tests.models.upstream import CODE, Upstream

KEYS = {"anthropic_key": "sk-ant-secret", "openai_key": "sk-secret", "gemini_key": "AIza-secret"}


@pytest.fixture(autouse=True)
def fresh(monkeypatch, tmp_path):
    """As in a new process, in an empty folder."""
    monkeypatch.setattr(provider_module, "_said", set())
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def store(tmp_path):
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        yield opened


def model(name, path="missing.gguf", stage=Stage.CANDIDATE):
    return Model(
        id=name,
        adapter_id=None,
        path=str(path),
        sha256=name * 8,
        quantization="Q8_0",
        manifest={},
        stage=stage,
        created_at=now(),
    )


@pytest.fixture
def warned(caplog):
    caplog.set_level(logging.WARNING, "qc_builder_lora")
    return lambda text: sum(text in record.getMessage() for record in caplog.records)


def names(provider):
    return [writer.name for writer in provider.chain.writers]


def test_nothing_to_answer_says_everything_that_would_help(tmp_path):
    provider = StrategyProvider(Settings(home=tmp_path))
    with pytest.raises(NoProvider) as caught:
        provider.generate("Buy SPY")
    for cure in ("make demo", "QC_LORA_LOCAL_MODEL", "QC_LORA_LOCAL_URL", "ANTHROPIC_API_KEY"):
        assert cure in str(caught.value)
    assert not (tmp_path / "store.db").exists()


def test_newest_candidate_answers_when_nothing_is_promoted_and_no_key_is_set(store, warned):
    store.models.add(model("older"))
    store.models.add(model("newer"))
    for _ in range(3):
        provider = StrategyProvider(Settings(), store)
        assert [writer.model for writer in provider.chain.writers] == ["newer"]
    assert warned("the newest candidate answers: newer") == 1
    assert warned("qc-lora model promote newer --report REPORT --by NAME") == 1


def test_missing_hosted_key_is_said_once(store, warned):
    store.models.add(model("one"))
    for _ in range(3):
        assert names(StrategyProvider(Settings(), store)) == ["local"]
    assert warned("no hosted key is set then=the local model answers alone") == 1


def test_candidate_is_not_used_where_a_hosted_model_can_answer(store, warned):
    store.models.add(model("one"))
    provider = StrategyProvider(Settings(**KEYS), store)
    assert names(provider) == ["anthropic", "openai", "gemini"]
    assert warned("no local model is in production then=hosted models answer") == 1


def test_chain_is_in_the_configured_order_and_leaves_out_what_has_no_key(tmp_path):
    path = tmp_path / "model.gguf"
    settings = Settings(
        providers=("gemini", "local", "openai"), local_model=str(path), gemini_key="AIza-x"
    )
    assert names(StrategyProvider(settings)) == ["gemini", "local"]


def test_model_can_be_named_by_its_id(store):
    store.models.add(model("older"))
    store.models.add(model("newer"))
    provider = StrategyProvider(Settings(local_model="older"), store)
    assert [writer.model for writer in provider.chain.writers] == ["older"]


def test_unknown_id_is_an_error_and_not_another_model(store):
    with pytest.raises(NotFound, match="'nobody'"):
        StrategyProvider(Settings(local_model="nobody"), store).generate("x")


def test_missing_file_falls_back_to_the_next_provider(tmp_path):
    with Upstream("openai") as upstream:
        settings = Settings(
            local_model=str(tmp_path / "nothing.gguf"),
            openai_key="sk-x",
            openai_url=upstream.url,
            openai_model="gpt-4.1",
        )
        with StrategyProvider(settings) as provider:
            draft = provider.generate("Buy SPY")
    assert (draft.code, draft.provider) == (CODE, "openai")
    assert draft.cost_usd > 0


def test_missing_file_alone_is_named_in_the_error(tmp_path):
    settings = Settings(local_model=str(tmp_path / "nothing.gguf"))
    with pytest.raises(NoProvider, match=r"local: No model file named .*nothing\.gguf"):
        StrategyProvider(settings).generate("Buy SPY")


def test_url_of_another_server_takes_the_place_of_our_child(tmp_path):
    with Upstream("local") as upstream:
        settings = Settings(local_url=upstream.url, local_model="gpt-real", local_key="k-1")
        with StrategyProvider(settings) as provider:
            draft = provider.generate("Buy SPY", context="x = 1")
            assert provider.local_server is None
    assert (draft.provider, draft.cost_usd) == ("local", 0)
    sent = upstream.requests[0]
    assert sent["headers"]["Authorization"] == "Bearer k-1"
    assert sent["body"]["messages"][-1]["content"] == "Buy SPY\n\nx = 1"


def test_database_that_cannot_be_read_leaves_the_hosted_models(tmp_path, warned):
    (tmp_path / "broken.db").write_bytes(b"this is no database" * 100)
    url = f"sqlite:///{tmp_path / 'broken.db'}"
    assert names(StrategyProvider(Settings(database=url, openai_key="sk-x"))) == ["openai"]
    assert warned("the store cannot be read") == 1


def test_database_of_an_older_revision_is_left_alone(tmp_path):
    path = tmp_path / "old.db"
    sqlite3.connect(path).close()
    path.write_bytes(b"")
    with pytest.raises(StoreError, match="qc-lora store upgrade"):
        StrategyProvider(Settings(database=f"sqlite:///{path}")).generate("x")
    assert path.read_bytes() == b""


def test_keys_are_in_no_log_error_or_repr(every_log):
    with Upstream("anthropic", "401") as one, Upstream("openai", "500") as two:
        settings = Settings(
            **KEYS,
            anthropic_url=one.url,
            openai_url=two.url,
            gemini_url="http://127.0.0.1:9",
            anthropic_model="claude-sonnet-4-6",
        )
        one.key, two.key = KEYS["anthropic_key"], KEYS["openai_key"]
        with StrategyProvider(settings) as provider, pytest.raises(NoProvider) as caught:
            provider.generate("Buy SPY")
    for key in KEYS.values():
        assert key not in every_log.text + str(caught.value) + repr(settings)


def test_local_key_comes_from_the_environment_and_is_never_shown():
    settings = load_settings({"QC_LORA_LOCAL_KEY": "k-1", "QC_LORA_LOCAL_URL": "http://x/v1"})
    assert settings.local_key == "k-1"
    assert "k-1" not in repr(settings) + str(settings.public())


@pytest.mark.weights
def test_drop_in_function_writes_with_the_real_model(base_gguf, tmp_path, is_running):
    program = textwrap.dedent("""
        from qc_builder_lora import generate_strategy
        from qc_builder_lora.models import drop_in
        print(repr(generate_strategy("def fib(n):")))
        print(repr(generate_strategy("def fib(n):")))
        print(drop_in._default.local_server.pid)
    """)
    environment = {
        "QC_LORA_LOCAL_MODEL": str(base_gguf),
        "QC_LORA_MAX_TOKENS": "6",
        "QC_LORA_LOCAL_CONTEXT": "512",
        "PYTHONPATH": ":".join(sys.path),
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=tmp_path,
    )
    first, second, pid = done.stdout.splitlines()
    assert first == second != "''", done.stderr
    assert "no hosted key is set" in done.stderr
    assert "llama" not in done.stderr
    assert not is_running(int(pid))


@pytest.mark.weights
def test_stream_of_the_real_model_ends_with_a_free_draft(base_gguf):
    settings = Settings(local_model=str(base_gguf), local_context=512, max_tokens=6)
    with StrategyProvider(settings) as provider:
        chunks = list(provider.stream("def fib(n):"))
        server = provider.local_server
        assert server.pid
    assert chunks[0].provider == "local"
    assert chunks[-1].draft.cost_usd == 0
    assert server.pid is None


def test_provider_error_of_a_broken_stream_reaches_the_caller(tmp_path):
    with Upstream("local", "cut") as upstream:
        settings = Settings(local_url=upstream.url, local_model="m")
        with (
            StrategyProvider(settings) as provider,
            pytest.raises(ProviderError, match="the connection broke"),
        ):
            list(provider.stream("x"))


def test_half_a_character_is_an_input_error_before_anybody_is_asked(tmp_path):
    with StrategyProvider(Settings(home=tmp_path)) as provider:
        for asked in (provider.generate, lambda text: next(provider.stream(text))):
            with pytest.raises(InputError, match=r"prompt has half a character \(U\+DC00, at 1\)"):
                asked("x\udc00")
        with pytest.raises(InputError, match="context has half"):
            provider.generate("x", "\udc00")
