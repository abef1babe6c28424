"""A builder's checkout: strategies/NAME/main.py, specs/*.yaml, and its evaluations as JSON.

The evaluations are claims. Without credentials the builder writes PASS with the project id `stub`,
so each becomes a Backtest of status UNKNOWN that says what was claimed, with no figures; the gates
run the code themselves.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
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
    shown,
)
from qc_builder_lora.ids import json_hash, text_hash
from qc_builder_lora.records import BacktestStatus

SOURCE = "repo"
_MAIN = ("main.py", "strategy.py", "algorithm.py")
_CLAIMS = frozenset({"passed", "result", "sharpe_ratio", "backtest_id", "project_id"})
_NAMES = ("strategy", "strategy_name", "spec_name", "spec", "name", "title")
_IGNORED = frozenset(
    {
        ".git", ".venv", "venv", "node_modules", "__pycache__", ".qc-lora", ".mypy_cache",
        ".ruff_cache", ".pytest_cache", ".tox",
    }
)  # fmt: skip
_LARGEST = 2**20
_LONGEST = 200
_EVALUATIONS = frozenset({"evaluations", "evaluation", "evals", "eval"})


@dataclass(frozen=True)
class _Claim:
    """One evaluation file, or one of the evaluations in it."""

    place: str
    """Below the checkout."""
    names: frozenset[str]
    found: dict[str, Any]


@dataclass
class _Beside:
    """What the checkout has besides the strategies, by the slugs of names."""

    specs: dict[str, str] = field(default_factory=dict)
    claims: dict[str, list[_Claim]] = field(default_factory=dict)
    all_claims: list[_Claim] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def total(root: Path) -> int:
    """About as many strategies, for a progress bar."""
    return sum(1 for _, names in _folders(root / "strategies") if _MAIN[0] in names)


def pieces(root: Path) -> Iterator[Piece | Skipped]:
    """Every strategy of a checkout; InputError where it is none."""
    top = root / "strategies"
    if not top.is_dir():
        raise InputError(
            f"{root}: has no folder 'strategies'. Name the top of a builder's checkout, with "
            "strategies/NAME/main.py below it."
        )
    beside = _beside(root)
    yield from beside.skipped
    slugs: set[str] = set()
    for folder, _ in _folders(top):
        slugs.add(_slug(folder.name))
        code_path = next((p for name in _MAIN if (p := folder / name).is_file()), None)
        if code_path is not None:
            yield from _strategy(folder.relative_to(top).as_posix(), code_path, beside)
        elif (why := _without_code(folder, folder.parent == top)) is not None:
            yield Skipped(shown(folder), why)
    for claim in beside.all_claims:
        if not claim.names & slugs:
            yield Skipped(claim.place, "an evaluation of no strategy that is here")


def _without_code(folder: Path, is_named: bool) -> str | None:
    """Why a folder without main.py is worth a word; None where it may be a part of another."""
    if any(os.path.lexists(folder / name) for name in _MAIN):
        # A pipe or a device could be read for ever.
        return "its main.py is no regular file"
    if any(folder.glob("*.cs")):
        return "its code is C#"
    if any(folder.glob("*.ipynb")):
        return "a notebook and no main.py"
    below = any(set(_MAIN) & set(names) for _, names in _folders(folder))
    return "it has no main.py" if is_named and not below else None


def _folders(top: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every folder below with the names of its files, in order; a link to a folder of the top is
    one of them, and no link is followed further."""
    for place, folders, files in os.walk(top):
        folders[:] = sorted(name for name in folders if name not in _IGNORED)
        if Path(place) != top:
            yield Path(place), files
            continue
        for name in folders:
            if (link := top / name).is_symlink():
                yield link, [one.name for one in link.iterdir()]


def _strategy(name: str, code_path: Path, beside: _Beside) -> Iterator[Piece | Skipped]:
    folder, where = code_path.parent, shown(code_path)
    try:
        code = read_code(code_path)
    except InputError as error:
        yield Skipped(where, shown(error).removeprefix(f"{where}: "))
        return
    siblings = {p.stem for p in folder.glob("*.py")} - {code_path.stem}
    why = refusal(code, siblings)
    if why is not None:
        yield Skipped(where, why)
        return
    slug = _slug(folder.name)
    spec = beside.specs.get(slug)
    sha256 = text_hash(code)
    piece = Piece(
        key=json_hash([name, sha256]), group=name, title=shown(folder.name), code=code,
        instruction=spec, spec=spec, where=where,
    )  # fmt: skip
    mine = beside.claims.get(slug, ())
    if not mine:
        yield piece
    for claim in mine:
        # One code, several evaluations: one Generation with several Backtests.
        yield replace(
            piece, status=_status(claim), fitness=_number(claim.found.get("sharpe_ratio")),
            measured=_measured(name, claim, sha256),
        )  # fmt: skip


def _measured(name: str, claim: _Claim, sha256: str) -> Measured:
    found = claim.found
    reason = (
        "The project is a stub: the host had no credentials."
        if str(found.get("project_id")) == "stub"
        else f"The host's evaluation says {_said(claim)!r}; nothing was read back from an engine."
    )
    return Measured(
        key=_content_hash([name, found]),
        moment=_moment(found),
        status=BacktestStatus.UNKNOWN,
        engine="claim",
        reason=reason,
        code_sha256=sha256,
        settings={
            "file": claim.place,
            "claimed": _said(claim),
            "project_id": _brief(found.get("project_id")),
            "backtest_id": _brief(found.get("backtest_id")),
        },
    )


def _content_hash(value: Any) -> str:
    """As `json_hash`, and NaN has one too: a host that has no Sharpe ratio writes it."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text_hash(text)


def _said(claim: _Claim) -> str:
    return _brief(claim.found.get("result", claim.found.get("passed"))) or "None"


def _brief(value: Any) -> str | None:
    """A claim's own word; a host may write whole tables there."""
    try:
        return None if value is None else shown(value)[:_LONGEST]
    except ValueError:
        # Python prints no number of more than 4,300 digits.
        return "a number without end"


def _status(claim: _Claim) -> str:
    return f"claimed: {_said(claim)}"


def _moment(found: dict[str, Any]) -> datetime | None:
    times = (found.get(key) for key in ("timestamp", "evaluated_at", "created_at", "date"))
    return next((moment for moment in map(parsed_time, times) if moment is not None), None)


def _beside(root: Path) -> _Beside:
    beside = _Beside()
    for path in sorted(_files(root)):
        if path.suffix == ".json":
            _take_claims(beside, path, path.relative_to(root))
        elif path.suffix in (".yaml", ".yml") and path.is_relative_to(root / "specs"):
            _take_spec(beside, path)
    return beside


def _files(root: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in _IGNORED]
        yield from (path for name in names if (path := Path(place, name)).is_file())


def _take_spec(beside: _Beside, path: Path) -> None:
    """By its file's name and by the title it states; of two the first counts."""
    try:
        text = read_code(path)
    except InputError as error:
        where = shown(path)
        beside.skipped.append(Skipped(where, shown(error).removeprefix(f"{where}: ")))
        return
    beside.specs.setdefault(_slug(path.stem), text)
    stated = re.search(r"^(?:name|title|strategy_name):\s*[\"']?(.+?)[\"']?\s*$", text, re.M)
    if stated:
        beside.specs.setdefault(_slug(stated[1]), text)


def _take_claims(beside: _Beside, path: Path, place: Path) -> None:
    is_evaluation = _bare(path.stem) != path.stem or bool(_EVALUATIONS & set(place.parts))
    try:
        if path.stat().st_size > _LARGEST:
            return
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        if is_evaluation:
            beside.skipped.append(Skipped(shown(path), f"not JSON: {shown(error)[:_LONGEST]}"))
        return
    before = len(beside.all_claims)
    for found in value if isinstance(value, list) else [value]:
        if isinstance(found, dict) and len(_CLAIMS & set(found)) >= 2:
            stated = (found.get(key) for key in _NAMES)
            names = {path.stem, path.parent.name, *(s for s in stated if isinstance(s, str))}
            slugs = {_slug(_bare(name)) for name in names} | {_slug(name) for name in names}
            claim = _Claim(shown(place.as_posix()), frozenset(slugs), found)
            beside.all_claims.append(claim)
            for slug in slugs:
                beside.claims.setdefault(slug, []).append(claim)
    if is_evaluation and len(beside.all_claims) == before:
        known = ", ".join(sorted(_CLAIMS))
        beside.skipped.append(Skipped(shown(path), f"it has fewer than two of {known}"))


def _bare(name: str) -> str:
    return re.sub(r"[_-]?(evaluation|eval|result|results|report|qc)$", "", name, flags=re.I)


def _slug(text: str) -> str:
    # Some file systems keep letters and their accents apart.
    text = unicodedata.normalize("NFC", text)
    return re.sub(r"[\W_]+", "-", text).strip("-").lower()


def _number(value: Any) -> float | None:
    from qc_builder_lora.backtest.lean_series import number_of

    return number_of(value)
