"""What the builder asked, what it was answered, and what of that is taught."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from qc_builder_lora.records import (
    BacktestStatus,
    Outcome,
    Role,
    Split,
    Step,
)
from qc_builder_lora.store.columns import (
    Equity,
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


class BuildRow(Base):
    """Builds."""

    __tablename__ = "builds"
    __table_args__ = (Index("ix_builds_started_at", "started_at"),)

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    title: Mapped[str] = mapped_column(LongText)
    host: Mapped[str] = mapped_column(LongText)
    started_at: Mapped[datetime] = mapped_column(Moment)
    spec: Mapped[str | None] = mapped_column(LongText)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    status: Mapped[str | None] = mapped_column(LongText)
    cost_usd: Mapped[Decimal | None] = mapped_column(Money)


class RequestRow(Base):
    """Requests."""

    __tablename__ = "requests"
    __table_args__ = (Index("ix_requests_created_at", "created_at"),)

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    instruction: Mapped[str] = mapped_column(LongText)
    context: Mapped[str] = mapped_column(LongText)
    created_at: Mapped[datetime] = mapped_column(Moment)


class GenerationRow(Base):
    """Generations."""

    __tablename__ = "generations"
    __table_args__ = (
        one_of("role", Role),
        Index("ix_generations_build_id", "build_id", "iteration"),
        Index("ix_generations_request_id", "request_id"),
        Index("ix_generations_strategy_id", "strategy_id"),
        Index("ix_generations_created_at", "created_at"),
    )

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    request_id: Mapped[str] = mapped_column(Name, ForeignKey("requests.id"))
    code: Mapped[str] = mapped_column(LongText)
    role: Mapped[StrEnum] = mapped_column(OneOf(Role))
    created_at: Mapped[datetime] = mapped_column(Moment)
    model: Mapped[str | None] = mapped_column(LongText)
    build_id: Mapped[str | None] = mapped_column(Name, ForeignKey("builds.id"))
    iteration: Mapped[int | None] = mapped_column(Whole)
    strategy_id: Mapped[str | None] = mapped_column(Name, ForeignKey("strategies.id"))
    version: Mapped[str | None] = mapped_column(LongText)
    fitness: Mapped[float | None] = mapped_column(Real)
    label: Mapped[str | None] = mapped_column(LongText)
    error: Mapped[str | None] = mapped_column(LongText)
    error_class: Mapped[str | None] = mapped_column(LongText)
    prompt_tokens: Mapped[int | None] = mapped_column(Whole)
    completion_tokens: Mapped[int | None] = mapped_column(Whole)
    cost_usd: Mapped[Decimal | None] = mapped_column(Money)
    latency_s: Mapped[float | None] = mapped_column(Real)
    finish_reason: Mapped[str | None] = mapped_column(LongText)


class StrategyRow(Base):
    """Strategies."""

    __tablename__ = "strategies"
    __table_args__ = (
        Index("ix_strategies_created_at", "created_at"),
        Index("ix_strategies_family", "family"),
        Index("ix_strategies_code_sha256", "code_sha256"),
    )

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    code: Mapped[str] = mapped_column(LongText)
    code_sha256: Mapped[str] = mapped_column(Name)
    created_at: Mapped[datetime] = mapped_column(Moment)
    source: Mapped[str] = mapped_column(Name)
    family: Mapped[str | None] = mapped_column(Name)
    licence: Mapped[str | None] = mapped_column(LongText)


class BacktestRow(Base):
    """Backtests."""

    __tablename__ = "backtests"
    __table_args__ = (
        one_of("status", BacktestStatus),
        Index("ix_backtests_strategy_id", "strategy_id", "created_at"),
        Index("ix_backtests_build_id", "build_id"),
        Index("ix_backtests_code_sha256", "code_sha256"),
        Index("ix_backtests_figures", "figures", "strategy_id"),
    )

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    strategy_id: Mapped[str] = mapped_column(Name, ForeignKey("strategies.id"))
    status: Mapped[StrEnum] = mapped_column(OneOf(BacktestStatus))
    engine: Mapped[str] = mapped_column(LongText)
    engine_version: Mapped[str | None] = mapped_column(LongText)
    data_fingerprint: Mapped[str | None] = mapped_column(LongText)
    created_at: Mapped[datetime] = mapped_column(Moment)
    code_sha256: Mapped[str] = mapped_column(Name)
    reason: Mapped[str | None] = mapped_column(LongText)
    phase: Mapped[str | None] = mapped_column(LongText)
    settings: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    statistics: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    total_orders: Mapped[int | None] = mapped_column(Whole)
    closed_trades: Mapped[int | None] = mapped_column(Whole)
    equity: Mapped[tuple[tuple[str, float], ...]] = mapped_column(Equity)
    wall_s: Mapped[float | None] = mapped_column(Real)
    build_id: Mapped[str | None] = mapped_column(Name, ForeignKey("builds.id"))
    figures: Mapped[str | None] = mapped_column(Name)
    """What a builder's engine reported, in one text that is the same for the same figures."""


class GateRow(Base):
    """Gates; every answer is kept, the latest of a name counts."""

    __tablename__ = "gates"
    __table_args__ = (
        one_of("outcome", Outcome),
        Index("ix_gates_strategy_id", "strategy_id", "name", "created_at"),
        Index("ix_gates_backtest_id", "backtest_id"),
    )

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    strategy_id: Mapped[str] = mapped_column(Name, ForeignKey("strategies.id"))
    name: Mapped[str] = mapped_column(Name)
    outcome: Mapped[StrEnum] = mapped_column(OneOf(Outcome))
    evidence: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    created_at: Mapped[datetime] = mapped_column(Moment)
    backtest_id: Mapped[str | None] = mapped_column(Name, ForeignKey("backtests.id"))
    basis: Mapped[str | None] = mapped_column(Name)


class ExampleRow(Base):
    """Examples."""

    __tablename__ = "examples"
    __table_args__ = (
        Index("ix_examples_family", "family"),
        Index("ix_examples_source", "source"),
        Index("ix_examples_strategy_id", "strategy_id"),
        Index("ix_examples_backtest_id", "backtest_id"),
    )

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    instruction: Mapped[str] = mapped_column(LongText)
    code: Mapped[str] = mapped_column(LongText)
    family: Mapped[str] = mapped_column(Name)
    source: Mapped[str] = mapped_column(Name)
    licence: Mapped[str] = mapped_column(LongText)
    created_at: Mapped[datetime] = mapped_column(Moment)
    parameters: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    style: Mapped[str | None] = mapped_column(LongText)
    strategy_id: Mapped[str | None] = mapped_column(Name, ForeignKey("strategies.id"))
    backtest_id: Mapped[str | None] = mapped_column(Name, ForeignKey("backtests.id"))
    version: Mapped[str | None] = mapped_column(LongText)
    origin: Mapped[dict[str, Any] | None] = mapped_column(JsonObject(none_as_null=True))


class EntryRow(Base):
    """Entries."""

    __tablename__ = "entries"
    __table_args__ = (
        one_of("step", Step),
        one_of("outcome", Outcome),
        Index("ix_entries_source", "source"),
    )

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    source: Mapped[str] = mapped_column(Name)
    version: Mapped[str] = mapped_column(LongText)
    licence: Mapped[str] = mapped_column(LongText)
    step: Mapped[StrEnum] = mapped_column(OneOf(Step))
    outcome: Mapped[StrEnum | None] = mapped_column(OneOf(Outcome))
    created_at: Mapped[datetime] = mapped_column(Moment)
    reason: Mapped[str | None] = mapped_column(LongText)
    detail: Mapped[str | None] = mapped_column(LongText)
    place: Mapped[str | None] = mapped_column(LongText)
    basis: Mapped[str | None] = mapped_column(Name)


class SnapshotRow(Base):
    """Snapshots, without their members."""

    __tablename__ = "snapshots"

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    settings: Mapped[dict[str, Any]] = mapped_column(JsonObject)


class SnapshotMemberRow(Base):
    """Which Example is in which split of which Snapshot."""

    __tablename__ = "snapshot_members"
    __table_args__ = (
        one_of("split", Split),
        Index("ix_snapshot_members_example_id", "example_id"),
    )

    snapshot_id: Mapped[str] = mapped_column(Name, ForeignKey("snapshots.id"), primary_key=True)
    example_id: Mapped[str] = mapped_column(Name, ForeignKey("examples.id"), primary_key=True)
    split: Mapped[StrEnum] = mapped_column(OneOf(Split))
