"""A strategy's own things kept on a security: by attribute, by index, by `add`, `get` and `set`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .alias import both_styles


class _Getter:
    """`security.get("name")`, or `security.get[Type]("name")` as in C#."""

    def __init__(self, take: Callable[[str], Any]) -> None:
        self._take = take

    def __call__(self, key: str) -> Any:
        return self._take(key)

    def __getitem__(self, kind: Any) -> Callable[[str], Any]:
        def typed(key: str) -> Any:
            found = self._take(key)
            if isinstance(kind, type) and not isinstance(found, kind):
                raise TypeError(
                    f"Unable to cast object of type '{type(found).__name__}' to type "
                    f"'{kind.__name__}'."
                )
            return found

        return typed


@both_styles
class Properties:
    """LEAN's dynamic properties of a security; attributes are the same ones."""

    def add(self, key: str, value: Any) -> None:
        """Keep something new."""
        if key in self.__dict__:
            raise ValueError(f"An item with the same key has already been added. Key: {key}")
        self[key] = value

    def set(self, key: str, value: Any) -> None:
        """Keep something, new or not."""
        self[key] = value

    @property
    def get(self) -> _Getter:
        """What is kept under a name."""
        return _Getter(self.__getitem__)

    def try_get(self, key: str, *default: Any) -> tuple[bool, Any]:
        """Whether something is kept under a name, and what."""
        return key in self.__dict__, self.__dict__.get(key)

    def remove(self, key: str) -> bool:
        """Keep it no more; whether it was there."""
        return self.__dict__.pop(key, self) is not self

    def __getitem__(self, key: str) -> Any:
        try:
            return self.__dict__[key]
        except KeyError:
            raise KeyError(f"Property with name '{key}' does not exist.") from None

    def __setitem__(self, key: str, value: Any) -> None:
        self.__dict__[key] = value
