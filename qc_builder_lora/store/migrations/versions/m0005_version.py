"""Examples say which version of their source they are from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Called by Alembic, inside the transaction of `revisions.py`."""
    op.add_column("examples", sa.Column("version", sa.Text()))
