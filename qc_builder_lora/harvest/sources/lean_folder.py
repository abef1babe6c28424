"""LEAN's results on a disk, each with the code beside it, as the LEAN CLI leaves them.

`PROJECT/backtests/TIME/ID.json` with `PROJECT/backtests/TIME/code/main.py`: the copy that ran, not
the project's main.py of today. A result without its code is reported and not taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.lean_result import is_result, load_json, read_file
from qc_builder_lora.backtest.lean_series import entry
from qc_builder_lora.errors import InputError
from qc_builder_lora.harvest.sources.piece import (
    Measured,
    Piece,
    Skipped,
    parsed_time,
    read_code,
    refusal,
)
from qc_builder_lora.ids import file_hash, json_hash, text_hash
from qc_builder_lora.records import BacktestStatus

SOURCE = "lean"
_PLACES = ("code/main.py", "main.py")
_OTHER = ("code/Main.cs", "Main.cs")
_NEVER = re.compile(r"(-summary|-order-events|-log)$|^data-monitor-report")
_STAMP = re.compile(r"^(\d{4}-\d{2}-\d{2})_(\d{2})-(\d{2})-(\d{2})$")
_RUNNING = ("Running", "Initializing", "History", "InQueue", "LoggingIn")
_LARGEST = 512 * 2**20


def total(root: Path) -> int:
    """At most this many results, for a progress bar."""
    return sum(1 for _ in root.rglob("*.json"))


def pieces(root: Path) -> Iterator[Piece | Skipped]:
    """Every result below a folder; InputError where there is no such folder."""
    if not root.is_dir():
        raise InputError(f"{root}: no such folder. Name one that has LEAN's results below it.")
    for path in sorted(root.rglob("*.json")):
        if _NEVER.search(path.stem) or path.name == "config.json" or not path.is_file():
            continue
        found = _one(root, path)
        if found is not None:
            yield found


def _one(root: Path, path: Path) -> Piece | Skipped | None:
    try:
        if path.stat().st_size > _LARGEST:
            return Skipped(str(path), f"larger than {_LARGEST // 2**20} MB")
        value = load_json(path)
    except InputError as error:
        return Skipped(str(path), str(error).removeprefix(f"{path}: "))
    except OSError as error:
        return Skipped(str(path), f"cannot be read: {error.strerror}")
    if not isinstance(value, dict) or not is_result(value):
        # Some other JSON; nobody said that it is a result.
        return None
    unfit = _unfit(path, value)
    if unfit is not None:
        return Skipped(str(path), unfit)
    code_path = _beside(path, _PLACES)
    if code_path is None:
        csharp = _beside(path, _OTHER) is not None
        return Skipped(str(path), "its code is C#" if csharp else "its code is not beside it")
    try:
        code = read_code(code_path)
    except InputError as error:
        return Skipped(str(path), str(error))
    siblings = {p.stem for p in code_path.parent.glob("*.py")} | {
        p.name for p in code_path.parent.iterdir() if p.is_dir()
    }
    why = refusal(code, siblings - {"main"})
    if why is not None:
        return Skipped(str(code_path), why)
    try:
        return _piece(root, path, value, code)
    except InputError as error:
        # The order events beside it.
        return Skipped(str(path), str(error))


def _unfit(path: Path, value: dict[str, Any]) -> str | None:
    """Why a result is that of no backtest that has ended."""
    if path.parent.parent.name == "live":
        return "a live run, no backtest"
    state = entry(value, "state") or {}
    # Written again and again while it runs; only the last time with an end.
    if entry(state, "Status") in _RUNNING and not entry(state, "EndTime"):
        return "the backtest still runs"
    return None


def _beside(path: Path, places: tuple[str, ...]) -> Path | None:
    """The code beside a result; an optimisation has one code for all of its backtests."""
    folders = [path.parent]
    if path.parent.parent.parent.name == "optimizations":
        folders.append(path.parent.parent)
    found = (file for folder in folders for place in places if (file := folder / place).is_file())
    return next(found, None)


def _piece(root: Path, path: Path, value: dict[str, Any], code: str) -> Piece:
    lean = read_file(path)
    status, reason, phase = lean.verdict()
    moment = _moment(path, value)
    project = _project(path, root)
    sha256 = text_hash(code)
    measured = Measured(
        # Of the content: a folder that is moved or copied is nothing new.
        key=file_hash(path),
        moment=moment,
        status=status,
        engine="lean",
        reason=reason,
        phase=phase,
        engine_version=f"LEAN {lean.version}" if lean.version else None,
        code_sha256=sha256,
        settings={"parameters": _parameters(value)},
        statistics=lean.statistics,
        total_orders=lean.total_orders,
        closed_trades=lean.closed_trades,
        equity=lean.equity if status is BacktestStatus.COMPLETED else (),
    )
    return Piece(
        key=json_hash([project.name, sha256]),
        group=project.name,
        title=project.name,
        code=code,
        instruction=_description(project),
        measured=measured,
    )


def _project(path: Path, root: Path) -> Path:
    """The folder above `backtests` or `optimizations`, else the result's own."""
    for parent in path.parents:
        if parent.name in ("backtests", "optimizations"):
            return parent.parent.resolve()
        if parent == root:
            break
    return path.parent.resolve()


def _description(project: Path) -> str | None:
    try:
        found = json.loads((project / "config.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    text = found.get("description") if isinstance(found, dict) else None
    return text if isinstance(text, str) and text.strip() else None


def _parameters(value: dict[str, Any]) -> dict[str, str]:
    found = entry(entry(value, "algorithmConfiguration") or {}, "parameters")
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _moment(path: Path, value: dict[str, Any]) -> datetime | None:
    stated = parsed_time(entry(entry(value, "state") or {}, "StartTime"))
    if stated is not None:
        return stated
    match = _STAMP.match(path.parent.name)
    if match is None:
        return None
    return parsed_time(f"{match[1]}T{match[2]}:{match[3]}:{match[4]}")
