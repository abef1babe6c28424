"""One finding: what was looked at, what is there, and what to do where that is not enough."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

State = Literal["ok", "note", "bad"]


@dataclass(frozen=True, kw_only=True)
class Line:
    """`note` is something to know that nothing depends on; `bad` is what has to be cured."""

    area: Literal["sandbox", "product"]
    name: str
    state: State
    said: str
    cure: str = ""

    def plain(self) -> dict[str, str]:
        """As JSON values."""
        return asdict(self)
