"""What serving processes count of the models that answer, so that each knows of the others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from qc_builder_lora.store.migrations.kinds import moment, name

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Called by Alembic, inside the transaction of `revisions.py`."""
    op.create_table(
        "tallies",
        sa.Column("process", name(), nullable=False),
        sa.Column("phase", name(), nullable=False),
        sa.Column("model", name(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("began_at", moment(), nullable=False),
        sa.PrimaryKeyConstraint("process", "phase", "model", name="pk_tallies"),
    )
