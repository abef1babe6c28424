"""Column types of the migrations. Frozen like them: a new need gets a new function."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


def name() -> sa.types.TypeEngine[Any]:
    """Text that is looked up by, sorted by code point."""
    return sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")


def moment() -> sa.types.TypeEngine[Any]:
    """A time in UTC."""
    return sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql")


def money() -> sa.types.TypeEngine[Any]:
    """An exact decimal."""
    return sa.Numeric().with_variant(sa.Text(), "sqlite")
