"""qc-lora alpha: the language of formulaic alphas, one formula at a time."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from qc_builder_lora.cli.common import facts, json_option, say_json, table, writing

# `-1 * rank(close)` is a formula and no option.
_BEGINS_WITH_A_SIGN = {"ignore_unknown_options": True}


@click.group("alpha")
def command() -> None:
    """The language of formulaic alphas: what there is, and one formula as a LEAN strategy.

    \b
    Examples:
      qc-lora alpha functions
      qc-lora alpha ambiguities
      qc-lora alpha show "-1 * correlation(rank(open), rank(volume), 10)"
      qc-lora alpha compile "rank(delta(close, 5))" --tickers AAPL,IBM,MSFT --out main.py
    """


@command.command()
@json_option
def functions(as_json: bool) -> None:
    """List the inputs and functions, and what each means.

    \b
    Example:
      qc-lora alpha functions
    """
    from qc_builder_lora.harvest.corpus.alphas.language import FUNCTIONS, INPUTS, LEVELS

    rows = [(one.form, one.meaning) for one in FUNCTIONS.values()]
    rows += [*INPUTS.items(), ("adv20", "average daily dollar volume of 20 days; any days")]
    rows += [(f"IndClass.{level}", "a group, for indneutralize") for level in LEVELS]
    rows += [
        ("+ - * / ^", "arithmetic"), ("< > <= >= ==", "comparison, 1 or 0"),
        ("||", "or"), ("x ? y : z", "y where x, else z"),
    ]  # fmt: skip
    if as_json:
        say_json([{"word": word, "meaning": meaning} for word, meaning in rows])
        return
    table(("word", "meaning"), rows)


@command.command()
@json_option
def ambiguities(as_json: bool) -> None:
    """List what the paper leaves open, and how it is read here.

    \b
    Example:
      qc-lora alpha ambiguities
    """
    from qc_builder_lora.harvest.corpus.alphas.language import AMBIGUITIES

    if as_json:
        say_json([{"question": question, "reading": reading} for question, reading in AMBIGUITIES])
        return
    for question, reading in AMBIGUITIES:
        click.echo(f"{question}\n    {reading}")


@command.command(context_settings=_BEGINS_WITH_A_SIGN)
@click.argument("formula")
@json_option
def show(formula: str, as_json: bool) -> None:
    """Check a formula: its one spelling, normal form, words, and the bars it needs.

    \b
    Example:
      qc-lora alpha show "-1 * correlation(rank(open), rank(volume), 10)"
    """
    from qc_builder_lora.harvest.corpus.alphas.evaluate import bars_needed, inputs
    from qc_builder_lora.harvest.corpus.alphas.grammar import parse
    from qc_builder_lora.harvest.corpus.alphas.simplify import simplified
    from qc_builder_lora.harvest.corpus.alphas.wording import in_words

    tree = parse(formula)
    found = {
        "formula": str(tree),
        "normal form": str(simplified(tree)),
        "words": in_words(tree),
        "inputs": sorted(inputs(tree)),
        "daily bars needed": bars_needed(tree),
    }
    if as_json:
        say_json(found)
        return
    found["inputs"] = ", ".join(sorted(inputs(tree)))
    facts(list(found.items()))


@command.command("compile", context_settings=_BEGINS_WITH_A_SIGN)
@click.argument("formula")
@click.option("--tickers", required=True, help="Two at least, with commas.")
@click.option("--start", type=click.DateTime(["%Y-%m-%d"]), default="2006-01-01")
@click.option("--end", type=click.DateTime(["%Y-%m-%d"]), default="2012-12-31")
@click.option("--cash", type=click.IntRange(1), default=100000, show_default=True)
@click.option(
    "--weighting",
    type=click.Choice(["dollar-neutral", "long-only"]),
    default="dollar-neutral",
    show_default=True,
)
@click.option("--adv", type=click.Choice(["dollars", "shares"]), default="dollars")
@click.option(
    "--classification",
    type=click.Path(path_type=Path),
    help="CSV with ticker, sector, industry, subindustry, shares.",
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="A file; default it is printed."
)
def compile_formula(
    formula: str,
    tickers: str,
    start: datetime,
    end: datetime,
    classification: Path | None,
    adv: str,
    out: Path | None,
    **options: Any,
) -> None:
    """Write the LEAN strategy that trades a formula every day.

    \b
    Example:
      qc-lora alpha compile "rank(delta(close, 5))" --tickers AAPL,IBM,MSFT --out main.py
    """
    from qc_builder_lora.files import find_default, write_text
    from qc_builder_lora.harvest.corpus.alphas.evaluate import Conventions
    from qc_builder_lora.harvest.corpus.alphas.grammar import parse
    from qc_builder_lora.harvest.corpus.alphas.lean import Trading, strategy
    from qc_builder_lora.harvest.corpus.alphas.panel import read_listings

    table_file = classification or find_default("harvest/corpus/classification.csv")
    names = [name.strip().upper() for name in tickers.split(",") if name.strip()]
    code = strategy(
        parse(formula),
        Trading(
            tickers=list(dict.fromkeys(names)),
            start=start.date(),
            end=end.date(),
            listings=read_listings(table_file),
            conventions=Conventions(adv=adv),
            **options,
        ),
    )
    if out is None:
        click.echo(code, nl=False)
        return
    with writing(out):
        write_text(out, code)
    click.echo(f"{out}: {len(code.splitlines())} lines. Try it: qc-lora backtest {out}")
