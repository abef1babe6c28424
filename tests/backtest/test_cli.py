"""qc-lora backtest and qc-lora data, as a user types them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from qc_builder_lora.cli.backtest import command
from qc_builder_lora.errors import InputError

GOOD = """
from AlgorithmImports import *

class A(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2010, 1, 4)
        self.set_end_date(2010, 3, 1)
        self.add_equity("IBM", Resolution.DAILY)

    def on_data(self, data):
        if not self.portfolio.invested:
            self.set_holdings("IBM", 1)
"""
BAD = GOOD.replace("set_holdings", "set_holdingz")
GAP = GOOD.replace("add_equity", "add_option")


def qc_lora(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "qc_builder_lora.cli", *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "QC_LORA_HOME": str(folder / "home"),
            "QC_LORA_ALLOW_OPEN_SANDBOX": "1",
        },
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, code in (("good", GOOD), ("bad", BAD), ("gap", GAP)):
        (tmp_path / f"{name}.py").write_text(code)
    return tmp_path


def test_json_carries_verdict_engine_and_figures(folder: Path) -> None:
    done = qc_lora(folder, "backtest", "good.py", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert (found["status"], found["reason"], found["phase"]) == ("completed", None, "done")
    assert found["engine"]["name"] == "simulator"
    assert len(found["engine"]["data"]) == 64
    assert found["statistics"]["Total Orders"] == "1"
    assert found["orders"][0]["symbol"] == "IBM"
    assert found["equity"][0] == ["2010-01-04", 100000.0]
    assert len(found["equity"]) == 39
    # The default data folder was absent: the sample data were converted into it.
    assert (folder / "home" / "data" / "manifest.json").exists()


@pytest.mark.parametrize(("name", "code"), [("good", 0), ("bad", 1), ("gap", 3)])
def test_the_exit_code_is_the_verdict(folder: Path, name: str, code: int) -> None:
    done = qc_lora(folder, "backtest", f"{name}.py")
    assert done.returncode == code
    assert done.stdout.startswith(f"{name}.py: ")


def test_a_table_shows_the_figures_a_person_looks_for(folder: Path) -> None:
    done = qc_lora(folder, "backtest", "good.py", "--cash", "5000", "--end", "2010-02-01")
    assert "Start Equity                           5000" in done.stdout
    assert "Sharpe Ratio" in done.stdout


def test_a_folder_runs_in_the_pool_in_order_and_the_worst_verdict_counts(folder: Path) -> None:
    done = qc_lora(folder, "backtest", ".", "--jobs", "2", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert [(Path(one["file"]).stem, one["status"]) for one in found] == [
        ("bad", "failed"), ("gap", "unknown"), ("good", "completed"),
    ]  # fmt: skip
    assert "Did you mean: 'set_holdings'?" in found[0]["reason"]
    assert found[1]["reason"] == "not modelled: QCAlgorithm.add_option"


def test_an_empty_folder_is_told_apart_from_a_good_one(folder: Path) -> None:
    (folder / "empty").mkdir()
    done = qc_lora(folder, "backtest", "empty")
    assert done.returncode == 2
    assert "empty: no *.py files in this folder" in done.stderr


def test_a_data_folder_that_is_none_is_named(folder: Path) -> None:
    done = qc_lora(folder, "backtest", "good.py", "--data", "nowhere")
    assert done.returncode == 2
    assert "No data folder named 'nowhere'" in done.stderr


def test_data_convert_and_show(folder: Path) -> None:
    done = qc_lora(folder, "data", "convert", "--to", "bars")
    assert done.returncode == 0
    assert "AAPL    3,270 bars  20000301 to 20130301" in done.stdout
    shown = json.loads(qc_lora(folder, "data", "show", "--data", "bars", "--json").stdout)
    assert [row["ticker"] for row in shown["symbols"]] == ["AAPL", "GOOG", "IBM", "MSFT"]
    assert shown["symbols"][1]["first"] == "2004-08-19"


_ACCENT = f"# é\n{GOOD}"


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (_ACCENT.encode("latin-1"), "not UTF-8: byte 0xe9 in line 1. Save it as UTF-8, or name"),
        (_ACCENT.encode("utf-16"), "in UTF-16, which Python does not read. Save it as UTF-8"),
        (_ACCENT.encode("utf-16-le"), "a null byte in line 1, which Python's source cannot"),
        (_ACCENT.encode() + b"x = '\0'\n", "a null byte in line "),
        (b"# \xed\xa0\x80\n" + GOOD.encode(), "not UTF-8: byte 0xed in line 1"),
        (b"# coding: klingon\n" + GOOD.encode(), "its encoding is not known: .*klingon"),
        (b"# coding: ascii\n" + _ACCENT.encode(), "not ASCII: byte 0xc3 in line 2"),
    ],
)
def test_a_source_that_is_no_text_fails_with_file_byte_and_cure(
    folder: Path, content: bytes, fact: str
) -> None:
    (folder / "odd.py").write_bytes(content)
    done = qc_lora(folder, "backtest", "odd.py")
    assert done.returncode == 1
    assert re.search(f"^odd.py: failed in load: odd.py: {fact}", done.stdout), done.stdout
    assert "Error" not in done.stdout


def test_a_source_that_is_no_text_holds_up_none_beside_it_and_one_that_imports_it_names_it(
    folder: Path,
) -> None:
    (folder / "bad.py").unlink()
    (folder / "gap.py").write_text("import odd\n" + GOOD)
    (folder / "odd.py").write_bytes(_ACCENT.encode("latin-1"))
    done = qc_lora(folder, "backtest", ".", "good.py", "odd.py", "--json")
    assert done.returncode == 1
    found = [(one["file"], one["status"], one["reason"]) for one in json.loads(done.stdout)]
    assert [one[:2] for one in found] == [
        ("gap.py", "failed"), ("good.py", "completed"), ("odd.py", "failed"),
        ("good.py", "completed"), ("odd.py", "failed"),
    ]  # fmt: skip
    assert all("odd.py: not UTF-8: byte 0xe9 in line 1" in one[2] for one in found if one[2])


@pytest.mark.parametrize(
    "content", [_ACCENT.encode("utf-8-sig"), b"# coding: latin-1\n" + _ACCENT.encode("latin-1")]
)
def test_a_byte_order_mark_and_a_named_encoding_are_read_as_python_reads_them(
    folder: Path, content: bytes
) -> None:
    (folder / "odd.py").write_bytes(content)
    assert qc_lora(folder, "backtest", "odd.py").returncode == 0


def test_what_is_no_file_in_a_folder_holds_up_none_of_the_others(folder: Path) -> None:
    """A pipe would be waited for, a link to nowhere and a folder of that name cannot be read."""
    (folder / "bad.py").unlink()
    (folder / "gap.py").unlink()
    (folder / "gone.py").symlink_to("/nowhere")
    (folder / "package.py").mkdir()
    os.mkfifo(folder / "pipe.py")
    done = qc_lora(folder, "backtest", ".", "--json")
    assert done.returncode == 0, done.stderr
    assert [one["file"] for one in json.loads(done.stdout)] == ["good.py"]


def test_a_file_of_a_folder_that_cannot_be_read_is_unknown_and_hides_no_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path.name == "gap.py":  # root reads everything, so a mode would not do
            raise PermissionError(13, "Permission denied")
        return plain(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    monkeypatch.setenv("QC_LORA_HOME", str(folder / "home"))
    monkeypatch.setenv("QC_LORA_ALLOW_OPEN_SANDBOX", "1")
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(command, [".", "--json"], standalone_mode=False)
    found = {one["file"]: one for one in json.loads(done.stdout)}
    assert {name: one["status"] for name, one in found.items()} == {
        "bad.py": "failed", "gap.py": "unknown", "good.py": "completed",
    }  # fmt: skip
    assert found["gap.py"]["reason"] == "gap.py: cannot be read: Permission denied."
    assert done.return_value == 1
    with pytest.raises(InputError, match=r"gap\.py: cannot be read: Permission denied"):
        CliRunner().invoke(command, ["gap.py"], standalone_mode=False, catch_exceptions=False)


def test_a_picture_that_cannot_be_is_refused_before_anything_runs(folder: Path) -> None:
    done = qc_lora(folder, "backtest", "good.py", "--out", "e.pdf", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "e.pdf: cannot be drawn as '.pdf'" in done.stderr
    assert not (folder / "home").exists()


def test_a_failure_is_told_though_there_is_nothing_to_draw(folder: Path) -> None:
    done = qc_lora(folder, "backtest", "bad.py", "--out", "e.png", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["status"] == "failed"
    assert "not drawn: there is no equity for e.png" in done.stderr
    assert not (folder / "e.png").exists()


@pytest.mark.parametrize("kind", ["png", "html"])
def test_a_name_that_looks_like_a_formula_is_drawn_as_it_is(folder: Path, kind: str) -> None:
    name = "a$_$ \\frac{<b>.py"
    (folder / name).write_text(GOOD)
    done = qc_lora(folder, "backtest", name, "--out", f"e.{kind}")
    assert done.returncode == 0, done.stderr
    assert (folder / f"e.{kind}").stat().st_size > 10_000
    if kind == "html":
        page = (folder / "e.html").read_text()
        assert "<title>a$_$ \\frac{&lt;b&gt;.py</title>" in page
        assert "prefers-color-scheme:dark" in page
