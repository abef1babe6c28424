"""The house rules that a machine can hold: what loads when, who knows whom, how long a file is."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "qc_builder_lora"
NAME = PACKAGE.name
HEAVY = ("torch", "transformers", "llama_cpp", "fastapi", "ray")
STAGES = ("backtest", "eval", "gateway", "harvest", "models", "release", "retrain", "web")

ALLOWED = {
    "harvest": {"backtest"},
    "eval": {"backtest", "models"},
    # The gateway is HTTP in front of the chain: it serves one stage and is none itself.
    "gateway": {"models"},
}
"""What a stage may import besides itself; every other pair is refused."""
KNOW_SEVERAL = {
    "cli",
    "corpus_job",
    "daemon",
    "demo",
    "loop",
    "shadow_job",
    "stages",
    "watch_job",
    "suite_job",
}
"""Modules that may import several stages: the loop, and what starts it."""

FILES = sorted(PACKAGE.rglob("*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def room(path: Path) -> str:
    """The folder or the module below the package that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Full names of all modules a file imports, at its top or in a function."""
    parts = (NAME, *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(parts[: len(parts) - node.level + 1]) if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def rooms_imported(path: Path) -> set[str]:
    ours = (name.split(".") for name in imports(path) if name.startswith(f"{NAME}."))
    return {parts[1] for parts in ours} & set(STAGES)


def loaded_by(program: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded when the program ends."""
    code = f"import sys\n{program}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_importing_the_package_loads_no_heavy_library_and_no_sql() -> None:
    assert not loaded_by(f"import {NAME}") & {*HEAVY, "sqlalchemy"}


def test_help_loads_no_heavy_library() -> None:
    program = "import qc_builder_lora.cli as c\nc.root.main(['--help'], standalone_mode=False)"
    assert not loaded_by(program) & set(HEAVY)


@pytest.mark.parametrize("module", ["loop", "stages", "daemon", "plugin", "config", "store"])
def test_a_module_that_a_small_machine_needs_loads_no_heavy_library(module: str) -> None:
    assert not loaded_by(f"import {NAME}.{module}") & set(HEAVY)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_stages_do_not_import_each_other(path: Path) -> None:
    own = room(path)
    found = rooms_imported(path) - {own}
    if own in STAGES:
        assert found <= ALLOWED.get(own, set())
    elif own not in KNOW_SEVERAL:
        assert len(found) <= 1


def test_the_contract_sees_an_import_inside_a_function() -> None:
    assert {"harvest", "retrain", "release", "eval"} <= rooms_imported(PACKAGE / "stages.py")


@pytest.mark.parametrize("path", FILES, ids=named)
def test_only_the_store_speaks_sql(path: Path) -> None:
    if room(path) != "store":
        assert not {name.split(".")[0] for name in imports(path)} & {"sqlalchemy", "alembic"}


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_module_has_a_docstring_and_at_most_400_lines(path: Path) -> None:
    text = path.read_text("utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 400


@pytest.mark.parametrize("path", FILES, ids=named)
def test_no_function_is_longer_than_60_lines(path: Path) -> None:
    functions = (
        node
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    long = {
        f"{node.name}, line {node.lineno}": length
        for node in functions
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > 60
    }
    assert not long


@pytest.mark.parametrize("path", FILES, ids=named)
def test_only_settings_read_our_variables(path: Path) -> None:
    # The plugin must find a home for its log even when the settings are broken.
    if room(path) in ("config", "plugin"):
        return
    assert not [name for name in variables_read(path) if name.startswith("QC_LORA_")]


def variables_read(path: Path) -> Iterator[str]:
    """Names of variables asked of `os.environ`; a mapping handed to a child is not asked."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("os.environ.get", "os.getenv"):
            yield from (one.value for one in node.args if isinstance(one, ast.Constant))
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            yield from (one.value for one in ast.walk(node.slice) if isinstance(one, ast.Constant))
