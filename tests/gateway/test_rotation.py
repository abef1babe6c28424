"""Keys that change while the gateway runs: a provider's, and the gateway's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qc_builder_lora.config import load_settings
from qc_builder_lora.errors import SettingsError
from qc_builder_lora.models.rotating import RotatingKey
from tests.gateway.conftest import Running
from tests.gateway.test_gateway import CHAT, call
from tests.models.upstream import Upstream

MODELS = {"anthropic": "claude-sonnet-4-6", "openai": "gpt-4.1", "gemini": "gemini-2.5-flash-lite"}


def replaced(file: Path, key: str) -> None:
    """As a secret store does it: a new file takes the old one's name."""
    beside = file.with_name("next")
    beside.write_text(key + "\n")
    beside.replace(file)


@pytest.mark.parametrize("provider", MODELS)
def test_a_key_that_was_refused_and_then_rotated_is_used_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "key"
    file.write_text("sk-old-0123456789\n")
    with Upstream(provider, "401", "answer", key="sk-old-0123456789") as upstream:
        settings = load_settings(
            {f"{'GOOGLE' if provider == 'gemini' else provider.upper()}_API_KEY_FILE": str(file)},
            tmp_path,
            providers=(provider,),
            **{f"{provider}_url": upstream.url, f"{provider}_model": MODELS[provider]},
        )
        running = Running(settings)
        try:
            status, _, text = call(running, "/v1/chat/completions", CHAT)
            assert status == 502
            assert "is read again when it changes" in text
            assert "sk-old" not in text
            status, _, text = call(running, "/v1/chat/completions", CHAT)
            assert "rests after failing" in text
            replaced(file, "sk-new-0123456789")
            assert call(running, "/v1/chat/completions", CHAT)[0] == 200
            sent = [" ".join(asked["headers"].values()) for asked in upstream.requests]
            assert ["sk-old" in sent[0], "sk-new" in sent[0]] == [True, False]
            assert ["sk-old" in sent[1], "sk-new" in sent[1]] == [False, True]
        finally:
            running.close()


def test_the_gateways_own_key_is_changed_by_its_file(tmp_path: Path) -> None:
    file = tmp_path / "gateway.key"
    file.write_text("qcl-one")
    with Upstream("openai") as upstream:
        settings = load_settings(
            {"OPENAI_API_KEY": "sk"}, tmp_path, home=tmp_path, providers=("openai",),
            openai_url=upstream.url, openai_model="gpt-4.1",
        )  # fmt: skip
        running = Running(settings, key=RotatingKey("qcl-one", file))
        try:
            assert call(running, "/v1/models", key="qcl-one")[0] == 200
            replaced(file, "qcl-two")
            assert call(running, "/v1/models", key="qcl-one")[0] == 401
            assert call(running, "/v1/models", key="qcl-two")[0] == 200
            file.write_text("")
            assert call(running, "/v1/models", key="qcl-two")[0] == 200
            assert call(running, "/v1/models", key="")[0] == 401
            file.unlink()
            assert call(running, "/v1/models", key="qcl-two")[0] == 200
        finally:
            running.close()


def test_a_file_that_is_being_replaced_changes_nothing_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "key"
    file.write_text("one")
    key = RotatingKey("one", file)
    file.unlink()
    assert [key(), key(), key()] == ["one"] * 3
    file.write_text("two\n")
    assert key() == "two"
    assert caplog.text.count("the key before it is used on") == 1
    assert "two" not in caplog.text


@pytest.mark.parametrize(
    ("content", "given", "fact"),
    [
        (None, {}, "anthropic_key_file names .*key, which cannot be read"),
        ("  ", {}, "which is empty. Put the key in."),
        ("sk", {"ANTHROPIC_API_KEY": "sk-2"}, "anthropic_key is given twice: .* Unset one of them"),
    ],
)
def test_a_key_file_that_cannot_be_used_is_named(
    tmp_path: Path, content: str | None, given: dict[str, str], fact: str
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=fact):
        load_settings({"ANTHROPIC_API_KEY_FILE": str(file), **given}, tmp_path)


def test_a_file_may_be_named_in_the_settings_and_its_key_is_shown_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sk-ant-secret\n")
    (tmp_path / "qc-lora.toml").write_text(f"anthropic_key_file = {json.dumps(str(file))}\n")
    found = load_settings({}, tmp_path)
    assert found.anthropic_key == "sk-ant-secret"
    assert "sk-ant-secret" not in repr(found) + str(found.public())
