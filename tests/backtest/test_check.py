"""Parsing, compiling and identity of strategy code."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from qc_builder_lora.backtest.check import check_version, compiles, parses, strategy_hash
from qc_builder_lora.backtest.check.lean_names import TARGET, find_stubs, render
from qc_builder_lora.errors import InputError
from qc_builder_lora.records import Outcome

HEAD = "from AlgorithmImports import *\n\n"
GOOD = (
    HEAD
    + """class A(QCAlgorithm):
    def initialize(self):
        self.spy = self.add_equity("SPY", Resolution.DAILY).symbol
        self.fast = self.sma(self.spy, 20, Resolution.DAILY)

    def on_data(self, data):
        if self.fast.is_ready and not self.portfolio.invested:
            self.set_holdings(self.spy, 1.0)
"""
)
OLD = (
    HEAD
    + """class A(QCAlgorithm):
    def Initialize(self):
        self.SetStartDate(2010, 1, 4)
        self.symbol = self.AddEquity("SPY", Resolution.Daily).Symbol
        self.macd = self.MACD(self.symbol, 12, 26, 9, MovingAverageType.Exponential)

    def OnData(self, data):
        if self.macd.Current.Value > self.macd.Signal.Current.Value:
            self.SetHoldings(self.symbol, 1.0)
        self.Schedule.On(self.DateRules.EveryDay(), self.TimeRules.At(10, 0), self.later)

    def later(self):
        self.Debug(f"{self.Time} {self.Portfolio[self.symbol].Quantity}")
"""
)
TOO_DEEP = {
    "minus": "-" * 200_000 + "1",
    "not": "not " * 50_000 + "1",
    "plus": "1+" * 200_000 + "1",
    "attributes": "a" + ".b" * 200_000,
    "calls": "a" + "()" * 100_000,
    "lambda": "lambda: " * 20_000 + "1",
    "ternary": "1 if 1 else " * 20_000 + "1",
    "elif": "if 1:\n pass\n" + "elif 1:\n pass\n" * 20_000,
}


def test_a_strategy_parses() -> None:
    assert parses(GOOD).outcome is Outcome.PASS


@pytest.mark.parametrize("name", TOO_DEEP)
def test_nesting_that_overflows_the_parser_is_refused_not_a_crash(name: str) -> None:
    assert parses(TOO_DEEP[name]).messages == ("nested too deeply for Python's parser",)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("class A(:\n", "line 1: SyntaxError: invalid syntax"),
        ("x = 1\0", "not Python source: source code string cannot contain null bytes"),
        ("x = '\ud800'", "not Python source: 'utf-8' codec can't encode"),
        ("x = 1\n", "no class derives from QCAlgorithm"),
        ("(" * 1000, "line 1: SyntaxError: too many nested parentheses"),
        ("#" * 10_000_001, "the source has 10000001 characters, more than 500000"),
        (
            "class A(QCAlgorithm): pass\nclass B(QCAlgorithm): pass\n",
            "more than one class derives from QCAlgorithm: A (line 1), B (line 2)",
        ),
    ],
)
def test_what_is_no_strategy_fails_with_its_reason(code: str, message: str) -> None:
    result = parses(code)
    assert result.outcome is Outcome.FAIL
    # Some Pythons call the null byte a SyntaxError, with the same words.
    assert message.rpartition(": ")[2][:30] in result.messages[0]


def test_a_base_class_of_the_strategy_does_not_count_as_a_second_one() -> None:
    code = "class Base(QCAlgorithm): pass\nclass Mine(Base): pass\n"
    assert parses(code).outcome is Outcome.PASS


def test_comments_docstrings_layout_and_class_name_do_not_change_the_hash() -> None:
    other = GOOD.replace("class A(", "class Other(").replace(
        "    def initialize(self):\n", '    """Words."""\n\n    def initialize(self):  # more\n'
    )
    assert other != GOOD
    assert strategy_hash(other) == strategy_hash(GOOD)


@pytest.mark.parametrize(("old", "new"), [("20", "21"), ('"SPY"', '"QQQ"'), ("1.0", "1")])
def test_a_changed_value_changes_the_hash(old: str, new: str) -> None:
    assert strategy_hash(GOOD.replace(old, new)) != strategy_hash(GOOD)


def test_a_string_and_a_name_of_the_same_letters_hash_differently() -> None:
    assert strategy_hash("x = a") != strategy_hash("x = 'a'")


def test_the_hash_is_the_same_on_every_python(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "class A(QCAlgorithm):\n"
        "    def initialize(self):\n"
        '        text = f"a {self.time:%Y} {1!r}" "b"\n'
        "    async def other(self): pass\n"
    )
    known = "b3b717a6c29a08fa"
    assert strategy_hash(code).startswith(known)
    # Python 3.12 gave these a field more, 3.13 a type variable another one.
    for kind in (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef):
        fields = (*(one for one in kind._fields if one != "type_params"), "type_params")
        monkeypatch.setattr(kind, "_fields", fields)
        monkeypatch.setattr(kind, "type_params", [], raising=False)
    assert strategy_hash(code).startswith(known)


def test_code_without_a_tree_has_no_hash() -> None:
    with pytest.raises(InputError, match="this has none: line 1: SyntaxError"):
        strategy_hash("def (:")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


@pytest.mark.slow
def test_both_spellings_compile_and_each_fault_stays_with_its_own_code(cache: Path) -> None:
    misspelt = GOOD.replace("add_equity", "add_equitty")
    wrong_type = GOOD.replace("20, Resolution", '"20", Resolution')
    blocking = GOOD + "x = 1 # type: ((\n"
    results = compiles([GOOD, misspelt, OLD, "class (", wrong_type, blocking], cache=cache)

    assert [result.outcome.value for result in results] == [
        "PASS", "FAIL", "PASS", "FAIL", "FAIL", "FAIL",
    ]  # fmt: skip
    assert results[1].messages[0].startswith('line 5: "A" has no attribute "add_equitty"')
    assert results[3].messages == ("line 1: SyntaxError: invalid syntax",)
    assert 'has incompatible type "str"' in results[4].messages[0]
    assert "Syntax error in type comment" in results[5].messages[0]


@pytest.mark.slow
def test_a_misspelt_name_in_the_older_spelling_fails_too(cache: Path) -> None:
    (result,) = compiles([OLD.replace("SetHoldings", "SetHoldingz")], cache=cache)
    assert result.outcome is Outcome.FAIL
    assert '"A" has no attribute "SetHoldingz"' in result.messages[0]


@pytest.mark.slow
def test_what_leans_own_script_ignores_is_ignored(cache: Path) -> None:
    code = GOOD + "\n    def on_end_of_algorithm(self):\n        x = None\n        x.value\n"
    assert compiles([code], cache=cache)[0].outcome is Outcome.PASS


def test_no_codes_need_no_mypy(cache: Path) -> None:
    assert compiles([], cache=cache) == []


def test_the_checkers_version_is_named() -> None:
    assert check_version().startswith("mypy ")
    assert "quantconnect-stubs 18" in check_version()


def test_the_list_of_leans_names_is_the_installed_stubs_own() -> None:
    from importlib import metadata

    version = metadata.version("quantconnect-stubs")
    kept = TARGET.read_text("ascii")
    if f"quantconnect-stubs {version}." not in kept:
        pytest.skip(f"the list was made from other stubs than the installed {version}")
    assert render(find_stubs(), version) == kept
