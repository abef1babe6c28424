"""qc-lora store: upgrade, check, export and import the database."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from qc_builder_lora.config import load_settings
from qc_builder_lora.progress import show_progress

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group("store")
def command() -> None:
    """Upgrade, check, export and import the database.

    \b
    Examples:
      qc-lora store upgrade
      qc-lora store check --json
      qc-lora store export backup.jsonl
      qc-lora store import backup.jsonl --url postgresql://me@host/qc_lora
    """


def _url_option(function: Command) -> Command:
    option = click.option(
        "--url", metavar="URL", help="The database; default QC_LORA_DATABASE, or .qc-lora/store.db."
    )
    return option(function)


def _url(given: str | None) -> str:
    return load_settings(database=given).database_url


def _table(counts: dict[str, int]) -> None:
    width = max(map(len, counts), default=0)
    for name, number in counts.items():
        click.echo(f"  {name:<{width}}  {number:>10,}")


@command.command()
@_url_option
def upgrade(url: str | None) -> None:
    """Make the database, or bring it to this version's revision.

    \b
    Example:
      qc-lora store upgrade
    """
    from qc_builder_lora.store import Store
    from qc_builder_lora.store.revisions import HEAD

    with Store.open(_url(url)) as store:
        click.echo(f"{store.url}: at revision {HEAD}")


@command.command()
@_url_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def check(context: click.Context, url: str | None, as_json: bool) -> None:
    """Look for damage and change nothing; leaves with 1 when something is wrong.

    \b
    Example:
      qc-lora store check --json
    """
    from qc_builder_lora.store.checks import check_store
    from qc_builder_lora.store.tables import TABLE_NAMES

    with show_progress("Checking", len(TABLE_NAMES)) as progress:
        health = check_store(_url(url), progress=progress)
    if as_json:
        click.echo(json.dumps(health.plain(), indent=2))
    else:
        click.echo(f"{health.url}: at revision {health.revision}, needed {health.needed}")
        _table(health.counts)
        for problem in health.problems:
            click.echo(f"WRONG  {problem}")
        click.echo("Nothing is wrong." if not health.problems else "Something is wrong.")
    context.exit(1 if health.problems else 0)


@command.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_url_option
def export_file(file: Path, url: str | None) -> None:
    """Write everything to FILE as JSONL, one record a line.

    \b
    Example:
      qc-lora store export backup.jsonl
    """
    from qc_builder_lora.store import Store
    from qc_builder_lora.store.transfer import export_store

    with (
        Store.open(_url(url), upgrade=False) as store,
        show_progress("Exporting", sum(store.counts().values())) as progress,
    ):
        result = export_store(store, file, progress)
    _table(result.counts)
    click.echo(f"{result.total:,} records in {file} (SHA-256 {result.sha256})")


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_url_option
def import_file(file: Path, url: str | None) -> None:
    """Take in FILE, written by export: all of it, or nothing when a line is wrong.

    \b
    Example:
      qc-lora store import backup.jsonl --url postgresql://me@host/qc_lora
    """
    from qc_builder_lora.store import Store
    from qc_builder_lora.store.transfer import import_store

    with Store.open(_url(url)) as store:
        with show_progress("Importing", file.stat().st_size) as progress:
            result = import_store(store, file, progress)
        click.echo(f"{result.total:,} records in {file}, {result.added:,} new in {store.url}")
