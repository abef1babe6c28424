"""A formula as lines of Python on arrays of bars x symbols, with the functions they call.

What occurs twice gets a name of its own, and so do parts of a line that would be too long.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from qc_builder_lora.harvest.corpus.alphas.language import ADV
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
    children,
    kind,
    number_text,
    rebuilt,
    size,
    walk,
)

# Of a window, in one call of numpy.
_FOLDS = {"sum": "sum", "product": "prod", "ts_min": "min", "ts_max": "max"}
_NUMPY = {"abs": "abs", "sign": "np.sign", "min": "np.fmin", "max": "np.fmax"}
_PRICES = frozenset({"open", "high", "low", "close", "vwap"})
_VOLUME = Field("volume")
_STAY_PRICES = frozenset({"delay", "sum", "ts_min", "ts_max", "decay_linear"})
_WIDTH = 84
# What a part is called by the function it begins with.
_NAMES = {
    "rank": "ranked", "scale": "scaled", "delay": "before", "sum": "total",
    "product": "product", "stddev": "spread", "ts_min": "lowest", "ts_max": "highest",
    "ts_argmax": "days_since", "ts_rank": "standing",
    "decay_linear": "smoothed", "correlation": "link", "covariance": "link", "log": "logarithm",
    "indneutralize": "neutral", "abs": "distance", "sign": "direction", "signedpower": "powered",
    "min": "smaller", "max": "larger", "-": "gap", "/": "ratio",
}  # fmt: skip


@dataclass
class PythonFormula:
    """Lines that end with the value in `alpha`, and what they take for granted."""

    lines: list[str] = field(default_factory=list)
    functions: dict[str, None] = field(default_factory=dict)
    """Names in `lean_functions`, in the order of their use."""
    fields: set[str] = field(default_factory=set)
    """open, high, low, close, volume: arrays under these names (`open_` for open)."""
    levels: set[str] = field(default_factory=set)
    needs_shares: bool = False
    may_overflow: bool = False


def python_formula(node: Expr, adv: str = "dollars") -> PythonFormula:
    """The formula as Python; `adv` is `dollars` or `shares`."""
    return _Writer(_spelled_out(node), adv).written()


def _spelled_out(node: Expr) -> Expr:
    """Without functions that are as short in other words, so that these can be shared."""
    node = rebuilt(node, tuple(map(_spelled_out, children(node))))
    if not isinstance(node, Call):
        return node
    first = node.args[0]
    if node.name == "delta":
        return Binary("-", first, Call("delay", (first,), node.days))
    if node.name == "ts_argmin":
        return Call("ts_argmax", (Negate(first),), node.days)
    return node


class _Writer:
    def __init__(self, node: Expr, adv: str) -> None:
        self._node = node
        self._adv = adv
        self._out = PythonFormula()
        self._named: dict[Expr, str] = {}
        self._taken: Counter[str] = Counter()
        self._inputs: dict[str, str] = {}

    def written(self) -> PythonFormula:
        for part in self._repeated():
            self._name(part)
        result = self._fitted(self._node, len("return "))
        self._out.may_overflow = any(map(_grows, walk(self._node)))
        self._out.lines = [*self._inputs.values(), *self._out.lines, f"return {result}"]
        return self._out

    def _repeated(self) -> list[Expr]:
        """Parts that occur twice, the inner ones first; what occurs only inside one is left out."""
        counts = Counter(one for one in walk(self._node) if _is_worth_a_name(one))
        found = [one for one, times in counts.items() if times > 1]
        inside = Counter[Expr]()
        for one in found:
            for below in {b for child in children(one) for b in walk(child)}:
                inside[below] += counts[one]
        outer = [one for one in found if counts[one] > inside[one]]
        return sorted(outer, key=size)

    def _name(self, part: Expr) -> str:
        word = _word(part)
        self._taken[word] += 1
        name = word if self._taken[word] == 1 else f"{word}_{self._taken[word]}"
        self._out.lines.append(f"{name} = {self._fitted(part, len(name) + 3)}")
        self._named[part] = name
        return name

    def _fitted(self, node: Expr, before: int) -> str:
        """The text of a node; parts of it get lines of their own until it fits in one."""
        while len(text := self._text(node)) + before > _WIDTH:
            part = self._largest(node)
            if part is None:
                return text
            self._name(part)
        return text

    def _largest(self, node: Expr) -> Expr | None:
        """The longest part below that would fit a line, or else the longest of all."""
        below = [one for child in children(node) for one in self._unnamed(child)]
        parts = [
            one
            for one in below
            if not isinstance(one, Number | Field | Group)
            and kind(one) is not Kind.SCALAR
            and len(self._text(one)) > 20
        ]
        if not parts:
            return None
        fitting = [one for one in parts if len(self._text(one)) + 20 <= _WIDTH]
        return max(fitting or parts, key=lambda one: len(self._text(one)))

    def _unnamed(self, node: Expr) -> Iterator[Expr]:
        """The node and all below it that the text still spells out."""
        if node not in self._named:
            yield node
            for child in children(node):
                yield from self._unnamed(child)

    def _text(self, node: Expr, least: int = 0) -> str:
        """Python for a node, in brackets if it binds less tightly than `least`."""
        if node in self._named:
            return self._named[node]
        if isinstance(node, Number):
            return number_text(node.value) if node.value >= 0 or least < 3 else f"({node})"
        if isinstance(node, Field):
            return self._input(node)
        if isinstance(node, Group):
            self._out.levels.add(node.level)
            return f"self._{node.level}"
        if isinstance(node, Binary):
            return self._arithmetic(node, least)
        if isinstance(node, Negate):
            text = f"-{self._text(node.operand, 3)}"
            return f"({text})" if least > 2 else text
        return self._called(node)

    def _called(self, node: Expr) -> str:
        if isinstance(node, Compare):
            return self._comparison(node)
        if isinstance(node, Either):
            return self._call("either", node.left, node.right)
        if isinstance(node, Choice):
            return self._call("choose", node.condition, node.yes, node.no)
        assert isinstance(node, Call)
        if node.name in _NUMPY:
            return f"{_NUMPY[node.name]}({self._arguments(node.args)})"
        if node.name in _FOLDS:
            return self._folded(_FOLDS[node.name], node)
        if node.name == "signedpower" and _is_root(node.args[1]):
            self._out.functions.setdefault("root")
            return f"signedpower({self._arguments(node.args)})"
        return self._call(node.name, *node.args, days=node.days)

    def _folded(self, fold: str, node: Call) -> str:
        return f"{self._call('window', node.args[0], days=node.days)}.{fold}(axis=0)"

    def _call(self, name: str, *args: Expr, days: int | None = None) -> str:
        self._out.functions.setdefault(name)
        rest = "" if days is None else f", {days}"
        return f"{name}({self._arguments(args)}{rest})"

    def _arguments(self, args: tuple[Expr, ...]) -> str:
        return ", ".join(self._text(arg) for arg in args)

    def _comparison(self, node: Compare) -> str:
        if node.operator == "==":
            return self._call("equals", node.left, node.right)
        left, right = (node.left, node.right) if "<" in node.operator else (node.right, node.left)
        return self._call("less" if "=" not in node.operator else "at_most", left, right)

    def _arithmetic(self, node: Binary, least: int) -> str:
        if node.operator == "^":
            return self._call("power", node.left, node.right)
        if node.operator == "/" and _is_mean(node):
            assert isinstance(node.left, Call)
            return self._folded("mean", node.left)
        if node.operator == "/" and not (_never_zero(node.right) or _vanishes_too(node)):
            return self._call("divide", node.left, node.right)
        power = 1 if node.operator in "+-" else 2
        left, right = self._text(node.left, power), self._text(node.right, power + 1)
        text = f"{left} {node.operator} {right}"
        return f"({text})" if power < least else text

    def _input(self, node: Field) -> str:
        """The name of an input; what bars do not have is computed in a line before all others."""
        if node.name in ("open", "high", "low", "close", "volume"):
            return self._bar(node.name)
        if node.name == "vwap":
            high, low, close = map(self._bar, ("high", "low", "close"))
            self._inputs.setdefault("vwap", f"vwap = ({high} + {low} + {close}) / 3")
        elif node.name == "returns":
            self._out.functions.setdefault("window")
            self._inputs.setdefault(
                "returns", f"returns = {self._bar('close')} / window(close, 2)[1] - 1"
            )
        elif node.name == "cap":
            self._out.needs_shares = True
            self._inputs.setdefault("cap", f"cap = {self._bar('close')} * self._shares")
        elif node.name == ADV:
            return self._average(node.days)
        return node.name

    def _average(self, days: int) -> str:
        self._out.functions.setdefault("window")
        volume = self._bar("volume")
        traded = volume if self._adv == "shares" else f"{self._input(Field('vwap'))} * {volume}"
        self._inputs.setdefault(f"adv{days}", f"adv{days} = window({traded}, {days}).mean(axis=0)")
        return f"adv{days}"

    def _bar(self, name: str) -> str:
        self._out.fields.add(name)
        return "open_" if name == "open" else name


def _is_worth_a_name(part: Expr) -> bool:
    """Where it occurs twice."""
    return not isinstance(part, Number | Field | Group | Negate) and kind(part) is not Kind.SCALAR


def _word(part: Expr) -> str:
    if isinstance(part, Call):
        return _NAMES.get(part.name, "part")
    if isinstance(part, Binary):
        return "mean" if _is_mean(part) else _NAMES.get(part.operator, "part")
    if isinstance(part, Compare | Either):
        return "condition"
    return "choice" if isinstance(part, Choice) else "part"


def _is_mean(node: Binary) -> bool:
    """`sum(x, 5) / 5`."""
    left, right = node.left, node.right
    return isinstance(left, Call) and left.name == "sum" and right == Number(float(left.days or 0))


def _grows(node: Expr) -> bool:
    """Whether products of it may be too large for a float."""
    if isinstance(node, Call):
        return node.name == "product" or (node.name == "signedpower" and not _is_root(node.args[1]))
    return isinstance(node, Binary) and node.operator == "^"


def _is_root(node: Expr) -> bool:
    """An exponent with which nothing finite overflows."""
    return isinstance(node, Number) and 0 < node.value <= 1


def _vanishes_too(ratio: Binary) -> bool:
    """Whether the divisor is 0 only where the numerator is: volume of days that had none. 0 / 0 is
    unknown by itself."""
    numerator, total = _volume_days(ratio.left), ratio.right
    if isinstance(total, Binary) and total.operator == "/" and _is_mean(total):
        total = total.left
    if numerator is None or not (
        (isinstance(total, Call) and total.name == "sum" and total.args[0] == _VOLUME)
        or (isinstance(total, Field) and total.name == ADV)
    ):
        return False
    return numerator <= (total.days or 0)


def _volume_days(node: Expr) -> int | None:
    """Of how many days, today's included, it adds or compares volumes; None for anything else."""
    if node == _VOLUME:
        return 1
    if isinstance(node, Field) and node.name == ADV:
        return node.days
    if isinstance(node, Call) and node.name in _STAY_PRICES and node.days is not None:
        days = _volume_days(node.args[0])
        return None if days is None else days + node.days - (node.name != "delay")
    if isinstance(node, Binary) and node.operator in "+-":
        left, right = _volume_days(node.left), _volume_days(node.right)
        return None if left is None or right is None else max(left, right)
    return _volume_days(node.left) if isinstance(node, Binary) and _is_mean(node) else None


def _never_zero(node: Expr) -> bool:
    """Prices are above zero, and so is what they were, their sums and extremes; a literal is what
    it is."""
    if isinstance(node, Number):
        return node.value != 0
    if isinstance(node, Call) and node.name in _STAY_PRICES:
        return _never_zero(node.args[0])
    if isinstance(node, Binary) and node.operator == "/":
        return _is_mean(node) and _never_zero(node.left)
    return isinstance(node, Field) and node.name in _PRICES
