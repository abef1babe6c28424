"""What a mutation is: one mistake that models make, put into good code on purpose.

A mutation says where code with that mistake is meant to fail; whether it does is for `proof.py`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """Where broken code fails, in the order in which it is asked."""

    PARSE = "parse"
    COMPILE = "compile"
    RULES = "rules"
    """A rule of `qc-lora check` finds it, and does not find it in the good code."""
    RUN = "run"
    TRADES = "trades"
    """It runs to its end, and no order is filled."""


Rewrite = Callable[[str, random.Random], str | None]
"""The code with the mistake in it; None where there is no place for it."""


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """One kind of mistake."""

    name: str
    about: str
    """What was done wrong, as a clause."""
    meant: frozenset[Stage]
    """Where it is meant to fail; one that fails elsewhere, or not at all, is dropped."""
    rewrite: Rewrite
    rare: int = 1
    """How many times as likely it is taken where it has a place: more where few codes have one."""


def mutation(name: str, about: str, meant: str, rewrite: Rewrite, *, rare: int = 1) -> Mutation:
    """One kind; `meant` names stages with blanks between them."""
    stages = frozenset(map(Stage, meant.split()))
    return Mutation(name=name, about=about, meant=stages, rewrite=rewrite, rare=rare)


def one(pattern: str, *texts: str) -> Rewrite:
    """Rewrites one of the places that match, chosen by the seed, with one of the texts."""
    return _one_place(pattern, lambda place, source: place.expand(source.choice(texts)))


def every(pattern: str, *texts: str) -> Rewrite:
    """Rewrites all places that match, with one of the texts."""
    found = re.compile(pattern, re.MULTILINE)

    def rewrite(code: str, source: random.Random) -> str | None:
        if not found.search(code):
            return None
        return found.sub(source.choice(texts), code)

    return rewrite


def mapped(pattern: str, table: Mapping[str, str]) -> Rewrite:
    """Rewrites one of the places that match with what the table has for it."""
    return _one_place(pattern, lambda place, _: table[place[0]])


def _one_place(pattern: str, text: Callable[[re.Match[str], random.Random], str]) -> Rewrite:
    found = re.compile(pattern, re.MULTILINE)

    def rewrite(code: str, source: random.Random) -> str | None:
        places = list(found.finditer(code))
        if not places:
            return None
        place = source.choice(places)
        return code[: place.start()] + text(place, source) + code[place.end() :]

    return rewrite


def renamed(table: Mapping[str, Sequence[str]]) -> Rewrite:
    """Writes one of the table's names, wherever it stands, as one that does not exist."""

    def rewrite(code: str, source: random.Random) -> str | None:
        known = [name for name in table if re.search(rf"\.{re.escape(name)}\b", code)]
        if not known:
            return None
        name = source.choice(known)
        return re.sub(rf"\.{re.escape(name)}\b", f".{source.choice(table[name])}", code)

    return rewrite


def both(*rewrites: Rewrite) -> Rewrite:
    """One rewrite after the other; None where one of them finds no place."""

    def rewrite(code: str, source: random.Random) -> str | None:
        for step in rewrites:
            changed = step(code, source)
            if changed is None:
                return None
            code = changed
        return code

    return rewrite


def lines_of(code: str) -> list[str]:
    """The lines, each with its end."""
    return code.splitlines(keepends=True)


def initialize_of(code: str) -> tuple[int, int] | None:
    """Where the body of `initialize` begins and ends, in lines; None without one."""
    lines = lines_of(code)
    for first, line in enumerate(lines):
        if re.match(r"    def initialize\(self\):", line):
            last = first + 1
            while last < len(lines) and (
                not lines[last].strip() or lines[last].startswith(" " * 8)
            ):
                last += 1
            while not lines[last - 1].strip():
                last -= 1
            return first + 1, last
    return None
