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
    methods = [
        _initialize(node, trading, formula), _on_data(bars_needed(node), formula, trading),
        _signal(node, formula),
    ]  # fmt: skip
    return (
        "from AlgorithmImports import *\n\n\n"
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
        f"self._bars = np.empty((0, {len(trading.tickers)}, {len(_used(formula))}))",
        f"self.set_warm_up({bars_needed(node)})",
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
        tail = "])" if all(groups) else "], dtype=object)"
        lines += _wrapped(f"self._{level} = np.array([", [_quoted(g) for g in groups], tail)
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
    # What has no group is not even equal to itself.
    return "np.nan" if group is None else '"' + group.replace("\\", "").replace('"', "'") + '"'


def _listing(trading: Trading, ticker: str) -> Listing:
    return trading.listings.get(ticker, Listing())


def _used(formula: PythonFormula) -> list[str]:
    """The fields of a bar that it takes, in one order for all strategies."""
    return [name for name in BARS if name in formula.fields]


def _on_data(bars: int, formula: PythonFormula, trading: Trading) -> str:
    used = _used(formula)
    lines = [
        "if not data.bars:",
        "    return",
        *_row(used),
        f"self._bars = np.vstack([self._bars, [row]])[-{bars}:]",
        f"if self.is_warming_up or len(self._bars) < {bars}:",
        "    return",
        "signal = self._signal(*self._bars.transpose(2, 0, 1))[-1]",
        *(["signal = np.where(np.isfinite(signal), signal, np.nan)"] * formula.may_overflow),
        *(["self.log(json.dumps([str(self.time.date()), list(signal)]))"] * trading.report),
        *_WEIGHTS[trading.weighting],
        "size = abs(weights).sum()",
        # What is left of equal signals is rounding.
        "if size > 1e-12 * np.nansum(abs(signal)):",
        "    self.set_holdings(list(map(PortfolioTarget, self._symbols, weights / size)))",
    ]
    return "def on_data(self, data):\n" + _body(lines)


def _row(used: Sequence[str]) -> list[str]:
    values = [f"bar.{name}" for name in used]
    unknown = "[np.nan]" + (f" * {len(used)}" if len(used) > 1 else "")
    return [
        "bars = map(data.bars.get, self._symbols)",
        *_wrapped("row = [[", values, f"] if bar else {unknown} for bar in bars]"),
    ]


_WEIGHTS = {
    "dollar-neutral": ["weights = np.nan_to_num(signal - np.nanmean(signal))"],
    "long-only": ["weights = np.nan_to_num(signal - np.nanmean(signal)).clip(min=0)"],
}


def _signal(node: Expr, formula: PythonFormula) -> str:
    names = ["open_" if name == "open" else name for name in _used(formula)]
    lines = [*_docstring(str(node)), *formula.lines]
    return f"def _signal(self, {', '.join(names)}):\n" + _body(lines)


def _docstring(text: str) -> list[str]:
    """The formula where one line holds it; a longer one is easier to read as the code it is."""
    return [f'"""{text}"""'] if len(text) <= 60 else []


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
