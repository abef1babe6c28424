"""A strategy of several files, and a file of several classes: which of them LEAN would run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from qc_builder_lora.backtest.as_written import unfit_as_written
from qc_builder_lora.backtest.protocol import BacktestSettings
from qc_builder_lora.backtest.siblings import siblings
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.records import BacktestStatus

BASE = """
from AlgorithmImports import *
from sizes import SHARE

class Base(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2010, 1, 4)
        self.set_end_date(2010, 1, 29)
        self.add_equity("IBM", Resolution.DAILY)

    def on_data(self, data):
        if not self.portfolio.invested:
            self.set_holdings("IBM", SHARE)
            self.log(type(self).__name__)
"""
MAIN = "from base import Base\n\nclass Mine(Base):\n    pass\n"
FILES = {"base": BASE, "sizes": "SHARE = 0.5\n"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(MAIN)
    for name, source in FILES.items():
        (tmp_path / f"{name}.py").write_text(source)
    return tmp_path


def backtest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "qc_builder_lora.cli", "backtest", *arguments, "--json"],
        cwd=folder, capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "QC_LORA_HOME": str(folder / "home"),
             "QC_LORA_ALLOW_OPEN_SANDBOX": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip


def test_modules_beside_a_strategy_go_with_it(project: Path) -> None:
    done = backtest(project, "main.py")
    found = json.loads(done.stdout)
    assert done.returncode == 0, found["reason"]
    assert found["total_orders"] == 1
    assert any(line.endswith("Mine") for line in found["logs"])


def test_each_file_of_many_gets_the_modules_it_imports(project: Path) -> None:
    (project / "alone.py").write_text("from nowhere import Base\nclass Mine(Base): pass\n")
    done = backtest(project, "main.py", "alone.py", "--jobs", "2")
    mine, alone = json.loads(done.stdout)
    assert mine["status"] == "completed"
    assert alone["status"] == "failed"
    assert alone["reason"].startswith("ModuleNotFoundError: No module named 'nowhere'")


def test_only_what_is_imported_and_lies_there_is_read(project: Path) -> None:
    (project / "json.py").write_text("raise SystemError")
    (project / "unused.py").write_text("raise SystemError")
    (project / "AlgorithmImports.py").write_text("raise SystemError")
    code = "from AlgorithmImports import *\n" + MAIN + "import json, numpy\nfrom .other import x\n"
    assert siblings(project / "main.py", code) == FILES
    assert siblings(project / "main.py", "class A(:") == {}


def test_modules_that_import_one_another_end(project: Path) -> None:
    (project / "sizes.py").write_text("import base\nimport main\nSHARE = 0.5\n")
    assert set(siblings(project / "main.py", MAIN)) == {"base", "sizes"}


def test_a_module_with_an_error_fails_the_strategy(sample: Simulator) -> None:
    settings = BacktestSettings(files={"base": "class A(:"})
    result = sample.run(MAIN, settings)
    assert result.status is BacktestStatus.FAILED
    assert result.reason is not None
    assert result.reason.startswith("SyntaxError")


def test_modules_count_as_source(sample: Simulator) -> None:
    result = sample.run(MAIN, BacktestSettings(files={"base": "#" * 10_000_000}))
    assert result.status is BacktestStatus.FAILED
    assert result.reason == (
        f"the source has {len(MAIN) + 10_000_000} characters, more than 10000000"
    )


def test_an_engine_of_one_file_says_so() -> None:
    unfit = unfit_as_written("LEAN", MAIN, BacktestSettings(files=FILES))
    assert unfit == (
        BacktestStatus.UNKNOWN,
        "the strategy imports base.py, sizes.py beside it; LEAN is given one file. Put all of it "
        "into that file.",
    )


CLASS = """
class {name}({base}):
    def initialize(self):
        self.set_start_date(2010, 1, 4)
        self.set_end_date(2010, 1, 8)
        self.add_equity("IBM", Resolution.DAILY)
        self.set_runtime_statistic("ran", type(self).__name__)
"""


@pytest.mark.parametrize(
    ("first", "second", "base", "ran"),
    [
        ("A", "B", "QCAlgorithm", "B"),
        ("B", "A", "QCAlgorithm", "B"),
        # A base class comes last by its name: LEAN runs it, and not what derives from it.
        ("Zero", "Own", "Zero", "Zero"),
        ("Base", "Own", "Base", "Own"),
        # Capitals come before small letters.
        ("Z", "a", "QCAlgorithm", "a"),
    ],
)
def test_of_several_classes_the_last_by_name_runs(
    sample: Simulator, first: str, second: str, base: str, ran: str
) -> None:
    result = sample.run(
        "from AlgorithmImports import *\n"
        + CLASS.format(name=first, base="QCAlgorithm")
        + CLASS.format(name=second, base=base)
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert result.runtime_statistics["ran"] == ran


def test_an_imported_base_class_is_not_run(sample: Simulator) -> None:
    files = {"zbase": BASE.replace("class Base", "class ZBase").replace("SHARE)", "0.5)")
             .replace("from sizes import SHARE\n", "")}  # fmt: skip
    result = sample.run(
        "from zbase import ZBase\nclass Mine(ZBase): pass", BacktestSettings(files=files)
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert any(line.endswith("Mine") for line in result.logs), result.logs
