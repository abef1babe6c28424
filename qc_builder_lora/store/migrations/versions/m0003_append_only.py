"""The database itself refuses to change or delete a promotion, whoever asks."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

_FACT = "promotions are append-only"


def upgrade() -> None:
    """Called by Alembic, inside the transaction of `revisions.py`."""
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgresql()


def _sqlite() -> None:
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER promotions_no_{verb.lower()} BEFORE {verb} ON promotions "
            f"BEGIN SELECT RAISE(ABORT, '{_FACT}'); END"
        )


def _postgresql() -> None:
    op.execute(
        "CREATE FUNCTION promotions_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_FACT}'; END $$"
    )
    for verb in ("UPDATE", "DELETE", "TRUNCATE"):
        op.execute(
            f"CREATE TRIGGER promotions_no_{verb.lower()} BEFORE {verb} ON promotions "
            "FOR EACH STATEMENT EXECUTE FUNCTION promotions_refuse()"
        )
