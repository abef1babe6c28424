"""Alphas as candidates for the corpus: a strategy for each, and a way of asking for it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from string import Template
from typing import Any

from qc_builder_lora.errors import InputError
from qc_builder_lora.harvest.corpus.alphas.evaluate import inputs
from qc_builder_lora.harvest.corpus.alphas.lean import WEIGHTINGS, Trading, strategy
from qc_builder_lora.harvest.corpus.alphas.market import Market
from qc_builder_lora.harvest.corpus.alphas.panel import Listing
from qc_builder_lora.harvest.corpus.alphas.tree import Expr
from qc_builder_lora.harvest.corpus.alphas.wording import in_words, theme
from qc_builder_lora.harvest.corpus.candidate import Candidate
from qc_builder_lora.harvest.corpus.family import Frame, draw_frame

STYLES: Mapping[str, str] = {
    "terse": "Alpha $formula on $list, $weighting, daily.",
    "words": "Every day weigh $spoken by $words. $Rule",
    "request": (
        "Write a QuantConnect algorithm that trades the formulaic alpha $formula on $spoken. "
        "$Rule Rebalance daily."
    ),
    "specification": (
        "title: $title\n"
        "description: >-\n  Weigh the symbols by $words.\n"
        'alpha: "$formula"\n'
        "symbols: [$list]\nweighting: $weighting\nrebalance: daily"
    ),
    "research note": (
        "Research note: $words seems to tell which symbols do better than others. "
        "Formula: $formula. Implement it in LEAN for $spoken. $Rule"
    ),
    "points": (
        "- universe: $list\n- signal: $formula\n- weights: $weighting, proportional to the "
        "signal less its mean\n- resolution: daily\n- rebalancing: after every close"
    ),
    "question": "How do I trade $formula across $spoken in LEAN, $weighting and rebalanced daily?",
    "definition": (
        "signal = $formula, where rank is across symbols and all other functions with a number "
        "look back that many days. Build a daily strategy on $spoken from it. $Rule"
    ),
}
"""Ways to ask for one alpha, from one terse line to a specification as a builder writes it."""

_RULES = {
    "dollar-neutral": "Dollar-neutral: weights proportional to the signal less its mean.",
    "long-only": "Long only: weights proportional to what the signal is above its mean.",
}
_DAYS_A_YEAR = 252


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where alphas come from, as every Example of theirs says it."""

    source: str
    licence: str
    version: str


def candidate(
    node: Expr, number: int, market: Market, origin: Origin, **parameters: Any
) -> Candidate:
    """The alpha on tickers, dates and cash drawn for it; InputError where it cannot be traded.

    The draw depends on the formula alone, so that the same one is always asked for alike; the style
    goes round with the number.
    """
    source = random.Random(f"{origin.source}/{node}")
    weighting = market.weighting or source.choice(WEIGHTINGS)
    tickers = _tickers(node, market, source)
    frame = _frame(market, source, len(tickers))
    style = list(STYLES)[number % len(STYLES)]
    about = theme(node)
    trading = Trading(
        tickers=tickers,
        start=frame.start,
        end=frame.end,
        cash=frame.cash,
        weighting=weighting,
        class_name=_camel(about),
        listings=market.listings,
        conventions=market.conventions,
    )
    return Candidate(
        instruction=_asked(node, style, tickers, weighting)
        + _given(node, tickers, market, as_lines=_in_lines(style))
        + frame.said(as_lines=_in_lines(style)),
        code=strategy(node, trading),
        family=f"alpha_{about}",
        source=origin.source,
        licence=origin.licence,
        version=origin.version,
        style=style,
        parameters={
            "alpha": str(node), "tickers": list(tickers), "weighting": weighting, **parameters,
        },
    )  # fmt: skip


def candidates(
    nodes: Sequence[Expr], market: Market, origin: Origin
) -> Iterator[Candidate | InputError]:
    """One each, in order; the error in place of an alpha that cannot be traded here."""
    for number, node in enumerate(nodes):
        try:
            yield candidate(node, number, market, origin)
        except InputError as error:
            yield error


def _in_lines(style: str) -> bool:
    return "\n" in STYLES[style]


def _asked(node: Expr, style: str, tickers: Sequence[str], weighting: str) -> str:
    return Template(STYLES[style]).substitute(
        formula=str(node),
        words=in_words(node),
        title=_title(theme(node)),
        list=", ".join(tickers),
        spoken=f"{', '.join(tickers[:-1])} and {tickers[-1]}",
        weighting=weighting,
        Rule=_RULES[weighting],
    )


def _given(node: Expr, tickers: Sequence[str], market: Market, *, as_lines: bool) -> str:
    """The groups and shares that the code holds: nobody could know them from the formula."""
    text = ""
    for name in sorted(inputs(node)):
        if name == "cap":
            what = "shares outstanding"
            values = [f"{market.listings[ticker].shares:.0f}" for ticker in tickers]
        elif "." in name:
            what = name.partition(".")[2]
            values = [market.listings[ticker].groups[what] for ticker in tickers]
        else:
            continue
        pairs = ", ".join(f"{t}: {value}" for t, value in zip(tickers, values, strict=True))
        text += f"\n{what}: {{{pairs}}}" if as_lines else f" {what.capitalize()}: {pairs}."
    return text


def _title(about: str) -> str:
    return f"{about.replace('_', ' ').capitalize()} alpha"


def _camel(about: str) -> str:
    return "".join(word.capitalize() for word in about.split("_")) + "Alpha"


def _tickers(node: Expr, market: Market, source: random.Random) -> list[str]:
    """Tickers at random; for an alpha that looks at groups, two at least of each group."""
    needed = inputs(node)
    known = [t for t in market.tickers if _is_listed(market.listings.get(t), needed)]
    if len(known) < 2:
        lacking = ", ".join(sorted(n for n in needed if n == "cap" or "." in n))
        raise InputError(
            f"{lacking} needs a classification of two tickers at least. Give one with "
            "--classification FILE."
        )
    least, most = market.symbols
    count = min(source.randint(least, most), len(known))
    levels = sorted(name.partition(".")[2] for name in needed if "." in name)
    if not levels:
        return source.sample(known, count)
    return _in_groups(known, market, levels, count, source)


def _is_listed(listing: Listing | None, needed: set[str]) -> bool:
    levels = {name.partition(".")[2] for name in needed if "." in name}
    listing = listing or Listing()
    return levels <= set(listing.groups) and ("cap" not in needed or listing.shares is not None)


def _in_groups(
    known: Sequence[str], market: Market, levels: Sequence[str], count: int, source: random.Random
) -> list[str]:
    """Whole groups of the finest level, until there are enough."""
    finest = next(level for level in ("subindustry", "industry", "sector") if level in levels)
    groups: dict[str, list[str]] = {}
    for ticker in known:
        groups.setdefault(market.listings[ticker].groups[finest], []).append(ticker)
    names = sorted(name for name, members in groups.items() if len(members) > 1)
    source.shuffle(names)
    found: list[str] = []
    for name in names:
        found += source.sample(groups[name], min(len(groups[name]), 3))
        if len(found) >= count:
            break
    if len(found) < 2:
        raise InputError(
            f"IndClass.{finest} has no group with two of {', '.join(known)}: what is left after "
            "its mean is nothing. Give a classification with larger groups."
        )
    return found


def _frame(market: Market, source: random.Random, symbols: int) -> Frame:
    """Dates within the market's years, so few that daily orders stay below its limit."""
    frame = draw_frame(source, market.years, market.cash, market.default_cash)
    longest = max(1, market.most_orders // (symbols * _DAYS_A_YEAR))
    first = max(frame.start.year, market.years[0])
    last = min(frame.end.year, market.years[1], first + longest - 1)
    if (first, last) == (frame.start.year, frame.end.year):
        return frame
    # A request that says nothing of dates cannot have others than the usual ones.
    wording = frame.wording if frame.wording in (1, 2, 4) else 2 if frame.wording else 1
    return Frame(start=date(first, 1, 1), end=date(last, 12, 31), cash=frame.cash, wording=wording)
