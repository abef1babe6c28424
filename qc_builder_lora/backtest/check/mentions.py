"""What a code mentions, with the lines: names, texts, numbers; and words for indicators.

Looks at the syntax tree alone. It sees that something stands there, not that it is used rightly.
"""

from __future__ import annotations

import ast
import re

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
NO_TICKERS = frozenset(_NOT_TICKERS.split())
"""Words in capitals that a request uses and that are no tickers."""
_FRAME = frozenset({"setstartdate", "setenddate", "setcash"})
INDICATORS = {
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
"""Words of a request for an indicator or a rule → what a code that has it mentions."""


class Mentions:
    """The names, texts and numbers of a code, each with its first line."""

    def __init__(self, code: str, tree: ast.Module) -> None:
        self._lines = code.splitlines()
        self.texts: dict[str, int] = {}
        self.numbers: dict[float, int] = {}
        self.rules: dict[float, int] = {}
        """The numbers that stand outside of dates and cash."""
        self._frame: set[int] = set()
        for node in ast.walk(tree):
            line = getattr(node, "lineno", 0)
            if _is_frame(node):
                # Parents come before their children.
                self._frame.update(id(inside) for inside in ast.walk(node))
            if isinstance(node, ast.Constant):
                self._constant(node.value, line, framed=id(node) in self._frame)
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

    def _constant(self, value: object, line: int, *, framed: bool) -> None:
        found: list[float] = []
        if isinstance(value, str):
            self.texts.setdefault(value, line)
            found = [float(part) for part in re.findall(r"\d+(?:\.\d+)?", value[:200])]
        elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
            found = [float(value)]
        for number in found:
            self.numbers.setdefault(number, line)
            if not framed:
                self.rules.setdefault(number, line)

    def quote(self, line: int | None) -> str:
        """What stands in that line, shortened; empty where there is none."""
        if line is None or not 0 < line <= len(self._lines):
            return ""
        return self._lines[line - 1].strip()[:120]

    def named(self, pattern: str) -> int | None:
        """The first line with a name or text that the pattern is found in."""
        search = re.compile(pattern, re.I).search
        return min((line for text, line in self.texts.items() if search(text[:200])), default=None)

    def number(self, value: float, *, in_rules: bool = False) -> int | None:
        """The first line with the number, or with what it is as a percentage, a fraction or one
        plus or minus that; with `in_rules` outside of dates and cash."""
        same = [value, value / 100, 1 - value / 100, 1 + value / 100, value / 10_000, value * 100]
        if abs(value) < 1:
            same += [1 - value, 1 + value]
        lines = (
            line
            for there, line in (self.rules if in_rules else self.numbers).items()
            if any(abs(abs(there) - abs(one)) <= 1e-9 * max(1.0, abs(one)) for one in same)
        )
        return min(lines, default=None)

    def ticker(self, symbol: str) -> int | None:
        """The first line with a text or name that holds the ticker as a word of its own."""
        word = re.compile(rf"(?<![A-Za-z]){re.escape(symbol)}(?![A-Za-z])", re.I)
        lines = (line for text, line in self.texts.items() if word.search(text[:200]))
        return min(lines, default=None)


def _is_frame(node: ast.AST) -> bool:
    """Whether it is a call that says dates or cash."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr.lower().replace("_", "") in _FRAME
    )


def tickers_in(text: str) -> list[str]:
    """Words of a request that look like tickers, and companies by their names, in its order."""
    found = [word for word in re.findall(r"\b[A-Z]{1,5}\b", text) if word not in NO_TICKERS]
    for word, ticker in _COMPANIES.items():
        if re.search(rf"\b{word}\b", text, re.I):
            found.append(ticker)
    return list(dict.fromkeys(found))
