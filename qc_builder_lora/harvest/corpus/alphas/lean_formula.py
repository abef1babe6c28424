"""A formula as lines of Python on arrays of bars x symbols, with the functions they call.

What occurs twice gets a name of its own, and so do parts of a line that would be too long.
"""

from __future__ import annotations

from collections import Counter
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
    size,
    walk,
)

_FUNCTIONS = {"sum": "ts_sum", "product": "ts_product"}
_NUMPY = {"abs": "np.abs", "sign": "np.sign", "min": "np.fmin", "max": "np.fmax"}
_PRICES = frozenset({"open", "high", "low", "close", "vwap"})
_WIDTH = 84
# What a part is called by the function it begins with.
_NAMES = {
    "rank": "ranked", "scale": "scaled", "delay": "before", "delta": "change", "sum": "total",
    "product": "product", "stddev": "spread", "ts_min": "lowest", "ts_max": "highest",
    "ts_argmin": "days_since_low", "ts_argmax": "days_since_high", "ts_rank": "standing",
    "decay_linear": "smoothed", "correlation": "link", "covariance": "link", "log": "logarithm",
    "indneutralize": "neutral", "abs": "distance", "sign": "direction", "signedpower": "powered",
    "min": "smaller", "max": "larger",
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


def python_formula(node: Expr, adv: str = "dollars") -> PythonFormula:
    """The formula as Python; `adv` is `dollars` or `shares`."""
    return _Writer(node, adv).written()


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
        result = self._fitted(self._node, len("alpha = "))
        self._out.lines = [*self._inputs.values(), *self._out.lines, f"alpha = {result}"]
        return self._out

    def _repeated(self) -> list[Expr]:
        """Calls that occur twice, the inner ones first; what occurs only inside one is left out."""
        counts = Counter(one for one in walk(self._node) if isinstance(one, Call))
        found = [one for one, times in counts.items() if times > 1]
        inside = Counter[Expr]()
        for one in found:
            for below in {b for child in children(one) for b in walk(child)}:
                inside[below] += counts[one]
        outer = [one for one in found if counts[one] > inside[one]]
        return sorted(outer, key=size)

    def _name(self, part: Expr) -> str:
        word = _NAMES.get(part.name, "part") if isinstance(part, Call) else _word(part)
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
        below = [one for child in children(node) for one in walk(child)]
        parts = [
            one
            for one in below
            if one not in self._named
            and not isinstance(one, Number | Field | Group)
            and kind(one) is not Kind.SCALAR
            and len(self._text(one)) > 20
        ]
        if not parts:
            return None
        fitting = [one for one in parts if len(self._text(one)) + 20 <= _WIDTH]
        return max(fitting or parts, key=lambda one: len(self._text(one)))

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
        return self._call(_FUNCTIONS.get(node.name, node.name), *node.args, days=node.days)

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
        if node.operator == "/" and not _never_zero(node.right):
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
            self._out.functions.setdefault("delay")
            self._inputs.setdefault(
                "returns", f"returns = {self._bar('close')} / delay(close, 1) - 1"
            )
        elif node.name == "cap":
            self._out.needs_shares = True
            self._inputs.setdefault("cap", f"cap = {self._bar('close')} * self._shares")
        elif node.name == ADV:
            return self._average(node.days)
        return node.name

    def _average(self, days: int) -> str:
        self._out.functions.setdefault("ts_mean")
        volume = self._bar("volume")
        traded = volume if self._adv == "shares" else f"{self._input(Field('vwap'))} * {volume}"
        self._inputs.setdefault(f"adv{days}", f"adv{days} = ts_mean({traded}, {days})")
        return f"adv{days}"

    def _bar(self, name: str) -> str:
        self._out.fields.add(name)
        return "open_" if name == "open" else name


def _word(part: Expr) -> str:
    if isinstance(part, Compare | Either):
        return "condition"
    return "choice" if isinstance(part, Choice) else "part"


def _never_zero(node: Expr) -> bool:
    """Prices are above zero, and a literal is what it is."""
    if isinstance(node, Number):
        return node.value != 0
    return isinstance(node, Field) and node.name in _PRICES
