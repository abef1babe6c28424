"""qc-lora corpus sources: what came of each source of the corpus."""

from __future__ import annotations

import click

from qc_builder_lora.cli.common import json_option, opened, say_json, table

_LONGEST = 100


@click.command("sources")
@click.option("--why", "source", help="What stopped the entries of this source, most first.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Of --why.")
@json_option
def command(source: str | None, limit: int, as_json: bool) -> None:
    """Each source: how many came in, and how many parse, compile, run, trade and are kept.

    `unknown` are those of which the checker or the engine could not say (market data that is not
    there, a part of LEAN that is not modelled); `not applicable` those that a rule left out before:
    C#, a copy, a part of a page. Neither counts as a failure of the code.

    \b
    Examples:
      qc-lora corpus sources
      qc-lora corpus sources --why qc-docs
      qc-lora corpus sources --json
    """
    from qc_builder_lora.harvest.corpus.standing import WAYS, standings

    if source is not None:
        _say_why(source, limit, as_json)
        return
    _, store = opened()
    with store:
        rows = [one.plain() for one in standings(store)]
    if as_json:
        say_json(rows)
        return
    steps = ("in", "parsed", "compiles", "runs", "trades", "kept", "unknown", "not applicable")
    headings = ("source", *steps, "licence", "version")
    table(headings, [[row[heading] for heading in headings] for row in rows])
    there = {row["source"] for row in rows}
    for name, way in WAYS.items():
        if name not in there:
            click.echo(f"  not added: {name}  ({way})")


def _say_why(source: str, limit: int, as_json: bool) -> None:
    from qc_builder_lora.errors import NotFound
    from qc_builder_lora.harvest.corpus.standing import reasons, standings

    _, store = opened()
    with store:
        known = {one.source for one in standings(store)}
        if source not in known:
            raise NotFound("source", source, "See them with: qc-lora corpus sources", known)
        found = reasons(store, source)[:limit]
    if as_json:
        names = ("stopped", "detail", "count")
        say_json([dict(zip(names, row, strict=True)) for row in found])
        return
    rows = [(reason, " ".join(detail.split())[:_LONGEST], n) for reason, detail, n in found]
    table(("stopped", "what was said", "count"), rows)
