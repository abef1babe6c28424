"""What a strategy says of itself: docstring, comments above the class, and the facts of its code.

Used to ask for code that nobody has put a question to. It reads; it does not understand: what an
algorithm is for is taken from its author's words, and from its name where there are none.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

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
_MARKUP = re.compile(r"</?(?:summary|remarks|see|param|returns|code|para)\b[^>]*>|<meta[^>]*>")
_SENTENCE = re.compile(r"[A-Z][\w'-]*(?: \S+){3,60}$")
_SHORTEST = 15
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
    words, origin = _own_words(code, tree, node)
    if about is not None and len(about) >= _SHORTEST:
        words, origin = about, "text"
    if words is None:
        name = "an algorithm" if node is None else spoken(node.name)
        words, origin = f"Write {name}.", "code"
    told = facts(tree)
    text = asked(clean(words)[:_LONGEST])
    return Described(f"{text} {told}".strip() if told else text, origin)


def algorithm_class(tree: ast.Module) -> ast.ClassDef | None:
    """The first class that derives from QCAlgorithm by name."""
    return next((node for node in ast.walk(tree) if _is_algorithm(node)), None)  # type: ignore[return-value]


def _is_algorithm(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and any(
        ast.unparse(base).rpartition(".")[2] == "QCAlgorithm" for base in node.bases
    )


def _own_words(code: str, tree: ast.Module, node: ast.ClassDef | None) -> tuple[str | None, str]:
    for one in (node, tree):
        text = None if one is None else ast.get_docstring(one)
        if text is not None and len(clean(text)) >= _SHORTEST:
            return text, "docstring"
    text = comment_above(code, node)
    return (text, "comment") if text is not None else (None, "code")


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
        kept = [line.strip().lstrip("#").strip() for line in block if not _HEADER.search(line)]
        text = clean("\n".join(kept))
        if len(text) >= _SHORTEST:
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


def clean(text: str) -> str:
    """One paragraph without LEAN's markup."""
    return " ".join(_MARKUP.sub(" ", inspect.cleandoc(text)).split())


def asked(text: str) -> str:
    """A description turned into a request, where it is one of the usual forms."""
    text = text.strip().rstrip(": ").strip()
    found = _DESCRIBES.match(text)
    if found is None:
        start = text if _REQUEST.match(text) else f"Write a QuantConnect algorithm. {text}"
        return start if start.endswith((".", "!", "?")) else f"{start}."
    rest = text[found.end() :].strip()
    rest = rest if rest.endswith((".", "!", "?")) else f"{rest}."
    shows = found["shows"] or ""
    verb = "demonstrates" if shows else ""
    return f"Write a QuantConnect algorithm that {verb} {rest}".replace("  ", " ")


_REQUEST = re.compile(
    r"(?:please\s+)?(?:write|create|build|implement|make|develop|design|trade|buy|sell|hold|go)\b",
    re.IGNORECASE,
)
_DESCRIBES = re.compile(
    r"(?:the\s+following\s+|this\s+|an?\s+)?"
    r"(?:(?:simple|basic|sample|complete|example|code|demo|demonstration)\s+)*"
    r"(?:examples?|algorithms?|strategy|strategies|snippet|program)\s+(?:that\s+|which\s+)?"
    r"(?:(?P<shows>(?:demonstrates?|demonstrating|shows?|showing|illustrates?)(?:\s+that)?)\s+"
    r"|(?=(?:\w+(?:s|es)|can|will)\s))"
    r"|the\s+following\s+(?:\w+\s+)?(?:algorithm|strategy)\s+",
    re.IGNORECASE,
)


def spoken(name: str) -> str:
    """`EmaCrossUniverseAlgorithm` → `an algorithm: ema cross universe`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_", " ", name).split()
    kept = [w if w.isupper() and len(w) > 1 else w.lower() for w in words]
    kept = [word for word in kept if word.lower() not in ("algorithm", "algo", "strategy")]
    return f"a QuantConnect algorithm: {' '.join(kept)}" if kept else "a QuantConnect algorithm"


def facts(tree: ast.Module) -> str:
    """Assets, indicators, dates and cash as far as they stand in the code as literals."""
    assets: dict[str, None] = {}
    indicators: dict[str, None] = {}
    dates: dict[str, str] = {}
    cash: str | None = None
    for call, name in _calls(tree):
        values = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
        if _ASSETS.match(name) and values and isinstance(values[0], str):
            resolution = next((r for arg in call.args if (r := _resolution(arg))), None)
            assets[f"{values[0]} ({resolution})" if resolution else values[0]] = None
        elif name in _DATES and len(values) == 3:
            dates[_DATES[name]] = "-".join(f"{v:02}" for v in values if isinstance(v, int))
        elif name == "set_cash" and len(values) == 1 and isinstance(values[0], int | float):
            cash = f"{values[0]:,.0f}"
        elif name in _INDICATORS:
            numbers = [str(v) for v in values if isinstance(v, int | float)]
            indicators[f"{name}({', '.join(numbers)})" if numbers else name] = None
    parts = []
    if assets:
        parts.append(f"Assets: {', '.join(assets)}.")
    if indicators:
        parts.append(f"Indicators: {', '.join(indicators)}.")
    if dates:
        span = " ".join(f"{word} {dates[word]}" for word in ("from", "to") if word in dates)
        parts.append(f"Backtest {span}.")
    if cash:
        parts.append(f"Cash: {cash}.")
    return " ".join(parts)


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
