"""qc-lora harvest gates and harvest explain: ask what may teach, and see what stopped the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from qc_builder_lora.cli.common import json_option, opened, say_json, writing


@click.command("gates")
@click.option("--jobs", type=click.IntRange(0), default=0, help="Backtests at a time; 0: all CPUs.")
@json_option
def ask_gates(jobs: int, as_json: bool) -> None:
    """Ask the gates about every strategy that is not decided yet; no training.

    What is decided under today's harvest/gates.toml, engine, checker and market data is not asked
    again; stopped in the middle, the next call goes on. Accepted strategies become examples.

    \b
    Examples:
      qc-lora harvest gates
      qc-lora harvest gates --json | jq .stopped
    """
    from qc_builder_lora.backtest.engines import ready_engine
    from qc_builder_lora.harvest.accept import make_examples
    from qc_builder_lora.harvest.gates import load_rules, run_gates
    from qc_builder_lora.progress import show_progress
    from qc_builder_lora.store.strategies import rung

    rules = load_rules()
    settings, store = opened()
    with store:
        engine: Any = ready_engine(settings)
        try:
            with show_progress("Gates", max(1, store.strategies.count())) as bar:
                report = run_gates(
                    store, engine, rules, cache=settings.cache_folder,
                    jobs=jobs or settings.usable_jobs, progress=bar,
                )  # fmt: skip
        finally:
            engine.close()
        made = make_examples(store, rules)
    if as_json:
        say_json({**report.plain(), "examples": made})
        return
    click.echo(f"{report.asked:,} asked, {report.accepted:,} accepted, {made:,} new examples")
    for name, counts in sorted(report.stopped.items(), key=lambda item: rung(item[0])):
        told = ", ".join(f"{number:,} {word}" for word, number in counts.items() if number)
        click.echo(f"  stopped at {name:<16} {told}")
    if report.waiting:
        click.echo(f"{report.waiting:,} UNKNOWN ones are asked again later")
    click.echo("why: qc-lora harvest explain, qc-lora strategy list, qc-lora strategy show ID")


@click.command("explain")
@click.option(
    "--reasons",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    help="Most reasons shown of each gate.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the funnel as one self-contained page too.",
)
@json_option
def explain_harvest(reasons: int, out: Path | None, as_json: bool) -> None:
    """The funnel: how many came in, how many stopped at each gate, and why.

    A gate in brackets is not on the line of harvest/gates.toml: it is asked of the accepted ones
    and stops nobody.

    \b
    Examples:
      qc-lora harvest explain
      qc-lora harvest explain --out funnel.html
      qc-lora harvest explain --reasons 20 --json
    """
    from qc_builder_lora.harvest.funnel import explain, rows
    from qc_builder_lora.harvest.rules import load_rules

    _, store = opened()
    with store:
        found = explain(store, load_rules())
    if out is not None:
        from qc_builder_lora.files import write_text
        from qc_builder_lora.harvest.funnel_page import page

        with writing(out):
            out.parent.mkdir(parents=True, exist_ok=True)
            write_text(out, page(found, reasons))
    if as_json:
        say_json(found.plain(reasons))
        return
    click.echo(
        f"{found.generations:,} answers came in: {found.without_code:,} without code, "
        f"{found.unparsable:,} that do not parse, {found.same_strategy:,} that an earlier one "
        f"equals; {found.strategies:,} strategies, {found.not_asked:,} not asked yet"
    )
    click.echo(f"{'gate':<18}{'reached':>9}{'PASS':>9}{'FAIL':>9}{'UNKNOWN':>9}")
    for step, row in zip(found.steps, rows(found), strict=True):
        click.echo(f"{row[0]:<18}" + "".join(f"{number:>9,}" for number in row[1:]))
        for reason, count in step.reasons.most_common(reasons):
            click.echo(f"      {count:>6,}  {reason}")
    click.echo(f"{found.accepted:,} accepted, {found.promising:,} of them promising")
    if out is not None:
        click.echo(str(out))
