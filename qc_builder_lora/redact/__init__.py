"""Secrets and personal traces taken out of a text before it is stored.

`formed` finds what has a form of its own (tokens, key blocks), `named` what a name before it gives
away (`password = "hunter2"`), `personal` traces of a person (e-mail, the home folder, accounts).
What was found once in a text is taken out of it everywhere. Each find becomes a word of its kind,
`REDACTED_…` (a number becomes 0), so that code and JSON parse to trees of the same shape, and is
counted. Kept, as no secrets: hashes said to be hashes, ids of 32 or 40 hexadecimal digits, UUIDs,
numbers, IP addresses, names of people. A secret without form, name or randomness is not found.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from qc_builder_lora.redact.find import Find, joined
from qc_builder_lora.redact.formed import KINDS as FORMED_KINDS
from qc_builder_lora.redact.formed import formed_in
from qc_builder_lora.redact.looks import looks_random
from qc_builder_lora.redact.named import KIND as NAMED
from qc_builder_lora.redact.named import named_in
from qc_builder_lora.redact.names import sort_of
from qc_builder_lora.redact.personal import personal_in
from qc_builder_lora.redact.strung import strung_in

_MARK = "REDACTED_"
_HELPFUL = frozenset({"home_folder", "email", "phone", "account_id", "hex_token", "random_text"})
_FIGURES = re.compile(r"[\d.,%$:+ -]{0,40}|\w{0,5}")
_MOST_AGAIN = 50
_SHORT, _LONG = 200, 32_768
"""Characters. Names of figures come a hundred thousand times, a strategy's code two or three times
one after the other: what was found in them is remembered, in a few megabytes."""
_QUOTED = re.compile(r"(?<=[\"'`])[A-Za-z0-9+/_=.~-]{20,128}(?=[\"'`\\])")


def found_in(text: str) -> list[Find]:
    """What is to be taken out of a text, in order and apart."""
    if len(text) > _LONG:
        return _found(text)
    return list(_found_short(text) if len(text) <= _SHORT else _found_long(text))


@lru_cache(8192)
def _found_short(text: str) -> tuple[Find, ...]:
    return tuple(_found(text))


@lru_cache(128)
def _found_long(text: str) -> tuple[Find, ...]:
    return tuple(_found(text))


def _found(text: str) -> list[Find]:
    finds = [
        find
        for source in (formed_in, strung_in, named_in, personal_in, _random)
        for find in source(text)
        if _MARK not in text[find.start : find.end] or find.word
    ]
    if not finds:
        return []
    kinds: dict[str, str] = {}
    for find in finds:
        kinds.setdefault(text[find.start : find.end], find.kind)
    # The same secret becomes the same word wherever it stands, so that code stays what it was.
    found = joined([*finds, *_again(text, finds)])
    return [one._replace(kind=kinds.get(text[one.start : one.end], one.kind)) for one in found]


def _random(text: str) -> Iterator[Find]:
    """Texts in quotes that look drawn at random, whatever they are called."""
    for match in _QUOTED.finditer(text):
        before = text[max(0, match.start() - 24) : match.start()]
        if looks_random(match[0], least=20) and "sha" not in before and "base64" not in before:
            yield Find(match.start(), match.end(), "random_text")


def _again(text: str, finds: list[Find]) -> Iterator[Find]:
    """Where else in the text the same secrets stand: printed, in a message, without their name."""
    words: dict[str, str] = {}
    for find in finds:
        word = text[find.start : find.end]
        if len(words) < _MOST_AGAIN and _worth(word, find):
            words.setdefault(word, find.kind)
    if not words:
        return
    longest = sorted(words, key=len, reverse=True)
    pattern = "|".join(map(re.escape, longest))
    for match in re.finditer(rf"(?<![A-Za-z0-9_])(?:{pattern})(?![A-Za-z0-9_(=])", text):
        yield Find(match.start(), match.end(), words[match[0]])


def _worth(word: str, find: Find) -> bool:
    if find.kind in ("home_folder", "email", "phone", "private_key") or find.word is not None:
        return False
    odd = any(letter.isdigit() for letter in word) or not word.isalnum()
    return 6 <= len(word) <= 512 and "\n" not in word and odd


def for_a_message(text: str) -> str:
    """A message without keys and passwords; it may name hashes, files and accounts, which help."""
    finds = found_in(text)
    for find in reversed(finds):
        if find.kind not in _HELPFUL:
            text = text[: find.start] + _MARK + find.kind.upper() + text[find.end :]
    return text


@dataclass
class Redactor:
    """Redacts text after text and counts what it found, by kind."""

    counts: Counter[str] = field(default_factory=Counter)

    def text(self, text: str) -> str:
        """The text without what was found."""
        finds = found_in(text)
        if not finds:
            return text
        parts, at = [], 0
        for find in finds:
            self.counts[find.kind] += 1
            word = find.word if find.word is not None else _MARK + find.kind.upper()
            parts += [text[at : find.start], word]
            at = find.end
        return "".join([*parts, text[at:]])

    def mapping(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """As `value`, for an object."""
        return dict(self.value(dict(value)))

    def optional(self, text: str | None) -> str | None:
        """The same for a text that may be missing."""
        return None if text is None else self.text(text)

    def value(self, value: Any) -> Any:
        """A JSON value with all its texts redacted; what stands under a secret's name, wholly."""
        if isinstance(value, str):
            return value if _FIGURES.fullmatch(value) else self.text(value)
        if isinstance(value, dict):
            return {self.value(key): self._under(key, part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(part) for part in value]
        return value

    def _under(self, key: Any, part: Any) -> Any:
        if not isinstance(key, str) or not isinstance(part, str | int) or isinstance(part, bool):
            return self.value(part)
        clean = self.value(part)
        if clean != part or sort_of(key) is None:
            return clean
        return self._as_written(key, part)

    def _as_written(self, key: str, part: str | int) -> Any:
        """What would be found if the pair were written down."""
        shown = str(part).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        written = f'"{key}": "{shown}"' if isinstance(part, str) else f'"{key}": {part}'
        finds = [find for find in named_in(written) if find.start > len(key) + 2]
        if not finds:
            return part
        self.counts[finds[0].kind] += 1
        return 0 if isinstance(part, int) else _MARK + finds[0].kind.upper()


KINDS = tuple(
    dict.fromkeys(
        (*FORMED_KINDS, NAMED, "account_id", "home_folder", "email", "phone", "random_text")
    )
)
__all__ = ["KINDS", "Find", "Redactor", "for_a_message", "found_in"]
