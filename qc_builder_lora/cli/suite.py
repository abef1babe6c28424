"""qc-lora suite: the prompts that models are measured by, and that nothing is trained on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from qc_builder_lora.cli.common import facts, json_option, say_json, table, writing


@click.group("suite")
def command() -> None:
    """The prompts that models are measured by, and that nothing is trained on.

    \b
    Examples:
      qc-lora suite list
      qc-lora suite show golden
      qc-lora suite show golden --prompt losers-fix-1
      qc-lora suite build golden --check         is the file what its plan makes?
    """


@command.command("list")
@json_option
def list_suites(as_json: bool) -> None:
    """All suites that can be seen from here: prompts, families, how many have constraints.

    \b
    Example:
      qc-lora suite list
    """
    from qc_builder_lora.eval.suite import load_suite, suite_paths

    rows = []
    for path in suite_paths():
        prompts = load_suite(str(path)).prompts
        rows.append(
            {
                "suite": path.stem,
                "prompts": len(prompts),
                "families": len({one.family for one in prompts}),
                "reserved": sum(one.reserved for one in prompts),
                "constraints": sum(bool(one.constraints) for one in prompts),
                "file": str(path),
            }
        )
    if as_json:
        say_json(rows)
        return
    names = ("suite", "prompts", "families", "reserved", "constraints", "file")
    table(names, [[row[name] for name in names] for row in rows])


@command.command()
@click.argument("name")
@click.option("--prompt", help="One prompt, by its id: what it asks, its constraints, our answer.")
@json_option
def show(name: str, prompt: str | None, as_json: bool) -> None:
    """One suite by families and styles, or one prompt of it.

    \b
    Example:
      qc-lora suite show golden --prompt losers-fix-1
    """
    from qc_builder_lora.errors import NotFound
    from qc_builder_lora.eval.suite import load_suite

    suite = load_suite(name)
    if prompt is not None:
        found = next((one for one in suite.prompts if one.id == prompt), None)
        if found is None:
            raise NotFound("prompt", prompt, f"See: qc-lora suite show {name}",
                           [one.id for one in suite.prompts])  # fmt: skip
        if as_json:
            say_json({"id": found.id, "instruction": found.instruction, "answer": found.answer,
                      "constraints": [one.plain() for one in found.constraints]})  # fmt: skip
            return
        click.echo(found.instruction + "\n")
        facts([(one.kind, str(one.value)) for one in found.constraints])
        click.echo(f"\nour answer:\n\n{found.answer}" if found.answer else "\nno answer of ours")
        return
    families = Counter((one.family, one.reserved) for one in suite.prompts)
    styles = Counter(one.style or "plain" for one in suite.prompts)
    if as_json:
        say_json({"suite": suite.name, "sha256": suite.sha256, "styles": styles,
                  "families": {family: count for (family, _), count in families.items()},
                  "ids": [one.id for one in suite.prompts]})  # fmt: skip
        return
    rows = [(name, count, "reserved" if held else "") for (name, held), count in families.items()]
    table(("family", "prompts", ""), sorted(rows))
    click.echo()
    facts([("prompts", len(suite.prompts)), *sorted(styles.items()), ("sha256", suite.sha256)])


@command.command()
@click.argument("name")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to; default nowhere.",
)
@click.option("--check", is_flag=True, help="Compare with the suite of that name as it is now.")
def build(name: str, out: Path | None, check: bool) -> None:
    """Make a suite from its plan, eval/suites/NAME.yaml; every answer of ours is executed.

    The same plan gives the same bytes. Takes minutes; exit code 1 where --check finds a difference.

    \b
    Example:
      qc-lora suite build golden --check
    """
    from qc_builder_lora.backtest.simulator import Simulator
    from qc_builder_lora.config import load_settings
    from qc_builder_lora.corpus_job import sample_bars
    from qc_builder_lora.files import find_default, write_text
    from qc_builder_lora.progress import show_progress
    from qc_builder_lora.suite_job import by_backtest, suite_text

    if out is None and not check:
        raise click.UsageError("Say where to write (--out FILE), or --check.")
    settings = load_settings()
    engine = Simulator(sample_bars(settings), allow_open_sandbox=settings.allow_open_sandbox)
    engine.check_sandbox()
    text = suite_text(name, by_backtest(engine, settings.usable_jobs, show_progress))
    if out is not None:
        with writing(out):
            write_text(out, text)
        click.echo(f"{out}: {text.count(chr(10))} prompts")
    if check:
        path = find_default(f"eval/suites/{name}.jsonl")
        if path.read_text("utf-8") != text:
            click.echo(f"{path} is not what its plan makes", err=True)
            raise SystemExit(1)
        click.echo(f"{path} is what its plan makes, byte for byte")
