"""In which manner an instruction wants it done: direction, size of the bars, kind of order.

A thing is missing only where the syntax tree shows that it is: where a quantity is computed, or a
resolution comes from elsewhere, nothing is held against the code. Sentences are not understood,
words are: what is negated within three words ("no limit orders") is not asked for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from qc_builder_lora.backtest.check.mentions import Mentions
from qc_builder_lora.backtest.check.reading import ORDERS
from qc_builder_lora.backtest.surface.alias import snake

_NEGATED = re.compile(
    r"\b(?:no|not|never|without|avoid|don'?t|cannot|instead of|rather than|neither|nor)\W+"
    r"(?:[\w']+\W+){0,2}$", re.I,
)  # fmt: skip
_SHORT = (
    r"\b(?:go(?:es|ing)?|turns?|flips?|be|is|stays?|opens? (?:a )?)[ -](?:\d+ ?% )?short\b"
    r"(?!er|[- ]?term)|\bsell(?:s|ing)? (?:it |them |(?-i:[A-Z]{1,5}) )?short\b|\bshort[- ]sell"
    r"|\bshort(?:s|ing)? (?:it|them|(?-i:[A-Z]{2,5}))\b|\blong (?:and|or) short\b|\blong[/-]short\b"
    r"|\ballow(?:s|ing)? short"
)
_LONG_ONLY = (
    r"\blong[- ]only\b|\bonly (?:go(?:es)? )?long\b|\b(?:no|without|never|not)(?: go| sell)? short"
    r"(?!er|[- ]?term)|\blong or flat\b|\blong[/-]flat\b"
)
_NOUN = r"[- ](?:bars?|candles?|candlesticks?|data|resolution|chart)\b"
_BARS = {
    "minute": rf"\bminutes?{_NOUN}|\bresolution:? *minute\b",
    "hourly": rf"\b(?:hourly|hours?){_NOUN}|\bresolution:? *hour",
    "daily": rf"\b(?:daily|days?){_NOUN}|\bresolution:? *daily\b",
}
_MADE_OF = {
    "minute": r"minute|second|tick",
    "hourly": r"hour|minute|second|tick|consolidat",
    "daily": r"daily|days|consolidat|calendar",
}
"""Size → what a code that has such bars, or makes them of smaller ones, mentions."""
_KINDS = {
    r"limit orders?": r"limit",
    r"stop[- ]limit orders?": r"stop_?limit",
    r"market[- ]on[- ]close|\bMOC\b": r"market_?on_?close",
    r"market[- ]on[- ]open|\bMOO\b": r"market_?on_?open",
}
_TARGETS = frozenset({"set_holdings", "portfolio_target"})
_ADDERS = re.compile(r"add_(?:equity|crypto|forex|cfd|future|index|data|security)$")


@dataclass(frozen=True)
class Manner:
    """One thing that was asked for, and where the code has it; no line where it has it not."""

    kind: str
    asked: str
    line: int | None


def manners(instruction: str, tree: ast.Module, source: Mentions) -> Iterator[Manner]:
    """What the instruction says of direction, bars and orders."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    if (asked := _asked(_LONG_ONLY, instruction, negated=True)) is not None:
        first = min((call.lineno for call in calls if not _is_short(call)), default=None)
        yield Manner("direction", asked, None if any(map(_is_short, calls)) else first)
    elif (asked := _asked(_SHORT, instruction)) is not None:
        yield Manner("direction", asked, _short_line(calls, source))
    for size, pattern in _BARS.items():
        if (asked := _asked(pattern, instruction)) is not None:
            yield Manner("bar size", asked, _bars_line(size, calls, source))
    for pattern, written in _KINDS.items():
        if (asked := _asked(pattern, instruction)) is not None:
            yield Manner("kind of order", asked, source.named(written))


def _asked(pattern: str, instruction: str, *, negated: bool = False) -> str | None:
    for match in re.finditer(pattern, instruction, re.I):
        if negated or not _NEGATED.search(instruction[: match.start()]):
            return match.group(0)
    return None


def _is_short(call: ast.Call) -> bool:
    """Whether it wants to hold less than nothing, for sure."""
    if snake(_name(call)) not in _TARGETS or len(call.args) < 2:
        return False
    share = call.args[1]
    return isinstance(share, ast.UnaryOp) and isinstance(share.op, ast.USub)


def _short_line(calls: list[ast.Call], source: Mentions) -> int | None:
    """The first line that sells short, or that orders a number which may be below zero."""
    named = source.named(r"short|sell|down|bearish")
    if named is not None:
        return named
    for call in calls:
        if snake(_name(call)) not in (*ORDERS, *_TARGETS) or _name(call).lower() == "liquidate":
            continue
        given = [*call.args[1:], *(one.value for one in call.keywords)]
        if not given or not _is_above_zero(given[0]):
            return call.lineno
    return None


def _is_above_zero(node: ast.expr) -> bool:
    """Whether it is a number of which everyone sees that it is not below zero."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mult | ast.Div):
        return _is_above_zero(node.left) and _is_above_zero(node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len":
        return True
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, int | float)
        and node.value >= 0
    )  # fmt: skip


def _bars_line(size: str, calls: list[ast.Call], source: Mentions) -> int | None:
    found = source.named(_MADE_OF[size])
    if found is not None or size == "daily":
        return found
    # LEAN's bars are of a minute where nothing is said.
    bare = (
        call.lineno
        for call in calls
        if _ADDERS.match(snake(_name(call))) and not _says_resolution(call)
    )
    return min(bare, default=None)


def _says_resolution(call: ast.Call) -> bool:
    named = any(one.arg == "resolution" for one in call.keywords)
    return named or len(call.args) > 1


def _name(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""
