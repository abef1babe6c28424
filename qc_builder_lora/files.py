"""Files that survive a crash: atomic writes, and the one place that finds built-in defaults."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from qc_builder_lora.errors import DiskFull, InputError, NotFound, SettingsError, UnknownKey

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

_PACKAGE = Path(__file__).resolve().parent


def default_roots(working_folder: Path | None = None) -> tuple[Path, ...]:
    """Where editable files are looked for, the user's own folder first."""
    user = working_folder or Path.cwd()
    return (user, _PACKAGE / "_defaults", _PACKAGE.parent)


def find_default(relative: str, working_folder: Path | None = None) -> Path:
    """The user's file of that name (`retrain/recipes/x.yaml`) or else the built-in one.

    Raises NotFound with the names that do exist beside it.
    """
    for root in default_roots(working_folder):
        candidate = root / relative
        if candidate.exists():
            return candidate
    folder = str(Path(relative).parent)
    names = sorted({path.name for path in list_defaults(folder, working_folder=working_folder)})
    raise NotFound("file", relative, f"In {folder or '.'} there are: {', '.join(names) or 'none'}.")


def list_defaults(
    folder: str, pattern: str = "*", working_folder: Path | None = None
) -> list[Path]:
    """All files of an editable folder; a user's file hides the built-in one of the same name."""
    found: dict[str, Path] = {}
    for root in reversed(default_roots(working_folder)):
        found.update({path.name: path for path in (root / folder).glob(pattern)})
    return [found[name] for name in sorted(found)]


@contextmanager
def atomic_write(path: Path, mode: str = "wb", kept: str = "") -> Iterator[IO[Any]]:
    """Open a temporary file beside `path` that takes its name only when the block ends well.

    A full disk becomes DiskFull and leaves the former file as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        encoding = None if "b" in mode else "utf-8"
        with temporary.open(mode, encoding=encoding) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise disk_full(error, path, kept=kept) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def disk_full(
    error: OSError, path: Path, needed_mb: float | None = None, kept: str = ""
) -> OSError:
    """The error as DiskFull if that is what it was, else the error itself."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    return DiskFull(path, needed_mb, free_mb(path), kept)


def free_mb(path: Path) -> float:
    """Megabytes free on the file system that holds `path` or its nearest existing parent."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free / 1e6


def read_utf8(path: Path) -> str:
    """The text of a file of ours or of the user's. Raises InputError for what is not UTF-8."""
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text: {error}. Save it as UTF-8.") from error


def read_toml(path: Path) -> dict[str, Any]:
    """A file of ours or of the user's. Raises InputError for what is not TOML in UTF-8."""
    import tomllib

    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error


def read_rule(kind: type[T], relative: str) -> T:
    """A flat rule, every field with a default, from the user's file of that name or the built-in.

    Raises UnknownKey and SettingsError, which name the file, the key and the value.
    """
    path = find_default(relative)
    known = {item.name: type(item.default) for item in fields(kind) if item.default is not MISSING}
    values = {}
    for key, value in read_toml(path).items():
        if key not in known:
            raise UnknownKey(path, key, known)
        wanted = known[key]
        if type(value) is not wanted and not (wanted is float and type(value) is int):
            raise SettingsError(f"{path}: {key} must be {wanted.__name__}, got {value!r}.")
        values[key] = value
    try:
        return kind(**values)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, as UTF-8."""
    with atomic_write(path, "w") as file:
        file.write(text)


def write_json(path: Path, value: object) -> None:
    """Write indented JSON atomically; NaN is refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
