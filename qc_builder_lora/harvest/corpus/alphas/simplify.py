"""The normal form of a formula: equal alphas that are written differently become one text.

Wherever the original has a value, its normal form has the same one (but for rounding): sums and
products are collected and sorted, constants folded, coefficients brought to the front of what is
linear and dropped from what does not see them, delays moved outwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

from qc_builder_lora.harvest.corpus.alphas.grammar import constant
from qc_builder_lora.harvest.corpus.alphas.tree import (
    Binary,
    Call,
    Choice,
    Compare,
    Either,
    Expr,
    Field,
    Kind,
    Negate,
    Number,
    children,
    kind,
    number_text,
    rebuilt,
)
from qc_builder_lora.ids import text_hash

_LINEAR = frozenset({"delay", "delta", "sum", "decay_linear", "indneutralize"})
_SHIFTLESS = frozenset({"delta", "indneutralize"})
"""Linear, and blind to a constant that is added."""
_MOVED = frozenset(
    {"delta", "sum", "product", "stddev", "ts_min", "ts_max", "ts_argmin", "ts_argmax", "ts_rank",
     "decay_linear"}
)  # fmt: skip
"""The same of yesterday's values, or yesterday's of the same."""
_ONE_DAY = frozenset({"sum", "product", "ts_min", "ts_max", "decay_linear"})
_OPPOSITE = {
    "ts_min": "ts_max", "ts_max": "ts_min", "ts_argmin": "ts_argmax", "ts_argmax": "ts_argmin",
}  # fmt: skip
_COMMUTATIVE = frozenset({"min", "max", "correlation", "covariance"})
_ROUNDS = 20
_LARGEST_DIVISOR = 2520

Terms = dict[Expr, float]
"""Coefficients of what is added up; the constant under Number(1)."""
_ONE = Number(1.0)


def simplified(node: Expr) -> Expr:
    """The normal form."""
    for _ in range(_ROUNDS):
        after = _once(node)
        if after == node:
            break
        node = after
    return node


def formula_hash(node: Expr) -> str:
    """The same for two formulas with one normal form."""
    return text_hash(str(simplified(node)))


def _once(node: Expr) -> Expr:
    below = children(node)
    if below:
        node = rebuilt(node, tuple(_once(child) for child in below))
    if kind(node) is Kind.SCALAR:
        value = constant(node)
        return node if value is None or not math.isfinite(value) else Number(value)
    if isinstance(node, Call):
        return _call(node)
    if isinstance(node, Compare):
        return _comparison(node)
    if isinstance(node, Either):
        return node.left if node.left == node.right else Either(*_sorted((node.left, node.right)))
    if isinstance(node, Choice):
        return node.yes if node.yes == node.no else node
    if isinstance(node, Binary | Negate):
        return _power(node) if isinstance(node, Binary) and node.operator == "^" else _sum(node)
    return node


def _sorted(nodes: Iterable[Expr]) -> list[Expr]:
    return sorted(nodes, key=str)


def _comparison(node: Compare) -> Expr:
    if node.operator in (">", ">="):
        return Compare(node.operator.replace(">", "<"), node.right, node.left)
    if node.operator == "==":
        return Compare("==", *_sorted((node.left, node.right)))
    return node


def _power(node: Binary) -> Expr:
    return node.left if node.right == _ONE else node


def _sum(node: Expr) -> Expr:
    """Collected terms, the constant last."""
    return _added(_terms(node))


def _terms(node: Expr) -> Terms:
    terms: Terms = {}
    _collect(node, 1.0, terms)
    return {one: value for one, value in terms.items() if value != 0}


def _collect(node: Expr, times: float, terms: Terms) -> None:
    if isinstance(node, Binary) and node.operator in "+-":
        _collect(node.left, times, terms)
        _collect(node.right, times if node.operator == "+" else -times, terms)
        return
    if isinstance(node, Negate):
        _collect(node.operand, -times, terms)
        return
    factor, rest = _factored(node)
    if isinstance(rest, Binary) and rest.operator in "+-":
        _collect(rest, times * factor, terms)
    else:
        terms[rest] = terms.get(rest, 0.0) + times * factor


def _added(terms: Terms) -> Expr:
    plain = {one: value for one, value in terms.items() if one != _ONE}
    ordered = sorted(plain.items(), key=lambda item: (item[1] < 0, str(item[0])))
    rest = terms.get(_ONE, 0.0)
    total: Expr | None = None
    if rest > 0 and all(value < 0 for _, value in ordered):
        # 1 - x rather than -1 * x + 1.
        total, rest = Number(rest), 0.0
    for one, value in ordered:
        if total is None:
            total = _times(value, one)
        elif value < 0:
            total = Binary("-", total, _times(-value, one))
        else:
            total = Binary("+", total, _times(value, one))
    if total is None:
        return Number(rest)
    if rest == 0:
        return total
    return Binary("+" if rest > 0 else "-", total, Number(abs(rest)))


def _times(value: float, node: Expr) -> Expr:
    """`2 * x`, and a third of x as `x / 3`, which no decimal says."""
    if value == 1:
        return node
    exact = Fraction(value).limit_denominator(_LARGEST_DIVISOR)
    near = exact != 0 and abs(float(exact) / value - 1) < 1e-12
    if exact.denominator == 1 or len(number_text(abs(value))) <= 6 or not near:
        return Binary("*", Number(value), node)
    above = node if exact.numerator == 1 else Binary("*", Number(float(exact.numerator)), node)
    return Binary("/", above, Number(float(exact.denominator)))


def _factored(node: Expr) -> tuple[float, Expr]:
    """A coefficient, and the rest as sorted numerators over sorted denominators."""
    factor, above, below = _factors(node)
    common = [one for one in above if one in below and _never_zero(one)]
    for one in common:
        if one in above and one in below:
            above.remove(one)
            below.remove(one)
    top, bottom = _product(above), _product(below)
    if bottom is None:
        return factor, top or _ONE
    return factor, Binary("/", top or _ONE, bottom)


def _factors(node: Expr) -> tuple[float, list[Expr], list[Expr]]:
    if isinstance(node, Number):
        return node.value, [], []
    if isinstance(node, Negate):
        factor, above, below = _factors(node.operand)
        return -factor, above, below
    if isinstance(node, Binary) and node.operator in "*/":
        factor, above, below = _factors(node.left)
        other, top, bottom = _factors(node.right)
        if node.operator == "*":
            return factor * other, above + top, below + bottom
        if other != 0:
            # Only a divisor that is no fraction itself: x / (a / b) is unknown where b is 0.
            return (factor / other, above, below + top) if not bottom else (
                factor, above, [*below, node.right]
            )  # fmt: skip
    return 1.0, [node], []


def _product(nodes: list[Expr]) -> Expr | None:
    found: Expr | None = None
    for node in _sorted(nodes):
        found = node if found is None else Binary("*", found, node)
    return found


def _never_zero(node: Expr) -> bool:
    return isinstance(node, Field) and node.name in ("open", "high", "low", "close", "vwap")


def _call(node: Call) -> Expr:
    """One rule at a time; `simplified` comes again until none applies."""
    if node.days == 1 and node.name in _ONE_DAY:
        return node.args[0]
    if node.name in _COMMUTATIVE:
        node = Call(node.name, tuple(_sorted(node.args)), node.days)
        if node.name in ("min", "max") and node.args[0] == node.args[1]:
            return node.args[0]
    inner = node.args[0]
    if isinstance(inner, Call) and inner.days is not None and inner.name == "delay":
        moved = _outwards(node, inner)
        if moved is not None:
            return moved
    if node.name == "signedpower" and node.args[1] == _ONE:
        return inner
    if node.name == "abs" and _never_negative(inner):
        return inner
    if isinstance(inner, Call) and _repeats(node.name, inner.name):
        return inner if node.name == inner.name else Call(node.name, inner.args)
    return _without_coefficients(node)


def _outwards(node: Call, inner: Call) -> Expr | None:
    assert inner.days is not None
    if node.name == "delay" and node.days is not None:
        return Call("delay", inner.args, node.days + inner.days)
    if node.name in _MOVED:
        return Call("delay", (Call(node.name, inner.args, node.days),), inner.days)
    return None


def _repeats(outer: str, inner: str) -> bool:
    """Whether the outer one of what the inner one gives adds nothing to it."""
    if outer == inner:
        return outer in ("rank", "scale", "sign", "abs")
    return (outer, inner) in (("rank", "scale"), ("sign", "scale"))


def _never_negative(node: Expr) -> bool:
    if isinstance(node, Field):
        return node.name != "returns"
    return isinstance(node, Call) and node.name in (
        "abs", "rank", "stddev", "ts_rank", "ts_argmin", "ts_argmax",
    )  # fmt: skip


def _split(node: Expr) -> tuple[float, Expr, float]:
    """a, x and b of a * x + b."""
    terms = _terms(node)
    shift = terms.pop(_ONE, 0.0)
    if not terms:
        return 1.0, node, 0.0
    first = min(terms, key=str)
    scale = terms[first] if len(terms) == 1 else _common(list(terms.values()))
    rest = _added({one: value / scale for one, value in terms.items()})
    return scale, rest, shift


def _common(values: list[float]) -> float:
    """What the coefficients of a sum share: their size if that is one, else the sign."""
    sign = -1.0 if all(value < 0 for value in values) else 1.0
    sizes = {abs(value) for value in values}
    return sign * sizes.pop() if len(sizes) == 1 else sign


def _without_coefficients(node: Call) -> Expr:
    if node.name in ("correlation", "covariance"):
        return _paired(node)
    scale, rest, shift = _split(node.args[0])
    if scale == 1 and shift == 0:
        return node
    plain = Call(node.name, (rest, *node.args[1:]), node.days)
    if node.name in _LINEAR:
        return _linear(node, plain, scale, shift)
    if node.name in ("rank", "ts_rank"):
        return plain if scale > 0 else Binary("-", _ONE, plain)
    if node.name == "stddev":
        return _times(abs(scale), plain)
    if node.name in ("ts_min", "ts_max"):
        name = node.name if scale > 0 else _OPPOSITE[node.name]
        return _added({Call(name, (rest,), node.days): scale, _ONE: shift})
    if node.name in ("ts_argmin", "ts_argmax"):
        return Call(node.name if scale > 0 else _OPPOSITE[node.name], (rest,), node.days)
    if shift == 0 and node.name == "abs":
        return _times(abs(scale), plain)
    if shift == 0 and node.name in ("sign", "scale"):
        return _times(math.copysign(1.0, scale), plain)
    return node


def _linear(node: Call, plain: Call, scale: float, shift: float) -> Expr:
    if shift == 0 or node.name in _SHIFTLESS:
        return _times(scale, plain)
    # Not decay_linear: it counts what is unknown as 0, and with the constant it would not.
    if node.name not in ("delay", "sum"):
        return node
    days = node.days if node.name == "sum" else 1
    return _added({plain: scale, _ONE: shift * (days or 1)})


def _paired(node: Call) -> Expr:
    factor = 1.0
    parts = []
    for part in node.args:
        scale, rest, _ = _split(part)
        factor *= math.copysign(1.0, scale) if node.name == "correlation" else scale
        parts.append(rest)
    return _times(factor, Call(node.name, tuple(_sorted(parts)), node.days))


def without_scale(node: Expr) -> Expr:
    """Without a coefficient above zero in front of all, which no ranking and no weight sees."""
    scale, rest, shift = _split(node)
    if shift != 0 or abs(scale) == 1:
        return node
    return rest if scale > 0 else _times(-1.0, rest)
