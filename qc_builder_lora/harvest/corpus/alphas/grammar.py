"""From the text of a formula to its tree: a lexer and a precedence-climbing parser.

Case does not matter. Errors give the column, the fact and the cure, with the text underlined.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass

from qc_builder_lora.errors import FormulaError
from qc_builder_lora.harvest.corpus.alphas.language import ADV, FUNCTIONS, INPUTS, LEVELS, Function
from qc_builder_lora.harvest.corpus.alphas.tree import (
    Binary,
    Call,
    Choice,
    Compare,
    Either,
    Expr,
    Field,
    Group,
    Kind,
    Negate,
    Number,
    kind,
)

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\s*\.\s*[A-Za-z_]+)?)"
    r"|(?P<symbol>\|\||<=|>=|==|[-+*/^<>?:(),])|(?P<end>$))"
)
_ADV = re.compile(r"adv(\d+)", re.IGNORECASE)
_BINDING = {
    "||": 2, "<": 3, ">": 3, "<=": 3, ">=": 3, "==": 3, "+": 4, "-": 4, "*": 5, "/": 5, "^": 7,
}  # fmt: skip
_DEEPEST = 100
"""Levels of brackets; Python's own stack would end a little later, and without a sentence."""
LONGEST_WINDOW = 2520
"""Days that a function may look back: ten years."""


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


def parse(text: str) -> Expr:
    """The tree of a formula that gives one number a symbol; FormulaError otherwise."""
    parser = _Parser(text)
    node = parser.expression(0)
    parser.finish()
    if kind(node) is Kind.SCALAR:
        raise FormulaError(text, 0, "the formula is a number", "An alpha differs by symbol.")
    if kind(node) is Kind.GROUP:
        raise FormulaError(
            text, 0, "the formula is a group", "Use it as the second argument of indneutralize."
        )
    return node


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0

    def expression(self, least: int) -> Expr:
        """Everything from here on that binds at least as tightly as `least`."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong(f"brackets are more than {_DEEPEST} deep", "Split the formula.")
        node = self._operand()
        while True:
            token = self._peek
            if token.text == "?" and least <= 1:
                node = self._choice(node)
                continue
            binding = _BINDING.get(token.text) if token.kind == "symbol" else None
            if binding is None or binding < least:
                self._depth -= 1
                return node
            node = self._operation(node, self._take(), binding)

    def finish(self) -> None:
        token = self._peek
        if token.kind != "end":
            cure = "A bracket closes that none opens." if token.text == ")" else (
                "Put an operator before it, or leave it out."
            )  # fmt: skip
            raise self._wrong(f"{token.text!r} follows the end of the formula", cure)

    @property
    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._peek
        self._next += token.kind != "end"
        return token

    def _wrong(self, fact: str, cure: str, token: _Token | None = None) -> FormulaError:
        return FormulaError(self._text, (token or self._peek).at, fact, cure)

    def _expect(self, symbol: str, before: str) -> None:
        if self._peek.text != symbol:
            found = self._peek.text or "the end"
            raise self._wrong(
                f"{symbol!r} is missing {before}, found {found!r}", f"Add {symbol!r}."
            )
        self._take()

    def _operand(self) -> Expr:
        token = self._take()
        if token.kind == "number":
            return Number(float(token.text))
        if token.kind == "name":
            return self._named(token)
        if token.text == "(":
            node = self.expression(0)
            self._expect(")", f"for the bracket in column {token.at + 1}")
            return node
        if token.text in ("-", "+"):
            operand = self._series_or_number(self.expression(6), token)
            if token.text == "+":
                return operand
            return Number(-operand.value) if isinstance(operand, Number) else Negate(operand)
        found = token.text or "the end"
        raise self._wrong(f"a value is missing, found {found!r}", _VALUE, token)

    def _operation(self, left: Expr, operator: _Token, binding: int) -> Expr:
        # `^` groups to the right, so that a^b^c is a^(b^c).
        right = self.expression(binding if operator.text == "^" else binding + 1)
        if operator.text == "||":
            for side in (left, right):
                if kind(side) is not Kind.BOOLEAN:
                    raise self._wrong(
                        f"'||' joins comparisons, `{side}` is a {kind(side)}",
                        "Compare it with something, such as `x < 0`.", operator,
                    )  # fmt: skip
            return Either(left, right)
        for side in (left, right):
            self._series_or_number(side, operator)
        if binding == 3:
            if kind(left) is kind(right) is Kind.SCALAR:
                raise self._wrong(
                    "two numbers are compared", "The answer never changes: leave it out.", operator
                )
            return Compare(operator.text, left, right)
        return Binary(operator.text, left, right)

    def _choice(self, condition: Expr) -> Expr:
        mark = self._take()
        if kind(condition) is not Kind.BOOLEAN:
            raise self._wrong(
                f"'?' needs a comparison before it, `{condition}` is a {kind(condition)}",
                "Compare it with something, such as `x < 0 ? y : z`.", mark,
            )  # fmt: skip
        yes = self._series_or_number(self.expression(0), mark)
        self._expect(":", f"for the '?' in column {mark.at + 1}")
        return Choice(condition, yes, self._series_or_number(self.expression(1), mark))

    def _series_or_number(self, node: Expr, token: _Token) -> Expr:
        if kind(node) is Kind.GROUP:
            raise self._wrong(
                f"{node} is a group and has no value",
                "Use it as the second argument of indneutralize.", token,
            )  # fmt: skip
        return node

    def _named(self, token: _Token) -> Expr:
        name = re.sub(r"\s", "", token.text).lower()
        if self._peek.text == "(":
            return self._call(token, name)
        if "." in name:
            return self._group(token, name)
        if name in INPUTS:
            return Field(name)
        adv = _ADV.fullmatch(name)
        if adv:
            return Field(ADV, self._days(token, int(adv.group(1)), 1))
        if name in FUNCTIONS:
            raise self._wrong(
                f"{name} is a function", f"Call it: {FUNCTIONS[name].form}.", token
            )  # fmt: skip
        close = _close(name, [*INPUTS, "adv20"])
        known = f"Inputs are {', '.join(INPUTS)}, adv with days (adv20), IndClass with a level."
        raise self._wrong(f"unknown input {token.text!r}", close + known, token)

    def _group(self, token: _Token, name: str) -> Expr:
        owner, level = name.split(".")
        if owner != "indclass":
            raise self._wrong(f"unknown name {token.text!r}", "Only IndClass has levels.", token)
        if level not in LEVELS:
            cure = f"{_close(level, LEVELS)}Levels are {', '.join(LEVELS)}."
            raise self._wrong(f"unknown level {level!r} of IndClass", cure, token)
        return Group(level)

    def _call(self, token: _Token, name: str) -> Expr:
        if name not in FUNCTIONS:
            cure = f"{_close(name, FUNCTIONS)}Functions are {', '.join(FUNCTIONS)}."
            raise self._wrong(f"unknown function {token.text!r}", cure, token)
        function = FUNCTIONS[name]
        args, places = self._arguments(token)
        if name == "scale" and len(args) == 2:
            return self._scaled(args, places)
        wanted = function.expressions + function.days + function.group
        if len(args) != wanted:
            given = f"{name} takes {wanted} arguments, {len(args)} given"
            raise self._wrong(given, f"Write {function.form}.", token)
        if name in ("min", "max") and kind(args[1]) is Kind.SCALAR:
            function = FUNCTIONS[f"ts_{name}"]
        return self._checked(function, args, places)

    def _arguments(self, name: _Token) -> tuple[list[Expr], list[_Token]]:
        self._take()
        args: list[Expr] = []
        places: list[_Token] = []
        if self._peek.text == ")":
            self._take()
            return args, places
        while True:
            places.append(self._peek)
            args.append(self.expression(0))
            if self._peek.text != ",":
                break
            self._take()
        self._expect(")", f"for the bracket of {name.text} in column {name.at + 1}")
        return args, places

    def _scaled(self, args: list[Expr], places: list[_Token]) -> Expr:
        """`scale(x, a)` is `a * scale(x)`."""
        if kind(args[1]) is not Kind.SCALAR:
            raise self._wrong(
                f"scale wants a number as second argument, `{args[1]}` is a {kind(args[1])}",
                "Write scale(x) or scale(x, 2).", places[1],
            )  # fmt: skip
        return Binary("*", args[1], self._checked(FUNCTIONS["scale"], args[:1], places[:1]))

    def _checked(self, function: Function, args: list[Expr], places: list[_Token]) -> Expr:
        values = args[: function.expressions]
        for number, (value, place) in enumerate(zip(values, places, strict=False), 1):
            found = kind(value)
            if function.name == "signedpower" and number == 2 and found is Kind.SCALAR:
                continue
            if found not in (Kind.SERIES, Kind.BOOLEAN):
                raise self._wrong(
                    f"{function.name} wants a series, `{value}` is a {found}",
                    "Give it something that differs by symbol, such as close.", place,
                )  # fmt: skip
        rest, place = args[function.expressions :], places[-1]
        if function.days:
            return Call(function.name, tuple(values), self._window(function, rest[0], place))
        if function.group:
            if not isinstance(rest[0], Group):
                cure = "Give IndClass.sector, IndClass.industry or IndClass.subindustry."
                raise self._wrong(f"`{rest[0]}` is no group", cure, place)
            return Call(function.name, (*values, rest[0]))
        return Call(function.name, tuple(values))

    def _window(self, function: Function, node: Expr, place: _Token) -> int:
        value = constant(node)
        if value is None:
            raise self._wrong(
                f"{function.name} wants a number of days, `{node}` is a {kind(node)}",
                f"Write {function.form} with a number, such as 5.", place,
            )  # fmt: skip
        return self._days(place, value, function.smallest)

    def _days(self, place: _Token, value: float, smallest: int) -> int:
        if not math.isfinite(value) or not smallest <= math.floor(value) <= LONGEST_WINDOW:
            raise self._wrong(
                f"{value:g} days, which is {math.floor(value) if math.isfinite(value) else value}"
                " as a whole number, cannot be looked back",
                f"Take {smallest} to {LONGEST_WINDOW}.", place,
            )  # fmt: skip
        return math.floor(value)


_VALUE = "Put a number, an input or a function there."


def constant(node: Expr) -> float | None:
    """The value of an expression of numbers alone; None for any other."""
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Negate):
        value = constant(node.operand)
        return None if value is None else -value
    if not isinstance(node, Binary):
        return None
    left, right = constant(node.left), constant(node.right)
    return None if left is None or right is None else _folded(node.operator, left, right)


def _folded(operator: str, left: float, right: float) -> float:
    try:
        if operator == "^":
            return float(abs(left) ** right if right != int(right) else left ** int(right))
        results = {"+": left + right, "-": left - right, "*": left * right}
        return results[operator] if operator in results else left / right
    except (ZeroDivisionError, OverflowError, ValueError):
        return math.nan


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while True:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise FormulaError(
                text, at, f"{text[at]!r} is no part of the language", "Leave it out."
            )
        found.append(
            _Token(match.lastgroup, match.group(match.lastgroup), match.start(match.lastgroup))
        )
        if match.lastgroup == "end":
            return found
        at = match.end()


def _close(name: str, known: object) -> str:
    found = difflib.get_close_matches(name, list(known), n=1)  # type: ignore[call-overload]
    return f"Did you mean {found[0]!r}? " if found else ""
