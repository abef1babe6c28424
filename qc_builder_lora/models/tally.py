"""What one model did: requests and times that were measured with a clock that does not jump."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from qc_builder_lora.models.call import Outcome
from qc_builder_lora.template import is_python

_KEPT = 1000


@dataclass
class Tally:
    """What one model did while one decision stood."""

    asked: int = 0
    failed: int = 0
    passed: int = 0
    unlike: int = 0
    """Answers that did not pass."""
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))
    """Seconds."""

    def add(self, outcome: Outcome) -> None:
        """One more; looks at the code of an answer."""
        self.asked += 1
        if outcome.draft is None:
            self.failed += 1
            return
        if outcome.draft.latency_s is not None:
            self.latencies.append(outcome.draft.latency_s)
        if is_python(outcome.draft.code):
            self.passed += 1
        else:
            self.unlike += 1

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {**vars(self), "latencies": [round(one, 4) for one in self.latencies]}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Tally:
        """From `plain`; TypeError or KeyError where it is none."""
        return cls(**{**plain, "latencies": deque(plain["latencies"], maxlen=_KEPT)})


def together(tallies: Iterable[Tally]) -> Tally:
    """All of them as one."""
    found = Tally(latencies=deque())
    for one in tallies:
        found.asked += one.asked
        found.failed += one.failed
        found.passed += one.passed
        found.unlike += one.unlike
        found.latencies.extend(one.latencies)
    return found
