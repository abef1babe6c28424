"""A place in a text that holds something to take out, and how such places become one answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Find(NamedTuple):
    """From `start` to `end`; `word` is what is written there, None for the kind's own word."""

    start: int
    end: int
    kind: str
    word: str | None = None


def joined(finds: Iterable[Find]) -> list[Find]:
    """In order and apart: where two overlap, the first that was found gives its kind."""
    kept: list[tuple[int, Find]] = []
    ranked = [(rank, find) for rank, find in enumerate(finds) if find.end > find.start]
    for rank, find in sorted(ranked, key=lambda item: (item[1].start, item[0])):
        if not kept or find.start >= kept[-1][1].end:
            kept.append((rank, find))
            continue
        before_rank, before = kept[-1]
        first = before if before_rank < rank else find
        end = max(before.end, find.end)
        kept[-1] = (min(rank, before_rank), Find(before.start, end, first.kind, first.word))
    return [find for _, find in kept]


def places(text: str, words: Iterable[str]) -> Iterator[int]:
    """Where any of these words begins, word after word."""
    for word in words:
        at = text.find(word)
        while at > -1:
            yield at
            at = text.find(word, at + 1)


def around(
    text: str, pattern: re.Pattern[str], near: Iterable[int], before: int, after: int
) -> Iterator[re.Match[str]]:
    """The matches near these places: each stretch of the text is read once, however many there are.

    A pattern that begins with a class of characters is slow everywhere and fast where it can match.
    """
    start = end = -1
    for place in sorted(near):
        if place - before > end:
            if end > -1:
                yield from pattern.finditer(text, start, end)
            start = max(0, place - before)
        end = place + after
    if end > -1:
        yield from pattern.finditer(text, start, end)


def lowered(text: str) -> str:
    """In lower case, letter for letter: a place in it is the same place in the text."""
    found = text.lower()
    return found if len(found) == len(text) else text.translate(_LOWER)


def is_edge(text: str, at: int, more: str = "") -> bool:
    """Whether no letter or digit (nor one of `more`) stands right before a place."""
    before = text[at - 1 : at]
    return not ((before.isascii() and before.isalnum()) or (before and before in more))


_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
