"""What was trained, how it did, who let it into production; and the loop's own books."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from qc_builder_lora.records import (
    Preference,
    PromotionAction,
    RunStatus,
    Stage,
    VerdictKind,
)
from qc_builder_lora.store.columns import (
    JsonObject,
    LongText,
    Moment,
    Money,
    Name,
    OneOf,
    Real,
    Whole,
)
from qc_builder_lora.store.tables.base import Base, one_of


class RunRow(Base):
    """Runs."""

    __tablename__ = "runs"
    __table_args__ = (one_of("status", RunStatus), Index("ix_runs_snapshot_id", "snapshot_id"))

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    recipe: Mapped[str] = mapped_column(LongText)
    recipe_sha256: Mapped[str] = mapped_column(LongText)
    recipe_text: Mapped[str] = mapped_column(LongText)
    snapshot_id: Mapped[str] = mapped_column(Name, ForeignKey("snapshots.id"))
    status: Mapped[StrEnum] = mapped_column(OneOf(RunStatus))
    started_at: Mapped[datetime] = mapped_column(Moment)
    path: Mapped[str] = mapped_column(LongText)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    metrics: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    error: Mapped[str | None] = mapped_column(LongText)


class AdapterRow(Base):
    """Adapters."""

    __tablename__ = "adapters"
    __table_args__ = (Index("ix_adapters_run_id", "run_id"),)

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    run_id: Mapped[str] = mapped_column(Name, ForeignKey("runs.id"))
    path: Mapped[str] = mapped_column(LongText)
    base: Mapped[str] = mapped_column(LongText)
    base_sha256: Mapped[str] = mapped_column(LongText)
    rank: Mapped[int] = mapped_column(Whole)
    alpha: Mapped[float] = mapped_column(Real)
    created_at: Mapped[datetime] = mapped_column(Moment)


class ModelRow(Base):
    """Models; the partial index lets no second one into production, whoever writes."""

    __tablename__ = "models"
    __table_args__ = (
        one_of("stage", Stage),
        Index("ix_models_adapter_id", "adapter_id"),
        Index("ix_models_sha256", "sha256"),
        Index(
            "uq_models_production",
            "stage",
            unique=True,
            sqlite_where=text("stage = 'production'"),
            postgresql_where=text("stage = 'production'"),
        ),
    )

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    adapter_id: Mapped[str | None] = mapped_column(Name, ForeignKey("adapters.id"))
    path: Mapped[str] = mapped_column(LongText)
    sha256: Mapped[str] = mapped_column(Name)
    quantization: Mapped[str] = mapped_column(LongText)
    manifest: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    stage: Mapped[StrEnum] = mapped_column(OneOf(Stage))
    created_at: Mapped[datetime] = mapped_column(Moment)


class EvaluationRow(Base):
    """Evaluations. `model` may be a base model, so it refers to no table."""

    __tablename__ = "evaluations"
    __table_args__ = (Index("ix_evaluations_model_sha256", "model_sha256", "suite_sha256"),)

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    model: Mapped[str] = mapped_column(LongText)
    model_sha256: Mapped[str] = mapped_column(Name)
    suite: Mapped[str] = mapped_column(LongText)
    suite_sha256: Mapped[str] = mapped_column(Name)
    engine: Mapped[str] = mapped_column(LongText)
    results: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    created_at: Mapped[datetime] = mapped_column(Moment)


class ComparisonRow(Base):
    """Comparisons."""

    __tablename__ = "comparisons"
    __table_args__ = (
        Index("ix_comparisons_request_id", "request_id"),
        Index("ix_comparisons_champion_generation_id", "champion_generation_id"),
        Index("ix_comparisons_challenger_generation_id", "challenger_generation_id"),
        Index("ix_comparisons_created_at", "created_at"),
    )

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    request_id: Mapped[str] = mapped_column(Name, ForeignKey("requests.id"))
    champion_generation_id: Mapped[str] = mapped_column(Name, ForeignKey("generations.id"))
    challenger_generation_id: Mapped[str] = mapped_column(Name, ForeignKey("generations.id"))
    judged: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    created_at: Mapped[datetime] = mapped_column(Moment)


class VerdictRow(Base):
    """Verdicts. Champion and challenger may be hosted models, so they refer to no table."""

    __tablename__ = "verdicts"
    __table_args__ = (
        one_of("kind", VerdictKind),
        Index("ix_verdicts_challenger", "challenger"),
        Index("ix_verdicts_report_sha256", "report_sha256"),
    )

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    champion: Mapped[str] = mapped_column(LongText)
    challenger: Mapped[str] = mapped_column(Name)
    kind: Mapped[StrEnum] = mapped_column(OneOf(VerdictKind))
    evidence: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    created_at: Mapped[datetime] = mapped_column(Moment)
    report_path: Mapped[str | None] = mapped_column(LongText)
    report_sha256: Mapped[str | None] = mapped_column(Name)


class RatingRow(Base):
    """Ratings. The id is the hash of Comparison and rater, so that there is one of each pair."""

    __tablename__ = "ratings"
    __table_args__ = (
        one_of("preferred", Preference),
        one_of("first", Preference),
        Index("ix_ratings_comparison_id", "comparison_id"),
    )

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    comparison_id: Mapped[str] = mapped_column(Name, ForeignKey("comparisons.id"))
    rater: Mapped[str] = mapped_column(Name)
    preferred: Mapped[StrEnum] = mapped_column(OneOf(Preference))
    created_at: Mapped[datetime] = mapped_column(Moment)
    first: Mapped[StrEnum] = mapped_column(OneOf(Preference))
    score: Mapped[int | None] = mapped_column(Whole)
    comment: Mapped[str | None] = mapped_column(LongText)


class SpendingRow(Base):
    """Spendings. The Build need not be in the store: a client of the gateway names its own."""

    __tablename__ = "spendings"
    __table_args__ = (
        Index("ix_spendings_build_id", "build_id"),
        Index("ix_spendings_created_at", "created_at"),
    )

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    build_id: Mapped[str] = mapped_column(Name)
    provider: Mapped[str] = mapped_column(LongText)
    model: Mapped[str] = mapped_column(LongText)
    reserved_usd: Mapped[Decimal] = mapped_column(Money)
    created_at: Mapped[datetime] = mapped_column(Moment)
    cost_usd: Mapped[Decimal | None] = mapped_column(Money)
    settled_at: Mapped[datetime | None] = mapped_column(Moment)


class PromotionRow(Base):
    """Promotions; triggers of the third migration refuse to change or delete one.

    `position` counts from 1 and gives the order: two clocks, or one that jumps, cannot.
    """

    __tablename__ = "promotions"
    __table_args__ = (
        one_of("action", PromotionAction),
        UniqueConstraint("position"),
        Index("ix_promotions_model_id", "model_id"),
        Index("ix_promotions_previous_model_id", "previous_model_id"),
    )

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    position: Mapped[int] = mapped_column(Whole)
    action: Mapped[StrEnum] = mapped_column(OneOf(PromotionAction))
    model_id: Mapped[str] = mapped_column(Name, ForeignKey("models.id"))
    model_sha256: Mapped[str] = mapped_column(LongText)
    decided_by: Mapped[str] = mapped_column(LongText)
    created_at: Mapped[datetime] = mapped_column(Moment)
    report_sha256: Mapped[str | None] = mapped_column(LongText)
    previous_model_id: Mapped[str | None] = mapped_column(Name, ForeignKey("models.id"))
    reason: Mapped[str | None] = mapped_column(LongText)
    share: Mapped[float | None] = mapped_column(Real)


class TurnRow(Base):
    """Turns of the loop."""

    __tablename__ = "turns"
    __table_args__ = (one_of("status", RunStatus), Index("ix_turns_started_at", "started_at"))

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    trigger: Mapped[str] = mapped_column(LongText)
    status: Mapped[StrEnum] = mapped_column(OneOf(RunStatus))
    started_at: Mapped[datetime] = mapped_column(Moment)
    stages: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    error: Mapped[str | None] = mapped_column(LongText)


class LeaseRow(Base):
    """Who may do what only one may do. A released row stays, so that its token goes on growing."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(Name, primary_key=True)
    holder: Mapped[str] = mapped_column(LongText)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    token: Mapped[int] = mapped_column(Whole)


class TallyRow(Base):
    """What one serving process counted of one model while one decision stood."""

    __tablename__ = "tallies"

    process: Mapped[str] = mapped_column(Name, primary_key=True)
    phase: Mapped[str] = mapped_column(Name, primary_key=True)
    model: Mapped[str] = mapped_column(Name, primary_key=True)
    figures: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    began_at: Mapped[datetime] = mapped_column(Moment)


class RedactionRow(Base):
    """How many secrets of a kind were taken out of one batch of a source."""

    __tablename__ = "redactions"

    source: Mapped[str] = mapped_column(Name, primary_key=True)
    batch: Mapped[str] = mapped_column(Name, primary_key=True)
    kind: Mapped[str] = mapped_column(Name, primary_key=True)
    count: Mapped[int] = mapped_column(Whole)


class IngestedRow(Base):
    """The spool events that have been taken: a second reading of the spool skips them."""

    __tablename__ = "ingested"

    source: Mapped[str] = mapped_column(Name, primary_key=True)
    sequence: Mapped[int] = mapped_column(Whole, primary_key=True, autoincrement=False)
