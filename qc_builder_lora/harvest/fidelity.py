"""G9: does the code do what was asked, by a checklist made from the instruction.

Tickers, numbers, indicators and ways of trading that the instruction names are looked for in the
syntax tree; each found one is quoted with its line. A checklist cannot read: it sees that a thing
was left out, not that it was done wrongly. Where the instruction names nothing that can be looked
for the answer is UNKNOWN, never PASS.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from qc_builder_lora.backtest.check.parsing import tree_of
from qc_builder_lora.harvest.ladder import Answer, failed, passed, unknown
from qc_builder_lora.harvest.rules import Rules

_COMPANIES = {"apple": "AAPL", "google": "GOOG", "alphabet": "GOOG", "microsoft": "MSFT",
              "amazon": "AMZN", "tesla": "TSLA", "nvidia": "NVDA"}  # fmt: skip
_NOT_TICKERS = """
A ADX AI ALL AND ANY API APO AROON ATR BB BUY CAGR CASH CCI CFD CMO CODE CSV DAILY DCA
DD DEMA DO EMA EOD ETF ETFS EUR FIX FOR GBP HMA HOLD IBS I ID IF II III IN IS IT JSON
KAMA KELLY LEAN LLM LONG MA MACD MAX MFI MIN ML MOC MOMP MOO MTD MUST NAV NEVER NO NOT
NYSE NASDAQ OBV OHLC OHLCV ON ONLY OR OTC PNL PPO PSAR PSR PYTHON QC QCA ROC ROI RSI
SAR SELL SHORT SIP SL SMA STD STOP T TEMA THE TP TRIX UO US USA USD UTC VAR VIX VOL
VWAP WMA X Y YAML YTD Z
"""
_NO_TICKERS = frozenset(_NOT_TICKERS.split())
_INDICATORS = {
    r"rsi|relative strength index": r"rsi|relative_?strength",
    r"macd": r"macd|convergence_?divergence",
    r"bollinger": r"bollinger|\bbb\b|_bb|std|standard_?deviation",
    r"atr|average true range": r"atr|true_?range",
    r"adx|average directional": r"adx|directional",
    r"cci|commodity channel": r"cci|commodity_?channel",
    r"ema|exponential(?:ly)?(?: weighted)? moving average": r"ema|exponential|ewm",
    r"sma|simple moving average|moving averages?|\d+[- ]day (?:mean|average)":
        r"sma|ema|moving_?average|mean|average|rolling",
    r"stochastics?": r"sto\b|stoch",
    r"vwap": r"vwap|volume_?weighted",
    r"keltner": r"keltner|kch",
    r"donchian": r"donchian|dch|max|min",
    r"obv|on[- ]balance volume": r"obv|balance_?volume",
    r"williams": r"williams|wilr",
    r"aroon": r"aroon",
    r"trailing stop": r"trail|highest|high_?water|peak|max",
    r"momentum": r"mom|roc|history|returns?|rate_?of_?change|window|change",
    r"volatility": r"std|vol|atr|variance|standard_?deviation",
    r"z[- ]?score": r"z_?score|std|_z\b|standard_?deviation",
    r"breakout|new highs?": r"max|high|donchian|dch|breakout",
    r"mean[- ]reversion": r"rsi|mean|sma|ema|bb|bollinger|z_?score|std|average|reversion",
    r"pairs?(?: trading)?|spread|ratio": r"spread|ratio|pair|beta|hedge|-|/",
    r"rebalanc\w+": r"schedule|month|week|rebalance|time|day|count",
    r"stop[- ]loss": r"stop|loss|unrealized",
    r"insights?": r"insight",
}  # fmt: skip
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
    evidence = {"checklist": [item.plain() for item in (*items, *numbers)]}
    if not items and not numbers:
        return unknown("the instruction names nothing that can be looked for", **evidence)
    missing = next((item for item in items if item.line is None), None)
    if missing is not None:
        return failed(f"the {missing.kind} that was asked for is not in the code",
                      missing=missing.asked, **evidence)  # fmt: skip
    found = sum(item.line is not None for item in numbers)
    if numbers and found < rules.minimum_numbers_found * len(numbers):
        return failed("too few of the numbers asked for are in the code",
                      found=found, asked=len(numbers), **evidence)  # fmt: skip
    return passed(**evidence)


class _Source:
    """The names, texts and numbers of a code with their lines."""

    def __init__(self, code: str, tree: ast.Module) -> None:
        self._lines = code.splitlines()
        self.texts: dict[str, int] = {}
        self.numbers: dict[float, int] = {}
        for node in ast.walk(tree):
            line = getattr(node, "lineno", 0)
            if isinstance(node, ast.Constant):
                self._constant(node.value, line)
            elif isinstance(node, ast.Attribute):
                self.texts.setdefault(node.attr, line)
            elif isinstance(node, ast.Name):
                self.texts.setdefault(node.id, line)
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                self.texts.setdefault(node.name, line)
            elif isinstance(node, ast.BinOp):
                sign = {ast.Sub: "-", ast.Div: "/"}.get(type(node.op))
                if sign:
                    self.texts.setdefault(sign, line)

    def _constant(self, value: object, line: int) -> None:
        if isinstance(value, str):
            self.texts.setdefault(value, line)
            for part in re.findall(r"\d+(?:\.\d+)?", value[:200]):
                self.numbers.setdefault(float(part), line)
        elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
            self.numbers.setdefault(float(value), line)

    def item(self, kind: str, asked: str, line: int | None) -> Item:
        """An item with the quote of its line."""
        inside = line is not None and 0 < line <= len(self._lines)
        return Item(
            kind, asked, line, self._lines[line - 1].strip()[:120] if inside and line else ""
        )

    def named(self, pattern: str) -> int | None:
        """The first line with a name or text that the pattern is found in."""
        search = re.compile(pattern, re.I).search
        return min((line for text, line in self.texts.items() if search(text[:200])), default=None)


def _tickers(instruction: str, source: _Source) -> Iterator[Item]:
    upper = {text.upper(): line for text, line in source.texts.items() if len(text) < 200}
    words = {word for text in upper for word in re.findall(r"[A-Z]+", text)}
    asked = dict.fromkeys(re.findall(r"\b[A-Z]{1,5}\b", instruction))
    named = [word for word in asked if word not in _NO_TICKERS]
    for word, ticker in _COMPANIES.items():
        if re.search(rf"\b{word}\b", instruction, re.I) and ticker not in named:
            named.append(ticker)
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
    return {word for words in lists if words & set(found) for word in words - _NO_TICKERS}


def _indicators(instruction: str, source: _Source) -> Iterator[Item]:
    for asked, written in _INDICATORS.items():
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
