"""The tables of training, evaluation and promotion, and of the loop's own books."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from qc_builder_lora.store.migrations.kinds import moment, name

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Called by Alembic, inside the transaction of `revisions.py`."""
    _runs()
    _adapters()
    _models()
    _evaluations()
    _comparisons()
    _verdicts()
    _promotions()
    _turns()
    _leases()
    _ingested()


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", name(), nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("recipe_sha256", sa.Text(), nullable=False),
        sa.Column("recipe_text", sa.Text(), nullable=False),
        sa.Column("snapshot_id", name(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("started_at", moment(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("finished_at", moment()),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.CheckConstraint(
            "status IN ('running', 'finished', 'failed')", name=op.f("ck_runs_status")
        ),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshots.id"], name="fk_runs_snapshot_id"),
    )
    op.create_index("ix_runs_snapshot_id", "runs", ["snapshot_id"])


def _adapters() -> None:
    op.create_table(
        "adapters",
        sa.Column("id", name(), nullable=False),
        sa.Column("run_id", name(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("base_sha256", sa.Text(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("alpha", sa.Double(), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_adapters"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_adapters_run_id"),
    )
    op.create_index("ix_adapters_run_id", "adapters", ["run_id"])


def _models() -> None:
    op.create_table(
        "models",
        sa.Column("id", name(), nullable=False),
        sa.Column("adapter_id", name()),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", name(), nullable=False),
        sa.Column("quantization", sa.Text(), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("stage", sa.String(32), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_models"),
        sa.CheckConstraint(
            "stage IN ('candidate', 'shadow', 'production', 'archived')",
            name=op.f("ck_models_stage"),
        ),
        sa.ForeignKeyConstraint(["adapter_id"], ["adapters.id"], name="fk_models_adapter_id"),
    )
    op.create_index("ix_models_adapter_id", "models", ["adapter_id"])
    op.create_index("ix_models_sha256", "models", ["sha256"])
    op.create_index(
        "uq_models_production",
        "models",
        ["stage"],
        unique=True,
        sqlite_where=sa.text("stage = 'production'"),
        postgresql_where=sa.text("stage = 'production'"),
    )


def _evaluations() -> None:
    op.create_table(
        "evaluations",
        sa.Column("id", name(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("model_sha256", name(), nullable=False),
        sa.Column("suite", sa.Text(), nullable=False),
        sa.Column("suite_sha256", name(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("results", sa.JSON(), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_evaluations"),
    )
    op.create_index("ix_evaluations_model_sha256", "evaluations", ["model_sha256", "suite_sha256"])


def _comparisons() -> None:
    op.create_table(
        "comparisons",
        sa.Column("id", name(), nullable=False),
        sa.Column("request_id", name(), nullable=False),
        sa.Column("champion_generation_id", name(), nullable=False),
        sa.Column("challenger_generation_id", name(), nullable=False),
        sa.Column("judged", sa.JSON(), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_comparisons"),
        sa.ForeignKeyConstraint(
            ["challenger_generation_id"],
            ["generations.id"],
            name="fk_comparisons_challenger_generation_id",
        ),
        sa.ForeignKeyConstraint(
            ["champion_generation_id"],
            ["generations.id"],
            name="fk_comparisons_champion_generation_id",
        ),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name="fk_comparisons_request_id"),
    )
    op.create_index(
        "ix_comparisons_challenger_generation_id", "comparisons", ["challenger_generation_id"]
    )
    op.create_index(
        "ix_comparisons_champion_generation_id", "comparisons", ["champion_generation_id"]
    )
    op.create_index("ix_comparisons_created_at", "comparisons", ["created_at"])
    op.create_index("ix_comparisons_request_id", "comparisons", ["request_id"])


def _verdicts() -> None:
    op.create_table(
        "verdicts",
        sa.Column("id", name(), nullable=False),
        sa.Column("champion", sa.Text(), nullable=False),
        sa.Column("challenger", name(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("report_path", sa.Text()),
        sa.Column("report_sha256", name()),
        sa.PrimaryKeyConstraint("id", name="pk_verdicts"),
        sa.CheckConstraint(
            "kind IN ('better', 'worse', 'undecided')", name=op.f("ck_verdicts_kind")
        ),
    )
    op.create_index("ix_verdicts_challenger", "verdicts", ["challenger"])
    op.create_index("ix_verdicts_report_sha256", "verdicts", ["report_sha256"])


def _promotions() -> None:
    op.create_table(
        "promotions",
        sa.Column("id", name(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("model_id", name(), nullable=False),
        sa.Column("model_sha256", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("report_sha256", sa.Text()),
        sa.Column("previous_model_id", name()),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_promotions"),
        sa.CheckConstraint("action IN ('promote', 'rollback')", name=op.f("ck_promotions_action")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_promotions_model_id"),
        sa.ForeignKeyConstraint(
            ["previous_model_id"], ["models.id"], name="fk_promotions_previous_model_id"
        ),
        sa.UniqueConstraint("position", name="uq_promotions_position"),
    )
    op.create_index("ix_promotions_model_id", "promotions", ["model_id"])
    op.create_index("ix_promotions_previous_model_id", "promotions", ["previous_model_id"])


def _turns() -> None:
    op.create_table(
        "turns",
        sa.Column("id", name(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("started_at", moment(), nullable=False),
        sa.Column("stages", sa.JSON(), nullable=False),
        sa.Column("finished_at", moment()),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_turns"),
        sa.CheckConstraint(
            "status IN ('running', 'finished', 'failed')", name=op.f("ck_turns_status")
        ),
    )
    op.create_index("ix_turns_started_at", "turns", ["started_at"])


def _leases() -> None:
    op.create_table(
        "leases",
        sa.Column("name", name(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("expires_at", moment(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def _ingested() -> None:
    op.create_table(
        "ingested",
        sa.Column("source", name(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("source", "sequence", name="pk_ingested"),
    )
