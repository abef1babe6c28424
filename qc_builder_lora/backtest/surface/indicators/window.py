"""LEAN's RollingWindow: the last items of anything, newest first.

Kept as LEAN keeps it, a list with a turning tail, because changing the size of a window that has
already turned mixes its order there, and a strategy must see here what it would see there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from ..alias import both_styles
from ..known import Lean

_DEFAULTS: dict[Any, Any] = {float: 0.0, int: 0, bool: False}


@both_styles
class RollingWindow(Lean):
    """The last `size` items, newest first; `RollingWindow[float](5)` as in C#."""

    LEAN = "RollingWindow"
    _kind: Any = None

    def __init__(self, size: int) -> None:
        if isinstance(size, bool) or not hasattr(size, "__index__"):
            raise TypeError(f"RollingWindow needs a whole number, got {size!r}")
        if size < 1:
            raise ValueError("RollingWindow must have size of at least 1.")
        self._items: list[Any] = []
        self._size = int(size)
        self._tail = 0
        self._removed: Any = None
        self.samples = 0

    def __class_getitem__(cls, kind: Any) -> Any:
        return _of_kind(kind)

    @property
    def size(self) -> int:
        return self._size

    @size.setter
    def size(self, value: int) -> None:
        if len(self._items) > value:
            del self._items[: len(self._items) - value]
        self._size = value

    @property
    def count(self) -> int:
        return len(self._items)

    @property
    def is_ready(self) -> bool:
        return self.samples >= self._size

    @property
    def most_recently_removed(self) -> Any:
        if self.samples <= self._size:
            raise ValueError("No items have been removed yet!")
        return self._removed

    def add(self, item: Any) -> None:
        """Put `item` in front, dropping the oldest of a full window."""
        if self._kind is not None:
            self._check(item)
        self.samples += 1
        items = self._items
        if len(items) == self._size:
            self._removed = items[self._tail]
            items[self._tail] = item
            self._tail = (self._tail + 1) % self._size
        else:
            items.append(item)

    def _check(self, item: Any) -> None:
        kind = self._kind
        if item is None and kind not in _DEFAULTS:
            return
        numbers = isinstance(item, int) or hasattr(item, "__float__")
        if not isinstance(item, kind) and not (kind is float and numbers):
            raise TypeError(
                f"No method matches given arguments for RollingWindow[{kind.__name__}].add: "
                f"{type(item).__name__}"
            )

    def reset(self) -> None:
        """Empty again; the size stays."""
        self._items.clear()
        self._tail = 0
        self.samples = 0

    def _place(self, index: int) -> int:
        count = len(self._items)
        return (count + self._tail - index - 1) % count

    def _index(self, index: Any) -> int:
        if isinstance(index, bool) or not hasattr(index, "__index__"):
            raise TypeError(f"RollingWindow needs a whole number as index, got {index!r}")
        found = int(index)
        if found < 0:
            # From the end of the window's size, filled or not.
            found += self._size
            if found < 0:
                raise IndexError(f"Index must be a non-negative integer, got {index}")
        return found

    def __getitem__(self, index: Any) -> Any:
        place = self._index(index)
        if place >= len(self._items):
            # LEAN makes room for what is asked for, and gives the type's default meanwhile.
            if place >= self._size:
                self.size = place + 1
            return _DEFAULTS.get(self._kind)
        return self._items[self._place(place)]

    def __setitem__(self, index: Any, value: Any) -> None:
        place = self._index(index)
        if place >= len(self._items):
            if place >= self._size:
                self.size = place + 1
            for _ in range(place - len(self._items) + 1):
                self.add(_DEFAULTS.get(self._kind))
        self._items[self._place(place)] = value

    def __iter__(self) -> Iterator[Any]:
        return iter([self._items[self._place(index)] for index in range(len(self._items))])

    def __len__(self) -> int:
        return len(self._items)


@lru_cache(maxsize=256)
def _typed(kind: Any) -> Any:
    return type("RollingWindow", (RollingWindow,), {"_kind": kind})


def _of_kind(kind: Any) -> Any:
    """The window that takes only items of a plain type; of any other it takes all."""
    return _typed(kind) if kind in (float, int, bool, str) else RollingWindow


def turned(older: Any, newest: Any, samples: int) -> RollingWindow:
    """A window of two as it stands after `samples` items, of which these are the last."""
    window = RollingWindow(2)
    window.samples = samples
    if samples < 2:
        window._items = [newest]
    else:
        window._tail = samples % 2
        window._items = [newest, older] if window._tail else [older, newest]
    return window
