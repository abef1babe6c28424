"""Promotions: who let which Model answer, and why. Rows are only ever added.

A promotion, the stages it changes and its row are one transaction. Of two at once one wins: the
other finds that the history has moved on since it began, and says so. A promotion for a share of
the Builds is a canary: production stays what it is beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import Any

from sqlalchemy import ColumnElement, func, insert, select

from qc_builder_lora.errors import PromotionRefused
from qc_builder_lora.ids import new_id, now
from qc_builder_lora.records import Promotion, PromotionAction, Stage
from qc_builder_lora.store.comparisons import Verdicts
from qc_builder_lora.store.course import Course, course_of
from qc_builder_lora.store.database import Database
from qc_builder_lora.store.models import Models, lock_stages
from qc_builder_lora.store.rows import Rows
from qc_builder_lora.store.tables import PromotionRow


class Promotions(Rows[Promotion]):
    """The history of production; there is no method that changes or deletes a row, and the
    database refuses to."""

    record, row, word = Promotion, PromotionRow, "promotion"

    def __init__(self, database: Database, models: Models, verdicts: Verdicts) -> None:
        super().__init__(database)
        self._models = models
        self._verdicts = verdicts

    def promote(
        self,
        model_id: str,
        model_sha256: str,
        report_sha256: str,
        by: str,
        reason: str | None = None,
        *,
        replaces: str | EllipsisType | None = ...,
        share: float | None = None,
    ) -> Promotion:
        """Put a Model into production, archive the one before it, and write down who did it.

        With `share`, a fraction in (0, 1), it is a canary: it answers for that part of the Builds,
        and production stays. `replaces` is the id of the Model that the person saw in production
        (None for none); when given, it must still be there. Raises NotFound for the Model,
        PromotionRefused when the hashes are not those of the Model and of a Verdict about it, when
        the report compares with a Model that is no longer in production, when another Model is on
        trial as canary, or when another promotion came between.
        """
        seen = self._head()  # Before the lock, on purpose: what comes between is noticed.
        with self._database.writing() as connection:
            lock_stages(connection)
            self._refuse_latecomer(seen)
            old = self._models.production()
            old_id = old.id if old else None
            self._check(model_id, model_sha256, report_sha256, by, old_id)
            self._check_canary(model_id, share)
            if replaces is not ... and replaces != old_id:
                fact = f"{model_id!r} was to replace"
                raise PromotionRefused(_moved_on(fact, replaces, old_id, model_id))
            if share is None:
                self._models.switch_production(old_id, model_id)
            else:
                self._models.set_stage(model_id, Stage.SHADOW)
            return self._append(
                Promotion(
                    id=new_id(),
                    action=PromotionAction.PROMOTE if share is None else PromotionAction.CANARY,
                    model_id=model_id,
                    model_sha256=model_sha256,
                    decided_by=by,
                    created_at=now(),
                    report_sha256=report_sha256,
                    previous_model_id=old_id,
                    reason=reason,
                    share=share,
                )
            )

    def rollback(
        self,
        by: str,
        reason: str | None = None,
        *,
        of: str | None = None,
        emptying: bool = False,
    ) -> Promotion:
        """End the canary; without one, take the last promotion back: the Model before it answers
        again, and a second rollback goes one further.

        `of` is the id of the decision to take back; when given, it must still be the latest.
        `emptying` allows to take the first promotion back, after which no Model is in production;
        such a row, and that of a canary with none beside it, names the Model taken back twice.
        Raises PromotionRefused when there is none before.
        """
        seen = self._head()
        with self._database.writing() as connection:
            lock_stages(connection)
            self._refuse_latecomer(seen)
            self._refuse_nameless(by)
            course = self.course()
            if of is not None and (course.latest is None or course.latest.id != of):
                raise PromotionRefused(self._moved())
            if course.canary is not None:
                old, after = course.canary.model_id, course.production
                self._models.set_stage(old, Stage.ARCHIVED)
            else:
                old, after = self._before_last(course, emptying)
                self._models.switch_production(old, after)
            target = self._models.get(after or old)
            return self._append(
                Promotion(
                    id=new_id(),
                    action=PromotionAction.ROLLBACK,
                    model_id=target.id,
                    model_sha256=target.sha256,
                    decided_by=by,
                    created_at=now(),
                    previous_model_id=old,
                    reason=reason,
                )
            )

    def reject(
        self, model_id: str, report_sha256: str, by: str, reason: str | None = None
    ) -> Promotion:
        """Archive a Model that is not to answer, and write down who said so.

        Raises NotFound for the Model, PromotionRefused for one in production (roll back instead),
        one that is archived already, and a report that is not about it.
        """
        seen = self._head()
        with self._database.writing() as connection:
            lock_stages(connection)
            self._refuse_latecomer(seen)
            self._refuse_nameless(by)
            model = self._models.get(model_id)
            if model.stage is Stage.PRODUCTION:
                raise PromotionRefused(
                    f"Model {model_id!r} is in production. Take it out with: qc-lora model rollback"
                )
            if model.stage is Stage.ARCHIVED:
                raise PromotionRefused(f"Model {model_id!r} is archived already.")
            canary = self.course().canary
            if canary is not None and canary.model_id == model_id:
                raise PromotionRefused(
                    f"Model {model_id!r} is on trial as canary. End that with: qc-lora model "
                    "rollback"
                )
            about = self._verdicts.find(challenger=model_id)
            if not any(one.report_sha256 == report_sha256 for one in about):
                raise PromotionRefused(self._wrong_report(model_id, report_sha256))
            self._models.set_stage(model_id, Stage.ARCHIVED)
            return self._append(
                Promotion(
                    id=new_id(),
                    action=PromotionAction.REJECT,
                    model_id=model_id,
                    model_sha256=model.sha256,
                    decided_by=by,
                    created_at=now(),
                    report_sha256=report_sha256,
                    reason=reason,
                )
            )

    def history(self) -> list[Promotion]:
        """All of them, oldest first."""
        return list(self.each())

    def course(self) -> Course:
        """What they add up to: who is in production, after whom, and who is on trial."""
        return course_of(self.each())

    def find(self, *, model_id: str | None = None, limit: int | None = None) -> list[Promotion]:
        """Newest first."""
        statement = select(*self._columns.values()).order_by(self.table.c.position.desc())
        if model_id is not None:
            statement = statement.where(self.table.c.model_id == model_id)
        return self._run(statement if limit is None else statement.limit(limit))

    def restore(self, records: Sequence[Promotion]) -> int:
        """Append the history of another store; returns how many were new.

        Stages are not touched: they come with the Models. Raises StoreError for another promotion
        under the same id.
        """
        with self._database.writing() as connection:
            lock_stages(connection)
            kept = self._fetch(connection, [record.id for record in records])
            for record in records:
                if record.id in kept:
                    self._same(kept[record.id], record)
                else:
                    self._append(record)
            return len(records) - len(kept)

    def _in_order(self) -> list[ColumnElement[Any]]:
        return [self.table.c.position]

    def _head(self) -> int:
        with self._database.reading() as connection:
            return connection.scalar(select(func.max(self.table.c.position))) or 0

    def _append(self, record: Promotion) -> Promotion:
        values = {**self._values(record), "position": self._head() + 1}
        with self._database.writing() as connection:
            connection.execute(insert(self.table).values(values))
        return record

    def _before_last(self, course: Course, emptying: bool) -> tuple[str, str | None]:
        """Who is taken back and who answers then."""
        standing = [one.model_id for one in course.promoted]
        if not standing or (len(standing) < 2 and not emptying):
            raise PromotionRefused(
                "There is no earlier model to go back to: "
                + (f"{standing[0]!r} is the first" if standing else "none was ever")
                + " in production. Promote another with: qc-lora model promote"
                + ("; or let hosted models answer: qc-lora model rollback --to-hosted"
                   if standing else "")
            )  # fmt: skip
        return standing[-1], standing[-2] if len(standing) > 1 else None

    def _refuse_latecomer(self, seen: int) -> None:
        if self._head() != seen:
            raise PromotionRefused(self._moved())

    def _moved(self) -> str:
        last = next(iter(self.find(limit=1)), None)
        what = f"{last.action} of {last.model_id!r} by {last.decided_by}" if last else "a reset"
        return (
            f"Another decision came first: {what}. Nothing was changed. Look at it with: qc-lora "
            "model list"
        )

    def _check_canary(self, model_id: str, share: float | None) -> None:
        if share is not None and not 0 < share < 1:
            raise PromotionRefused(
                f"The share of a canary is a fraction above 0 and below 1, got {share:g}. All "
                "Builds: --full."
            )
        canary = self.course().canary
        if canary is not None and canary.model_id != model_id:
            raise PromotionRefused(
                f"Model {canary.model_id!r} is on trial as canary for {canary.share:.0%} of the "
                "Builds. Nothing was changed. Finish that with: qc-lora model promote --full; or "
                "end it with: qc-lora model rollback"
            )

    def _refuse_nameless(self, by: str) -> None:
        if not by.strip():
            raise PromotionRefused("A decision needs the name of who made it. Give it with --by.")

    def _check(
        self, model_id: str, model_sha256: str, report_sha256: str, by: str, old_id: str | None
    ) -> None:
        self._refuse_nameless(by)
        model = self._models.get(model_id)
        if model.sha256 != model_sha256:
            raise PromotionRefused(
                f"The artefact has SHA-256 {model_sha256}, but model {model_id!r} was stored with "
                f"{model.sha256}. Release it again, then evaluate what was released."
            )
        if old_id == model_id:
            raise PromotionRefused(f"Model {model_id!r} is in production already.")
        about = self._verdicts.find(challenger=model_id)
        verdict = next((item for item in about if item.report_sha256 == report_sha256), None)
        if verdict is None:
            raise PromotionRefused(self._wrong_report(model_id, report_sha256))
        if verdict.champion != old_id and self._models.has(verdict.champion):
            fact = f"The report compares {model_id!r} with"
            raise PromotionRefused(_moved_on(fact, verdict.champion, old_id, model_id))

    def _wrong_report(self, model_id: str, report_sha256: str) -> str:
        others = self._verdicts.find(report_sha256=report_sha256)
        if others:
            fact = f"is about {others[0].challenger!r}"
        else:
            about = self._verdicts.find(challenger=model_id)
            known = [item.report_sha256 for item in about if item.report_sha256]
            fact = "is not in the store; reports about this model have " + (
                ", ".join(known) or "none yet"
            )
        return (
            f"The report with SHA-256 {report_sha256} does not belong to model {model_id!r}: it "
            f"{fact}. Build one with: qc-lora report build"
        )


def _moved_on(fact: str, compared: str | None, now_there: str | None, model_id: str) -> str:
    there = f"{now_there!r} is" if now_there else "no model is"
    return (
        f"{fact} {repr(compared) if compared else 'no model'}, but {there} in production now. "
        f"Nothing was changed. Compare with that one: qc-lora eval {model_id}, then "
        f"qc-lora report build {model_id}"
    )
