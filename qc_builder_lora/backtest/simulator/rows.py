"""The rows of LEAN's zip files as columns: prices in USD as quoted, times New York's.

daily, hour     `YYYYMMDD HH:MM,open,high,low,close,volume`, prices in USD·10000
minute, second  `milliseconds since midnight,open,high,low,close,volume`, one file a day
                quotes: `milliseconds,bid open,high,low,close,bid size,ask open,…,ask size`; a side
                without a quote is empty, here 0
"""

from __future__ import annotations

import zipfile
from array import array
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from qc_builder_lora.backtest.simulator.calendar import DAY, day_of
from qc_builder_lora.errors import CorruptFile

AGAIN = "Restore the file from its source, or make the folder again with: qc-lora data convert"
_TRADE, _QUOTE = 6, 11
"""Fields of a row."""


@dataclass(frozen=True)
class Table:
    """Rows as columns. Trades: open, high, low, close, volume; quotes: that for bid, then ask."""

    path: Path
    starts: array[int]
    """Seconds since 1970 in New York at which each bar begins."""
    columns: tuple[array[float], ...]


@lru_cache(maxsize=65536)
def day_number(text: str) -> int:
    """Day number of `YYYYMMDD…`."""
    return day_of(date(int(text[:4]), int(text[4:6]), int(text[6:8])))


@lru_cache(maxsize=65536)
def _moment(text: str) -> int:
    if len(text) != 14 or text[8] != " " or text[11] != ":":
        raise ValueError(f"{text!r} is not of the form YYYYMMDD HH:MM")
    return day_number(text) * DAY + int(text[9:11]) * 3600 + int(text[12:14]) * 60


def read_whole(path: Path) -> Table:
    """All daily or hourly rows of a ticker; CorruptFile names the line that is wrong."""
    lines = _unzip(path).splitlines()
    fields = ",".join(lines).split(",") if lines else []
    if len(fields) != _TRADE * len(lines):
        _name_bad_line(path, lines)
    try:
        starts = array("q", [_moment(field) for field in fields[0::_TRADE]])
        columns = [_dollars(fields[column::_TRADE]) for column in range(1, 5)]
        columns.append(array("d", map(float, fields[5::_TRADE])))
    except ValueError:
        _name_bad_line(path, lines)
        raise
    if any(a >= b for a, b in pairwise(starts)) or min(columns[2], default=1) <= 0:
        _name_bad_line(path, lines)
    return Table(path, starts, tuple(columns))


def _dollars(fields: list[str]) -> array[float]:
    return array("d", [int(field) / 10000 for field in fields])


def read_day(path: Path, day: int, kind: str) -> Table:
    """One day's minutes or seconds, `trade` or `quote`."""
    width = _TRADE if kind == "trade" else _QUOTE
    lines = _unzip(path).splitlines()
    fields = ",".join(lines).split(",") if lines else []
    if len(fields) != width * len(lines):
        raise CorruptFile(path, f"a row has not {width} fields", AGAIN)
    try:
        starts = array("q", [day * DAY + int(field) // 1000 for field in fields[0::width]])
        columns = [
            array("d", [float(field or 0) / scale for field in fields[column::width]])
            for column, scale in enumerate(_scales(width), 1)
        ]
    except ValueError as error:
        raise CorruptFile(path, f"a row cannot be read ({error})", AGAIN) from error
    if any(a >= b for a, b in pairwise(starts)):
        raise CorruptFile(path, "its rows are not in order", AGAIN)
    return Table(path, starts, tuple(columns))


def _scales(width: int) -> list[int]:
    # Every fifth column is a volume or a size.
    return [1 if column % 5 == 0 else 10000 for column in range(1, width)]


def _unzip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if not names:
                raise CorruptFile(path, "the archive is empty", AGAIN)
            return archive.read(names[0]).decode("ascii")
    except FileNotFoundError:
        raise
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise CorruptFile(path, f"not a readable zip archive ({error})", AGAIN) from error


def _name_bad_line(path: Path, lines: list[str]) -> None:
    before = ""
    for number, line in enumerate(lines, 1):
        fields = line.split(",")
        fact = ""
        if len(fields) != _TRADE:
            fact = f"has {len(fields)} fields instead of {_TRADE}"
        else:
            try:
                datetime.strptime(fields[0], "%Y%m%d %H:%M")
                if min(int(field) for field in fields[1:5]) <= 0:
                    fact = "has a price that is not above zero"
                float(fields[5])
            except ValueError as error:
                fact = f"cannot be read ({error})"
        if not fact and fields[0] <= before:
            fact = f"does not come after {before}"
        if fact:
            raise CorruptFile(path, f"line {number} {fact}: {line[:100]!r}", AGAIN)
        before = fields[0]
    raise CorruptFile(path, "its rows cannot be read", AGAIN)
