"""Does it compile, as LEAN's own continuous integration means it: mypy with quantconnect-stubs.

All codes go through one run of mypy, which takes seconds once its cache is warm. The messages that
LEAN's run_syntax_check.py passes over are passed over here too, and nothing else is; the imports
that LEAN's AlgorithmImports brings along are added as that script adds them.
"""

from __future__ import annotations

import ast
import fcntl
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.check.parsing import tree_of
from qc_builder_lora.backtest.check.result import PASSED, CheckResult, failed, undecided
from qc_builder_lora.backtest.check.spelling import in_snake_case, is_only_spelling

TIMEOUT_S = 900.0
_IMPORT = "from AlgorithmImports import *"
# What AlgorithmImports gives in LEAN beside LEAN's own names; a star import of a stub hides it.
_ALONG = (
    ";from datetime import date, time, datetime, timedelta;import pandas as pd;"
    "import numpy as np;import math;import json;import os"
)
# Messages that LEAN's script ignores.
_IGNORED = (
    'variable has type "None"',
    '"None" has no attribute',
    '"object" has no attribute',
    "Exception type must be derived from BaseException",
    "Exception must be derived from BaseException",
    'Incompatible types in assignment (expression has type "float", variable has type "int")',
    'Incompatible types in assignment (expression has type "float | Any", variable has type "int")',
    'Argument 1 of "update" is incompatible with supertype "IndicatorBase"; supertype defines the '
    'argument type as "IBaseData"',
    *(
        f'Name "{name}" is not defined'
        for name in ("datetime", "np", "pd", "math", "time", "json", "timedelta")
    ),
)
_MISSING = re.compile(r'has no attribute "(\w+)"')
_FOLLOWED = frozenset({"AlgorithmImports", "QuantConnect", "System", "clr", "numpy"})


def check_version() -> str:
    """What could change the answers: `mypy 2.3.1, quantconnect-stubs 18211`."""
    return ", ".join(f"{name} {_version(name)}" for name in ("mypy", "quantconnect-stubs"))


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def compiles(codes: Sequence[str], cache: Path | None = None) -> list[CheckResult]:
    """One answer for each code, in order; `cache` keeps mypy's own cache between runs.

    UNKNOWN for all where mypy or the stubs are missing or mypy breaks down.
    """
    results: list[CheckResult | None] = [_unparsable(code) for code in codes]
    waiting = {index for index, result in enumerate(results) if result is None}
    for name in ("mypy", "quantconnect-stubs"):
        if _version(name) == "not installed":
            lack = f"{name} is not installed: pip install 'qc-builder-lora[check]'"
            return [result or undecided(lack) for result in results]
    folder = (cache or Path(tempfile.gettempdir())) / "mypy"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="qc-lora-check-") as work, _locked(folder):
        for index in waiting:
            _write(Path(work), index, codes[index])
        while waiting:
            found = _run(Path(work), sorted(waiting), folder)
            if isinstance(found, str):
                return [result or undecided(found) for result in results]
            blocked, messages = found
            for index in blocked or waiting:
                results[index] = failed(*messages[index]) if messages[index] else PASSED
            # A blocking error stops mypy for all others too: they are asked again without it.
            waiting -= set(blocked or waiting)
    return [result or undecided("mypy gave no answer") for result in results]


def _unparsable(code: str) -> CheckResult | None:
    tree = tree_of(code)
    return failed(tree) if isinstance(tree, str) else None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One mypy at a time in one cache."""
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _name(index: int) -> str:
    return f"strategy_{index:06d}"


def _write(work: Path, index: int, code: str) -> None:
    tree = tree_of(code)
    assert not isinstance(tree, str)
    text = in_snake_case(code, tree).replace(_IMPORT, _IMPORT + _ALONG)
    (work / f"{_name(index)}.py").write_text(text, "utf-8", errors="surrogatepass")
    # Libraries other than LEAN's stubs are not followed: checking them would take minutes.
    config = work / "mypy.ini"
    known = config.read_text("utf-8") if config.exists() else "[mypy]\n"
    for module in sorted(_imports(tree) - _FOLLOWED):
        section = f"[mypy-{module},{module}.*]\nfollow_imports = skip\nignore_missing_imports = 1\n"
        if section not in known:
            known += section
    config.write_text(known, "utf-8")


def _imports(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return {name for name in found if name.isascii() and name not in sys.stdlib_module_names}


def _run(
    work: Path, indices: Sequence[int], cache: Path
) -> tuple[list[int], dict[int, list[str]]] | str:
    """Indices that block the rest, and messages by index; or a sentence when mypy broke down."""
    command = [
        sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir",
        str(cache.absolute()), "--skip-cache-mtime-checks", "--skip-version-check",
        "--ignore-missing-imports", "--check-untyped-defs", "--no-error-summary",
        "--disable-error-code", "no-redef", "--no-color-output", "-O", "json",
        *(f"{_name(index)}.py" for index in indices),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, cwd=work, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"mypy did not finish: {error}"
    messages: dict[int, list[str]] = {index: [] for index in indices}
    for line in done.stdout.splitlines():
        _sort_in(line, messages)
    if done.returncode in (0, 1):
        return [], messages
    blocked = [index for index in indices if messages[index]]
    if done.returncode == 2 and blocked:
        return blocked, messages
    return f"mypy broke down: {(done.stderr or done.stdout).strip()[-500:]}"


def _sort_in(line: str, messages: dict[int, list[str]]) -> None:
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        return
    stem = Path(str(found.get("file", ""))).stem
    index = int(stem.removeprefix("strategy_")) if stem.startswith("strategy_") else -1
    if index not in messages or found.get("severity") != "error" or _ignored(found["message"]):
        return
    code = f" [{found['code']}]" if found.get("code") else ""
    messages[index].append(f"line {found['line']}: {found['message']}{code}")


def _ignored(message: str) -> bool:
    if any(text in message for text in _IGNORED):
        return True
    missing = _MISSING.search(message)
    return missing is not None and is_only_spelling(missing.group(1))
