"""Which bars published code asks for: its tickers, its period, its resolution, read from its text.

A reading of calls with literal arguments, and of the strings that look like tickers where a call
takes them from a list. It may find too much, which costs a bar that nobody reads, or too little,
after which the run says which file it misses.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

LAST = date(2025, 12, 31)
FIRST = date(2000, 1, 3)
ALWAYS = ("SPY", "QQQ", "AAPL", "IBM")
MOST_TICKERS = 400
"""With daily bars: some 20 ms and 150 KB each."""
MOST_MINUTE_MONTHS = 1_400
"""A ticker's months by the minute, of all code together: 50 ms and 130 KB each."""
_BEFORE = timedelta(days=31)
"""Minutes before the first day, for a warm-up or a history."""
_TICKER = re.compile(r"[A-Z]{1,5}(\.[A-Z])?")
_NO_TICKERS = frozenset({"BUY", "SELL", "LONG", "SHORT", "OPEN", "CLOSE", "HIGH", "LOW", "USD"})

Month = tuple[int, int]


@dataclass(frozen=True)
class Asked:
    """What one code asks for."""

    tickers: frozenset[str]
    first: date | None = None
    last: date = LAST
    hours: bool = False
    minutes: bool = False

    def months(self) -> list[Month]:
        """Those that minutes are asked of; none where it names no first day."""
        if not self.minutes or self.first is None:
            return []
        begin = max(self.first - _BEFORE, FIRST)
        end = min(self.last, LAST)
        count = 12 * (end.year - begin.year) + end.month - begin.month + 1
        return [
            (begin.year + (begin.month - 1 + number) // 12, (begin.month - 1 + number) % 12 + 1)
            for number in range(max(0, count))
        ]


@dataclass(frozen=True)
class Wanted:
    """What many codes ask for together, within bounds; sorted, so that it can be compared."""

    tickers: tuple[str, ...]
    hours: tuple[str, ...] = ()
    minutes: dict[str, tuple[Month, ...]] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """JSON values."""
        minutes = {name: [list(month) for month in months] for name, months in self.minutes.items()}
        return {"tickers": list(self.tickers), "hours": list(self.hours), "minutes": minutes}


def wanted(codes: Iterable[str]) -> Wanted:
    """The bars to make: those that most code asks for, and minutes for as many codes as they do."""
    found = [asked(code) for code in codes]
    named = Counter(ticker for one in found for ticker in one.tickers)
    most = sorted(named, key=lambda one: (-named[one], one))[:MOST_TICKERS]
    kept = {*most, *ALWAYS}
    hours = {ticker for one in found if one.hours for ticker in one.tickers}
    minutes = _minutes(found, kept)
    return Wanted(
        tuple(sorted(kept)),
        tuple(sorted(hours & kept)),
        {ticker: tuple(sorted(months)) for ticker, months in sorted(minutes.items())},
    )


def _minutes(found: Sequence[Asked], kept: set[str]) -> dict[str, set[Month]]:
    """Months of each ticker: the modest codes first, a code's all or none."""
    minutes: dict[str, set[Month]] = defaultdict(set)
    left = MOST_MINUTE_MONTHS
    asking = [(one, one.months()) for one in found if one.minutes and one.tickers <= kept]
    for one, months in sorted(asking, key=lambda pair: len(pair[0].tickers) * len(pair[1])):
        new = {ticker: set(months) - minutes[ticker] for ticker in one.tickers}
        count = sum(map(len, new.values()))
        if count > left:
            continue
        left -= count
        for ticker, those in new.items():
            minutes[ticker] |= those
    return {ticker: months for ticker, months in minutes.items() if months}


def asked(code: str) -> Asked:
    """What a code asks for; nothing where it is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return Asked(frozenset())
    calls = [(_plain(_name(node)), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    adding = [node for name, node in calls if name == "addequity"]
    resolutions = {_plain(name) for name in _attributes_of(tree, "Resolution")}
    return Asked(
        tickers=frozenset(_tickers(tree, calls)),
        first=_date(calls, "setstartdate"),
        last=_date(calls, "setenddate") or LAST,
        hours="hour" in resolutions,
        # LEAN's default is the minute.
        minutes="minute" in resolutions or any(not _says_resolution(node) for node in adding),
    )


def _name(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _plain(name: str) -> str:
    """The same for both of LEAN's spellings."""
    return name.replace("_", "").lower()


def _attributes_of(tree: ast.AST, owner: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", None) == owner:
            yield node.attr


def _says_resolution(node: ast.Call) -> bool:
    """Whether a second argument or a keyword gives it, as whatever."""
    return len(node.args) > 1 or any(one.arg == "resolution" for one in node.keywords)


def _tickers(tree: ast.AST, calls: Sequence[tuple[str, ast.Call]]) -> Iterator[str]:
    listed = False
    for name, node in calls:
        if name not in ("addequity", "addsecurity", "create"):
            continue
        literals = [one.value for one in node.args if isinstance(one, ast.Constant)]
        named = [one.upper() for one in literals if isinstance(one, str)]
        yield from (one for one in named[:1] if _TICKER.fullmatch(one))
        listed = listed or not named
    if listed:
        texts = [one.value for one in ast.walk(tree) if isinstance(one, ast.Constant)]
        for text in texts:
            yield from _listed(text) if isinstance(text, str) else ()


def _listed(text: str) -> Iterator[str]:
    """A ticker, or several in one string, as `"SPY TLT GLD".split()` has them."""
    words = re.split(r"[\s,;]+", text.strip())
    if all(_TICKER.fullmatch(word) for word in words):
        yield from (word for word in words if word not in _NO_TICKERS)


def _date(calls: Sequence[tuple[str, ast.Call]], name: str) -> date | None:
    """Of the first such call with three numbers, or with a datetime of numbers."""
    for found, node in calls:
        if found != name or not (node.args or node.keywords):
            continue
        given: list[ast.expr] = [*node.args, *(one.value for one in node.keywords)]
        inner = given[0]
        if isinstance(inner, ast.Call):
            given = [*inner.args, *(one.value for one in inner.keywords)]
        numbers = [one.value for one in given[:3] if isinstance(one, ast.Constant)]
        if len(numbers) == 3 and all(isinstance(one, int) for one in numbers):
            try:
                return date(*numbers)  # type: ignore[arg-type]
            except ValueError:
                return None
    return None
