"""qc-lora eval: score a model on a suite beside what answers now, as both are served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from qc_builder_lora.cli.common import json_option, opened, resolve, say_json, table


@click.command("eval")
@click.argument("model", required=False)
@click.option("--suite", help="A suite's name, or a .jsonl file; default: the setting `suite`.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the JSON to a file too."
)
@json_option
def command(model: str | None, suite: str | None, out: Path | None, as_json: bool) -> None:
    """Ask MODEL (default: the newest) and the champion every prompt of a suite, and judge both.

    \b
    Examples:
      qc-lora eval
      qc-lora eval gemma-3-270m-1f2e3d4c5b6a --suite smoke --json
    """
    from qc_builder_lora.files import write_json
    from qc_builder_lora.progress import show_progress
    from qc_builder_lora.stages import evaluate_model, newest_model

    settings, store = opened()
    with store:
        chosen = (
            resolve(store.models.find(), "model", model, "qc-lora model list")
            if model
            else newest_model(store)
        )
        made = evaluate_model(settings, store, chosen, show_progress, suite=suite)
    if out is not None:
        write_json(out, made)
    if as_json:
        say_json(made)
        return
    show_scores(made)
    click.echo(f"next: qc-lora report build {chosen.id}")


def show_scores(made: dict[str, Any]) -> None:
    """The funnel of both arms with intervals, the families of the challenger, the sentence."""
    rows = []
    for side in ("champion", "challenger"):
        arm = made[side]
        for rate in ("parses", "compiles", "runs", "trades"):
            low, high = arm["wilson95"][rate]
            known = arm["n"] - arm["unknown"][rate]
            rows.append((arm["id"], rate, f"{arm[rate]}/{known}", f"{low:.0%}-{high:.0%}"))
        speed = arm["tokens_per_s"]
        rows.append((arm["id"], "tokens/s", "unknown" if speed is None else f"{speed:.1f}", ""))
    table(("model", "rate", "count", "95 %"), rows)
    click.echo()
    families = made["challenger"]["families"]
    table(
        ("family", "n", "parses", "compiles", "runs", "trades"),
        [(name, *row.values()) for name, row in families.items()],
    )
    click.echo("\n" + made["contest"]["sentence"])
