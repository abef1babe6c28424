"""What a value looks like: drawn at random, a stand-in for a secret, or just a word."""

from __future__ import annotations

import re
from itertools import pairwise

_ALPHABET = re.compile(r"[A-Za-z0-9+/_=.~-]+")
_HEX = re.compile(r"[0-9a-f]{16,}|[0-9A-F]{16,}")
_WORD = re.compile(r"[A-Za-z]?[a-z]{2,}|[A-Z]{2,6}|\d{1,8}|[A-Z]?[a-z]+\d{1,4}|[A-Za-z]")
_BETWEEN = re.compile(r"[_/.+=~-]+")
_SYLLABLES = re.compile(r"[A-Z]?[a-z]{3,}")
_STAND_IN = re.compile(
    r"(?i)^(?:<[^>]*>|\$\{?\w+[^}]*\}?|\{\{?[^{}]*\}?\}|%\(?\w*\)?s?|\.{2,}|[*x#?_•-]{3,}|"
    r"(?:\[|\()?(?:none|null|nil|undefined|true|false|empty|missing|hidden|redacted|removed|masked|"
    r"todo|tbd|n/?a|required|optional|invalid|incorrect|wrong|missing|expired|unknown|default|"
    r"string|str|int|integer|bool|bytes|text|object|any|number)(?:\]|\))?|"
    r".*your[_ -].*|your\w*|my[_-]?(?:api|secret|key|token|password)[\w-]*|"
    r"(?:enter|insert|put|replace|set|use|add|paste|fill|change)[_ -]?.*"
    r"(?:here|this|me|key|token|password|secret|with|in)|"
    r"[\w-]{0,20}(?:\.{3}|…|\*{2,}|x{6,})|.*\bhere|(?:dummy|fake|sample|placeholder)(?:[_ -].*)?)$"
)
_SCHEME = re.compile(r"(?i)^(?:basic|bearer|token|digest)\s+")
_FILE = re.compile(
    r"(?i)^[\w~./\\: -]{0,200}\.(?:pem|json|key|txt|ya?ml|toml|env|cfg|ini|p12|crt|csv|py)$"
)
_ROUTE = re.compile(r"/[a-z_-]{1,40}/?")
_PATH = re.compile(r"(?:~|\.{1,2})?(?:/[\w.-]{1,80}){2,20}/?")
_DATE = re.compile(r"\d{4}-?\d{2}-?\d{2}(?:[T ].*)?")


def looks_random(value: str, *, least: int = 16, upper: bool = True) -> bool:
    """Letters of both cases (where `upper`) and digits, mixed as no word or name mixes them."""
    if not least <= len(value) <= 512 or not _ALPHABET.fullmatch(value) or _DATE.fullmatch(value):
        return False
    parts = [part for part in _BETWEEN.split(value) if part and not _WORD.fullmatch(part)]
    # Long parts only: `Qwen/Qwen2.5-Coder-7B` and `L-` before a number of a deployment are names.
    mixed = [part for part in parts if len(part) >= min(least, 16) and _mixed(part, upper)]
    if mixed:
        return True
    # Drawn from an alphabet with - and _ in it, it falls into short parts of all classes.
    short = len(parts) > 1 and sum(map(len, parts)) >= 0.8 * len(value) >= 24
    return short and _mixed("".join(parts), upper) and not any(map(_HEX.fullmatch, parts))


def _mixed(part: str, upper: bool) -> bool:
    digits = sum(letter.isdigit() for letter in part)
    if not digits or digits == len(part) or not any(letter.islower() for letter in part):
        return False
    if upper and not any(letter.isupper() for letter in part):
        return False
    # `BetaBase64ImageSource` is made of words, and so is `sma20above50`.
    if sum(len(word) for word in _SYLLABLES.findall(part)) > len(part) / 2:
        return False
    return _changes(part) >= (0.28 if not upper else 0.4 if digits > 1 else 0.46)


def looks_hex(value: str, least: int = 32) -> bool:
    """Hexadecimal, with letters and digits."""
    return (
        len(value) >= least
        and _HEX.fullmatch(value) is not None
        and not value.isdigit()
        and not value.isalpha()
    )


def is_stand_in(value: str) -> bool:
    """`YOUR_API_KEY`, `<token>`, `${TOKEN}`, `xxxx`, `None`: nobody's secret."""
    value = _SCHEME.sub("", value.strip())
    return not value or (len(value) <= 200 and _STAND_IN.match(value) is not None)


def is_file(value: str) -> bool:
    """The name of a file, not what is in it."""
    if _FILE.match(value) or _ROUTE.fullmatch(value):
        return True
    return _PATH.fullmatch(value) is not None and not any(
        looks_random(part) for part in value.split("/")
    )


def _changes(value: str) -> float:
    """The share of neighbours that are of different classes: lower, upper, digit, other."""
    classes = [
        0 if letter.islower() else 1 if letter.isupper() else 2 if letter.isdigit() else 3
        for letter in value
    ]
    changes = sum(one != two for one, two in pairwise(classes))
    return changes / max(1, len(value) - 1)
