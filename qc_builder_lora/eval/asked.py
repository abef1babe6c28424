"""The constraints that can be read from an instruction in anybody's words, for `faithful.judge`.

Reads tickers, indicators, numbers, dates, cash, "long only", a limit of positions and stops, in
prose and in the lines of a YAML specification. Does not understand: what is not said in one of
the ways below is not found, so an answer may pass that leaves it out. Code in the instruction (the
strategy to mend or to change) is not read, but that it must not come back as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date

from qc_builder_lora.backtest.check import strategy_hash
from qc_builder_lora.backtest.check.mentions import tickers_in
from qc_builder_lora.backtest.check.parsing import tree_of
from qc_builder_lora.eval.faithful import NAMED, Constraint

_CODE = re.compile(r"```.*?(?:```|\Z)", re.S)
_CLAUSE = r".*?(?=;|,\s|\.\s|\.?\n|\.?\Z)"
_EXITS = r"(?:trailing stop|stop[- ]?loss|time stop|profit target|take[- ]profit|stop)\b"
_AMOUNT = r"\$?\d[\d.,]*\s?%?"
_FORMER = re.compile(
    r"\b(?:instead of|rather than|in place of)\b.*?(?=;|\.\s|\n|\Z)"
    rf"|,\s(?:not|it is|it was)\s(?=[\d$]|(?-i:[A-Z]{{2}})){_CLAUSE}"
    rf"|\b(?:now|currently|was|previously)\s{_AMOUNT}"
    rf"|\bfrom\s(?!\d{{4}}\b){_AMOUNT}\s(?=to\s\$?\d)"
    rf"|{_AMOUNT}\s*(?:->|=>|→)"
    r"|\b(?:replace|swap)\s(?-i:[A-Z]{1,5})\s(?=(?:with|for|by)\b)"
    rf"|(?:^|[.;:,\n-]\s*|\band\s)(?:please\s)?(?:remove|drop|delete|take out)\s{_CLAUSE}"
    rf"|\btake\s(?:the|that)\s[\w ]{{3,40}}\sout\b"
    rf"|\bwithout\s(?:(?:the|any|a)\s)?(?:{_EXITS}|(?-i:[A-Z]{{2,5}})\b)"
    rf"|\bno\s(?:more\s)?{_EXITS}|\bthe\s{_EXITS}\s(?:has to|must|can|should)\sgo\b",
    re.I,
)
"""What shall be no longer, or not be: nothing of it is asked."""
_TICKER = re.compile(r"[\"']([A-Z]{2,5})[\"']")
"""As a code says it."""
_SAME_RULES = re.compile(r"\b(?:comments?|docstrings?|rename|format|tidy|readab|explain)", re.I)
"""Requests that the same strategy may answer, in other words."""
_DATE = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_YEARS = re.compile(
    r"\b(?:from|between|period:?|years?:?)\s+(\d{4})\s*(?:-|–|to|and|through|until)\s*(\d{4})\b",
    re.I,
)
_NUMBER = re.compile(r"(?<![\w.$])(\d+(?:,\d{3})*(?:\.\d+)?)(?![\w-]*[a-z]{4})")
_CASH = re.compile(
    r"(?:\b(?:cash|initial[ _]capital|starting[ _]capital|allocation_usd)\b:?\s*(?:of\s*)?\$?"
    r"|\b(?:start|begin)(?:ing)? with \$|\bwith \$)(\d[\d,]*)(?![\d.]*%)",
    re.I,
)
_LONG_ONLY = re.compile(r"\blong[-_ ]only\b", re.I)
_POSITIONS = re.compile(
    r"\bmax(?:imum)?[ _](?:open[ _])?positions\b:?\s*(\d+)|\bat most (\d+) (?:open )?positions?\b",
    re.I,
)
_STOP = re.compile(r"\bstop[- _]?loss\b|\btrailing[- _]stop\b|\bstop order\b", re.I)
_ASIDE = re.compile(
    r"sharpe|iteration|drawdown|budget|cagr|target_return|version|created|min_trades|profit_factor"
    r"|author|fees|slippage",
    re.I,
)
"""Lines about the report, not about the strategy: their numbers need not be in the code."""


def constraints_of(instruction: str) -> tuple[Constraint, ...]:
    """What is asked, in the order of its weight; always that it trades at all."""
    said = _CODE.sub(" ", instruction)
    text = _FORMER.sub(" ", said)
    gone = {*tickers_in(said)} - {*tickers_in(text)}
    shown = _TICKER.findall(" ".join(_CODE.findall(instruction)))
    kept = [one for one in shown if one not in gone]
    return (*_read(text, kept), *changed_of(instruction))


def changed_of(instruction: str) -> tuple[Constraint, ...]:
    """That no strategy which the request shows comes back as it was, where it shows some."""
    if _SAME_RULES.search(_CODE.sub(" ", instruction)):
        return ()
    blocks = (match.group(0).partition("\n")[2] for match in _CODE.finditer(instruction))
    shown = [
        strategy_hash(code)
        for code in (block.removesuffix("```") for block in blocks)
        if "QCAlgorithm" in code and not isinstance(tree_of(code), str)
    ]
    return (Constraint("changed", shown),) if shown else ()


def _read(text: str, shown: Sequence[str]) -> Iterator[Constraint]:
    """`shown` are tickers of the code in the request, which it does not want gone."""
    yield Constraint("trades")
    tickers = [one for one in tickers_in(text) if len(one) > 1]
    if tickers:
        yield Constraint("symbols_among", list(dict.fromkeys([*tickers, *shown])))
    for words in NAMED:
        # "20-day average true range" is no 20-day average.
        match = re.search(rf"\b(?:{words})\b(?! true range| directional)", text, re.I)
        if match:
            yield Constraint("indicator", match.group(0).lower())
    if numbers := _numbers(text):
        yield Constraint("most_numbers", numbers)
    if period := _period(text):
        yield Constraint("period", list(period))
    if found := _CASH.search(text):
        yield Constraint("cash", int(found.group(1).replace(",", "")))
    if _LONG_ONLY.search(text):
        yield Constraint("long_only")
    if found := _POSITIONS.search(text):
        yield Constraint("max_positions", int(found.group(1) or found.group(2)))
    if _STOP.search(text):
        yield Constraint("stop")


def _period(text: str) -> tuple[str, str] | None:
    """First and last day, where exactly two are named, or two years."""
    days = []
    for match in _DATE.finditer(text):
        try:
            days.append(date(*(int(part) for part in match.groups())))
        except ValueError:
            return None
    if len(days) == 2 and days[0] < days[1]:
        return days[0].isoformat(), days[1].isoformat()
    years = _YEARS.findall(text)
    if not days and len(years) == 1 and years[0][0] <= years[0][1]:
        return f"{years[0][0]}-01-01", f"{years[0][1]}-12-31"
    return None


def _numbers(text: str) -> list[float]:
    """Numbers of the rules: without dates, years of a period, cash, 0 and 1."""
    said = re.split(r"\n|(?<=[.!?])\s+", text)
    lines = "\n".join(line for line in said if not _ASIDE.search(line))
    for told in (_DATE, _YEARS, _CASH, _POSITIONS):
        lines = told.sub(" ", lines)
    found = dict.fromkeys(float(one.replace(",", "")) for one in _NUMBER.findall(lines))
    return [value for value in found if value not in (0, 1)]
