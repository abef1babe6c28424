"""G9: does the code do what was asked, by a checklist made from the instruction.

Tickers, numbers, indicators, ways of trading, direction, size of the bars and kind of order that
the instruction names are looked for in the syntax tree; each found one is quoted with its line. A
checklist cannot read: it sees that a thing was left out, not that it was done wrongly. Where the
instruction names nothing that can be looked for the answer is UNKNOWN, never PASS.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from qc_builder_lora.backtest.check.mentions import INDICATORS, NO_TICKERS, Mentions, tickers_in
from qc_builder_lora.backtest.check.parsing import tree_of
from qc_builder_lora.harvest.ladder import Answer, failed, passed, unknown
from qc_builder_lora.harvest.manner import manners
from qc_builder_lora.harvest.rules import Rules

_SKIPPED_LINES = re.compile(r"sharpe|iteration|drawdown|budget|cagr|target_return", re.I)
_LIST = re.compile(r"\b[A-Z]{1,5}(?:(?:, ?(?:and )?|/| and )[A-Z]{1,5}\b)+")
_NUMBER = re.compile(r"(?<![\w.])\$?(\d+(?:,\d{3})*(?:\.\d+)?)")


@dataclass(frozen=True)
class Item:
    """One thing of the checklist, and where it stands in the code."""

    kind: str
    asked: str
    line: int | None = None
    quote: str = ""

    def plain(self) -> dict[str, object]:
        return {"kind": self.kind, "asked": self.asked, "line": self.line, "quote": self.quote}


def judge(instruction: str, code: str, rules: Rules) -> Answer:
    """PASS where all that is named is there, and enough of the numbers; with the checklist."""
    tree = tree_of(code)
    if isinstance(tree, str):
        return failed("does not parse", error=tree)
    source = _Source(code, tree)
    items = [*_tickers(instruction, source), *_indicators(instruction, source)]
    numbers = list(_numbers(instruction, source))
    manner = [
        source.item(one.kind, one.asked, one.line) for one in manners(instruction, tree, source)
    ]
    evidence = {"checklist": [item.plain() for item in (*items, *manner, *numbers)]}
    if not items and not numbers:
        return unknown("the instruction names nothing that can be looked for", **evidence)
    missing = next((item for item in (*items, *manner) if item.line is None), None)
    if missing is not None:
        return failed(f"the {missing.kind} that was asked for is not in the code",
                      missing=missing.asked, **evidence)  # fmt: skip
    found = sum(item.line is not None for item in numbers)
    if numbers and found < rules.minimum_numbers_found * len(numbers):
        return failed("too few of the numbers asked for are in the code",
                      found=found, asked=len(numbers), **evidence)  # fmt: skip
    return passed(**evidence)


class _Source(Mentions):
    """What the code mentions, as items of the checklist."""

    def item(self, kind: str, asked: str, line: int | None) -> Item:
        """An item with the quote of its line."""
        return Item(kind, asked, line, self.quote(line))


def _tickers(instruction: str, source: _Source) -> Iterator[Item]:
    upper = {text.upper(): line for text, line in source.texts.items() if len(text) < 200}
    words = {word for text in upper for word in re.findall(r"[A-Z]+", text)}
    named = tickers_in(instruction)
    found = [word for word in named if word in words]
    left_out = [word for word in _listed(instruction, found) if word not in words]
    if left_out:
        yield source.item("ticker", ", ".join(left_out[:10]), None)
    # A word in capitals may be no ticker at all; that none of them is there says that it is.
    if named and not found:
        yield source.item("ticker", ", ".join(named[:10]), None)
    for word in found:
        line = upper.get(word) or next(line for text, line in upper.items() if word in text)
        yield source.item("ticker", word, line)


def _listed(instruction: str, found: Collection[str]) -> set[str]:
    """Words in one list with a ticker that is in the code: those are tickers as well."""
    lists = [set(re.findall(r"[A-Z]+", text)) for text in _LIST.findall(instruction)]
    return {word for words in lists if words & set(found) for word in words - NO_TICKERS}


def _indicators(instruction: str, source: _Source) -> Iterator[Item]:
    for asked, written in INDICATORS.items():
        match = re.search(rf"\b(?:{asked})\b", instruction, re.I)
        if match:
            yield source.item("indicator or rule", match.group(0), source.named(written))


def _numbers(instruction: str, source: _Source) -> Iterator[Item]:
    lines = [line for line in instruction.splitlines() if not _SKIPPED_LINES.search(line)]
    text = re.sub(r"(\d{4})-(\d{2})-(\d{2})", r"\1 \2 \3", "\n".join(lines))
    for written in dict.fromkeys(match.replace(",", "") for match in _NUMBER.findall(text)):
        value = float(written)
        if value in (0, 1):
            continue
        same = (value, value / 100, 1 - value / 100, 1 + value / 100, value / 10_000, value * 100)
        lines_of = (
            line
            for there, line in source.numbers.items()
            if any(abs(abs(there) - one) <= 1e-9 * max(1.0, one) for one in same)
        )
        yield source.item("number", written, min(lines_of, default=None))
