"""qc-lora corpus: examples of our own, executed before they count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from qc_builder_lora.cli.common import json_option, opened, say_json, table


@click.group("corpus")
def command() -> None:
    """Examples of our own: strategy families with parameters, and ways to ask for them.

    \b
    Examples:
      qc-lora corpus build           draw, compile, backtest and keep the starter corpus
      qc-lora corpus families        what there is
      qc-lora corpus list --json     what the store holds
    """


@command.command()
@click.option("--jobs", type=int, help="Backtests at a time; default all usable CPUs.")
@json_option
def build(jobs: int | None, as_json: bool) -> None:
    """Make the starter corpus; safe to repeat, nothing is added twice."""
    from qc_builder_lora.corpus_job import build_starter
    from qc_builder_lora.progress import show_progress

    settings, store = opened()
    with store:
        report = build_starter(settings, store, show_progress, jobs=jobs)
    if as_json:
        say_json(report)
        return
    click.echo(
        f"{report['in']} drawn, {report['kept']} compile, run and trade, {report['new']} new"
    )
    for reason, count in sorted(report["stopped"].items()):
        click.echo(f"  stopped: {reason}  {count}")


@command.command()
@json_option
def families(as_json: bool) -> None:
    """List the families, their themes, and in how many ways each can be asked for."""
    from qc_builder_lora.harvest.corpus.families import FAMILIES

    rows = [(f.name, f.theme, len(f.phrasings)) for f in FAMILIES.values()]
    if as_json:
        say_json([dict(zip(("family", "theme", "phrasings"), row, strict=True)) for row in rows])
        return
    table(("family", "theme", "phrasings"), rows)


@command.command("list")
@json_option
def list_examples(as_json: bool) -> None:
    """Count the examples in the store by source and family."""
    _, store = opened()
    counts: dict[tuple[str, str], int] = {}
    with store:
        for example in store.examples.each():
            key = (example.source, example.family)
            counts[key] = counts.get(key, 0) + 1
    rows = [(*key, count) for key, count in sorted(counts.items())]
    if as_json:
        say_json([{"source": s, "family": f, "examples": n} for s, f, n in rows])
        return
    table(("source", "family", "examples"), rows)


@command.command("hold-out")
@click.option("--count", default=24, show_default=True, help="Prompts to write.")
@click.option("--offset", default=1, show_default=True, help="Another number, other prompts.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A .jsonl file.")
def hold_out(count: int, offset: int, out: Path) -> None:
    """Write an evaluation suite: prompts whose parameters the corpus will then keep clear of.

    \b
    Example:
      qc-lora corpus hold-out --count 24 --out eval/suites/mine.jsonl
    """
    from qc_builder_lora.backtest.simulator import Simulator
    from qc_builder_lora.config import load_settings
    from qc_builder_lora.corpus_job import sample_bars
    from qc_builder_lora.files import write_text
    from qc_builder_lora.harvest.corpus.starter import held_out_prompts, load_manifest

    settings = load_settings()
    engine = Simulator(sample_bars(settings), allow_open_sandbox=settings.allow_open_sandbox)
    engine.check_sandbox()
    prompts: list[dict[str, Any]] = held_out_prompts(
        load_manifest(), engine, count, offset, settings.usable_jobs
    )
    write_text(out, "".join(json.dumps(prompt) + "\n" for prompt in prompts))
    click.echo(f"{out}: {len(prompts)} prompts of {len({p['family'] for p in prompts})} families")
