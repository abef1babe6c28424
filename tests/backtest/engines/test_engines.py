"""The engine that the settings name, and a turn of the loop that uses another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.backtest.engines import make_engine, ready_engine
from qc_builder_lora.config import Settings, load_settings
from qc_builder_lora.errors import EngineUnavailable, SettingsError
from qc_builder_lora.ids import now
from qc_builder_lora.records import RunStatus, Turn
from qc_builder_lora.stages import Stages, data_note
from tests.backtest.engines.fake_quantconnect import TOKEN, USER, Account


def settings(tmp_path: Path, **more: Any) -> Settings:
    return Settings(home=tmp_path / "home", cache=tmp_path / "cache", **more)


@pytest.mark.parametrize("name", ["quantconnect", "lean"])
def test_the_settings_choose_the_engine_and_a_name_overrules_them(
    tmp_path: Path, sample_folder: Path, name: str
) -> None:
    found = settings(tmp_path, engine=name, data=sample_folder)
    assert make_engine(found).name == name
    assert make_engine(found, "simulator").name == "simulator"


def test_a_turn_uses_the_engine_of_the_settings(tmp_path: Path, cloud: Account) -> None:
    chosen = settings(
        tmp_path, engine="quantconnect", quantconnect_url=cloud.url, quantconnect_user=USER,
        quantconnect_token=TOKEN,
    )  # fmt: skip
    turn = Turn(id="1", trigger="test", status=RunStatus.RUNNING, started_at=now())
    stages = Stages(chosen, None, turn)  # type: ignore[arg-type]
    assert stages.engine.run("class A(QCAlgorithm): pass\n").engine == "quantconnect"
    assert data_note(chosen) == "QuantConnect's own data"


@pytest.mark.parametrize(
    ("more", "fact"),
    [
        ({"engine": "quantconnect"}, "no credentials"),
        ({"engine": "lean", "lean_command": "no-such-lean"}, "the LEAN CLI is not installed"),
    ],
)
def test_a_turn_does_not_begin_with_an_engine_that_cannot_be_used(
    tmp_path: Path, more: dict[str, Any], fact: str
) -> None:
    with pytest.raises(EngineUnavailable, match=fact) as caught:
        ready_engine(settings(tmp_path, **more))
    assert caught.value.exit_code == 2


def test_an_engine_nobody_knows_is_refused() -> None:
    with pytest.raises(SettingsError, match="simulator, quantconnect, lean, got 'zipline'"):
        Settings(engine="zipline")


def test_a_project_without_a_name_is_refused() -> None:
    with pytest.raises(SettingsError, match="quantconnect_project is empty"):
        Settings(quantconnect_project=" ")


def test_credentials_are_saved_with_nothing(tmp_path: Path) -> None:
    found = load_settings({"QC_USER_ID": USER, "QC_API_TOKEN": TOKEN}, tmp_path)
    assert (found.quantconnect_user, found.quantconnect_token) == (USER, TOKEN)
    assert not {"quantconnect_user", "quantconnect_token"} & set(found.public())
    assert TOKEN not in repr(found)
