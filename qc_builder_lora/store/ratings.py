"""What people said of Comparisons without knowing which answer was whose."""

from __future__ import annotations

from collections.abc import Sequence

from qc_builder_lora.records import Rating
from qc_builder_lora.store.noun import Noun
from qc_builder_lora.store.tables import RatingRow


class Ratings(Noun[Rating]):
    """One a rater and Comparison; a rater may change their mind."""

    record, row, word = Rating, RatingRow, "rating"
    changeable = frozenset({"preferred", "score", "comment", "created_at"})

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
        with self._database.writing():
            found = self.find(comparison_id=rating.comparison_id, rater=rating.rater)
            if not found:
                return self.add(rating)
            changes = {name: getattr(rating, name) for name in sorted(self.changeable)}
            return self._update(found[0].id, changes)
