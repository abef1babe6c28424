"""Examples say what they were made from: an error-fix pair, from which example and how."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Called by Alembic, inside the transaction of `revisions.py`."""
    op.add_column("examples", sa.Column("origin", sa.JSON()))
