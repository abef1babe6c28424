"""The column types: what they accept, and how a value survives both databases unchanged.

Every type refuses what it could not give back exactly: a time without zone, money as a float, a
number that is not finite, JSON with keys that are not text. The same types turn a value into the
JSON of an export line and back.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from qc_builder_lora.errors import StoreError
from qc_builder_lora.store.escapes import escape, escape_json, unescape, unescape_json

T = TypeVar("T")

NAME_LENGTH = 255
_MONEY_DIGITS = 60


class Checked(TypeDecorator[T], Generic[T]):
    """A column that checks what goes in; `accept` says what, and raises StoreError."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = sa.Text

    def __init_subclass__(cls, **options: Any) -> None:
        # SQLAlchemy looks for it on each class itself; without it every query is compiled anew.
        super().__init_subclass__(**options)
        cls.cache_ok = True

    def accept(self, value: Any) -> T:
        """The value in the form in which it is kept. Raises StoreError: the fact, the cure."""
        raise NotImplementedError

    def to_plain(self, value: T) -> Any:
        """The value as JSON."""
        return value

    def from_plain(self, value: Any) -> Any:
        """The value from JSON, still to be accepted. Raises ValueError or TypeError."""
        return value

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Called by SQLAlchemy for each parameter."""
        return None if value is None else self.encode(self.accept(value), dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> T | None:
        """Called by SQLAlchemy for each column of each row."""
        return None if value is None else self.decode(value)

    def encode(self, value: T, dialect: Dialect) -> Any:
        """What the driver is given."""
        return value

    def decode(self, value: Any) -> T:
        """From what the driver gave."""
        result: T = value
        return result


class LongText(Checked[str]):
    """Any Python text, NUL and lone surrogates included (hosts and models do produce them)."""

    def accept(self, value: Any) -> str:
        """Text only."""
        if not isinstance(value, str):
            raise StoreError(f"must be text, got {value!r}.")
        return value

    def encode(self, value: str, dialect: Dialect) -> str:
        """Escaped."""
        return escape(value)

    def decode(self, value: Any) -> str:
        """Unescaped."""
        return unescape(value)


class Name(LongText):
    """Text that is looked up by: an id, a name, a hash. Sorted by code point on both databases."""

    impl = sa.String

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """PostgreSQL would sort by its locale if it were not told otherwise."""
        collation = "C" if dialect.name == "postgresql" else None
        return dialect.type_descriptor(sa.String(NAME_LENGTH, collation=collation))

    def accept(self, value: Any) -> str:
        """Text short enough for an index."""
        text = super().accept(value)
        if len(escape(text)) > NAME_LENGTH:
            raise StoreError(f"has {len(text)} characters; at most {NAME_LENGTH} fit.")
        return text


class Moment(Checked[datetime]):
    """A time with its zone; kept and given back in UTC, to the microsecond."""

    impl = sa.DateTime

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """SQLite has no zones: there the text is UTC without saying so."""
        return dialect.type_descriptor(sa.DateTime(timezone=dialect.name == "postgresql"))

    def accept(self, value: Any) -> datetime:
        """An aware time that exists in UTC."""
        if not isinstance(value, datetime):
            raise StoreError(f"must be a datetime, got {value!r}.")
        if value.utcoffset() is None:
            raise StoreError(
                f"is {value.isoformat()}, which has no time zone. "
                "Use qc_builder_lora.ids.now(), or give it a tzinfo."
            )
        try:
            return value.astimezone(UTC)
        except OverflowError as error:
            raise StoreError(f"is {value.isoformat()}, which has no UTC equivalent.") from error

    def encode(self, value: datetime, dialect: Dialect) -> datetime:
        """Aware for PostgreSQL, bare for SQLite."""
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def decode(self, value: datetime) -> datetime:
        """Always aware, always UTC."""
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def to_plain(self, value: datetime) -> str:
        """ISO 8601."""
        return value.isoformat()

    def from_plain(self, value: Any) -> datetime:
        """From ISO 8601."""
        return datetime.fromisoformat(value)


class Money(Checked[Decimal]):
    """US dollars, exactly: NUMERIC on PostgreSQL, text on SQLite, which has no decimals."""

    impl = sa.Numeric

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text on SQLite: its NUMERIC is a binary float."""
        kind: TypeEngine[Any] = sa.Text() if dialect.name == "sqlite" else sa.Numeric()
        return dialect.type_descriptor(kind)

    def accept(self, value: Any) -> Decimal:
        """A finite Decimal; equal amounts become equal text, so 1.10 comes back as 1.1."""
        if not isinstance(value, Decimal):
            raise StoreError(f"must be a Decimal (money is never a float), got {value!r}.")
        if not value.is_finite():
            raise StoreError(f"must be a finite amount, got {value}. Use None for unknown.")
        if abs(value.adjusted()) > _MONEY_DIGITS or len(value.as_tuple().digits) > _MONEY_DIGITS:
            raise StoreError(f"is {value:.6E}; at most {_MONEY_DIGITS} digits are kept.")
        text = format(value, "f")
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        return Decimal("0" if text == "-0" else text)

    def encode(self, value: Decimal, dialect: Dialect) -> Any:
        """A Decimal for PostgreSQL, its plain digits for SQLite."""
        return format(value, "f") if dialect.name == "sqlite" else value

    def decode(self, value: Any) -> Decimal:
        """From either."""
        return Decimal(value)

    def to_plain(self, value: Decimal) -> str:
        """Digits as text: a JSON number would be read as a float."""
        return format(value, "f")

    def from_plain(self, value: Any) -> Decimal:
        """From text only."""
        if not isinstance(value, str):
            raise TypeError(f"money must be text, got {value!r}")
        try:
            return Decimal(value)
        except ArithmeticError as error:
            raise ValueError(f"not an amount of money: {value!r}") from error


class Whole(Checked[int]):
    """A whole number of 64 bits."""

    impl = sa.BigInteger

    def accept(self, value: Any) -> int:
        """An int that fits, and not a bool."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise StoreError(f"must be a whole number, got {value!r}.")
        if not -(2**63) <= value < 2**63:
            raise StoreError(f"is {value}, which does not fit in 64 bits.")
        return value


class Real(Checked[float]):
    """A double. NaN and infinity are refused: SQLite would silently turn NaN into NULL."""

    impl = sa.Double

    def accept(self, value: Any) -> float:
        """A finite number."""
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise StoreError(f"must be a number, got {value!r}.")
        if not math.isfinite(value):
            raise StoreError(f"must be finite, got {value}. Use None for unknown.")
        # SQLite keeps no negative zero, so nobody does.
        return float(value) + 0.0


class OneOf(Checked[StrEnum]):
    """A member of one of the enums of records.py; the table has a CHECK constraint as well."""

    impl = sa.String

    def __init__(self, kind: type[StrEnum]) -> None:
        super().__init__(32)
        self.kind = kind

    def accept(self, value: Any) -> StrEnum:
        """A member, or its text."""
        try:
            return self.kind(value)
        except ValueError as error:
            known = ", ".join(self.kind)
            raise StoreError(f"is {value!r}; known are {known}.") from error

    def encode(self, value: StrEnum, dialect: Dialect) -> str:
        """Its text."""
        return value.value

    def decode(self, value: Any) -> StrEnum:
        """The member."""
        return self.kind(value)

    def to_plain(self, value: StrEnum) -> str:
        """Its text."""
        return value.value


class JsonObject(Checked[dict[str, Any]]):
    """A JSON object, to any depth; kept as the text that was written (not JSONB, which rounds)."""

    impl = sa.JSON

    def accept(self, value: Any) -> dict[str, Any]:
        """Plain JSON values under text keys; tuples become lists."""
        if not isinstance(value, Mapping):
            raise StoreError(f"must be a mapping, got {value!r}.")
        try:
            result = plain_json(value, "")
        except RecursionError as error:
            raise StoreError("is nested too deeply to be written as JSON.") from error
        assert isinstance(result, dict)
        return result

    def encode(self, value: dict[str, Any], dialect: Dialect) -> Any:
        """Escaped, for SQLAlchemy to write as ASCII JSON."""
        return escape_json(value)

    def decode(self, value: Any) -> dict[str, Any]:
        """Unescaped."""
        result: dict[str, Any] = unescape_json(value)
        return result


def plain_json(value: Any, where: str) -> Any:
    """A copy made of dict, list, str, int, float, bool and None. Raises StoreError with the path.

    Numbers that are not finite and keys that are not text are refused: they would come back as
    something else, or not at all.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise StoreError(f"has {value} at {where or 'its top'}; JSON has no such number.")
        return float(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise StoreError(f"has the key {key!r} at {where or 'its top'}; keys must be text.")
        return {str.__str__(key): plain_json(part, f"{where}.{key}") for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(part, f"{where}[{index}]") for index, part in enumerate(value)]
    raise StoreError(
        f"has a {type(value).__name__} at {where or 'its top'}, which JSON cannot hold: {value!r}."
    )


class Equity(Checked[tuple[tuple[str, float], ...]]):
    """An equity series as compressed JSON: a year of days takes about 3 KB."""

    impl = sa.LargeBinary

    def accept(self, value: Any) -> tuple[tuple[str, float], ...]:
        """Pairs of an ISO date and a finite number of dollars."""
        series = []
        for point in value:
            day, dollars = point
            if not isinstance(day, str):
                raise StoreError(f"has the date {day!r}; it must be ISO text.")
            if not isinstance(dollars, int | float) or not math.isfinite(dollars):
                raise StoreError(f"has {dollars!r} on {day}; it must be a finite number.")
            series.append((day, float(dollars)))
        return tuple(series)

    def encode(self, value: tuple[tuple[str, float], ...], dialect: Dialect) -> bytes:
        """Deflated."""
        return zlib.compress(json.dumps(escape_json(list(value))).encode("ascii"))

    def decode(self, value: Any) -> tuple[tuple[str, float], ...]:
        """Raises StoreError when the bytes are damaged."""
        try:
            points = unescape_json(json.loads(zlib.decompress(bytes(value))))
        except (zlib.error, ValueError) as error:
            raise StoreError(f"An equity series in the database is damaged: {error}.") from error
        return tuple((day, dollars) for day, dollars in points)

    def to_plain(self, value: tuple[tuple[str, float], ...]) -> list[list[Any]]:
        """Pairs as lists."""
        return [[day, dollars] for day, dollars in value]
