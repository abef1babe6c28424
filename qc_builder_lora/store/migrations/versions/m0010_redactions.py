"""How many secrets and personal traces were taken out of what was kept, by kind."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from qc_builder_lora.store.migrations.kinds import name

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Called by Alembic, inside the transaction of `revisions.py`."""
    op.create_table(
        "redactions",
        sa.Column("source", name(), nullable=False),
        sa.Column("batch", name(), nullable=False),
        sa.Column("kind", name(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "batch", "kind", name="pk_redactions"),
    )
    # What was taken out of that is not known, which is another thing than nothing.
    op.execute(
        "INSERT INTO redactions (source, batch, kind, count) "
        "SELECT '', '', 'uncounted', 0 WHERE EXISTS (SELECT 1 FROM generations)"
    )
