"""C#'s events: `thing.happened += handler`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any


class EventHook:
    """Handlers, called in the order in which they came."""

    def __init__(self) -> None:
        self.handlers: list[Callable[..., Any]] = []

    def __iadd__(self, handler: Callable[..., Any]) -> EventHook:
        self.handlers.append(handler)
        return self

    def __isub__(self, handler: Callable[..., Any]) -> EventHook:
        self.handlers.remove(handler)
        return self

    def fire(self, *args: Any) -> None:
        for handler in list(self.handlers):
            handler(*args)


class UpdatedHook:
    """`indicator.updated`: a strategy's handlers stand in one row with the chained indicators."""

    def __init__(self, owner: Any, listeners: list[Any], point: Any) -> None:
        self._owner = owner
        self._ib_listeners = listeners
        self._point = point

    def __iadd__(self, handler: Callable[..., Any]) -> UpdatedHook:
        self._ib_listeners.append(_Handler(self._owner, handler, self._point))
        return self

    def __isub__(self, handler: Callable[..., Any]) -> UpdatedHook:
        for item in self._ib_listeners:
            if isinstance(item, _Handler) and item.handler == handler:
                self._ib_listeners.remove(item)
                break
        return self


class _Handler:
    """Calls a strategy's handler as LEAN does, with the indicator and the new point."""

    def __init__(self, owner: Any, handler: Callable[..., Any], point: Any) -> None:
        self._owner = owner
        self.handler = handler
        self._point = point

    def __call__(self, time: datetime, value: float) -> None:
        self.handler(self._owner, self._point(self._owner._ib_symbol, time, value))
