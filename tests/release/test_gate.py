"""The rule of the parity gate: to either side, in nats where a fraction says nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qc_builder_lora.errors import QcLoraError, SettingsError, UnknownKey
from qc_builder_lora.release.gate import Attempt, ParityRule, judge, load_parity_rule
from qc_builder_lora.release.llama import Scored
from qc_builder_lora.release.reference import Reference


def judged(served: float, trained: float, base: float = 1.0) -> Attempt:
    scored = Scored(nll=served * 1000, tokens=1000, prompts_equal=16, prompts=16)
    return judge("Q5_K_M", 260.0, scored, Reference(trained, base, 1000), ParityRule())


@pytest.mark.parametrize(
    ("served", "trained"),
    [
        (0.0032, 0.0036),  # was refused as "12.5 % off", being better
        (0.00409, 0.0036),
        (0.02549, 0.025),
        (0.2447, 0.24),
        (0.2353, 0.24),
        (0.0004, 0.0),
    ],
)
def test_a_file_within_the_larger_allowance_passes(served: float, trained: float) -> None:
    assert judged(served, trained).reason is None


@pytest.mark.parametrize(
    ("served", "trained", "fact"),
    [
        (0.2664, 0.24, "NLL 0.26640 is 0.02640 above the trained model's 0.24000, 0.00480 is"),
        (0.2760, 0.24, "0.03600 above"),
        (0.0042, 0.0036, "0.00060 above the trained model's 0.00360, 0.00050 is allowed"),
        # Seen: Q4_K_M of a model trained for ten minutes.
        (0.12744, 0.14311, "0.01567 below the trained model's 0.14311, 0.00286 is allowed"),
        (0.0030, 0.0036, "0.00060 below"),
        (0.2451, 0.24, "0.00510 above"),
        (0.15, 0.05, "11 % of the way back to the base"),
    ],
)
def test_a_file_that_is_off_by_more_than_allowed_is_refused_with_the_figures(
    served: float, trained: float, fact: str
) -> None:
    assert fact in str(judged(served, trained).reason)


@pytest.mark.parametrize(
    ("served", "trained", "base", "fact"),
    [
        (float("nan"), 0.1, 1.0, "the file's NLL is no number"),
        (float("inf"), 0.1, 1.0, "the file's NLL is no number"),
        (0.1, float("nan"), 1.0, "the trained model's NLL is no number"),
        (0.1, 0.1, float("nan"), "no better than the base"),
        (0.1, 1.0, 1.0, "no better than the base"),
    ],
)
def test_what_is_no_number_or_no_better_than_the_base_never_passes(
    served: float, trained: float, base: float, fact: str
) -> None:
    found = judged(served, trained, base)
    assert fact in str(found.reason)
    assert found.plain()["passes"] is False
    assert "nan" not in repr(found.plain()["nll"])


def test_prompts_cut_otherwise_are_refused_however_sure_the_file_is() -> None:
    scored = Scored(nll=0.1, tokens=1000, prompts_equal=15, prompts=16)
    found = judge("F16", 500.0, scored, Reference(0.5, 1.0, 1000), ParityRule())
    assert "1 of 16 prompts are tokenised otherwise" in str(found.reason)


def test_the_manifest_says_the_rule_and_what_it_allowed() -> None:
    assert ParityRule().plain(0.0036)["nll_allowed_off"] == 0.0005
    assert ParityRule().plain(0.24) == {
        "tolerance": 0.02,
        "tolerance_nats": 0.0005,
        "nll_allowed_off": 0.0048,
        "allowance": "0.00480 nats a token, the larger of 2 % and 0.0005, to either side "
        "(eval/parity.toml)",
    }
    assert judged(0.0032, 0.0036).plain()["nll_above_trained"] == -0.0004


def test_the_users_rule_wins_and_the_built_in_one_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_parity_rule() == ParityRule()
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval/parity.toml").write_text("nats = 1\n")
    assert load_parity_rule() == replace(ParityRule(), nats=1)


@pytest.mark.parametrize(
    ("text", "error", "fact"),
    [
        ("nats = -1.0", SettingsError, r"parity\.toml: nats must be 0 or more, got -1.0"),
        ("relative = nan", SettingsError, "relative must be 0 or more, got nan"),
        ("nats = '0'", SettingsError, "nats must be float, got '0'"),
        ("towards_base = 1.0", SettingsError, r"towards_base must be in \(0, 1\), got 1.0"),
        ("nat = 0.1", UnknownKey, "unknown key 'nat'. Did you mean 'nats'"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_with_file_and_value(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    error: type[QcLoraError],
    fact: str,
) -> None:
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval/parity.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=fact):
        load_parity_rule()
