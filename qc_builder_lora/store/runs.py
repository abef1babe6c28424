"""Training Runs, the Adapters they produced, and the turns of the loop."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from qc_builder_lora.records import Adapter, Run, RunStatus, Turn
from qc_builder_lora.store.noun import Noun
from qc_builder_lora.store.tables import AdapterRow, RunRow, TurnRow


class Runs(Noun[Run]):
    """Trainings of one Recipe on one Snapshot."""

    record, row, word, moment = Run, RunRow, "run", "started_at"
    changeable = frozenset({"status", "path", "finished_at", "metrics", "error"})

    def find(
        self,
        *,
        recipe: str | None = None,
        recipe_sha256: str | None = None,
        snapshot_id: str | None = None,
        status: RunStatus | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[Run]:
        """Newest first."""
        return self._select(
            *self._since(since),
            limit=limit,
            recipe=recipe,
            recipe_sha256=recipe_sha256,
            snapshot_id=snapshot_id,
            status=status,
        )

    def update(self, key: str, **changes: Any) -> Run:
        """Set fields and return the new record. Raises NotFound, StoreError."""
        return self._update(key, changes)


class Adapters(Noun[Adapter]):
    """LoRA weights; the id is the hash of their file."""

    record, row, word = Adapter, AdapterRow, "adapter"
    identity = ("base_sha256", "rank", "alpha")

    def find(
        self,
        *,
        run_id: str | None = None,
        base_sha256: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[Adapter]:
        """Newest first."""
        return self._select(
            *self._since(since), limit=limit, run_id=run_id, base_sha256=base_sha256
        )


class Turns(Noun[Turn]):
    """Turns of the loop."""

    record, row, word, moment = Turn, TurnRow, "turn", "started_at"
    changeable = frozenset({"status", "stages", "finished_at", "error"})

    def find(
        self,
        *,
        status: RunStatus | None = None,
        trigger: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[Turn]:
        """Newest first."""
        return self._select(*self._since(since), limit=limit, status=status, trigger=trigger)

    def update(self, key: str, **changes: Any) -> Turn:
        """Set fields and return the new record. Raises NotFound, StoreError."""
        return self._update(key, changes)
