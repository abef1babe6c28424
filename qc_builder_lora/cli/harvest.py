"""qc-lora harvest: from the spool of a builder to the store."""

from __future__ import annotations

import json

import click

from qc_builder_lora.config import load_settings


@click.group("harvest")
def command() -> None:
    """Take what a builder made into the store.

    \b
    Examples:
      qc-lora run autonomous_build.py      records it, and ingests at the end
      qc-lora harvest ingest               takes what is still in the spool
      qc-lora harvest status               what is recorded, what the store has
    """


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def ingest(as_json: bool) -> None:
    """Take all new records; run it as often as you like."""
    from qc_builder_lora.harvest.ingest import ingest as take
    from qc_builder_lora.store import Store

    settings = load_settings()
    with Store.open(settings.database_url) as store:
        report = take(store, settings.home)
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
    secrets = ", ".join(f"{kind} {number}" for kind, number in sorted(report.redacted.items()))
    click.echo(f"secrets removed: {secrets or 'none found'}")
    if report.waiting:
        click.echo(f"{report.waiting} builds still run; their records wait in the spool")
    if report.lost:
        click.echo(f"{report.lost} records were lost when they were written (a full disk?)")
    for where in report.damaged:
        click.echo(f"DAMAGED  {where}")


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(as_json: bool) -> None:
    """Show each recorded process: its records, what the store has, what was lost."""
    from qc_builder_lora.errors import NotFound
    from qc_builder_lora.harvest.survey import survey
    from qc_builder_lora.store import Store

    settings = load_settings()
    try:
        with Store.open(settings.database_url, upgrade=False) as store:
            states = survey(settings.home, store)
    except NotFound:
        states = survey(settings.home, None)
    if as_json:
        click.echo(json.dumps({"spools": [state.plain() for state in states]}))
        return
    if not states:
        click.echo(f"{settings.home}: nothing is recorded. Record with: qc-lora run SCRIPT")
    for state in states:
        taken = "no store" if state.taken is None else f"{state.taken:,} in the store"
        click.echo(
            f"{state.id}  {state.host}  {'running' if state.running else 'ended'}  "
            f"{state.records:,} records, {taken}, {state.lost} lost, {state.damaged} damaged"
        )
        if state.missing:
            click.echo(f"  not hooked, for the host lacks them: {', '.join(state.missing)}")
