"""qc-lora eval: score a model on a suite beside what answers now, as both are served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from qc_builder_lora.cli.common import json_option, opened, resolve, say_json, table
from qc_builder_lora.kinds import SHOWN


@click.command("eval")
@click.argument("model", required=False)
@click.option("--suite", help="A suite's name, or a .jsonl file; default: the setting `suite`.")
@click.option("--limit", type=click.IntRange(1), help="Only its first prompts: of all kinds.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the JSON to a file too."
)
@json_option
def command(
    model: str | None, suite: str | None, limit: int | None, out: Path | None, as_json: bool
) -> None:
    """Ask MODEL (default: the newest) and the champion every prompt of a suite, and judge both.

    Answers are kept as they come: stopped, the same command goes on; with a larger --limit, or
    none, only the others are asked. Suites: qc-lora suite list. `faithful` counts answers that did
    all that the prompt asks and that can be told mechanically.

    \b
    Examples:
      qc-lora eval
      qc-lora eval --suite golden --limit 40
      qc-lora eval --suite golden
      qc-lora eval --suite golden:change
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
        asked = suite or settings.suite
        asked = f"{asked}:{limit}" if limit else asked
        made = evaluate_model(settings, store, chosen, show_progress, suite=asked)
    if out is not None:
        write_json(out, made)
    if as_json:
        say_json(made)
        return
    show_scores(made)
    of = f" --suite {asked}" if asked != settings.suite else ""
    click.echo(f"next: qc-lora report build {chosen.id}{of}")


def show_scores(made: dict[str, Any]) -> None:
    """The funnel of both arms with intervals, the families of the challenger, the sentence."""
    rows = []
    for side in ("champion", "challenger"):
        arm = made[side]
        for rate in SHOWN:
            rows.append((arm["id"], rate, *_rate(arm, rate)))
        speed = arm["tokens_per_s"]
        rows.append((arm["id"], "tokens/s", "unknown" if speed is None else f"{speed:.1f}", ""))
    table(("model", "rate", "count", "95 %"), rows)
    click.echo()
    for key in ("groups", "styles"):
        _show_parts(made, key)
    families = made["challenger"]["families"]
    table(
        ("family", "n", *SHOWN),
        [(name, *row.values()) for name, row in families.items()],
    )
    click.echo("\n" + made["contest"]["sentence"])


def _rate(counts: dict[str, Any], rate: str) -> tuple[str, str]:
    """Of those that could be judged, how many; and Wilson's interval."""
    low, high = counts["wilson95"][rate]
    unknown = counts["unknown"][rate]
    note = f" (+{unknown} unknown)" if unknown else ""
    return f"{counts[rate]}/{counts['n'] - unknown}{note}", f"{low:.0%}-{high:.0%}"


def _show_parts(made: dict[str, Any], key: str) -> None:
    """Families that were taught apart from those that were not, and styles of asking."""
    rows = [
        (name, made[side]["id"], *(" ".join(_rate(part, rate)) for rate in SHOWN))
        for name in made["challenger"][key]
        for side in ("champion", "challenger")
        for part in [made[side][key][name]]
    ]
    if rows:
        table((key.removesuffix("s"), "model", *SHOWN), rows)
        click.echo()
