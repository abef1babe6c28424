"""Models and the stage each is in. Production is entered and left by promotions alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from qc_builder_lora.errors import StoreError
from qc_builder_lora.records import Evaluation, Model, Stage
from qc_builder_lora.store.noun import Noun
from qc_builder_lora.store.tables import EvaluationRow, ModelRow

_STAGES_LOCK = 0x716C7374  # Any number of our own, see `revisions._UPGRADE_LOCK`.


class Models(Noun[Model]):
    """Servable artefacts; at most one is in production, which the database enforces as well."""

    record, row, word = Model, ModelRow, "model"
    changeable = frozenset({"stage"})
    list_command = "qc-lora model list"

    def add(self, record: Model) -> Model:
        """As Noun.add; a Model in production is refused, for nobody promoted it."""
        if record.stage == Stage.PRODUCTION:
            raise StoreError(
                f"model {record.id!r} cannot be added in production: a person promotes it. Add it "
                "as a candidate, then: qc-lora model promote"
            )
        return super().add(record)

    def add_all(self, records: object) -> int:
        """Refused: release makes one Model at a time. Raises StoreError."""
        raise StoreError("Models are added one by one.")

    def restore(self, records: Sequence[Model]) -> int:
        """Keep Models of another store, with their promotions; stages as they were."""
        return super().add_all(records)

    def find(
        self,
        *,
        stage: Stage | None = None,
        sha256: str | None = None,
        adapter_id: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[Model]:
        """Newest first."""
        return self._select(
            *self._since(since), limit=limit, stage=stage, sha256=sha256, adapter_id=adapter_id
        )

    def production(self) -> Model | None:
        """The Model that answers now, if any."""
        found = self.find(stage=Stage.PRODUCTION)
        return found[0] if found else None

    def set_stage(self, key: str, stage: Stage) -> Model:
        """Move a Model between candidate, shadow and archived; returns it.

        Raises NotFound, and StoreError for a move into production or out of it: those are a
        person's decisions, `store.promotions` makes them.
        """
        with self._database.writing() as connection:
            lock_stages(connection)
            if Stage.PRODUCTION in (Stage(stage), self.get(key).stage):
                raise StoreError(
                    f"model {key!r}: only a promotion moves a model into production or out of it. "
                    "Use: qc-lora model promote, or qc-lora model rollback"
                )
            return self._update(key, {"stage": stage})

    def _explained(self, error: StoreError, values: Mapping[str, Any]) -> StoreError:
        explained = super()._explained(error, values)
        if explained is not error or not isinstance(error.__cause__, IntegrityError):
            return explained
        champion = self.production()
        if champion is None or values.get("stage") != Stage.PRODUCTION:
            return error
        return StoreError(
            f"model {values['id']!r}: {champion.id!r} is in production here, and only one can be."
        )

    def switch_production(self, old: str | None, new: str | None) -> None:
        """For promotions only, within their transaction."""
        # In this order: there is never a moment with two of them in production.
        if old is not None:
            self._update(old, {"stage": Stage.ARCHIVED})
        if new is not None:
            self._update(new, {"stage": Stage.PRODUCTION})


def lock_stages(connection: Connection) -> None:
    """Wait until nobody else changes stages. SQLite's write lock has done that already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_STAGES_LOCK})"))


class Evaluations(Noun[Evaluation]):
    """Models scored on suites, as served."""

    record, row, word = Evaluation, EvaluationRow, "evaluation"

    def find(
        self,
        *,
        model: str | None = None,
        model_sha256: str | None = None,
        suite: str | None = None,
        suite_sha256: str | None = None,
        engine: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[Evaluation]:
        """Newest first. Same model, suite and engine hashes: the same figures, no need to run."""
        return self._select(
            *self._since(since),
            limit=limit,
            model=model,
            model_sha256=model_sha256,
            suite=suite,
            suite_sha256=suite_sha256,
            engine=engine,
        )
