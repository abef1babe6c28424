"""Comparisons of two answers, and the Verdicts drawn from them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from qc_builder_lora.records import Comparison, Verdict, VerdictKind
from qc_builder_lora.store.noun import Noun
from qc_builder_lora.store.tables import ComparisonRow, GenerationRow, VerdictRow


class Comparisons(Noun[Comparison]):
    """Two Generations for the same Request, both judged."""

    record, row, word = Comparison, ComparisonRow, "comparison"

    def find(
        self,
        *,
        request_id: str | None = None,
        champion: str | None = None,
        challenger: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
        oldest_first: bool = False,
    ) -> list[Comparison]:
        """Newest first, unless asked for the other way round. `champion` and `challenger` are the
        names of the models that answered."""
        where = self._since(since)
        generation = GenerationRow.table()
        for column, model in (
            (self.table.c.champion_generation_id, champion),
            (self.table.c.challenger_generation_id, challenger),
        ):
            if model is not None:
                where.append(column.in_(select(generation.c.id).where(generation.c.model == model)))
        return self._select(*where, limit=limit, oldest_first=oldest_first, request_id=request_id)


class Verdicts(Noun[Verdict]):
    """What the statistics say about two Models."""

    record, row, word = Verdict, VerdictRow, "verdict"

    def find(
        self,
        *,
        champion: str | None = None,
        challenger: str | None = None,
        kind: VerdictKind | None = None,
        report_sha256: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[Verdict]:
        """Newest first."""
        return self._select(
            *self._since(since),
            limit=limit,
            champion=champion,
            challenger=challenger,
            kind=kind,
            report_sha256=report_sha256,
        )
