"""`security.cache`: the last bar of a security, of any type or of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .alias import both_styles
from .bars import TradeBar
from .known import Lean

if TYPE_CHECKING:
    from .security import Security


@both_styles
class SecurityCache(Lean):
    """The last bar of a security."""

    def __init__(self, security: Security) -> None:
        self._security = security

    @property
    def get_data(self) -> Any:
        """`get_data()`, or `get_data[QuoteBar]()` for the last of a type."""
        return _LastData(self._security)


class _LastData:
    def __init__(self, security: Security, kind: type | None = None) -> None:
        self._security, self._kind = security, kind

    def __getitem__(self, kind: type) -> _LastData:
        return _LastData(self._security, kind)

    def __call__(self) -> Any:
        security, name = self._security, getattr(self._kind, "__name__", str(self._kind))
        if self._kind is None or self._kind is TradeBar:
            return security.get_last_data()
        if name == "QuoteBar":
            return security._last_quote
        # Nothing else ever arrives here.
        return None
