"""What the nouns share: the --json option, tables, spans of time, and opening the store."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from qc_builder_lora.config import Settings
    from qc_builder_lora.store import Store

F = TypeVar("F", bound=Callable[..., Any])

_UNITS = {"h": 3600, "d": 86400, "w": 7 * 86400}

SHORT = 12
"""Digits of a hash that a table shows."""


def json_option(function: F) -> F:
    """`--json`, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def jobs_option(function: F) -> F:
    """`--jobs`, one at least; None where it is not given."""
    about = "Backtests at a time; default all usable CPUs."
    return click.option("--jobs", type=click.IntRange(1), help=about)(function)


def opened() -> tuple[Settings, Store]:
    """The settings in force and their store, upgraded if need be."""
    from qc_builder_lora.config import load_settings
    from qc_builder_lora.store import Store

    settings = load_settings()
    return settings, Store.open(settings.database_url)


def existing_store(settings: Settings) -> Store | None:
    """The store, upgraded if need be; None, and nothing made, where there is none yet."""
    from qc_builder_lora.errors import NotFound, OlderStore
    from qc_builder_lora.store import Store

    try:
        return Store.open(settings.database_url, upgrade=False)
    except NotFound:
        return None
    except OlderStore as error:
        if error.found is None:
            return None
    return Store.open(settings.database_url)


def moment(text: str) -> datetime:
    """`12h`, `7d`, `4w` ago, or an ISO date or time (UTC where it names no zone)."""
    from qc_builder_lora.errors import InputError
    from qc_builder_lora.ids import now

    match = re.fullmatch(r"(\d+)([hdw])", text.strip())
    if match:
        return now() - timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"{text!r} is no time. Give 12h, 7d, 4w, or a date like 2026-11-01."
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def say_json(value: object) -> None:
    """One JSON value on standard output."""
    click.echo(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def say_json_rows(rows: Iterable[object]) -> None:
    """The same text as `say_json` of a list, printed row by row: of many, only one is in memory."""
    before = "["
    for row in rows:
        text = json.dumps(row, indent=2, default=str, ensure_ascii=False)
        click.echo(before + "\n" + indent(text, "  "), nl=False)
        before = ","
    click.echo("[]" if before == "[" else "\n]")


def table(
    headings: Sequence[str], rows: Sequence[Sequence[object]], none: str = "nothing yet"
) -> None:
    """Columns as wide as their longest cell, numbers to the right; `none` where there is no row."""
    if not rows:
        click.echo(none)
        return
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [
        max(len(heading), *(len(row[index]) for row in cells))
        for index, heading in enumerate(headings)
    ]
    numeric = [all(isinstance(row[i], int | float) for row in rows) for i in range(len(headings))]
    for row in [list(headings), *cells]:
        line = "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        click.echo(line.rstrip())


def _cell(value: object) -> str:
    if value is None:
        return "unknown"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def facts(pairs: Sequence[tuple[str, object]]) -> None:
    """Names and values, one pair a line."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        click.echo(f"{name:<{width}}  {_cell(value)}")


def resolve(found: Sequence[Any], what: str, name: str, command: str) -> Any:
    """The one record whose id begins with `name`; NotFound, or InputError for several."""
    from qc_builder_lora.errors import InputError, NotFound

    matching = [record for record in found if record.id.startswith(name)]
    if not matching:
        known = [record.id for record in found]
        raise NotFound(what, name, f"See them with: {command}", known)
    if len(matching) > 1:
        many = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
        raise InputError(f"{len(matching)} {many} begin with {name!r}: give more digits.")
    return matching[0]


@contextmanager
def writing(path: Path, option: str = "--out") -> Iterator[None]:
    """Where a file or folder that was named cannot be written, say which and what to do."""
    from qc_builder_lora.errors import InputError, QcLoraError

    try:
        yield
    except QcLoraError:
        raise
    except OSError as error:
        why = error.strerror or error
        raise InputError(
            f"{path}: cannot be written: {why}. Name another place: {option}"
        ) from error
