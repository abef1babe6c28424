"""How many changes came in, how many are proven, and what was kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from qc_builder_lora.harvest.corpus.changes.proof import CHARACTERS

SOURCE = "changes"


@dataclass
class ChangeFunnel:
    """Counts of one run; `stopped` says why the others were dropped."""

    source: str = SOURCE
    counts: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)

    def keep(self, kind: str, family: str, length: int, *, new: bool) -> None:
        """One that is proven, of so many characters; `new` if the store did not have it."""
        for step in ("proven", "kept"):
            self.counts[step] += 1
        self.counts["fits"] += length <= CHARACTERS
        self.counts["new"] += new
        self.kinds[kind] += 1
        self.families[family] += 1

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "source": self.source,
            **{step: self.counts[step] for step in ("in", "proven", "kept", "fits", "new")},
            "stopped": dict(sorted(self.stopped.items())),
            "kinds": dict(sorted(self.kinds.items())),
            "families": dict(sorted(self.families.items())),
        }
