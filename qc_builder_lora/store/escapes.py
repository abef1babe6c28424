"""Text that no database takes, made storable and back: NUL bytes and lone surrogates.

PostgreSQL refuses both, SQLite's driver the second. Each such character is kept as the control
character SUBSTITUTE (U+001A) and four hexadecimal digits; a SUBSTITUTE of the text's own is kept
the same way, so that every text comes back as it was.
"""

from __future__ import annotations

import re
from typing import Any

_UNSTORABLE = re.compile("[\x00\x1a\ud800-\udfff]")
_ESCAPED = re.compile("\x1a([0-9a-f]{4})")


def escape(text: str) -> str:
    """The text without NUL and surrogates."""
    return _UNSTORABLE.sub(lambda match: f"\x1a{ord(match[0]):04x}", text)


def unescape(text: str) -> str:
    """The text as it was before `escape`."""
    if "\x1a" not in text:
        return text
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def escape_json(value: Any) -> Any:
    """All text inside a JSON value escaped, keys too.

    Needed although JSON has escapes of its own: two lone surrogates side by side would come back
    from `json.loads` as one character.
    """
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, dict):
        return {escape(key): escape_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [escape_json(part) for part in value]
    return value


def unescape_json(value: Any) -> Any:
    """The JSON value as it was before `escape_json`."""
    if isinstance(value, str):
        return unescape(value)
    if isinstance(value, dict):
        return {unescape(key): unescape_json(part) for key, part in value.items()}
    if isinstance(value, list):
        return [unescape_json(part) for part in value]
    return value
