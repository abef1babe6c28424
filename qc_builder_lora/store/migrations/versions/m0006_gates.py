"""Gates say what they rest on; backtests of a builder can be found by what they reported."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

from qc_builder_lora.store.migrations.kinds import name

revision = "0006"
down_revision = "0005"

_KEYS = ("Net Profit", "Sharpe Ratio", "Drawdown", "Total Orders", "End Equity")
_AT_A_TIME = 500


def upgrade() -> None:
    """Called by Alembic, inside the transaction of `revisions.py`."""
    op.add_column("gates", sa.Column("basis", name()))
    op.add_column("backtests", sa.Column("figures", name()))
    _fill()
    op.create_index("ix_backtests_figures", "backtests", ["figures", "strategy_id"])


def _fill() -> None:
    table = sa.table(
        "backtests",
        *map(sa.column, ("id", "status", "build_id", "total_orders", "figures")),
        sa.column("statistics", sa.JSON),
    )
    wanted = sa.select(table.c.id, table.c.statistics).where(
        table.c.build_id.is_not(None), table.c.status == "completed", table.c.total_orders > 0
    )
    found = op.get_bind().execute(wanted).all()
    change = (
        sa.update(table).where(table.c.id == sa.bindparam("key")).values(figures=sa.bindparam("f"))
    )
    for start in range(0, len(found), _AT_A_TIME):
        rows = found[start : start + _AT_A_TIME]
        op.get_bind().execute(change, [{"key": key, "f": _told(told)} for key, told in rows])


def _told(statistics: dict[str, str]) -> str:
    return json.dumps([str(statistics.get(key, "?"))[:32] for key in _KEYS])
