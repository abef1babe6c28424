"""What people said of Comparisons without knowing which answer was whose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qc_builder_lora.ids import json_hash
from qc_builder_lora.records import Rating
from qc_builder_lora.store.noun import Noun
from qc_builder_lora.store.tables import RatingRow


class Ratings(Noun[Rating]):
    """One a rater and Comparison; a rater may change their mind."""

    record, row, word = Rating, RatingRow, "rating"
    changeable = frozenset({"preferred", "score", "comment", "created_at", "first"})

    def find(
        self,
        *,
        comparison_id: str | None = None,
        comparisons: Sequence[str] | None = None,
        rater: str | None = None,
        limit: int | None = None,
    ) -> list[Rating]:
        """Newest first; `comparisons` are the ids of those that count."""
        where = []
        if comparisons is not None:
            where.append(self.table.c.comparison_id.in_(comparisons))
        return self._select(*where, limit=limit, comparison_id=comparison_id, rater=rater)

    def rate(self, rating: Rating) -> Rating:
        """Keep a rating; of one rater and Comparison the later one takes the earlier one's place.

        Raises StoreError for a Comparison that is not in the store.
        """
        key = json_hash([rating.comparison_id, rating.rater])
        with self._database.writing():
            if not self.has(key):
                return self.add(replace(rating, id=key))
            changes = {name: getattr(rating, name) for name in sorted(self.changeable)}
            return self._update(key, changes)
