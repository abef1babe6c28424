"""`self.object_store`: what a strategy keeps by name, in its own memory, for one backtest.

LEAN's outlives the backtest; here each begins empty, and nothing of it reaches a disk.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn

from .alias import both_styles
from .known import Lean, not_modelled
from .symbol import KeyValuePair


@both_styles
class ObjectStore(Lean):
    """Bytes by key; text is UTF-8. Keys are read with any slash, and without regard to case."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    @staticmethod
    def _key(key: str) -> str:
        return str(key).replace("\\", "/").strip("/").lower()

    @property
    def keys(self) -> list[str]:
        return list(self._kept)

    # Some of LEAN's own examples call it.
    @property
    def max_size(self) -> int:
        return 2**31 - 1

    @property
    def max_files(self) -> int:
        return 2**31 - 1

    def contains_key(self, path: str) -> bool:
        return self._key(path) in self._kept

    def __contains__(self, key: object) -> bool:
        return self._key(str(key)) in self._kept

    def read_bytes(self, path: str) -> bytes | None:
        """What is kept under a key; None where nothing is."""
        return self._kept.get(self._key(path))

    def read(self, path: str, *encoding: Any) -> str | None:
        """As text."""
        found = self.read_bytes(path)
        return None if found is None else found.decode()

    def read_string(self, path: str, *encoding: Any) -> str | None:
        return self.read(path)

    def read_json(self, path: str, *rest: Any) -> Any:
        """As what `save_json` was given, in plain JSON values."""
        found = self.read(path)
        return None if found is None else json.loads(found)

    def save_bytes(self, path: str, contents: Any = b"") -> bool:
        self._kept[self._key(path)] = bytes(contents)
        return True

    def save(self, path: str, text: Any = "", *encoding: Any) -> bool:
        """Keep text, or bytes."""
        return self.save_bytes(path, text.encode() if isinstance(text, str) else text)

    def save_string(self, path: str, text: str, *encoding: Any) -> bool:
        return self.save(path, text)

    def save_json(self, path: str, obj: Any, *rest: Any) -> bool:
        """Keep a JSON value."""
        return self.save(path, json.dumps(obj))

    def delete(self, path: str) -> bool:
        """Whether there was something to delete."""
        return self._kept.pop(self._key(path), None) is not None

    def clear(self) -> None:
        self._kept.clear()

    def get_file_path(self, path: str) -> NoReturn:
        """A file for other libraries: a strategy has no disk here."""
        not_modelled("ObjectStore.get_file_path", str(path)[:100])

    def __iter__(self) -> Iterator[KeyValuePair]:
        return iter([KeyValuePair(key, value) for key, value in self._kept.items()])
