"""Secrets in several pieces: literals strung together, pairs in calls and on command lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from qc_builder_lora.redact.find import Find, around, lowered, places
from qc_builder_lora.redact.formed import formed_tokens
from qc_builder_lora.redact.looks import is_stand_in, looks_random
from qc_builder_lora.redact.names import Sort, sort_of

_LITERAL = r"[rRbBuUfF]{0,2}(?:\"[^\"\\\n]{0,500}\"|'[^'\\\n]{0,500}')"
_STRING = re.compile(_LITERAL)
_GAP = re.compile(r"[\s+\\]{0,80}")
# Of the tokens that are long enough to be taken apart.
_BEGINNINGS = (
    "sk-", "ghp", "gho", "ghs", "git", "AKI", "ASI", "AIz", "xox", "xap", "hf_", "gsk", "glp",
    "ya2", "xai", "SG.", "eyJ", "sk_", "rk_", "npm", "pyp", "dck", "PK", "AK", "r8_", "ppl",
    "hvs", "nva", "dap", "dop", "pcs", "https://hooks", "https://dis",
)  # fmt: skip
_PAIR = re.compile(
    rf"(?i)(?:\bauth\s?=\s?\(|(?:HTTP)?(?:Basic|Digest|Proxy)Auth\(|\.login\(|\.authenticate\(|"
    rf"\.connect\(|set_?credentials\()\s{{0,40}}({_LITERAL})\s{{0,20}},\s{{0,40}}({_LITERAL})\s{{0,20}}[,)]"
)
_USER = re.compile(
    r"(?:(?<=[\s\"'])-u|--user|--proxy-user|\"-u\",|'-u',)[\s=]{1,3}[\"']?"
    r"(?P<user>[^\s:\"'$<{@/]{1,100}:[^\s\"'<>]{3,200})"
)
_NETRC = re.compile(
    r"\b(?:machine\s{1,4}\S{1,200}|default)\s{1,8}login\s{1,4}(?P<user>\S{1,200})\s{1,8}(?:account\s{1,4}\S{1,99}\s{1,8})?"
    r"password\s{1,4}(?P<word>\S{1,500})"
)
_PORT = re.compile(r":(?:\d{2,5}|\*):[\w*-]{1,64}:")
_PGPASS = re.compile(
    r"(?m)^[\w.*-]{1,100}:(?:\d{2,5}|\*):[\w*-]{1,64}:(?P<user>[\w*.-]{1,64}):(?P<word>[^\s:]{3,200})$"
)
_SEVERAL = re.compile(
    rf"(?m)^[ \t]*((?:[\w.]{{1,60}}[ \t]?,[ \t]?){{1,5}}[\w.]{{1,60}})[ \t]?=[ \t]?[(\[]?"
    rf"((?:{_LITERAL}[ \t]?,\s{{0,40}}){{1,5}}{_LITERAL})"
)
_SEED = re.compile(
    r"(?i)(?:mnemonic|(?:seed|recovery|secret|backup)[ _-]?(?:phrase|words))\W{1,6}(?:is\W{1,3})?"
    r"(?P<word>(?:[a-z]{3,8}[ \t,]{1,2}){11,23}[a-z]{3,8})\b"
)


def strung_in(text: str) -> Iterator[Find]:
    """Every secret of a text that is in more than one piece."""
    low = lowered(text)
    yield from _joined_tokens(text)
    yield from _pairs(text, low)
    if any(word in low for word in ("key", "token", "secret", "pass", "user", "account", "pwd")):
        yield from _several(text)
    for match in around(text, _USER, places(low, ("-u", "--user", "--proxy-user")), 2, 400):
        yield Find(*match.span("user"), "basic_credentials")
    for match in around(text, _NETRC, places(low, ("login",)), 220, 900):
        yield Find(*match.span("word"), "named_secret")
        yield Find(*match.span("user"), "account_id")
    for match in around(text, _PGPASS, (at.start() for at in _PORT.finditer(text)), 110, 400):
        yield Find(*match.span("word"), "named_secret")
    for match in around(text, _SEED, places(low, ("mnemonic", "phrase", "words")), 12, 300):
        yield Find(*match.span("word"), "named_secret")


def _joined_tokens(text: str) -> Iterator[Find]:
    """A token of a known form that is only whole once its literals are strung together."""
    if not any(mark in text for mark in _BEGINNINGS):
        return
    run: list[tuple[int, int]] = []
    for match in _STRING.finditer(text):
        inner = _inner(match)
        gap = _GAP.match(text, run[-1][1] + 1, match.start()) if run else None
        if gap is not None and gap.end() == match.start() and len(run) < 40:
            run.append(inner)
        else:
            yield from _of_run(text, run)
            run = [inner]
    yield from _of_run(text, run)


def _inner(match: re.Match[str]) -> tuple[int, int]:
    quote = match[0][-1]
    return match.start() + match[0].index(quote) + 1, match.end() - 1


def _of_run(text: str, run: list[tuple[int, int]]) -> Iterator[Find]:
    if len(run) < 2:
        return
    whole = "".join(text[start:end] for start, end in run)
    if not 16 <= len(whole) <= 4000:
        return
    for find in formed_tokens(whole):
        at = 0
        for start, end in run:
            length = end - start
            low, high = max(find.start, at), min(find.end, at + length)
            if low < high:
                yield Find(start + low - at, start + high - at, find.kind)
            at += length


def _pairs(text: str, low: str) -> Iterator[Find]:
    marks = places(low, ("auth", "login(", "connect(", "credentials("))
    for match in around(text, _PAIR, marks, 20, 1200):
        spans = [_span(match, 1), _span(match, 2)]
        second = text[spans[1][0] : spans[1][1]]
        if len(second) < 3 or is_stand_in(second) or "{" in second or "/" in second[:1]:
            continue
        if not any(letter.isdigit() for letter in second) and "auth" not in match[0].lower():
            continue
        first = text[spans[0][0] : spans[0][1]]
        if len(first) >= 3 and not is_stand_in(first) and "{" not in first and "://" not in first:
            yield Find(*spans[0], "account_id")
        yield Find(*spans[1], "named_secret")


def _span(match: re.Match[str], group: int) -> tuple[int, int]:
    literal = match[group]
    return match.start(group) + literal.index(literal[-1]) + 1, match.end(group) - 1


def _several(text: str) -> Iterator[Find]:
    """`USER_ID, API_TOKEN = "123456", "hunter2"`."""
    for match in _SEVERAL.finditer(text):
        names = [name.strip() for name in match[1].split(",")]
        values = list(_STRING.finditer(text, match.start(2), match.end(2)))
        for name, literal in zip(names, values, strict=False):
            sort, (start, end) = sort_of(name), _inner(literal)
            value = text[start:end]
            secret = (
                sort in (Sort.STRONG, Sort.PHRASE)
                or (sort is Sort.ACCOUNT and any(letter.isdigit() for letter in value))
                or (sort is Sort.WEAK and looks_random(value, upper=False))
            )
            if secret and len(value) >= 3 and not is_stand_in(value):
                yield Find(start, end, "account_id" if sort is Sort.ACCOUNT else "named_secret")
