"""Where settings come from, and where things are kept without any."""

import dataclasses
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from qc_builder_lora.config import Settings, load_settings
from qc_builder_lora.errors import SettingsError, UnknownKey

BOOTSTRAP = Path(__file__).parents[1] / "deploy" / "bootstrap.py"


def written(folder: Path, text: str) -> Path:
    (folder / "qc-lora.toml").write_text(text)
    return folder


def test_without_a_file_or_variables_the_defaults_hold(tmp_path: Path) -> None:
    assert load_settings({}, tmp_path) == Settings()


def test_the_environment_wins_over_the_file_and_an_option_over_both(tmp_path: Path) -> None:
    folder = written(tmp_path, "max_tokens = 10\ndeadline_s = 20\njobs = 3\n")
    environment = {"QC_LORA_MAX_TOKENS": "11", "QC_LORA_DEADLINE_S": "21"}
    found = load_settings(environment, folder, deadline_s=22.0, jobs=None)
    assert (found.max_tokens, found.deadline_s, found.jobs) == (11, 22.0, 3)


def test_values_of_the_environment_take_the_type_of_the_setting(tmp_path: Path) -> None:
    environment = {
        "QC_LORA_HOME": "/somewhere",
        "QC_LORA_PROVIDERS": "anthropic, local",
        "QC_LORA_BUDGET_USD": "0.1",
        "QC_LORA_LOCAL_URL": "http://127.0.0.1:1",
        "QC_LORA_POLL_S": "1.5",
    }
    found = load_settings(environment, tmp_path)
    assert found.home == Path("/somewhere")
    assert found.providers == ("anthropic", "local")
    assert found.budget_usd == Decimal("0.1")
    assert found.local_url == "http://127.0.0.1:1"
    assert found.poll_s == 1.5


def test_a_list_in_the_file_is_the_chain_in_its_order(tmp_path: Path) -> None:
    folder = written(tmp_path, 'providers = ["gemini", "local"]\n')
    assert load_settings({}, folder).providers == ("gemini", "local")


def test_an_empty_variable_is_no_variable(tmp_path: Path) -> None:
    assert load_settings({"QC_LORA_RECIPE": ""}, tmp_path).recipe == Settings().recipe


def test_an_unknown_key_of_the_file_is_refused_with_the_one_that_was_meant(tmp_path: Path) -> None:
    with pytest.raises(UnknownKey) as caught:
        load_settings({}, written(tmp_path, "max_token = 5\n"))
    said = str(caught.value)
    assert said.startswith(f"{tmp_path}/qc-lora.toml: unknown key 'max_token'. Did you mean 'max_")
    assert "Known keys: allow_open_sandbox, anthropic_key_file, anthropic_model," in said


def test_an_unknown_variable_is_refused_as_well(tmp_path: Path) -> None:
    with pytest.raises(UnknownKey, match=r"unknown key 'hoem'\. Did you mean 'home'"):
        load_settings({"QC_LORA_HOEM": "/x"}, tmp_path)


def test_a_key_of_a_hosted_model_is_not_taken_from_the_file(tmp_path: Path) -> None:
    with pytest.raises(UnknownKey, match="unknown key 'anthropic_key'"):
        load_settings({}, written(tmp_path, 'anthropic_key = "sk-1"\n'))


def test_keys_have_their_usual_names_and_are_shown_nowhere(tmp_path: Path) -> None:
    environment = {"ANTHROPIC_API_KEY": "sk-a", "GOOGLE_API_KEY": "sk-g", "OPENAI_API_KEY": "sk-o"}
    found = load_settings(environment, tmp_path)
    assert (found.anthropic_key, found.gemini_key, found.openai_key) == ("sk-a", "sk-g", "sk-o")
    assert "sk-" not in repr(found)
    assert "sk-" not in str(found.public())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_tokens = 0", "max_tokens must be above zero, got 0"),
        ("poll_s = -1", r"poll_s must be above zero, got -1\.0"),
        ("retrain_min_new = 0", "retrain_min_new must be above zero, got 0"),
        ('max_tokens = "many"', r"qc-lora\.toml: max_tokens must be int, got 'many'"),
        ('budget_usd = "five"', "budget_usd must be Decimal, got 'five'"),
        ("budget_usd = -1", "budget_usd must not be negative, got -1"),
        ('log_format = "xml"', "log_format must be console or json, got 'xml'"),
        ('providers = ["claude"]', "providers names 'claude'; known are local, anthropic,"),
        ("allow_open_sandbox = 'maybe'", "allow_open_sandbox must be true or false, got 'maybe'"),
        ("home = ", "not valid TOML"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings({}, written(tmp_path, text))


@pytest.mark.parametrize(("text", "expected"), [("false", False), ("1", True), ("No", False)])
def test_a_switch_is_off_when_it_says_so(tmp_path: Path, text: str, expected: bool) -> None:
    found = load_settings({"QC_LORA_ALLOW_OPEN_SANDBOX": text}, tmp_path)
    assert found.allow_open_sandbox is expected


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"QC_LORA_CONFIG names /no/such\.toml, which does not"):
        load_settings({"QC_LORA_CONFIG": "/no/such.toml"}, tmp_path)


def test_a_named_file_is_read_in_place_of_the_folders(tmp_path: Path) -> None:
    written(tmp_path, "jobs = 1\n")
    other = tmp_path / "other.toml"
    other.write_text("jobs = 2\n")
    assert load_settings({"QC_LORA_CONFIG": str(other)}, tmp_path).jobs == 2


def test_settings_cannot_be_changed_once_built() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().jobs = 2  # type: ignore[misc]


def test_everything_public_can_be_given_again() -> None:
    plain = Settings(budget_usd=Decimal("0.1"), home=Path("/x")).public()
    assert plain["budget_usd"] == "0.1"
    assert plain["home"] == "/x"
    assert not [name for name in plain if name.endswith("_key")]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"XDG_CACHE_HOME": "/somewhere"},
        {"XDG_CACHE_HOME": ""},
        {"QC_LORA_CACHE": "/elsewhere", "XDG_CACHE_HOME": "/somewhere"},
    ],
)
def test_the_cache_is_where_the_set_up_keeps_its_own(given: dict[str, str], tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], **given}
    ours = "from qc_builder_lora.config import load_settings; print(load_settings().cache_folder)"
    theirs = f"import sys; sys.path.insert(0, {str(BOOTSTRAP.parent)!r}); import bootstrap; "
    theirs += "print(bootstrap.default_cache())"
    told = [
        subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=tmp_path, text=True,
            capture_output=True, check=True,
        ).stdout
        for code in (ours, theirs)
    ]  # fmt: skip
    assert told[0] == told[1]
    assert told[0].strip().startswith(("/somewhere", "/elsewhere", str(tmp_path)))


def test_a_cache_named_in_the_file_is_not_moved_by_the_users_cache_folder(tmp_path: Path) -> None:
    (tmp_path / "qc-lora.toml").write_text('cache = "mine"\n')
    settings = load_settings({"XDG_CACHE_HOME": "/somewhere"}, tmp_path)
    assert settings.cache_folder == Path("mine")
