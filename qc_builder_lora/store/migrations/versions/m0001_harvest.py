"""The tables of what the builder asked, was answered, and what of that is taught."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from qc_builder_lora.store.migrations.kinds import moment, money, name

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Called by Alembic, inside the transaction of `revisions.py`."""
    _builds()
    _requests()
    _strategies()
    _generations()
    _backtests()
    _gates()
    _examples()
    _snapshots()
    _snapshot_members()


def _builds() -> None:
    op.create_table(
        "builds",
        sa.Column("id", name(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("started_at", moment(), nullable=False),
        sa.Column("spec", sa.Text()),
        sa.Column("finished_at", moment()),
        sa.Column("status", sa.Text()),
        sa.Column("cost_usd", money()),
        sa.PrimaryKeyConstraint("id", name="pk_builds"),
    )
    op.create_index("ix_builds_started_at", "builds", ["started_at"])


def _requests() -> None:
    op.create_table(
        "requests",
        sa.Column("id", name(), nullable=False),
        sa.Column("instruction", sa.Text(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_requests"),
    )
    op.create_index("ix_requests_created_at", "requests", ["created_at"])


def _strategies() -> None:
    op.create_table(
        "strategies",
        sa.Column("id", name(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("code_sha256", name(), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("source", name(), nullable=False),
        sa.Column("family", name()),
        sa.Column("licence", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_strategies"),
    )
    op.create_index("ix_strategies_code_sha256", "strategies", ["code_sha256"])
    op.create_index("ix_strategies_created_at", "strategies", ["created_at"])
    op.create_index("ix_strategies_family", "strategies", ["family"])


def _generations() -> None:
    op.create_table(
        "generations",
        sa.Column("id", name(), nullable=False),
        sa.Column("request_id", name(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("model", sa.Text()),
        sa.Column("build_id", name()),
        sa.Column("iteration", sa.BigInteger()),
        sa.Column("strategy_id", name()),
        sa.Column("version", sa.Text()),
        sa.Column("fitness", sa.Double()),
        sa.Column("label", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("error_class", sa.Text()),
        sa.Column("prompt_tokens", sa.BigInteger()),
        sa.Column("completion_tokens", sa.BigInteger()),
        sa.Column("cost_usd", money()),
        sa.Column("latency_s", sa.Double()),
        sa.Column("finish_reason", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_generations"),
        sa.CheckConstraint("role IN ('served', 'shadow')", name=op.f("ck_generations_role")),
        sa.ForeignKeyConstraint(["build_id"], ["builds.id"], name="fk_generations_build_id"),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name="fk_generations_request_id"),
        sa.ForeignKeyConstraint(
            ["strategy_id"], ["strategies.id"], name="fk_generations_strategy_id"
        ),
    )
    op.create_index("ix_generations_build_id", "generations", ["build_id", "iteration"])
    op.create_index("ix_generations_created_at", "generations", ["created_at"])
    op.create_index("ix_generations_request_id", "generations", ["request_id"])
    op.create_index("ix_generations_strategy_id", "generations", ["strategy_id"])


def _backtests() -> None:
    op.create_table(
        "backtests",
        sa.Column("id", name(), nullable=False),
        sa.Column("strategy_id", name(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("engine_version", sa.Text()),
        sa.Column("data_fingerprint", sa.Text()),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("code_sha256", name(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("phase", sa.Text()),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("statistics", sa.JSON(), nullable=False),
        sa.Column("total_orders", sa.BigInteger()),
        sa.Column("closed_trades", sa.BigInteger()),
        sa.Column("equity", sa.LargeBinary(), nullable=False),
        sa.Column("wall_s", sa.Double()),
        sa.Column("build_id", name()),
        sa.PrimaryKeyConstraint("id", name="pk_backtests"),
        sa.CheckConstraint(
            "status IN ('completed', 'failed', 'unknown')", name=op.f("ck_backtests_status")
        ),
        sa.ForeignKeyConstraint(["build_id"], ["builds.id"], name="fk_backtests_build_id"),
        sa.ForeignKeyConstraint(
            ["strategy_id"], ["strategies.id"], name="fk_backtests_strategy_id"
        ),
    )
    op.create_index("ix_backtests_build_id", "backtests", ["build_id"])
    op.create_index("ix_backtests_code_sha256", "backtests", ["code_sha256"])
    op.create_index("ix_backtests_strategy_id", "backtests", ["strategy_id", "created_at"])


def _gates() -> None:
    op.create_table(
        "gates",
        sa.Column("id", name(), nullable=False),
        sa.Column("strategy_id", name(), nullable=False),
        sa.Column("name", name(), nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("backtest_id", name()),
        sa.PrimaryKeyConstraint("id", name="pk_gates"),
        sa.CheckConstraint("outcome IN ('PASS', 'FAIL', 'UNKNOWN')", name=op.f("ck_gates_outcome")),
        sa.ForeignKeyConstraint(["backtest_id"], ["backtests.id"], name="fk_gates_backtest_id"),
        sa.ForeignKeyConstraint(["strategy_id"], ["strategies.id"], name="fk_gates_strategy_id"),
    )
    op.create_index("ix_gates_backtest_id", "gates", ["backtest_id"])
    op.create_index("ix_gates_strategy_id", "gates", ["strategy_id", "name", "created_at"])


def _examples() -> None:
    op.create_table(
        "examples",
        sa.Column("id", name(), nullable=False),
        sa.Column("instruction", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("family", name(), nullable=False),
        sa.Column("source", name(), nullable=False),
        sa.Column("licence", sa.Text(), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("style", sa.Text()),
        sa.Column("strategy_id", name()),
        sa.Column("backtest_id", name()),
        sa.PrimaryKeyConstraint("id", name="pk_examples"),
        sa.ForeignKeyConstraint(["backtest_id"], ["backtests.id"], name="fk_examples_backtest_id"),
        sa.ForeignKeyConstraint(["strategy_id"], ["strategies.id"], name="fk_examples_strategy_id"),
    )
    op.create_index("ix_examples_backtest_id", "examples", ["backtest_id"])
    op.create_index("ix_examples_family", "examples", ["family"])
    op.create_index("ix_examples_source", "examples", ["source"])
    op.create_index("ix_examples_strategy_id", "examples", ["strategy_id"])


def _snapshots() -> None:
    op.create_table(
        "snapshots",
        sa.Column("id", name(), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_snapshots"),
    )


def _snapshot_members() -> None:
    op.create_table(
        "snapshot_members",
        sa.Column("snapshot_id", name(), nullable=False),
        sa.Column("example_id", name(), nullable=False),
        sa.Column("split", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("snapshot_id", "example_id", name="pk_snapshot_members"),
        sa.CheckConstraint(
            "split IN ('train', 'validation', 'golden')", name=op.f("ck_snapshot_members_split")
        ),
        sa.ForeignKeyConstraint(
            ["example_id"], ["examples.id"], name="fk_snapshot_members_example_id"
        ),
        sa.ForeignKeyConstraint(
            ["snapshot_id"], ["snapshots.id"], name="fk_snapshot_members_snapshot_id"
        ),
    )
    op.create_index("ix_snapshot_members_example_id", "snapshot_members", ["example_id"])
