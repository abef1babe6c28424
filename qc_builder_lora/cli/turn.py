"""qc-lora turn: one turn of the loop, now."""

from __future__ import annotations

import click

from qc_builder_lora.cli.common import json_option, opened, say_json


@click.command("turn")
@click.option("--until", help="Stop after this stage; the next call goes on from there.")
@json_option
def command(until: str | None, as_json: bool) -> None:
    """Harvest, snapshot, retrain, release, evaluate, report; or finish the turn that was left.

    \b
    Examples:
      qc-lora turn
      qc-lora turn --until release
    """
    from qc_builder_lora.errors import NotFound
    from qc_builder_lora.loop import turn
    from qc_builder_lora.progress import show_progress
    from qc_builder_lora.stages import STAGES

    if until is not None and until not in STAGES:
        raise NotFound("stage", until, f"Stages are: {', '.join(STAGES)}.", STAGES)
    settings, store = opened()
    with store:
        made = turn(settings, store, "on demand", show=show_progress, until=until)
    if as_json:
        say_json({"turn": made.id, "status": made.status.value, "stages": dict(made.stages)})
        return
    click.echo(f"turn {made.id}: {made.status.value}, done: {', '.join(made.stages)}")
    if "report" in made.stages:
        click.echo(made.stages["report"]["sentence"])
        click.echo(f"report: {made.stages['report']['path']}")
