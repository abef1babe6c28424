"""One run of mypy over many files, and who is to blame when it does not come to an end.

Two strategies of our own go along with every run, one that compiles and one that does not: where
mypy does not tell them apart, for lack of the stubs say, nobody's answer is worth anything.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.check.result import TypeFault

TIMEOUT_S, TIMEOUT_EACH_S = 120.0, 3.0
MEMORY_MB = 6144
# Packages that mypy reads; of all others it takes what is installed as Any, as LEAN's script does
# for lack of them: checking torch would take minutes.
_FOLLOWED = frozenset({"AlgorithmImports", "QuantConnect", "System", "clr", "numpy",
                       "typing_extensions", "mypy_extensions"})  # fmt: skip
_GOOD = """from AlgorithmImports import *


class Canary(QCAlgorithm):
    def initialize(self) -> None:
        self._symbol = self.add_equity("SPY", Resolution.DAILY).symbol
"""
_BAD = _GOOD.replace("add_equity", "add_canary")


class Broken(Exception):
    """mypy gives no answer at all, or a wrong one about our own strategies."""


class Batch:
    """mypy in a folder of its own; `folder` keeps its cache."""

    def __init__(self, work: Path, folder: Path) -> None:
        self._work, self._folder = work, folder
        self._prefix = _prefix(folder)
        self._spoilt = False
        (work / "mypy.ini").write_text(_configuration(), "utf-8")
        self._write(-1, _GOOD)
        self._write(-2, _BAD)

    def judge(self, texts: Sequence[str]) -> list[list[TypeFault] | str]:
        """Faults of each text, or why there is no answer for it. Raises Broken for all at once."""
        for index, text in enumerate(texts):
            self._write(index, text)
        answers = self._ask(range(len(texts)))
        return [answers[index] for index in range(len(texts))]

    def _name(self, index: int) -> str:
        return f"{self._prefix}_{index:06d}" if index >= 0 else f"{self._prefix}_canary{-index}"

    def _write(self, index: int, text: str) -> None:
        path = self._work / f"{self._name(index)}.py"
        path.write_text(text, "utf-8", errors="surrogatepass")

    def _ask(self, indices: Sequence[int]) -> dict[int, list[TypeFault] | str]:
        if not indices:
            return {}
        found = self._run(indices)
        if isinstance(found, str):
            return self._halves(indices, found)
        blocked, faults = found
        if not blocked:
            return dict(faults)
        # A blocking error stops mypy for all others too: they are asked again without it.
        rest = [index for index in indices if index not in blocked]
        return {**{index: faults[index] for index in blocked}, **self._ask(rest)}

    def _halves(self, indices: Sequence[int], why: str) -> dict[int, list[TypeFault] | str]:
        """One file that mypy cannot bear must not take the answer from the others."""
        if not self._spoilt:
            alone = self._run([])
            if isinstance(alone, str):
                raise Broken(alone)
            self._spoilt = True
        if len(indices) == 1:
            return {indices[0]: why}
        middle = len(indices) // 2
        return {**self._ask(indices[:middle]), **self._ask(indices[middle:])}

    def _run(
        self, indices: Sequence[int]
    ) -> tuple[list[int], dict[int, list[TypeFault] | str]] | str:
        """Indices that block the rest, and faults by index; or a sentence when mypy broke down."""
        seconds = TIMEOUT_S + TIMEOUT_EACH_S * len(indices)
        asked = [-1, -2, *indices]
        try:
            done = subprocess.run(
                self._command(asked, seconds), cwd=self._work, env=_environment(),
                capture_output=True, text=True, timeout=seconds, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"mypy did not finish: {error}"[:500]
        faults = self._sorted(done.stdout, asked)
        if done.returncode in (0, 1):
            if faults[-1] or not faults[-2]:
                wrong = "; ".join(map(str, faults[-1])) or "a misspelt method passed"
                raise Broken(f"mypy is wrong about a strategy of our own: {wrong[:300]}")
            return [], {index: list(faults[index]) for index in indices}
        blocked = [index for index in indices if faults[index]]
        if done.returncode == 2 and blocked:
            return blocked, {index: list(faults[index]) for index in blocked}
        return f"mypy broke down: {(done.stderr or done.stdout).strip()[-500:]}"

    def _command(self, indices: Sequence[int], seconds: float) -> list[str]:
        return [
            sys.executable, "-P", "-m", "qc_builder_lora.backtest.check.mypy_child",
            str(MEMORY_MB), str(int(seconds)),
            "--config-file", "mypy.ini", "--cache-dir", str(self._folder.absolute()),
            "--skip-cache-mtime-checks", "--skip-version-check", "--ignore-missing-imports",
            "--check-untyped-defs", "--no-error-summary", "--disable-error-code", "no-redef",
            "--no-color-output", "--show-column-numbers", "-O", "json",
            *(f"{self._name(index)}.py" for index in indices),
        ]  # fmt: skip

    def _sorted(self, output: str, indices: Sequence[int]) -> dict[int, list[TypeFault]]:
        owner = {self._name(index): index for index in indices}
        faults: dict[int, list[TypeFault]] = {index: [] for index in indices}
        for line in output.splitlines():
            found = _read(line)
            index = owner.get(Path(str(found.get("file", ""))).stem)
            if index is not None and found.get("severity") == "error":
                faults[index].append(_fault(found))
        return faults


def _read(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _fault(found: dict[str, Any]) -> TypeFault:
    return TypeFault(
        line=max(1, int(found["line"])),
        column=max(0, int(found.get("column") or 0)) + 1,
        message=str(found["message"]),
        code=str(found.get("code") or ""),
    )


def _prefix(folder: Path) -> str:
    """The same between runs, so that the cache holds; not to be guessed, so that no strategy can
    import another."""
    file = folder / "names"
    try:
        return file.read_text("ascii")
    except OSError:
        name = f"strategy_{secrets.token_hex(6)}"
        file.write_text(name, "ascii")
        return name


def _environment() -> dict[str, str]:
    """Ours, without what would change mypy's answers."""
    return {key: value for key, value in os.environ.items() if not key.startswith("MYPY")}


@cache
def _configuration() -> str:
    """Nothing of it comes from the files that are checked: one could spoil another's answer."""
    skipped = sorted(
        name
        for name in {*metadata.packages_distributions(), "qc_builder_lora"} - _FOLLOWED
        if name.isascii() and name.isidentifier() and name not in sys.stdlib_module_names
    )
    names = ",".join(f"{name},{name}.*" for name in skipped)
    # The Python that LEAN runs.
    head = "[mypy]\npython_version = 3.11\n"
    return head + f"[mypy-{names}]\nfollow_imports = skip\nignore_missing_imports = True\n"
