"""How values are written: quoted, strung together, in a block of YAML, or bare."""

from __future__ import annotations

import re
from typing import NamedTuple


class Written(NamedTuple):
    """From `start` to `end`, without the quotes."""

    start: int
    end: int
    quoted: bool = True
    part: bool = False
    """Of a longer text, the rest of which is not written here."""


_MOST_PIECES = 60
_LONGEST = 4000
_OPENING = re.compile(
    r"(?P<prefix>[rRbBuUfF]{0,2})(?P<slashes>\\{0,15})(?P<quote>\"\"\"|'''|[\"'`])"
)
_PARENTHESES = re.compile(r"(?:\(\s{0,40}){1,3}")
_PLAIN = {
    '"': re.compile(rf'(?:[^"\\\n]|\\.){{0,{_LONGEST}}}', re.DOTALL),
    "'": re.compile(rf"(?:[^'\\\n]|\\.){{0,{_LONGEST}}}", re.DOTALL),
    "`": re.compile(rf"[^`\n]{{0,{_LONGEST}}}"),
}
_JOINT = re.compile(
    r"[ \t]{0,8}(?:\\\r?\n[ \t]{0,40}|\+\s{0,40}(?:\\\r?\n[ \t]{0,40})?)?(?=[rRbBuUfF]{0,2}[\"'])"
)
_JOINT_WITHIN = re.compile(
    r"\s{0,80}(?:#[^\n]{0,200}\n\s{0,80})?(?:\+\s{0,80})?(?=[rRbBuUfF]{0,2}[\"'])"
)
_COMMA = re.compile(r"\s{0,80},\s{0,80}(?=[rRbBuUfF]{0,2}[\"'])")
_JOIN = re.compile(r"\.join\(\s{0,20}[\[(]?\s{0,20}(?=[rRbBuUfF]{0,2}[\"'])")
_AND_MORE = re.compile(r"\s{0,40}(?:\+|%)\s{0,40}[A-Za-z_(]")
_FIELD = re.compile(r"\{[^{}\n]{0,200}\}")
_BARE = re.compile(r"[^\s\"'`,;&<>(){}\[\]|\\]{3,512}")
_LONGEST_WORD = 512
_QUERY_END = re.compile(r"%(?:22|26|2C|7D)")
_BLOCK = re.compile(r"[ \t]{0,8}(?:[|>][+-]?\d?[+-]?[ \t]{0,8}(?:#[^\n]{0,200})?)\r?\n")
_LINE = re.compile(r"([ \t]*)([^\r\n]*)\r?(?:\n|\Z)")


def chain_at(text: str, at: int) -> list[Written]:
    """The texts in quotes that begin here, as many as are strung together; their fixed parts."""
    inside = _PARENTHESES.match(text, at)
    at = inside.end() if inside else at
    found: list[Written] = []
    joint = _JOINT_WITHIN if inside else _JOINT
    for _ in range(_MOST_PIECES):
        opening = _OPENING.match(text, at)
        piece = _literal(text, opening) if opening else None
        if opening is None or piece is None:
            break
        found += _fixed_parts(text, piece, opening["prefix"])
        at = piece.end + len(opening["slashes"]) + len(opening["quote"])
        joined = _JOIN.match(text, at) if piece.start == piece.end else None
        if joined:
            joint = _COMMA
        following = joined or joint.match(text, at)
        if following is None or opening["slashes"]:
            if _AND_MORE.match(text, at):
                found = [one._replace(part=True) for one in found]
            break
        at = following.end()
    return found


def _literal(text: str, opening: re.Match[str]) -> Written | None:
    start, quote, slashes = opening.end(), opening["quote"], opening["slashes"]
    if len(quote) == 3 or slashes:
        closing = slashes + quote
        end = text.find(closing, start, start + _LONGEST)
        if slashes and "\n" in text[start : end if end > -1 else start]:
            return None
        return Written(start, end) if end > -1 else _cut(text, start)
    plain = _PLAIN[quote].match(text, start)
    end = plain.end() if plain else start
    if text[end : end + 1] == quote:
        return Written(start, end)
    return _cut(text, start) if quote != "`" else None


def _cut(text: str, start: int) -> Written | None:
    """A text that was cut off before its closing quote: up to the end of its word."""
    word = re.compile(r"[^\s\"'`\\]{0,512}").match(text, start)
    return Written(start, word.end()) if word and word.end() > start else None


def _fixed_parts(text: str, piece: Written, prefix: str) -> list[Written]:
    """All of a text, but for the fields of an f-string."""
    body = text[piece.start : piece.end]
    if "{" not in body or ("f" not in prefix.lower() and not _FIELD.search(body)):
        return [piece]
    parts, at = [], piece.start
    for field in _FIELD.finditer(text, piece.start, piece.end):
        parts.append(Written(at, field.start(), part=True))
        at = field.end()
    parts.append(Written(at, piece.end, part=True))
    return [part for part in parts if part.end - part.start > 3]


def bare_at(text: str, at: int) -> Written | None:
    """The word without quotes that begins here, without the point at its end."""
    found = _BARE.match(text, at)
    if found is None or len(found[0]) == _LONGEST_WORD:
        return None
    value = found[0]
    stop = _QUERY_END.search(value)
    value = value[: stop.start()] if stop else value
    value = value.rstrip(".:!?*")
    return Written(at, at + len(value), quoted=False) if len(value) >= 3 else None


def block_at(text: str, at: int, name_at: int) -> list[Written]:
    """The lines of a YAML block scalar, `key: |` and what is further in than the key."""
    opening = _BLOCK.match(text, at)
    if opening is None:
        return []
    indent = name_at - (text.rfind("\n", max(0, name_at - 200), name_at) + 1)
    found: list[Written] = []
    at = opening.end()
    while at < len(text) and len(found) < _MOST_PIECES:
        line = _LINE.match(text, at)
        if line is None or (line[2] and len(line[1]) <= indent and found):
            break
        if line[2] and not line[1]:
            break
        if line[2]:
            found.append(Written(line.start(2), line.start(2) + len(line[2].rstrip())))
        at = line.end()
    return found


def nearby(*, text: str, at: int, word: str, within: int = 300) -> bool:
    """Whether a word stands close to a place."""
    return text.find(word, max(0, at - within), at + within) > -1
