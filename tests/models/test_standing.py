"""What `qc-lora status` says of who answers is what the provider does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from qc_builder_lora.cli.status import command
from qc_builder_lora.config import Settings
from qc_builder_lora.errors import NoProvider
from qc_builder_lora.ids import now, text_hash
from qc_builder_lora.models.provider import StrategyProvider
from qc_builder_lora.models.standing import who_answers
from qc_builder_lora.records import Model, Stage
from qc_builder_lora.store import Store

KEYS = {"openai_key": "sk-secret", "gemini_key": "AIza-secret"}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store of a home; the command line finds the same."""
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QC_LORA_HOME", str(tmp_path))
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        yield opened


def add(store: Store, name: str, stage: Stage = Stage.CANDIDATE) -> None:
    # Restored, not added: whatever a person has made of it before.
    made = Model(
        id=name, adapter_id=None, path=f"{name}.gguf", sha256=text_hash(name),
        quantization="Q8_0", manifest={}, stage=stage, created_at=now(),
    )  # fmt: skip
    store.models.restore([made])


def status(*arguments: str) -> str:
    done = CliRunner().invoke(command, arguments)
    assert done.exception is None, done.output
    return done.output


@pytest.mark.parametrize(
    ("given", "stages"),
    [
        ({}, [Stage.CANDIDATE, Stage.CANDIDATE]),
        ({}, [Stage.PRODUCTION, Stage.CANDIDATE]),
        (KEYS, [Stage.CANDIDATE]),
        (KEYS, [Stage.PRODUCTION]),
        ({**KEYS, "providers": ("gemini", "local")}, [Stage.PRODUCTION]),
        ({"local_model": "m0"}, [Stage.ARCHIVED, Stage.PRODUCTION]),
        ({"local_model": "somewhere/x.gguf"}, []),
        ({"local_url": "http://127.0.0.1:9/v1", "local_model": "served"}, []),
    ],
)
def test_status_names_the_chain_that_the_provider_makes(
    store: Store, given: dict[str, Any], stages: list[Stage]
) -> None:
    for number, stage in enumerate(stages):
        add(store, f"m{number}", stage)
    settings = Settings(**given)
    chain = StrategyProvider(settings, store).chain.writers
    told = who_answers(settings, store)
    assert [one.provider for one in told] == [writer.name for writer in chain]
    # A file answers by its name without the ending.
    models = [one.model.removeprefix("somewhere/").removesuffix(".gguf") for one in told]
    assert models == [writer.model for writer in chain]


def test_without_a_key_status_names_the_candidate_and_no_hosted_model(store: Store) -> None:
    add(store, "m0")
    told = " ".join(status().split())
    assert "in production no model" in told
    assert (
        "answers local m0 (the newest candidate: nothing is in production, no hosted key is set)"
        in told
    )
    assert "hosted ones" not in told


def test_with_a_key_status_names_the_hosted_model(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, "m0")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    (answering,) = json.loads(status("--json"))["answers"]
    assert (answering["provider"], answering["why"]) == ("openai", "its key is set")


def test_status_says_that_nobody_answers_as_the_provider_would(store: Store) -> None:
    assert "nobody: no model to serve and no hosted key. Make one with: qc-lora turn" in status()
    with pytest.raises(NoProvider, match="No model can answer"):
        StrategyProvider(Settings(), store).generate("Buy SPY")


def test_status_tells_of_a_named_model_that_the_store_does_not_hold(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QC_LORA_LOCAL_MODEL", "nobody")
    assert "nobody: No model named 'nobody'" in " ".join(status().split())
