"""The shape that most of our strategies on one ticker have, and places to put lines into it.

    if BUY and not self.portfolio.invested:
        self.set_holdings(self._symbol, WEIGHT)
    elif SELL and self.portfolio.invested:
        self.liquidate()

Everything here is text: what does not have the shape is left alone, and what comes out is executed
before it counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

PRICE = "price = self.securities[self._symbol].price"
_LONGEST_LINE = 100
_GUARDS = re.compile(
    r"^    def on_data\(self, data\):\n(?:        if [^\n]*:\n            return\n)*", re.MULTILINE
)
_ENTRY = re.compile(
    r"^(?P<pad> +)if (?P<buy>[^\n]+) and not self\.portfolio\.invested:\n"
    r"(?P=pad)    self\.set_holdings\(self\._symbol, (?P<weight>[\d.]+)\)\n"
    r"(?P<more>(?:(?P=pad)    [^\n]*\n)*)",
    re.MULTILINE,
)
_EXIT = re.compile(
    r"^(?P<pad> +)elif (?P<sell>[^\n]+) and self\.portfolio\.invested:\n"
    r"(?P=pad)    self\.liquidate\(\)\n",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Shape:
    """The parts of the shape in one code."""

    code: str
    buy: str
    sell: str
    weight: str

    def entered(
        self,
        *,
        weight: str | None = None,
        also: str = "",
        after: Sequence[str] = (),
        before: Sequence[str] = (),
    ) -> Shape:
        """With another weight, a further condition, lines before and after the order."""

        def written(match: re.Match[str]) -> str:
            pad, condition = match["pad"], f"{match['buy']} and {also}" if also else match["buy"]
            order = f"self.set_holdings(self._symbol, {weight or match['weight']})"
            lines = [*before, order, *after]
            return (
                f"{pad}if {condition} and not self.portfolio.invested:\n"
                + "".join(f"{pad}    {line}\n" for line in lines)
                + match["more"]
            )

        return self._with(_ENTRY.sub(written, self.code, count=1))

    def left(self, condition: str) -> Shape:
        """Left as well where the condition holds."""
        first = self.sell[1:-1] if _in_brackets(self.sell) else self.sell
        if re.search(r"\band\b", first):
            first = f"({first})"
        sell = f"({first} or {condition})"
        return self._with(
            _EXIT.sub(lambda m: m[0].replace(f"elif {m['sell']} and", f"elif {sell} and"),
                      self.code, count=1)
        )  # fmt: skip

    def set_up(self, *lines: str) -> Shape:
        """With these lines in `initialize`, before the warm-up."""
        return self._with(set_up(self.code, *lines))

    def each_bar(self, *lines: str) -> Shape:
        """With these lines in `on_data`, after its first guards; the price is taken there if it is
        not yet."""
        code = self.code
        guards = _GUARDS.search(code)
        assert guards is not None
        place, put = guards.end(), list(lines)
        has_price = code.startswith(f"        {PRICE}\n", place)
        if has_price:
            place += len(f"        {PRICE}\n")
        elif any("price" in line for line in lines):
            put = [PRICE, *put]
        text = "".join(f"        {line}\n" for line in put)
        return self._with(code[:place] + text + code[place:])

    def _with(self, code: str) -> Shape:
        return replace(self, code=code)


def shape_of(code: str) -> Shape | None:
    """The one place where the code enters and the one where it leaves; None unless so."""
    entries, exits = list(_ENTRY.finditer(code)), list(_EXIT.finditer(code))
    if len(entries) != 1 or len(exits) != 1 or _GUARDS.search(code) is None:
        return None
    return Shape(code, entries[0]["buy"], exits[0]["sell"], entries[0]["weight"])


def set_up(code: str, *lines: str) -> str:
    """The code with these lines in `initialize`: before the warm-up, or else as its last ones."""
    text = "".join(f"        {line}\n" for line in lines)
    warm_up = re.search(r"^        self\.set_warm_up\(", code, re.MULTILINE)
    if warm_up is not None:
        return code[: warm_up.start()] + text + code[warm_up.start() :]
    end = code.index("\n\n    def ") + 1
    return code[:end] + text + code[end:]


def warmed_up(code: str, bars: int) -> str | None:
    """The code with a warm-up of so many bars at least; None where it has none or an odd one."""
    found = re.search(r"self\.set_warm_up\(([\d +*]+)\)", code)
    if found is None:
        return None
    if _counted(found[1]) >= bars:
        return code
    return code.replace(found[0], f"self.set_warm_up({bars})")


def is_tidy(code: str) -> bool:
    """Whether no line is longer than a formatter leaves it."""
    return all(len(line) <= _LONGEST_LINE for line in code.split("\n"))


def _counted(text: str) -> int:
    """The value of a sum of products of whole numbers."""
    total = 0
    for part in text.split("+"):
        product = 1
        for factor in part.split("*"):
            product *= int(factor)
        total += product
    return total


def _in_brackets(text: str) -> bool:
    """Whether the first bracket is closed by the last one."""
    if not (text.startswith("(") and text.endswith(")")):
        return False
    depth = 0
    for at, sign in enumerate(text):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth == 0:
            return at == len(text) - 1
    return False
