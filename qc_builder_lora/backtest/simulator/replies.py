"""What becomes of a strategy's request about an order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reply:
    """LEAN's OrderResponseErrorCode and its sentence; nothing for success."""

    code: int = 0
    text: str = ""

    def __bool__(self) -> bool:
        """Whether it was refused."""
        return bool(self.text)


DONE = Reply()
