"""What all tables share: the metadata, and the names of constraints."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, MetaData, Table
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """Names every constraint, so that a later migration can find it."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        }
    )

    @classmethod
    def table(cls) -> Table:
        """The table of this row class."""
        table = cls.__table__
        assert isinstance(table, Table)
        return table


def one_of(column: str, kind: type[StrEnum]) -> CheckConstraint:
    """A CHECK that lets only the members of the enum in."""
    words = ", ".join(f"'{member.value}'" for member in kind)
    return CheckConstraint(f"{column} IN ({words})", name=column)
