"""What the history of decisions adds up to: who is in production, after whom, and who is on trial.

A canary stands beside the Model in production until it is promoted (finished) or rolled back.
While one stands, a rollback ends it and leaves production alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from qc_builder_lora.records import Promotion, PromotionAction


@dataclass(frozen=True)
class Course:
    """The decisions that still stand."""

    promoted: tuple[Promotion, ...] = ()
    """Not taken back, oldest first: the last one is in production."""
    canary: Promotion | None = None
    """The Model that answers for a share of the Builds, as last decided."""

    @property
    def production(self) -> str | None:
        """The id of the Model in production."""
        return self.promoted[-1].model_id if self.promoted else None

    @property
    def latest(self) -> Promotion | None:
        """The decision that a rollback would take back."""
        return self.canary or (self.promoted[-1] if self.promoted else None)


def course_of(history: Iterable[Promotion]) -> Course:
    """The Course of a history, oldest decision first."""
    promoted: list[Promotion] = []
    canary: Promotion | None = None
    for one in history:
        if one.action is PromotionAction.PROMOTE:
            promoted.append(one)
            canary = None
        elif one.action is PromotionAction.CANARY:
            canary = one
        elif one.action is PromotionAction.ROLLBACK:
            if canary is not None:
                canary = None
            elif promoted:
                promoted.pop()
    return Course(tuple(promoted), canary)
