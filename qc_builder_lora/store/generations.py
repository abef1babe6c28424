"""Builds, and what was asked and answered in them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Select, case, select

from qc_builder_lora.records import Build, Generation, Request, Role
from qc_builder_lora.store.noun import Noun
from qc_builder_lora.store.tables import BuildRow, GenerationRow, RequestRow


def _asked(role: Role, model: str) -> Select[tuple[str]]:
    """Ids of the Requests that a model answered in a role."""
    made = GenerationRow.table().alias()
    return select(made.c.request_id).where(made.c.role == role, made.c.model == model)


class Builds(Noun[Build]):
    """Runs of the host builder."""

    record, row, word, moment = Build, BuildRow, "build", "started_at"
    changeable = frozenset({"title", "spec", "finished_at", "status", "cost_usd"})

    def find(
        self,
        *,
        host: str | None = None,
        status: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[Build]:
        """Newest first."""
        return self._select(*self._since(since), limit=limit, host=host, status=status)

    def update(self, key: str, **changes: Any) -> Build:
        """Set fields and return the new record. Raises NotFound, StoreError."""
        return self._update(key, changes)


class Requests(Noun[Request]):
    """What was asked of a model."""

    record, row, word = Request, RequestRow, "request"
    identity = ("instruction", "context")

    def find(
        self,
        *,
        since: datetime | None = None,
        limit: int | None = None,
        answered_by: tuple[Role, str] | None = None,
    ) -> list[Request]:
        """Newest first; with `answered_by` those that a model answered in that role."""
        where = self._since(since)
        if answered_by is not None:
            where.append(self.table.c.id.in_(_asked(*answered_by)))
        return self._select(*where, limit=limit)


class Generations(Noun[Generation]):
    """What models answered."""

    record, row, word = Generation, GenerationRow, "generation"
    # Not the code, the Request or the role: an answer is what it was.
    changeable = frozenset(
        {
            "build_id",
            "completion_tokens",
            "cost_usd",
            "error",
            "error_class",
            "finish_reason",
            "fitness",
            "iteration",
            "label",
            "latency_s",
            "model",
            "prompt_tokens",
            "strategy_id",
            "version",
        }
    )

    def find(
        self,
        *,
        build_id: str | None = None,
        request_id: str | None = None,
        strategy_id: str | None = None,
        role: Role | None = None,
        model: str | None = None,
        label: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
        oldest_first: bool = False,
        beside: tuple[Role, str] | None = None,
        model_begins: str | None = None,
    ) -> list[Generation]:
        """Newest first, unless asked for the other way round (the iterations of a Build).

        `beside` leaves only answers to Requests that a model answered in that role;
        `model_begins` is how the model's name begins.
        """
        where = self._since(since)
        if beside is not None:
            where.append(self.table.c.request_id.in_(_asked(*beside)))
        if model_begins is not None:
            where.append(self.table.c.model.startswith(model_begins, autoescape=True))
        return self._select(
            *where,
            limit=limit,
            oldest_first=oldest_first,
            build_id=build_id,
            request_id=request_id,
            strategy_id=strategy_id,
            role=role,
            model=model,
            label=label,
        )

    def served_briefly(self) -> Iterator[tuple[str | None, str | None, bool]]:
        """Of every answer that a builder was given: id of its Strategy, label, whether it has code
        (looked at where there is no Strategy). The texts themselves stay in the database."""
        made = self.table.c
        code = case((made.strategy_id.is_(None), made.code), else_="kept")
        statement = select(made.strategy_id, made.label, code).where(made.role == Role.SERVED)
        with self._database.reading() as connection:
            for strategy_id, label, text in connection.execute(statement):
                yield strategy_id, label, bool(text.strip())

    def update(self, key: str, **changes: Any) -> Generation:
        """Set fields and return the new record. Raises NotFound, StoreError."""
        return self._update(key, changes)
