"""An alpha as a LEAN strategy: daily, dollar-neutral or long-only, on a list of tickers.

The strategy keeps as many bars as the formula looks back, and computes the formula on them after
every close; orders fill at the next open. It carries only the functions that it uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from textwrap import indent

from qc_builder_lora.errors import InputError, SettingsError
from qc_builder_lora.harvest.corpus.alphas.evaluate import Conventions, bars_needed
from qc_builder_lora.harvest.corpus.alphas.lean_formula import PythonFormula, python_formula
from qc_builder_lora.harvest.corpus.alphas.lean_functions import function_texts
from qc_builder_lora.harvest.corpus.alphas.panel import BARS, Listing
from qc_builder_lora.harvest.corpus.alphas.tree import Expr

WEIGHTINGS = ("dollar-neutral", "long-only")


@dataclass(frozen=True, kw_only=True)
class Trading:
    """What a strategy needs besides the formula."""

    tickers: Sequence[str]
    start: date
    end: date
    cash: int = 100000
    weighting: str = "dollar-neutral"
    class_name: str = "FormulaicAlpha"
    listings: Mapping[str, Listing] = field(default_factory=dict)
    conventions: Conventions = field(default_factory=Conventions)
    report: bool = False
    """Log every signal as JSON, so that it can be compared with the panel's."""

    def __post_init__(self) -> None:
        if self.weighting not in WEIGHTINGS:
            raise SettingsError(
                f"weighting is {self.weighting!r}; it is {' or '.join(WEIGHTINGS)}."
            )
        if self.end <= self.start:
            raise SettingsError(
                f"The backtest ends on {self.end}, not after its start on {self.start}. "
                "Give a later end."
            )
        if len(set(self.tickers)) < 2:
            raise SettingsError(
                f"An alpha compares symbols; {len(set(self.tickers))} given. Name two at least."
            )


def strategy(node: Expr, trading: Trading) -> str:
    """The strategy as one file; InputError where a classification it needs is not given."""
    formula = python_formula(node, trading.conventions.adv)
    functions = "\n\n".join(function_texts(formula.functions))
    used = [name for name in BARS if name in formula.fields]
    methods = [
        _initialize(node, trading, formula), _on_data(bars_needed(node), used, trading),
        _signal(node, formula, used), _weights(trading.weighting),
    ]  # fmt: skip
    return (
        "from collections import deque\n\nfrom AlgorithmImports import *\n\n\n"
        + (functions + "\n\n" if functions else "")
        + f"class {trading.class_name}(QCAlgorithm):\n"
        + "\n".join(indent(method, "    ") for method in methods)
    )


def _initialize(node: Expr, trading: Trading, formula: PythonFormula) -> str:
    start, end = (f"{day.year}, {day.month}, {day.day}" for day in (trading.start, trading.end))
    lines = [
        f"self.set_start_date({start})",
        f"self.set_end_date({end})",
        f"self.set_cash({trading.cash})",
        *_wrapped("tickers = [", [f'"{ticker}"' for ticker in trading.tickers]),
        "self._symbols = [self.add_equity(t, Resolution.DAILY).symbol for t in tickers]",
        *_classification(trading, formula),
        f"self._bars: deque[list[list[float]]] = deque(maxlen={bars_needed(node)})",
        f"self.set_warm_up({bars_needed(node)}, Resolution.DAILY)",
    ]
    return "def initialize(self):\n" + _body(lines)


def _classification(trading: Trading, formula: PythonFormula) -> list[str]:
    lines = []
    for level in sorted(formula.levels):
        groups = [_listing(trading, ticker).groups.get(level) for ticker in trading.tickers]
        if not any(groups):
            raise InputError(
                f"IndClass.{level} needs a classification, and none of "
                f"{', '.join(trading.tickers)} has one. Give one with --classification FILE."
            )
        lines += _wrapped(f"self._{level} = [", [_quoted(group) for group in groups])
    if formula.needs_shares:
        shares = [_listing(trading, ticker).shares for ticker in trading.tickers]
        if lacking := [t for t, s in zip(trading.tickers, shares, strict=True) if s is None]:
            raise InputError(
                f"cap needs the shares outstanding of {lacking[0]}. Give them with "
                "--classification FILE, column shares."
            )
        lines += _wrapped("self._shares = np.array([", [f"{s:.0f}" for s in shares], "])")
    return lines


def _quoted(group: str | None) -> str:
    return "None" if group is None else '"' + group.replace("\\", "").replace('"', "'") + '"'


def _listing(trading: Trading, ticker: str) -> Listing:
    return trading.listings.get(ticker, Listing())


def _on_data(bars: int, used: Sequence[str], trading: Trading) -> str:
    values = ", ".join(f"bar.{name}" for name in used)
    lines = [
        "if not data.bars:",
        "    return",
        "self._bars.append([self._row(data, symbol) for symbol in self._symbols])",
        f"if self.is_warming_up or len(self._bars) < {bars}:",
        "    return",
        "signal = self._signal()",
        *(["self.log(json.dumps([str(self.time.date()), list(signal)]))"] * trading.report),
        "weights = self._weights(signal)",
        "if weights is None:",
        "    return",
        "pairs = zip(self._symbols, weights)",
        "self.set_holdings([PortfolioTarget(symbol, float(weight)) for symbol, weight in pairs])",
    ]
    row = [
        "if not data.bars.contains_key(symbol):",
        f"    return [np.nan] * {len(used)}",
        "bar = data.bars[symbol]",
        f"return [{values}]",
    ]
    return (
        "def on_data(self, data):\n" + _body(lines)
        + "\ndef _row(self, data, symbol):\n" + _body(row)
    )  # fmt: skip


def _signal(node: Expr, formula: PythonFormula, used: Sequence[str]) -> str:
    names = ["open_" if name == "open" else name for name in used]
    bars = "np.array(self._bars, dtype=float).transpose(2, 0, 1)"
    unpacked = f"({names[0]},)" if len(names) == 1 else ", ".join(names)
    lines = [
        *_docstring(str(node)),
        f"{unpacked} = {bars}",
        'with np.errstate(all="ignore"):',
        *(f"    {line}" for line in formula.lines),
        "return np.where(np.isfinite(alpha[-1]), alpha[-1], np.nan)",
    ]
    return "def _signal(self):\n" + _body(lines)


def _docstring(text: str) -> list[str]:
    if len(text) <= 84:
        return [f'"""{text}"""']
    return ['"""', *_broken(text, 88), '"""']


def _weights(weighting: str) -> str:
    lines = [
        "known = ~np.isnan(signal)",
        "if known.sum() < 2:",
        "    return None",
        "away = np.where(known, signal - signal[known].mean(), 0.0)",
        *(["away = np.maximum(away, 0.0)"] * (weighting == "long-only")),
        "size = np.abs(away).sum()",
        # What is left of equal signals is rounding.
        "return away / size if size > 1e-12 * np.abs(signal[known]).sum() else None",
    ]
    return "def _weights(self, signal):\n" + _body(lines)


def _body(lines: Sequence[str]) -> str:
    return indent("\n".join(lines) + "\n", "    ")


def _wrapped(head: str, items: Sequence[str], tail: str = "]") -> list[str]:
    """A list in one line if it fits, else over several."""
    whole = head + ", ".join(items) + tail
    if len(whole) <= 90:
        return [whole]
    return [head, *(f"    {line}," for line in _broken(", ".join(items), 84, ", ")), tail]


def _broken(text: str, width: int, between: str = " ") -> list[str]:
    lines = [""]
    for word in text.split(between):
        longer = f"{lines[-1]}{between}{word}" if lines[-1] else word
        if len(longer) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
