"""The compile check: each file judged by itself, and a broken mypy is nobody's fault."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.backtest.check import compiles, mypy_batch
from qc_builder_lora.backtest.check.api import has_class, lacks, members
from qc_builder_lora.backtest.check.compiling import type_faults
from qc_builder_lora.backtest.check.lean_api import TARGET, render
from qc_builder_lora.backtest.check.lean_names import find_stubs
from qc_builder_lora.backtest.check.prepared import prepare
from qc_builder_lora.records import Outcome

HEAD = "from AlgorithmImports import *\n\n\n"
GOOD = (
    HEAD
    + """class A(QCAlgorithm):
    def initialize(self):
        self._spy = self.add_equity("SPY", Resolution.DAILY, Market.USA).symbol
        self._none = Symbol.Empty
"""
)
BAD = GOOD.replace("add_equity", "add_equitty")


def outcomes(codes: list[str], cache: Path) -> list[str]:
    return [result.outcome.value for result in compiles(codes, cache=cache)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        "# type: ignore\n",
        "# mypy: ignore-errors\n",
        "# mypy: disable-error-code=attr-defined\n",
        "#!/usr/bin/env python\n#type:ignore[attr-defined]\n",
    ],
)
def test_a_comment_that_switches_the_check_off_does_not(line: str, mypy_cache: Path) -> None:
    assert outcomes([line + BAD, line + GOOD], mypy_cache) == ["FAIL", "PASS"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "spoiler",
    [
        "import _typeshed\nimport typing_extensions, builtins, numpy, pandas, mypy\n",
        "import QuantConnect, System, AlgorithmImports, clr\n",
        "from strategy_000000 import *\nimport strategy_000001\n",
        "x = 1 # type: ((\n",
        "from . import x\nfrom .. import y\n",
        "def f(x: 'list[(') -> None: ...\n",
        "class QCAlgorithm: ...\n",
    ],
)
def test_nothing_in_one_file_changes_what_is_said_of_another(
    spoiler: str, mypy_cache: Path
) -> None:
    spoilt = spoiler + GOOD
    alone = outcomes([GOOD, BAD], mypy_cache)
    assert alone == ["PASS", "FAIL"]
    assert outcomes([spoilt, GOOD, spoilt, BAD, spoilt], mypy_cache)[1:4:2] == alone


@pytest.mark.slow
def test_files_of_the_same_class_name_and_text_are_judged_apart(mypy_cache: Path) -> None:
    assert outcomes([GOOD, BAD, GOOD, BAD], mypy_cache) == ["PASS", "FAIL", "PASS", "FAIL"]


@pytest.mark.slow
def test_a_fault_stands_at_its_column_in_the_older_spelling_too(mypy_cache: Path) -> None:
    code = HEAD + (
        "class A(QCAlgorithm):\n"
        "    def Initialize(self):\n"
        "        x = self.AddEquity('SPY').Symbol; self.SetHoldingz(x, 1)\n"
    )
    (faults,) = type_faults([code], mypy_cache)
    assert not isinstance(faults, str)
    assert [(one.line, one.column) for one in faults] == [(6, 43)]


@pytest.mark.slow
@pytest.mark.parametrize("asked", ["Time.Hour", "Time.DayOfWeek", "Portfolio.Cash.Value"])
def test_what_python_has_in_one_spelling_fails_in_the_other(asked: str, mypy_cache: Path) -> None:
    code = HEAD + (
        "class A(QCAlgorithm):\n    def Initialize(self):\n        self.SetCash(1)\n\n"
        f"    def OnData(self, data):\n        self.Log(str(self.{asked}))\n"
    )
    assert outcomes([code, code.replace(asked, "Time.hour")], mypy_cache) == ["FAIL", "PASS"]


def test_lines_are_counted_as_the_parser_counts_them() -> None:
    code = "x = '\x0c\u2028'\nclass A(QCAlgorithm):\n    def OnData(self, data): ...\n"
    assert "on_data" in prepare(code).text.splitlines(keepends=True)[-1]


def test_a_constant_of_a_class_keeps_its_capitals() -> None:
    assert "Market.USA" in prepare("x = Market.USA\n").text
    assert "Symbol.EMPTY" in prepare("x = Symbol.Empty\n").text


Run = Callable[..., Any]


@pytest.fixture
def mypy_is(monkeypatch: pytest.MonkeyPatch) -> Callable[[Run], None]:
    def put(run: Run) -> None:
        monkeypatch.setattr(mypy_batch.subprocess, "run", run)

    return put


def answered(code: int, out: str = "", err: str = "") -> Run:
    return lambda *_, **__: subprocess.CompletedProcess([], code, out, err)


def hang(*_: Any, **__: Any) -> Any:
    raise subprocess.TimeoutExpired("mypy", 1)


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (answered(0), "mypy is wrong about a strategy of our own: a misspelt method passed"),
        (answered(2, "", "INTERNAL ERROR"), "mypy broke down: INTERNAL ERROR"),
        (answered(-9), "mypy broke down"),
        (answered(1, "no JSON at all"), "mypy is wrong"),
        (hang, "mypy did not finish"),
    ],
    ids=["blind", "crash", "killed", "talks", "hangs"],
)
def test_a_broken_mypy_leaves_every_file_unknown(
    run: Run, why: str, mypy_is: Callable[[Run], None], tmp_path: Path
) -> None:
    mypy_is(run)
    results = compiles([GOOD, BAD, "class ("], cache=tmp_path)
    assert [one.outcome for one in results] == [Outcome.UNKNOWN, Outcome.UNKNOWN, Outcome.FAIL]
    assert why in results[0].messages[0]


@pytest.mark.slow
def test_a_file_that_breaks_mypy_is_alone_unknown(
    mypy_is: Callable[[Run], None], mypy_cache: Path
) -> None:
    real = subprocess.run

    def crash_on_poison(command: list[str], **given: Any) -> Any:
        files = [Path(given["cwd"]) / name for name in command if name.endswith(".py")]
        if any("poison" in file.read_text("utf-8") for file in files):
            return subprocess.CompletedProcess(command, 2, "", "INTERNAL ERROR -- please report")
        return real(command, **given)

    mypy_is(crash_on_poison)
    found = outcomes([GOOD, BAD, GOOD + "poison = 1\n", GOOD, BAD], mypy_cache)
    assert found == ["PASS", "FAIL", "UNKNOWN", "PASS", "FAIL"]


def test_the_table_of_leans_api_is_the_installed_stubs_own() -> None:
    from importlib import metadata

    version = metadata.version("quantconnect-stubs")
    kept = TARGET.read_text("utf-8")
    if f"quantconnect-stubs {version}," not in kept:
        pytest.skip(f"the table was made from other stubs than the installed {version}")
    assert render(find_stubs(), version) == kept


def test_a_member_is_only_missing_where_that_is_certain() -> None:
    assert lacks("QCAlgorithm", "get_price")
    assert not lacks("QCAlgorithm", "set_holdings")
    assert not lacks("Equity", "any_name_that_a_strategy_hangs_on_it")
    assert not lacks("NoSuchClass", "anything")
    assert not has_class("_")
    assert [str(call) for call in members("QCAlgorithm")["rsi"].calls] == [
        "symbol, period, moving_average_type=…, resolution=…, selector=…"
    ]
