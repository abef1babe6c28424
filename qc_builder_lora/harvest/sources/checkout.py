"""A builder's checkout: strategies/NAME/main.py, specs/*.yaml, and its evaluations as JSON.

The evaluations are claims. Without credentials the builder writes PASS with the project id `stub`,
so each becomes a Backtest of status UNKNOWN that says what was claimed, with no figures; the gates
run the code themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import InputError
from qc_builder_lora.harvest.sources.piece import (
    Measured,
    Piece,
    Skipped,
    parsed_time,
    read_code,
    refusal,
)
from qc_builder_lora.ids import json_hash, text_hash
from qc_builder_lora.records import BacktestStatus

SOURCE = "repo"
_MAIN = ("main.py", "strategy.py", "algorithm.py")
_CLAIMS = frozenset({"passed", "result", "sharpe_ratio", "backtest_id", "project_id"})
_NAMES = ("strategy", "strategy_name", "spec_name", "spec", "name", "title")
_IGNORED = frozenset({".git", ".venv", "venv", "node_modules", "__pycache__", ".qc-lora"})
_LARGEST = 2**20


@dataclass(frozen=True)
class _Claim:
    """One evaluation file."""

    path: Path
    names: frozenset[str]
    found: dict[str, Any]


def total(root: Path) -> int:
    """About as many strategies, for a progress bar."""
    return sum(1 for _ in root.glob("strategies/**/main.py"))


def pieces(root: Path) -> Iterator[Piece | Skipped]:
    """Every strategy of a checkout; InputError where it is none."""
    folder = root / "strategies"
    if not folder.is_dir():
        raise InputError(
            f"{root}: has no folder 'strategies'. Name the top of a builder's checkout, with "
            "strategies/NAME/main.py below it."
        )
    specs = _specs(root)
    claims = list(_claims(root))
    for one in sorted(path for path in folder.rglob("*") if path.is_dir() and _is_own(path)):
        code_path = next((p for name in _MAIN if (p := one / name).is_file()), None)
        if code_path is not None:
            yield from _strategy(root, one, code_path, specs, claims)
        elif any((one / name).exists() for name in _MAIN):
            # A pipe or a device could be read for ever.
            yield Skipped(str(one), "its main.py is no regular file")
        elif any(one.glob("*.cs")):
            yield Skipped(str(one), "its code is C#")
        elif any(one.glob("*.ipynb")):
            yield Skipped(str(one), "a notebook and no main.py")


def _is_own(path: Path) -> bool:
    return not _IGNORED & set(path.parts)


def _strategy(
    root: Path, folder: Path, code_path: Path, specs: dict[str, str], claims: list[_Claim]
) -> Iterator[Piece | Skipped]:
    name = folder.relative_to(root / "strategies").as_posix()
    try:
        code = read_code(code_path)
    except InputError as error:
        yield Skipped(str(code_path), str(error).removeprefix(f"{code_path}: "))
        return
    siblings = {p.stem for p in folder.glob("*.py")} - {code_path.stem}
    why = refusal(code, siblings)
    if why is not None:
        yield Skipped(str(code_path), why)
        return
    slug = _slug(folder.name)
    spec = specs.get(slug)
    mine = [claim for claim in claims if slug in claim.names]
    sha256 = text_hash(code)
    piece = Piece(
        key=json_hash([name, sha256]), group=name, title=folder.name, code=code,
        instruction=spec, spec=spec,
    )  # fmt: skip
    if not mine:
        yield piece
    for claim in mine:
        # One code, several evaluations: one Generation with several Backtests.
        yield replace(
            piece, status=_status(claim), fitness=_number(claim.found.get("sharpe_ratio")),
            measured=_measured(name, claim, sha256, root),
        )  # fmt: skip


def _measured(name: str, claim: _Claim, sha256: str, root: Path) -> Measured:
    found = claim.found
    project = found.get("project_id")
    said = found.get("result", found.get("passed"))
    reason = (
        "The project is a stub: the host had no credentials."
        if str(project) == "stub"
        else f"The host's evaluation says {said!r}; nothing was read back from an engine."
    )
    return Measured(
        key=json_hash([name, found]),
        moment=_moment(found),
        status=BacktestStatus.UNKNOWN,
        engine="claim",
        reason=reason,
        code_sha256=sha256,
        settings={
            "file": claim.path.relative_to(root).as_posix(),
            "claimed": str(said),
            "project_id": None if project is None else str(project),
            "backtest_id": None if found.get("backtest_id") is None else str(found["backtest_id"]),
        },
    )


def _status(claim: _Claim) -> str:
    return f"claimed: {claim.found.get('result', claim.found.get('passed'))}"


def _moment(found: dict[str, Any]) -> datetime | None:
    times = (found.get(key) for key in ("timestamp", "evaluated_at", "created_at", "date"))
    return next((moment for moment in map(parsed_time, times) if moment is not None), None)


def _specs(root: Path) -> dict[str, str]:
    """Text of each specification, by its file's name and by the title it states."""
    found: dict[str, str] = {}
    for path in sorted((*root.glob("specs/**/*.yaml"), *root.glob("specs/**/*.yml"))):
        try:
            text = read_code(path)
        except InputError:
            continue
        found.setdefault(_slug(path.stem), text)
        stated = re.search(r"^(?:name|title|strategy_name):\s*[\"']?(.+?)[\"']?\s*$", text, re.M)
        if stated:
            found.setdefault(_slug(stated[1]), text)
    return found


def _claims(root: Path) -> Iterator[_Claim]:
    for path in sorted(root.rglob("*.json")):
        if not _is_own(path.relative_to(root)) or not path.is_file():
            continue
        try:
            if path.stat().st_size > _LARGEST:
                continue
            value = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            continue
        for found in value if isinstance(value, list) else [value]:
            if isinstance(found, dict) and len(_CLAIMS & set(found)) >= 2:
                stated = (found.get(key) for key in _NAMES)
                names = {path.stem, path.parent.name, *(s for s in stated if isinstance(s, str))}
                slugs = {_slug(_bare(name)) for name in names} | {_slug(name) for name in names}
                yield _Claim(path, frozenset(slugs), found)


def _bare(name: str) -> str:
    return re.sub(r"[_-]?(evaluation|eval|result|results|report|qc)$", "", name, flags=re.I)


def _slug(text: str) -> str:
    return re.sub(r"[\W_]+", "-", text).strip("-").lower()


def _number(value: Any) -> float | None:
    from qc_builder_lora.backtest.lean_series import number_of

    return number_of(value)
