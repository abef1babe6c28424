"""What became of everything that a source of the corpus had."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from qc_builder_lora.store.migrations.kinds import moment, name

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Called by Alembic, inside the transaction of `revisions.py`."""
    steps = "'in', 'parsed', 'compiles', 'runs', 'trades', 'kept'"
    op.create_table(
        "entries",
        sa.Column("id", name(), nullable=False),
        sa.Column("source", name(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("licence", sa.Text(), nullable=False),
        sa.Column("step", sa.String(32), nullable=False),
        sa.Column("outcome", sa.String(32)),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("detail", sa.Text()),
        sa.Column("place", sa.Text()),
        sa.Column("basis", name()),
        sa.PrimaryKeyConstraint("id", name="pk_entries"),
        sa.CheckConstraint(f"step IN ({steps})", name=op.f("ck_entries_step")),
        sa.CheckConstraint(
            "outcome IN ('PASS', 'FAIL', 'UNKNOWN')", name=op.f("ck_entries_outcome")
        ),
    )
    op.create_index("ix_entries_source", "entries", ["source"])
