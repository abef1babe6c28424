"""The expression tree of an alpha: what the grammar builds and everything else reads.

Nodes are frozen and compare by value. `str(node)` is the formula again, in one spelling with the
fewest parentheses; parsing it gives an equal tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What an expression is for every day: one number, one a symbol, a truth, or a grouping."""

    SCALAR = "number"
    SERIES = "series"
    BOOLEAN = "boolean"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Number:
    """A literal."""

    value: float

    def __str__(self) -> str:
        return number_text(self.value)


@dataclass(frozen=True, slots=True)
class Field:
    """An input: `open`, `high`, …, or `adv` with its days."""

    name: str
    days: int = 0

    def __str__(self) -> str:
        return f"{self.name}{self.days}" if self.days else self.name


@dataclass(frozen=True, slots=True)
class Group:
    """A level of the industry classification: `sector`, `industry`, `subindustry`."""

    level: str

    def __str__(self) -> str:
        return f"IndClass.{self.level}"


@dataclass(frozen=True, slots=True)
class Call:
    """A function of one or two expressions and, where it looks back, a whole number of days."""

    name: str
    args: tuple[Expr, ...]
    days: int | None = None

    def __str__(self) -> str:
        days = () if self.days is None else (str(self.days),)
        return f"{self.name}({', '.join((*map(str, self.args), *days))})"


@dataclass(frozen=True, slots=True)
class Negate:
    """Unary minus."""

    operand: Expr

    def __str__(self) -> str:
        return f"-{_wrapped(self.operand, _POWERS['neg'])}"


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic: `+ - * / ^`."""

    operator: str
    left: Expr
    right: Expr

    def __str__(self) -> str:
        power = _POWERS[self.operator]
        # `^` groups to the right, the others to the left; what `-` and `/` take away is wrapped.
        left = power + 1 if self.operator == "^" else power
        right = power if self.operator == "^" else power + 1
        return f"{_wrapped(self.left, left)}{_spaced(self.operator)}{_wrapped(self.right, right)}"


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison: `< > <= >= ==`."""

    operator: str
    left: Expr
    right: Expr

    def __str__(self) -> str:
        power = _POWERS["<"] + 1
        return f"{_wrapped(self.left, power)} {self.operator} {_wrapped(self.right, power)}"


@dataclass(frozen=True, slots=True)
class Either:
    """Logical or: `||`."""

    left: Expr
    right: Expr

    def __str__(self) -> str:
        power = _POWERS["||"]
        return f"{_wrapped(self.left, power)} || {_wrapped(self.right, power + 1)}"


@dataclass(frozen=True, slots=True)
class Choice:
    """`condition ? yes : no`."""

    condition: Expr
    yes: Expr
    no: Expr

    def __str__(self) -> str:
        power = _POWERS["?"]
        condition = _wrapped(self.condition, power + 1)
        return f"{condition} ? {_wrapped(self.yes, power + 1)} : {_wrapped(self.no, power)}"


Expr = Number | Field | Group | Call | Negate | Binary | Compare | Either | Choice

_POWERS = {"?": 1, "||": 2, "<": 3, "+": 4, "-": 4, "*": 5, "/": 5, "neg": 6, "^": 7}
_ATOM = 9


def _spaced(operator: str) -> str:
    return operator if operator == "^" else f" {operator} "


def _power(node: Expr) -> int:
    if isinstance(node, Binary):
        return _POWERS[node.operator]
    if isinstance(node, Number) and node.value < 0:
        return _POWERS["neg"]
    powers: dict[type, str] = {Negate: "neg", Compare: "<", Either: "||", Choice: "?"}
    name = powers.get(type(node))
    return _ATOM if name is None else _POWERS[name]


def _wrapped(node: Expr, least: int) -> str:
    return f"({node})" if _power(node) < least else str(node)


def number_text(value: float) -> str:
    """A literal as short as it reads back exactly: `5`, `0.25`."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def children(node: Expr) -> tuple[Expr, ...]:
    """The expressions directly below a node, in order."""
    if isinstance(node, Call):
        return node.args
    if isinstance(node, Negate):
        return (node.operand,)
    if isinstance(node, Binary | Compare | Either):
        return (node.left, node.right)
    if isinstance(node, Choice):
        return (node.condition, node.yes, node.no)
    return ()


def rebuilt(node: Expr, parts: tuple[Expr, ...]) -> Expr:
    """The same node over other children."""
    if isinstance(node, Call):
        return Call(node.name, parts, node.days)
    if isinstance(node, Negate):
        return Negate(*parts)
    if isinstance(node, Binary):
        return Binary(node.operator, *parts)
    if isinstance(node, Compare):
        return Compare(node.operator, *parts)
    if isinstance(node, Either):
        return Either(*parts)
    return Choice(*parts) if isinstance(node, Choice) else node


def walk(node: Expr) -> Iterator[Expr]:
    """The node and all below it, parents first."""
    yield node
    for child in children(node):
        yield from walk(child)


def kind(node: Expr) -> Kind:
    """What the expression is; arithmetic on numbers alone stays a number."""
    if isinstance(node, Number):
        return Kind.SCALAR
    if isinstance(node, Group):
        return Kind.GROUP
    if isinstance(node, Compare | Either):
        return Kind.BOOLEAN
    if isinstance(node, Binary | Negate) and all(kind(c) is Kind.SCALAR for c in children(node)):
        return Kind.SCALAR
    return Kind.SERIES


def size(node: Expr) -> int:
    """How many nodes it has."""
    return sum(1 for _ in walk(node))
