"""Where a store is: one URL, checked, and a form of it that shows no password."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from qc_builder_lora.errors import SettingsError

_KNOWN = ("sqlite", "postgresql")
_SECRET_KEYS = ("password", "sslpassword")


@dataclass(frozen=True)
class Address:
    """A database this program can use."""

    url: URL
    path: Path | None
    """The file, for SQLite."""

    @property
    def kind(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.url.get_backend_name()

    def __str__(self) -> str:
        """The URL with every password hidden."""
        hidden = {key: "***" for key in _SECRET_KEYS if key in self.url.query}
        return self.url.update_query_dict(hidden).render_as_string(hide_password=True)

    __repr__ = __str__

    def without_secrets(self, text: str) -> str:
        """The text with each password of this URL replaced by stars."""
        secrets = [self.url.password or "", *(self.url.query.get(key) for key in _SECRET_KEYS)]
        for secret in secrets:
            if isinstance(secret, str) and secret:
                text = text.replace(secret, "***")
        return text


def parse_address(url: str) -> Address:
    """The address behind a SQLAlchemy URL.

    Raises SettingsError, without the URL's password, for anything but a SQLite file or PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SettingsError(
            f"The database {_without_login(url)!r} is not a URL. "
            "Write sqlite:///path/to/store.db or postgresql://user@host/name."
        ) from None
    kind = parsed.get_backend_name()
    if kind == "postgres":
        kind = "postgresql"
    if kind not in _KNOWN:
        close = difflib.get_close_matches(kind, _KNOWN, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise SettingsError(f"The database kind {kind!r} is not known.{hint} Use {_KNOWN}.")
    return _sqlite(parsed, url) if kind == "sqlite" else _postgresql(parsed)


def _sqlite(url: URL, written: str) -> Address:
    name = url.database or ""
    if not name or name == ":memory:" or name.startswith("file:"):
        raise SettingsError(
            f"The store must be a file that outlives the process, got {str(url)!r}. "
            "Write sqlite:///path/to/store.db."
        )
    if "?" in written:
        # A folder with a question mark in its name would otherwise become another one, silently.
        raise SettingsError(
            f"{written!r}: the path of a SQLite store cannot have a question mark or options. "
            "Move the home with QC_LORA_HOME."
        )
    # Absolute at once: a process that changes its folder must not find another store.
    path = Path(name).absolute()
    return Address(url.set(drivername="sqlite", database=str(path)), path)


def _postgresql(url: URL) -> Address:
    return Address(url.set(drivername="postgresql+psycopg"), None)


def _without_login(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"***@{tail}" if at else head + tail
