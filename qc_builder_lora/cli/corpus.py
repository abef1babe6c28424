"""qc-lora corpus: examples of our own, executed before they count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qc_builder_lora.cli import corpus_public, corpus_sources
from qc_builder_lora.cli.common import F, jobs_option, json_option, opened, say_json, table, writing

if TYPE_CHECKING:
    from qc_builder_lora.corpus_job import AlphaOptions


@click.group("corpus")
def command() -> None:
    """Examples of our own: strategy families with parameters, and ways to ask for them.

    \b
    Examples:
      qc-lora corpus build                      draw, execute and keep the starter corpus
      qc-lora corpus build --manifest full      all families, alphas, pairs: longer
      qc-lora corpus add alphas --count 200     formulaic alphas of our own
      qc-lora corpus add worldquant --paper 1601.00991.pdf
      qc-lora corpus add qc-docs                examples of QuantConnect's documentation
      qc-lora corpus add lean --checkout DIR    LEAN's own algorithms
      qc-lora corpus add folder DIR --licence SPDX
      qc-lora corpus add fixes --count 500      broken code with its error, and how it is mended
      qc-lora corpus add changes --count 400    code, what shall be different, and the whole file
      qc-lora corpus families                   what there is
      qc-lora corpus list --json                what the store holds
      qc-lora corpus sources                    what came of each source
    """


command.add_command(corpus_sources.command)


@command.command()
@click.option(
    "--manifest",
    default="starter",
    show_default=True,
    help="A file of harvest/corpus: starter, full, or one of your own.",
)
@jobs_option
@json_option
def build(manifest: str, jobs: int | None, as_json: bool) -> None:
    """Make the corpus that a manifest describes; safe to repeat, nothing is added twice.

    \b
    Examples:
      qc-lora corpus build
      qc-lora corpus build --manifest full --jobs 2
    """
    from qc_builder_lora.corpus_job import build_corpus
    from qc_builder_lora.progress import show_progress

    settings, store = opened()
    with store:
        funnels = build_corpus(settings, store, show_progress, manifest, jobs=jobs)
    _say_funnels([funnel.plain() for funnel in funnels], as_json)


@command.command()
@json_option
def families(as_json: bool) -> None:
    """List the families, their themes, and in how many ways each can be asked for.

    \b
    Example:
      qc-lora corpus families
    """
    from qc_builder_lora.harvest.corpus.alphas.examples import STYLES
    from qc_builder_lora.harvest.corpus.alphas.wording import THEMES
    from qc_builder_lora.harvest.corpus.families import FAMILIES

    rows = [(f.name, f.theme, len(f.phrasings)) for f in FAMILIES.values()]
    rows += [(f"alpha_{name}", "formulaic alpha", len(STYLES)) for name in THEMES]
    if as_json:
        say_json([dict(zip(("family", "theme", "phrasings"), row, strict=True)) for row in rows])
        return
    table(("family", "theme", "phrasings"), rows)


@command.group("add")
def add() -> None:
    """Add public knowledge: each source is a command, and safe to repeat.

    Every example is executed before it counts, and says its source, licence and version.

    \b
    Examples:
      qc-lora corpus add alphas --count 200
      qc-lora corpus add folder strategies --licence Apache-2.0
    """


add.add_command(corpus_public.qc_docs)
add.add_command(corpus_public.lean)
add.add_command(corpus_public.folder)


def _alpha_options(function: F) -> F:
    """The options that both kinds of alphas take."""
    path = click.Path(path_type=Path)
    for option in (
        click.option("--data", type=path, help="A LEAN data folder; default the one in force."),
        click.option("--tickers", help="Only these, with commas; default those of the folder."),
        click.option(
            "--classification",
            type=path,
            help="CSV: ticker, sector, industry, subindustry, shares.",
        ),
        click.option(
            "--weighting",
            type=click.Choice(["dollar-neutral", "long-only"]),
            help="How a signal becomes weights; default now one, now the other.",
        ),
        click.option(
            "--adv",
            type=click.Choice(["dollars", "shares"]),
            default="dollars",
            show_default=True,
            help="What adv20 is; see: qc-lora alpha ambiguities",
        ),
        jobs_option,
        json_option,
    ):
        function = option(function)
    return function


@add.command()
@click.option(
    "--paper", type=click.Path(path_type=Path), help="The PDF; default it is fetched from arXiv."
)
@click.option(
    "--partial", is_flag=True, help="Take what can be read of a copy that has not all 101."
)
@_alpha_options
def worldquant(paper: Path | None, partial: bool, as_json: bool, **options: Any) -> None:
    """The 101 alphas of "101 Formulaic Alphas" (arXiv:1601.00991), from your copy of the paper.

    The paper keeps the rights to its formulas: their examples are marked
    LicenseRef-WorldQuant-paper and stay out of a snapshot unless you ask for them there.

    A PDF that has not all of them is refused with the numbers that it lacks; --partial takes the
    others and says the same numbers.

    \b
    Examples:
      qc-lora corpus add worldquant --paper 1601.00991.pdf --weighting dollar-neutral
      qc-lora corpus add worldquant --paper half.pdf --partial
    """
    from qc_builder_lora.corpus_job import add_worldquant
    from qc_builder_lora.progress import show_progress

    settings, store = opened()
    with store:
        funnel = add_worldquant(
            settings, store, show_progress, paper, _chosen(options), partial=partial
        )
    _say_funnels([funnel.plain()], as_json)


@add.command()
@click.option("--count", type=click.IntRange(1), default=200, show_default=True, help="How many.")
@click.option("--seed", default=1, show_default=True, help="Another number, other alphas.")
@_alpha_options
def alphas(count: int, seed: int, as_json: bool, **options: Any) -> None:
    """Alphas of our own in the paper's language, drawn at random: Apache-2.0, as many as you like.

    The same seed draws the same ones; a larger count adds to them.

    \b
    Example:
      qc-lora corpus add alphas --count 500 --seed 7
    """
    from qc_builder_lora.corpus_job import add_own_alphas
    from qc_builder_lora.progress import show_progress

    settings, store = opened()
    with store:
        funnel = add_own_alphas(settings, store, show_progress, count, seed, _chosen(options))
    _say_funnels([funnel.plain()], as_json)


@add.command()
@click.option(
    "--count",
    type=click.IntRange(0),
    default=300,
    show_default=True,
    help="Examples of the store to break; 0 takes the builds alone.",
)
@click.option("--seed", default=1, show_default=True, help="Another number, other mistakes.")
@click.option(
    "--data", type=click.Path(path_type=Path), help="A LEAN data folder; default the corpus' own."
)
@jobs_option
@json_option
def fixes(count: int, seed: int, data: Path | None, jobs: int | None, as_json: bool) -> None:
    """Error-fix pairs: code that fails, with its message, and the code that does not.

    From builders: an answer that failed, with the message that was recorded, and the accepted one
    that came after it. And from the store's executed examples: broken with a seed in ways that
    models break code (qc-lora corpus mistakes lists them), kept only where the checker or the
    engine does refuse them; their own words stand in the question.

    \b
    Example:
      qc-lora corpus add fixes --count 500 --seed 7
    """
    from qc_builder_lora.corpus_job import add_fixes
    from qc_builder_lora.progress import show_progress

    settings, store = opened()
    with store:
        funnels = add_fixes(settings, store, show_progress, count, seed, data=data, jobs=jobs)
    _say_funnels([funnel.plain() for funnel in funnels], as_json)


@add.command()
@click.option(
    "--count", type=click.IntRange(1), default=400, show_default=True, help="Examples to change."
)
@click.option("--seed", default=1, show_default=True, help="Another number, other changes.")
@jobs_option
@json_option
def changes(count: int, seed: int, jobs: int | None, as_json: bool) -> None:
    """Change pairs: a strategy, what shall be different in it, and the whole file afterwards.

    Of the store's executed examples of our families (qc-lora corpus changes lists the kinds of
    changes). Kept only where both codes compile, run and trade, their orders differ, the answer
    has what was asked for and the code in the question has not.

    \b
    Example:
      qc-lora corpus add changes --count 400 --seed 1
    """
    from qc_builder_lora.corpus_job import add_changes
    from qc_builder_lora.progress import show_progress

    settings, store = opened()
    with store:
        funnel = add_changes(settings, store, show_progress, count, seed, jobs=jobs).plain()
    _say_funnels([funnel], as_json)
    if as_json:
        return
    if not funnel["in"]:
        click.echo("there is no example of our families. Make some with: qc-lora corpus build")
    else:
        click.echo(
            f"{funnel['fits']} of {funnel['kept']} are short enough for 1,024 tokens of question "
            "and answer"
        )


@command.command("changes")
@json_option
def change_kinds(as_json: bool) -> None:
    """List the kinds of changes that change pairs are made of.

    \b
    Example:
      qc-lora corpus changes
    """
    from qc_builder_lora.harvest.corpus.changes.kinds import KINDS

    rows = [(kind.name, kind.about) for kind in KINDS.values()]
    if as_json:
        say_json([dict(zip(("change", "what"), row, strict=True)) for row in rows])
        return
    table(("change", "what"), rows)


@command.command()
@json_option
def mistakes(as_json: bool) -> None:
    """List the mistakes that error-fix pairs are made of, and where each is meant to show.

    \b
    Example:
      qc-lora corpus mistakes
    """
    from qc_builder_lora.harvest.corpus.fixes.kinds import MUTATIONS
    from qc_builder_lora.harvest.corpus.fixes.mutation import Stage

    rows = [
        (one.name, ", ".join(stage for stage in Stage if stage in one.meant), one.about)
        for one in MUTATIONS.values()
    ]
    if as_json:
        say_json([dict(zip(("mistake", "shows", "what"), row, strict=True)) for row in rows])
        return
    table(("mistake", "shows", "what"), rows)


def _chosen(options: dict[str, Any]) -> AlphaOptions:
    from qc_builder_lora.corpus_job import AlphaOptions

    names = [name.strip() for name in (options.pop("tickers") or "").split(",")]
    return AlphaOptions(tickers=[name for name in names if name], **options)


def _say_funnels(plain: list[dict[str, Any]], as_json: bool) -> None:
    """One line a source: how many came in and how far they got; and what stopped the others."""
    if as_json:
        say_json(plain[0] if len(plain) == 1 else plain)
        return
    for steps in (
        ("source", "in", "parsed", "compiles", "runs", "trades", "kept", "new"),
        ("source", "in", "failed", "kept", "new"),
        ("source", "in", "proven", "kept", "fits", "new"),
    ):
        rows = [[one[step] for step in steps] for one in plain if steps[2] in one]
        if rows:
            table(steps, rows)
    for one in plain:
        for reason, count in one["stopped"].items():
            click.echo(f"  {one['source']} stopped: {reason}  {count}")
        if "lacking" in one:
            click.echo(f"  {one['source']} lacks: {one['lacking']}")


@command.command("list")
@json_option
def list_examples(as_json: bool) -> None:
    """Count the examples in the store by source and family.

    Not counted are those of an earlier wording: their source asks for the same code in other words
    today. Snapshots built before still have them.

    \b
    Example:
      qc-lora corpus list
    """
    from qc_builder_lora.harvest.corpus.wording import EarlierWordings

    _, store = opened()
    counts: dict[tuple[str, str], int] = {}
    with store:
        earlier = EarlierWordings(store)
        for example in store.examples.each():
            if earlier.has(example):
                continue
            key = (example.source, example.family)
            counts[key] = counts.get(key, 0) + 1
    rows = [(*key, count) for key, count in sorted(counts.items())]
    if as_json:
        say_json([{"source": s, "family": f, "examples": n} for s, f, n in rows])
        return
    table(("source", "family", "examples"), rows)


@command.command("hold-out")
@click.option(
    "--count", type=click.IntRange(1), default=24, show_default=True, help="Prompts to write."
)
@click.option("--offset", default=1, show_default=True, help="Another number, other prompts.")
@click.option("--manifest", default="starter", show_default=True, help="Of harvest/corpus.")
@click.option("--reserved", is_flag=True, help="Ask for the families kept for evaluation too.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A .jsonl file."
)
def hold_out(count: int, offset: int, manifest: str, reserved: bool, out: Path) -> None:
    """Write an evaluation suite: prompts whose parameters the corpus will then keep clear of.

    \b
    Examples:
      qc-lora corpus hold-out --count 24 --out eval/suites/mine.jsonl
      qc-lora corpus hold-out --count 200 --manifest full --reserved --out eval/suites/wide.jsonl
    """
    from dataclasses import replace

    from qc_builder_lora.backtest.simulator import Simulator
    from qc_builder_lora.config import load_settings
    from qc_builder_lora.corpus_job import sample_bars
    from qc_builder_lora.files import write_text
    from qc_builder_lora.harvest.corpus.starter import held_out_prompts, load_manifest

    settings = load_settings()
    engine = Simulator(sample_bars(settings), allow_open_sandbox=settings.allow_open_sandbox)
    engine.check_sandbox()
    chosen = load_manifest(manifest)
    chosen = replace(chosen, without=()) if reserved else chosen
    prompts: list[dict[str, Any]] = held_out_prompts(
        chosen, engine, count, offset, settings.usable_jobs
    )
    with writing(out):
        write_text(out, "".join(json.dumps(prompt) + "\n" for prompt in prompts))
    click.echo(f"{out}: {len(prompts)} prompts of {len({p['family'] for p in prompts})} families")
