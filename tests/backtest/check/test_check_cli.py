"""`qc-lora check` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from qc_builder_lora.backtest.check import compiling
from qc_builder_lora.backtest.check.example import as_strategy
from qc_builder_lora.backtest.check.rules import RULES
from qc_builder_lora.cli.check import command
from qc_builder_lora.errors import InputError, NotFound

GOOD = as_strategy(
    "def initialize(self):\n    self.set_start_date(2020, 1, 1)\n    self.set_end_date(2021, 1, 1)\n"
    "    self.set_cash(1000)\n    self._spy = self.add_equity('SPY', Resolution.DAILY).symbol\n\n"
    "def on_data(self, data):\n    if not self.portfolio.invested:\n"
    "        self.set_holdings(self._spy, 1)\n"
)
STYLE = GOOD.replace("DAILY", "Daily")
BAD = GOOD.replace("portfolio.invested", "portfolio.is_invested")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QC_LORA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> tuple[int, str]:
    result: Result = CliRunner().invoke(command, arguments, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    code = result.return_value
    assert isinstance(code, int)
    return code, result.output


def put(name: str, text: str) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return name


def test_a_clean_file_passes_and_a_style_finding_changes_nothing() -> None:
    assert run(put("a.py", GOOD), "--no-types") == (0, "1 file, 1 pass, types not checked\n")
    code, said = run(put("a.py", STYLE), "--no-types")
    assert code == 0
    assert said.splitlines()[0] == (
        "a.py:9:44: style QC007 Resolution.Daily is the older spelling of a constant. "
        "Write Resolution.DAILY. [--fix]"
    )


def test_an_error_ends_with_one() -> None:
    code, said = run(put("a.py", BAD), put("b.py", GOOD), "--no-types")
    assert code == 1
    assert "a.py:12:16: error QC013 LEAN's SecurityPortfolioManager has no is_invested. " in said
    assert said.endswith("2 files, 1 pass, 1 fail, 1 error, types not checked\n")


def test_where_the_types_cannot_be_checked_the_answer_is_unknown_and_three(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compiling, "_version", lambda _: "not installed")
    code, said = run(put("a.py", GOOD))
    assert code == 3
    assert said.startswith("a.py: unknown: mypy is not installed: pip install")
    # What is wrong for certain stays wrong.
    assert run(put("a.py", BAD))[0] == 1


@pytest.mark.slow
def test_what_does_not_compile_is_an_error_with_a_cure(mypy_cache: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("QC_LORA_CACHE", str(mypy_cache))
    wrong = GOOD.replace("set_cash(1000)", "set_cash(self)")
    code, said = run(put("a.py", wrong), put("b.py", GOOD), "--json")
    table = json.loads(said)
    assert code == 1
    assert [one["compiles"] for one in table["files"]] == ["FAIL", "PASS"]
    assert table["tool"]["types"].startswith("mypy ")
    (found,) = table["files"][0]["findings"]
    assert (found["rule"], found["line"]) == ("QC900", 8)
    assert found["message"].startswith("does not compile: No overload variant")
    assert found["cure"].startswith("LEAN has set_cash(")


def test_fix_writes_what_diff_shows() -> None:
    put("a.py", STYLE)
    code, said = run("a.py", "--diff", "--no-types")
    assert code == 0
    assert "+        self._spy = self.add_equity('SPY', Resolution.DAILY).symbol" in said
    assert Path("a.py").read_text("utf-8") == STYLE
    code, said = run("a.py", "--fix", "--no-types")
    assert (code, Path("a.py").read_text("utf-8")) == (0, GOOD)
    assert "Repaired 1 finding in 1 file." in said
    assert "Repaired 0 findings in 0 files." in run("a.py", "--fix", "--no-types")[1]


def test_fix_leaves_a_file_that_does_not_parse_as_it_is() -> None:
    put("a.py", STYLE + "class (")
    assert run("a.py", "--fix", "--no-types")[0] == 1
    assert Path("a.py").read_text("utf-8") == STYLE + "class ("


def test_noqa_silences_the_rule_that_it_names_on_its_line() -> None:
    def rules(comment: str) -> list[str]:
        text = STYLE.replace(".symbol\n", f".symbol{comment}\n")
        table = json.loads(run(put("a.py", text), "--json", "--no-types")[1])
        return [one["rule"] for one in table["files"][0]["findings"]]

    assert rules("  # noqa: QC007") == rules("  # noqa") == rules("  # NOQA:E501, QC007") == []
    assert rules("  # noqa: QC008") == rules("  # noqa: E501") == ["QC007"]
    assert rules("  + '# noqa: QC007'") == ["QC007"]


def test_noqa_does_not_silence_that_a_file_does_not_parse() -> None:
    assert run(put("a.py", "class (  # noqa"), "--no-types")[0] == 1


def test_rules_are_selected_and_ignored_by_id_prefix_and_name() -> None:
    put("a.py", STYLE.replace("self.set_cash(1000)", "x = 1"))

    def found(*arguments: str) -> set[str]:
        table = json.loads(run("a.py", "--json", "--no-types", *arguments)[1])
        return {one["rule"] for one in table["files"][0]["findings"]}

    assert found() == {"QC007", "QC025"}
    assert found("--select", "QC007") == found("--select", "enum-case") == {"QC007"}
    assert found("--select", "QC00,QC02", "--ignore", "QC025") == {"QC007"}
    assert found("--ignore", "qc007", "--ignore", "QC025") == set()


def test_an_unknown_rule_is_an_error_with_the_one_that_was_meant() -> None:
    with pytest.raises(NotFound, match=r"No rule named 'QC0077'. Did you mean 'QC007'"):
        run(put("a.py", GOOD), "--select", "QC0077")
    with pytest.raises(NotFound, match="Did you mean 'hidden-method'"):
        run("--explain", "hiden-method")


def test_a_folder_is_searched_below_but_not_where_no_strategies_are() -> None:
    for name in ("s/one/main.py", "s/two/main.py", "s/.venv/x.py", "s/__pycache__/y.py"):
        put(name, GOOD.replace("1000", str(len(name) + 1000 + ord(name[2]))))
    table = json.loads(run("s", "s/one/main.py", "--json", "--no-types")[1])
    assert [one["file"] for one in table["files"]] == ["s/one/main.py", "s/two/main.py"]


def test_a_folder_without_strategies_is_our_error() -> None:
    Path("empty").mkdir()
    with pytest.raises(InputError, match=r"empty: no \*\.py files in or below this folder"):
        run("empty")


def test_sarif_is_written_beside_the_text() -> None:
    assert run(put("a.py", BAD), "--no-types", "--sarif", "out.sarif")[0] == 1
    log = json.loads(Path("out.sarif").read_text("utf-8"))
    assert [one["ruleId"] for one in log["runs"][0]["results"]] == ["QC013"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_is_explained_and_listed(rule: Any) -> None:
    code, said = run("--explain", rule.id)
    assert code == 0
    assert all(text in said for text in (rule.id, rule.name, "Bad:", "Good:", "# noqa:"))
    assert rule.bad.splitlines()[0] in said
    assert f"{rule.id}  {rule.severity}" in run("--rules")[1]


def test_what_is_no_rule_of_ours_is_explained_too() -> None:
    assert "mypy with quantconnect-stubs" in run("--explain", "qc900")[1]
    listed = json.loads(run("--rules", "--json")[1])
    assert {"QC000", "QC066", "QC900"} < {one["id"] for one in listed}


def test_a_file_of_a_folder_that_cannot_be_read_is_unknown_and_hides_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put("a/bad.py", BAD)
    put("a/good.py", GOOD)
    put("a/shut.py", GOOD)
    plain = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path.name == "shut.py":  # root reads everything, so a mode would not do
            raise PermissionError(13, "Permission denied")
        return plain(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    code, said = run("a", "--json")
    files = {one["file"]: one for one in json.loads(said)["files"]}
    assert code == 1
    assert {name: one["verdict"] for name, one in files.items()} == {
        "a/bad.py": "FAIL", "a/good.py": "PASS", "a/shut.py": "UNKNOWN",
    }  # fmt: skip
    assert files["a/shut.py"]["compiles"] == "UNKNOWN"
    assert files["a/shut.py"]["reason"] == "a/shut.py: cannot be read: Permission denied."
    assert run("a", "--fix", "--no-types")[0] == 3
    assert Path("a/shut.py").stat().st_size == len(GOOD)
    with pytest.raises(InputError, match=r"a/shut\.py: cannot be read: Permission denied"):
        run("a/shut.py")
