"""How many broken codes came in, how many failed as they were meant to, and what was kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

SOURCE = "error-fix"


@dataclass
class FixFunnel:
    """Counts of one way of making error-fix pairs; `stopped` says why the others were dropped."""

    source: str = SOURCE
    counts: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)
    mutations: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)

    def keep(self, mutation: str, stage: str, family: str, *, new: bool) -> None:
        """One that failed as meant; `new` if the store did not have it."""
        for step in ("failed", "kept"):
            self.counts[step] += 1
        self.counts["new"] += new
        self.mutations[mutation] += 1
        self.stages[stage] += 1
        self.families[family] += 1

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "source": self.source,
            **{step: self.counts[step] for step in ("in", "failed", "kept", "new")},
            "stopped": dict(sorted(self.stopped.items())),
            "mutations": dict(sorted(self.mutations.items())),
            "stages": dict(sorted(self.stages.items())),
            "families": dict(sorted(self.families.items())),
        }
