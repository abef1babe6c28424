"""qc-lora harvest: what a builder, an account, LEAN or a file has, into the store."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qc_builder_lora.cli.common import existing_store
from qc_builder_lora.cli.harvest_gates import ask_gates, explain_harvest
from qc_builder_lora.cli.taken_out import by_kind, taken_out, told_of
from qc_builder_lora.config import load_settings
from qc_builder_lora.progress import Progress, show_progress

if TYPE_CHECKING:
    from qc_builder_lora.config import Settings
    from qc_builder_lora.harvest.sources.piece import Piece, Skipped
    from qc_builder_lora.harvest.sources.take import SourceReport
    from qc_builder_lora.harvest.survey import SpoolState

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_BUSY_S = 120.0
"""How long a store that another process holds is waited for: longer than any of our own takes."""
_WRITES_ANEW = "qc-lora harvest ingest writes it anew without secrets"
_SHOWN = 20
"""Skipped things shown; --json has them all."""


@click.group("harvest")
def command() -> None:
    """Take what a builder made into the store.

    \b
    Examples:
      qc-lora run autonomous_build.py      records it, and ingests at the end
      qc-lora harvest ingest               takes what is still in the spool
      qc-lora harvest gates                asks the gates about everything that is new
      qc-lora harvest explain              how many stopped at which gate, and why
      qc-lora harvest status               what is recorded, what the store has
      qc-lora harvest quantconnect         the projects and backtests of your account
      qc-lora harvest lean ~/lean          results of the LEAN CLI, with the code that ran
      qc-lora harvest repo ~/builder       a builder's checkout: strategies/, specs/, evaluations
      qc-lora harvest file old.jsonl       one strategy a line; see: qc-lora harvest file --help
    """


@command.command()
@click.option(
    "--wait", "wait_s", type=click.FloatRange(0), default=0.0, show_default=True,
    help="Seconds to wait for another that is taking records of the same home.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def ingest(wait_s: float, as_json: bool) -> None:
    """Take all new records; run it as often as you like.

    \b
    Examples:
      qc-lora harvest ingest
      qc-lora harvest ingest --wait 30 --json
    """
    from qc_builder_lora.harvest.ingest import ingest as take
    from qc_builder_lora.harvest.ingest import total
    from qc_builder_lora.store import Store

    settings = load_settings()
    with (
        Store.open(settings.database_url, busy_s=_BUSY_S) as store,
        show_progress("Ingest", max(1, total(settings.home))) as bar,
    ):
        report = take(store, settings.home, bar, wait_s=wait_s)
    if as_json:
        click.echo(json.dumps(report.plain()))
        return
    click.echo(
        f"{report.records:,} records from {report.spools:,} spools: {report.builds:,} builds, "
        f"{report.generations:,} generations, {report.strategies:,} new strategies, "
        f"{report.backtests:,} backtests"
    )
    for label, number in sorted(report.labels.items()):
        click.echo(f"  {label:<16} {number:>8,}")
    click.echo(f"secrets removed: {by_kind(report.redacted)}")
    if report.waiting:
        click.echo(f"{report.waiting} builds still run; their records wait in the spool")
    if report.lost:
        click.echo(f"{report.lost} records were lost when they were written (a full disk?)")
    for where in report.damaged:
        click.echo(f"DAMAGED  {where}")


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(as_json: bool) -> None:
    """Show each recorded process: its records, what the store has, what was lost.

    And how many secrets and personal traces were taken out so far, by kind: of what builders'
    runs recorded, and of every other harvest. An ended process's file is written anew without
    them when the store has all of it; until then it has what the process saw.

    Without a usable database it says what lies in the spools, and exit code 1.

    \b
    Example:
      qc-lora harvest status
    """
    from qc_builder_lora.errors import StoreError
    from qc_builder_lora.harvest.survey import survey

    settings = load_settings()
    try:
        store = existing_store(settings)
    except StoreError as error:
        unknown = {"redacted": None, "database_error": str(error)}
        _show_spools(survey(settings.home, None), settings, as_json, unknown)
        raise
    with store or nullcontext():
        plain = {"redacted": taken_out(store) if store else None}
        _show_spools(survey(settings.home, store), settings, as_json, plain)


def _show_spools(
    states: list[SpoolState], settings: Settings, as_json: bool, more: dict[str, Any]
) -> None:
    if as_json:
        click.echo(json.dumps({"spools": [state.plain() for state in states], **more}))
        return
    if not states:
        click.echo(f"{settings.home}: nothing is recorded. Record with: qc-lora run SCRIPT")
    for state in states:
        if state.unreadable is not None:
            click.echo(f"{state.id}  cannot be read: {state.unreadable}")
            continue
        taken = "no store" if state.taken is None else f"{state.taken:,} in the store"
        click.echo(
            f"{state.id}  {state.host}  {'running' if state.running else 'ended'}  "
            f"{state.records:,} records, {taken}, {state.lost} lost, {state.damaged} damaged"
            + (f", the last one cut short after {state.torn} bytes" if state.torn else "")
        )
        if state.missing:
            click.echo(f"  not hooked, for the host lacks them: {', '.join(state.missing)}")
        if state.holds_secrets:
            click.echo(f"  its file has what the host saw: {_WRITES_ANEW}")
    if more["redacted"] is not None:
        _show_taken_out(more["redacted"])


def _show_taken_out(found: dict[str, Any]) -> None:
    click.echo(f"secrets taken out so far: {told_of(found)}")
    for source, counts in found["sources"].items():
        click.echo(f"  {source:<12} {by_kind(counts)}")


@command.command()
@click.option("--project", "projects", multiple=True, help="Only this one; may be given again.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def quantconnect(projects: tuple[str, ...], as_json: bool) -> None:
    """Take an account's Python projects, and the backtests of the code that is in them now.

    Credentials are QC_USER_ID and QC_API_TOKEN. Run it as often as you like: what is in the store
    is not fetched again.

    \b
    Examples:
      qc-lora harvest quantconnect
      qc-lora harvest quantconnect --project "My project"
    """
    from qc_builder_lora.backtest.engines import quantconnect_account
    from qc_builder_lora.harvest.sources import account
    from qc_builder_lora.harvest.sources.take import knows, take
    from qc_builder_lora.store import Store

    settings = load_settings()
    opened = quantconnect_account(settings)
    try:
        with (
            Store.open(settings.database_url, busy_s=_BUSY_S) as store,
            show_progress("Harvest", 1) as bar,
        ):
            found = account.pieces(
                opened, knows(store, account.SOURCE), projects=projects, progress=bar
            )
            _say(take(store, account.SOURCE, found), as_json)
    finally:
        opened.rest.close()


@command.command()
@click.argument("folder", type=_FOLDER)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def lean(folder: Path, as_json: bool) -> None:
    """Take LEAN's results below FOLDER, each with the code that is beside it.

    \b
    Example:
      qc-lora harvest lean ~/lean
    """
    from qc_builder_lora.harvest.sources import lean_folder

    report = _taken(lean_folder.SOURCE, lean_folder.pieces(folder), lean_folder.total(folder))
    _say(report, as_json)
    if not (report.seen or report.skipped or as_json):
        click.echo(
            f"{folder}: no result of LEAN below it. Name a project of the LEAN CLI, or its folder "
            "backtests/: results are .json files with their statistics, code/ beside them"
        )


@command.command()
@click.argument("folder", type=_FOLDER)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def repo(folder: Path, as_json: bool) -> None:
    """Take a builder's checkout: strategies/NAME/main.py, specs/*.yaml, evaluations as JSON.

    What the evaluations say is kept as a claim, with no figures: the gates run the code.

    \b
    Example:
      qc-lora harvest repo ~/builder
    """
    from qc_builder_lora.harvest.sources import checkout

    _say(_taken(checkout.SOURCE, checkout.pieces(folder), checkout.total(folder)), as_json)


@command.command()
@click.argument(
    "files", nargs=-1, required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def file(files: tuple[Path, ...], as_json: bool) -> None:
    """Take JSONL FILES of strategies: one JSON object a line, with these keys, all text.

    \b
      code         required: the source of one strategy
      instruction  what was asked for
      title        a name; default the instruction's first line
      build        what it was made for; lines of one build stay together
      iteration    which attempt of the build it is (a whole number)
      model        who wrote it
      version      its name within the build
      created_at   ISO 8601
      licence      an SPDX expression, if the code is not your own
      family       the kind of strategy

    A broken line is reported with its number, the rest is taken.

    \b
    Examples:
      qc-lora harvest file old.jsonl
      qc-lora harvest file <(zcat old.jsonl.gz) --json
    """
    from qc_builder_lora.harvest.sources import lines

    found = (piece for path in files for piece in lines.pieces(path))
    _say(_taken(lines.SOURCE, found, sum(map(lines.total, files))), as_json)


def _taken(source: str, found: Iterable[Piece | Skipped], total: int) -> SourceReport:
    from qc_builder_lora.harvest.sources.take import take
    from qc_builder_lora.store import Store

    bar: Progress
    with (
        Store.open(load_settings().database_url, busy_s=_BUSY_S) as store,
        show_progress("Harvest", max(1, total)) as bar,
    ):
        return take(store, source, found, bar)


def _say(report: SourceReport, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(report.plain()))
        return
    click.echo(
        f"{report.seen:,} strategies seen: {report.builds:,} builds, {report.generations:,} "
        f"generations, {report.strategies:,} strategies and {report.backtests:,} backtests are new"
    )
    for status, number in sorted(report.statuses.items()):
        click.echo(f"  backtests {status:<12} {number:>8,}")
    click.echo(f"secrets removed: {by_kind(report.redacted)}")
    for one in report.skipped[:_SHOWN]:
        click.echo(f"SKIPPED  {one.where}: {one.why}")
    if len(report.skipped) > _SHOWN:
        click.echo(f"and {len(report.skipped) - _SHOWN:,} more; --json has them all")


command.add_command(ask_gates)
command.add_command(explain_harvest)
