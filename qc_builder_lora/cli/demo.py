"""qc-lora demo: the whole loop, once."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from qc_builder_lora.cli.common import say_json, table
from qc_builder_lora.kinds import RATES


@click.command("demo")
@click.option(
    "--fresh", is_flag=True, help="Start over: remove a home that holds nothing but the demo."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(fresh: bool, as_json: bool) -> None:
    """Run a builder, harvest it, train, release, evaluate and report, on this machine.

    Stop it whenever you like: the same command goes on from the last finished step.

    \b
    Examples:
      qc-lora demo
      QC_LORA_HOME=/tmp/try qc-lora demo --fresh
    """
    from qc_builder_lora.config import load_settings
    from qc_builder_lora.demo import Demo, remove_home
    from qc_builder_lora.progress import show_progress
    from qc_builder_lora.retrain.recipe import load_base, load_recipe

    settings = load_settings()
    if fresh:
        remove_home(settings)
    terms = load_base(load_recipe(settings.recipe).base).terms
    if terms:
        click.echo(terms, err=True)
    demo = Demo(settings, show_progress)
    summary = demo.run()
    if as_json:
        say_json(summary)
        return
    _show(summary)
    click.echo(f"\nreport   {summary['report']}")
    click.echo(f"summary  {(demo.folder / 'summary.json').absolute()}")
    ours = _command()
    click.echo("\nTry next:")
    click.echo(f'  {ours} generate "Buy IBM when its 14-day RSI is below 30, sell above 60"')
    click.echo(f"  {ours} report open")
    click.echo(
        f"  {ours} model promote {summary['model']['id']} --report {summary['report']} --by NAME"
    )


def _command() -> str:
    """What to type: a virtual environment that is not active is not on the path."""
    if shutil.which("qc-lora") is not None:
        return "qc-lora"
    return os.path.relpath(Path(sys.executable).parent / "qc-lora")


def _show(summary: dict[str, Any]) -> None:
    base, tuned = summary["eval"]["base"], summary["eval"]["tuned"]
    click.echo()
    table(
        ("of the suite's prompts", "base", "tuned"),
        [(key, base[key], tuned[key]) for key in ("n", *RATES)],
    )
    train, model, got = summary["train"], summary["model"], summary["harvested"]
    click.echo()
    table(
        ("step", "figures"),
        [
            (
                "harvested",
                f"{got['builds']} builds, {got['strategies']} strategies, "
                f"{got['backtests']} backtests",
            ),
            (
                "snapshot",
                f"{summary['snapshot']['examples']} examples, "
                f"{summary['snapshot']['validation']} for validation, "
                f"{summary['snapshot']['families']} families",
            ),
            (
                "trained",
                f"{train['tokens']:,} tokens at {train['tokens_per_s']} tok/s in "
                f"{train['minutes']} min, {train['peak_rss_mb']:,} MB; validation loss "
                f"{train['val_loss_first']} -> {train['val_loss_last']}",
            ),
            (
                "released",
                f"{model['id']} {model['quantization']} {model['gguf_mb']} MB; NLL trained "
                f"{model['nll_hf']}, served {model['nll_gguf']}, base {model['nll_base']}",
            ),
            ("in all", f"{summary['minutes_total']} min"),
        ],
    )
