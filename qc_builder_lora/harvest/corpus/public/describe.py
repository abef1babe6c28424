"""What a strategy says of itself: docstring, comments above the class, and the facts of its code.

Used to ask for code that nobody has put a question to. It reads; it does not understand: what an
algorithm is for is taken from its author's words, and from its name where there are none.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from qc_builder_lora.harvest.corpus.public.request import SHORTEST, asked, told

_ASSETS = re.compile(r"^add_?(equity|forex|crypto|option|future|index|cfd|data)$", re.IGNORECASE)
_DATES = {"set_start_date": "from", "set_end_date": "to"}
_INDICATORS = frozenset({
    "sma", "ema", "wma", "rsi", "macd", "bb", "atr", "adx", "cci", "mfi", "mom", "momp", "roc",
    "std", "rocp", "sto", "stoch", "apo", "aroon", "dch", "kch", "obv", "ppo", "psar", "vwap",
    "wilr", "natr", "trix", "tema", "dema", "hma", "kama", "lwma", "max", "min", "b", "beta",
    "cov", "corr", "cor", "lsma",
})  # fmt: skip
_HEADER = re.compile(
    r"QUANTCONNECT\.COM|licensed under|\bcopyright\b|http://www\.apache\.org|SPDX-License|"
    r"WITHOUT WARRANTIES|distributed under the License|limitations under the License|"
    r"may not use this file|may obtain a copy|^[-*=# ]*$",
    re.IGNORECASE,
)
_RIGHTS = re.compile(r"licen[cs]e|copyright", re.IGNORECASE)
_SENTENCE = re.compile(r"[A-Z][\w'-]*(?: \S+){3,60}$")
_TICKER = re.compile(r"[A-Z][A-Z0-9]{0,5}(?:\.[A-Z])?$")
_MOST_TICKERS = 12
_ORDERS = {
    "set_holdings": "target weights", "market_order": "market orders", "order": "market orders",
    "buy": "market orders", "sell": "market orders", "limit_order": "limit orders",
    "stop_market_order": "stop orders", "stop_limit_order": "stop-limit orders",
    "trailing_stop_order": "trailing stop orders", "market_on_open_order": "orders at the open",
    "market_on_close_order": "orders at the close", "limit_if_touched_order": "limit-if-touched "
    "orders", "set_alpha": "an alpha model", "add_alpha": "an alpha model",
    "set_risk_management": "a risk model", "add_risk_management": "a risk model",
}  # fmt: skip
_LONGEST = 1500


@dataclass(frozen=True)
class Described:
    """An instruction, and what it was made from: `docstring`, `comment` or `code`."""

    instruction: str
    origin: str


def describe(code: str, about: str | None = None) -> Described:
    """An instruction for which this code is an answer; the code must parse.

    `about` are somebody's words about it (of a page, a cell), which come before its own.
    """
    tree = ast.parse(code)
    node = algorithm_class(tree)
    words, origin = told(about or ""), "text"
    if len(words) < SHORTEST:
        words, origin = _own_words(code, tree, node)
    if words:
        text = asked(_as_in(code, words)[:_LONGEST])
    else:
        text, origin = f"Write {'an algorithm' if node is None else spoken(node.name)}.", "code"
    known = facts(tree)
    return Described(f"{text} {known}".strip(), origin)


def _as_in(code: str, words: str) -> str:
    """The words with an API's names as the code spells them: SetCash is set_cash in Python."""

    def python(found: re.Match[str]) -> str:
        name = snake(found[0])
        return name if f"{name}(" in code else found[0]

    return re.sub(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", python, words)


def algorithm_class(tree: ast.Module) -> ast.ClassDef | None:
    """The first class that derives from QCAlgorithm by name."""
    return next((node for node in ast.walk(tree) if _is_algorithm(node)), None)  # type: ignore[return-value]


def _is_algorithm(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and any(
        ast.unparse(base).rpartition(".")[2] == "QCAlgorithm" for base in node.bases
    )


def _own_words(code: str, tree: ast.Module, node: ast.ClassDef | None) -> tuple[str, str]:
    for one in (node, tree):
        words = "" if one is None else told(ast.get_docstring(one) or "")
        if len(words) >= SHORTEST:
            return words, "docstring"
    return comment_above(code, node) or "", "comment"


def comment_above(code: str, node: ast.ClassDef | None) -> str | None:
    """The comment right above the class, or at the top of the file; no licence header."""
    lines = code.splitlines()
    first = len(lines) if node is None else _first_line(node) - 1
    above: list[str] = []
    for line in reversed(lines[:first]):
        if not line.lstrip().startswith("#"):
            if line.strip() or above:
                break
            continue
        above.append(line)
    top = [line for line in lines[:60] if line.startswith("#")]
    for block in (above[::-1], top):
        if _RIGHTS.search("\n".join(block)):
            # The header of a licence: all of it.
            continue
        # An empty line of it is the end of a paragraph.
        kept = ["" if _HEADER.search(one) else one.strip().lstrip("#").strip() for one in block]
        text = told("\n".join(kept))
        if len(text) >= SHORTEST:
            return text
    return None


def steps(code: str, most: int = 8) -> list[str]:
    """The sentences that stand as comments inside the code, in order, so many at most."""
    found: dict[str, None] = {}
    block: list[str] = []
    for line in [*code.split("\n"), ""]:
        text = line.strip()
        if text.startswith("#") and not _HEADER.search(text):
            block.append(text.lstrip("#").strip())
        elif block:
            told = " ".join(block)
            if _SENTENCE.match(told):
                found[told if told.endswith((".", "!", "?")) else f"{told}."] = None
            block = []
    return list(found)[:most]


def _first_line(node: ast.ClassDef) -> int:
    return min([node.lineno, *(one.lineno for one in node.decorator_list)])


_SAYS_NOTHING = frozenset({
    "algorithm", "algo", "strategy", "basic", "template", "example", "demo", "qc",
})  # fmt: skip


def spoken(name: str) -> str:
    """`EmaCrossUniverseAlgorithm` → `an algorithm: ema cross universe`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_", " ", name).split()
    kept = [w if w.isupper() and len(w) > 1 else w.lower() for w in words]
    kept = [word for word in kept if word.lower() not in _SAYS_NOTHING]
    return f"a QuantConnect algorithm: {' '.join(kept)}" if kept else "a QuantConnect algorithm"


def facts(tree: ast.Module) -> str:
    """Assets, indicators, orders, dates and cash as far as they stand in the code as literals."""
    assets: dict[str, None] = {}
    indicators: dict[str, None] = {}
    orders: dict[str, None] = {}
    dates: dict[str, str] = {}
    cash: str | None = None
    by_name = False
    for call, name in _calls(tree):
        values = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
        if _ASSETS.match(name) and values and isinstance(values[0], str):
            resolution = next((r for arg in call.args if (r := _resolution(arg))), None)
            assets[f"{values[0]} ({resolution})" if resolution else values[0]] = None
        elif _ASSETS.match(name) and call.args and not isinstance(call.args[0], ast.Constant):
            by_name = True
        elif name in _DATES and len(values) == 3:
            dates[_DATES[name]] = "-".join(f"{v:02}" for v in values if isinstance(v, int))
        elif name == "set_cash" and len(values) == 1 and isinstance(values[0], int | float):
            cash = f"{values[0]:,.0f}"
        elif name in _INDICATORS:
            numbers = [str(v) for v in values if isinstance(v, int | float)]
            indicators[f"{name}({', '.join(numbers)})" if numbers else name] = None
        elif name in _ORDERS:
            orders[_ORDERS[name]] = None
    named = {one.partition(" ")[0] for one in assets}
    listed = [one for one in tickers_listed(tree) if (by_name or not assets) and one not in named]
    parts = [
        f"{what}: {', '.join(found)}."
        for what, found in (
            ("Assets", [*assets, *listed]),
            ("Indicators", indicators),
            ("Trades by", orders),
        )
        if found
    ]  # fmt: skip
    if dates:
        span = " ".join(f"{word} {dates[word]}" for word in ("from", "to") if word in dates)
        parts.append(f"Backtest {span}.")
    if cash:
        parts.append(f"Cash: {cash}.")
    return " ".join(parts)


def tickers_listed(tree: ast.Module) -> list[str]:
    """Tickers that are added by name or out of a list: so many of them, and how many more."""
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.List | ast.Tuple) and len(node.elts) > 1:
            values = [one.value for one in node.elts if isinstance(one, ast.Constant)]
            texts = [value for value in values if isinstance(value, str)]
            if len(texts) == len(node.elts) and all(map(_TICKER.match, texts)):
                found.update(dict.fromkeys(texts))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = f"{ast.unparse(node.func.value)}.{snake(node.func.attr)}"
            at = {"Symbol.create": 0, "self.add_security": 1}.get(name)
            if at is not None and len(node.args) > at and isinstance(node.args[at], ast.Constant):
                found[str(node.args[at].value)] = None  # type: ignore[attr-defined]
    names = list(found)
    more = len(names) - _MOST_TICKERS
    return names if more <= 0 else [*names[:_MOST_TICKERS], f"and {more} more"]


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    """Calls of the algorithm's own methods, their names in snake case."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "self":
            yield node, snake(node.func.attr)


def snake(name: str) -> str:
    """`AddEquity` → `add_equity`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _resolution(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.attr.lower() if node.value.id == "Resolution" else None
    return None


def without_header(code: str) -> str:
    """The code without the licence header at its top; its notice belongs to the example's origin.

    Only comment lines at the very top go, and only where they speak of a licence.
    """
    end = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type not in (tokenize.COMMENT, tokenize.NL):
                break
            if token.type == tokenize.NL and not token.line.strip():
                # The header ends at its first empty line.
                break
            end = token.start[0]
    except (tokenize.TokenError, SyntaxError):
        return code
    lines = code.splitlines(keepends=True)
    if not _RIGHTS.search("".join(lines[:end])):
        return code
    return "".join(lines[end:]).lstrip("\n")
