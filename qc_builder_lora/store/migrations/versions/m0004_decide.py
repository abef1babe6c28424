"""What a blind comparison and a budget need: ratings, spendings, more kinds of decision."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from qc_builder_lora.store.migrations.kinds import moment, money, name

revision = "0004"
down_revision = "0003"

_FACT = "promotions are append-only"


def upgrade() -> None:
    """Called by Alembic, inside the transaction of `revisions.py`."""
    _ratings()
    _spendings()
    _allow("verdicts", "kind", "'better', 'not worse', 'worse', 'undecided'")
    # The part of the Builds for which a canary answers.
    op.add_column("promotions", sa.Column("share", sa.Double()))
    _allow("promotions", "action", "'promote', 'rollback', 'reject', 'canary'")
    _guard_again()


def _ratings() -> None:
    words = "IN ('champion', 'challenger', 'tie')"
    op.create_table(
        "ratings",
        sa.Column("id", name(), nullable=False),
        sa.Column("comparison_id", name(), nullable=False),
        sa.Column("rater", name(), nullable=False),
        sa.Column("preferred", sa.String(32), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("first", sa.String(32), nullable=False),
        sa.Column("score", sa.BigInteger()),
        sa.Column("comment", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_ratings"),
        sa.CheckConstraint(f"preferred {words}", name=op.f("ck_ratings_preferred")),
        sa.CheckConstraint(f"first {words}", name=op.f("ck_ratings_first")),
        sa.ForeignKeyConstraint(
            ["comparison_id"], ["comparisons.id"], name="fk_ratings_comparison_id"
        ),
    )
    op.create_index("ix_ratings_comparison_id", "ratings", ["comparison_id"])


def _spendings() -> None:
    op.create_table(
        "spendings",
        sa.Column("id", name(), nullable=False),
        sa.Column("build_id", name(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("reserved_usd", money(), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("cost_usd", money()),
        sa.Column("settled_at", moment()),
        sa.PrimaryKeyConstraint("id", name="pk_spendings"),
    )
    op.create_index("ix_spendings_build_id", "spendings", ["build_id"])
    op.create_index("ix_spendings_created_at", "spendings", ["created_at"])


def _allow(table: str, column: str, words: str) -> None:
    """Another list of words for a column; SQLite makes the table anew for it."""
    constraint = op.f(f"ck_{table}_{column}")
    with op.batch_alter_table(table) as batch:
        batch.drop_constraint(constraint, type_="check")
        batch.create_check_constraint(constraint, sa.text(f"{column} IN ({words})"))


def _guard_again() -> None:
    """SQLite lost the triggers of the third migration with the old table."""
    if op.get_bind().dialect.name != "sqlite":
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER IF NOT EXISTS promotions_no_{verb.lower()} BEFORE {verb} "
            f"ON promotions BEGIN SELECT RAISE(ABORT, '{_FACT}'); END"
        )
