"""Values of an alpha on a panel: days x symbols, NaN where it is unknown, never infinite.

A value of a day depends on that day and the days before it alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qc_builder_lora.errors import SettingsError
from qc_builder_lora.harvest.corpus.alphas import operators as op
from qc_builder_lora.harvest.corpus.alphas.language import ADV
from qc_builder_lora.harvest.corpus.alphas.operators import Array
from qc_builder_lora.harvest.corpus.alphas.panel import Panel
from qc_builder_lora.harvest.corpus.alphas.tree import (
    Binary,
    Call,
    Choice,
    Compare,
    Either,
    Expr,
    Field,
    Group,
    Negate,
    Number,
    children,
    walk,
)

ADV_UNITS = ("dollars", "shares")

_WINDOWED: dict[str, Callable[[Array, int], Array]] = {
    "delay": op.delay,
    "delta": lambda x, days: x - op.delay(x, days),
    "sum": op.ts_sum,
    "product": op.product,
    "stddev": op.stddev,
    "ts_min": op.ts_min,
    "ts_max": op.ts_max,
    "ts_argmin": op.ts_argmin,
    "ts_argmax": op.ts_argmax,
    "ts_rank": op.ts_rank,
    "decay_linear": op.decay_linear,
}
_PAIRED: dict[str, Callable[[Array, Array, int], Array]] = {
    "correlation": op.correlation,
    "covariance": op.covariance,
}
_PLAIN: dict[str, Callable[..., Array]] = {
    "abs": np.abs,
    "log": op.log,
    "sign": np.sign,
    "rank": op.rank,
    "scale": op.scale,
    "signedpower": op.signedpower,
    # An unknown one gives way to the other.
    "min": np.fmin,
    "max": np.fmax,
}
_ARITHMETIC: dict[str, Callable[[Array, Array], Array]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": op.divide,
    "^": op.power,
}


@dataclass(frozen=True)
class Conventions:
    """What the caller may decide of the readings in `language.AMBIGUITIES`."""

    adv: str = "dollars"
    """`dollars`, as the paper says, or `shares`."""

    def __post_init__(self) -> None:
        if self.adv not in ADV_UNITS:
            raise SettingsError(f"adv is {self.adv!r}; it is {' or '.join(ADV_UNITS)}.")


def evaluate(node: Expr, panel: Panel, conventions: Conventions | None = None) -> Array:
    """The alpha's values; InputError where the panel lacks an input, naming it."""
    with np.errstate(all="ignore"):
        found = _Evaluation(panel, conventions or Conventions()).value(node)
        full = np.broadcast_to(found, (len(panel.days), len(panel.symbols)))
        return np.where(np.isfinite(full), full, np.nan)


class _Evaluation:
    """One formula on one panel; what occurs several times in it is computed once."""

    def __init__(self, panel: Panel, conventions: Conventions) -> None:
        self._panel = panel
        self._conventions = conventions
        self._known: dict[Expr, Array] = {}

    def value(self, node: Expr) -> Array:
        found = self._known.get(node)
        if found is None:
            found = self._known[node] = self._computed(node)
        return found

    def _computed(self, node: Expr) -> Array:
        if isinstance(node, Number):
            return np.array([[node.value]])
        if isinstance(node, Field):
            return self._adv(node.days) if node.name == ADV else self._panel.input(node.name)
        if isinstance(node, Call):
            return self._call(node)
        parts = [self.value(child) for child in children(node)]
        if isinstance(node, Negate):
            return -parts[0]
        if isinstance(node, Compare):
            return op.compare(node.operator, *parts)
        if isinstance(node, Either):
            return op.either(*parts)
        if isinstance(node, Choice):
            return op.choose(*parts)
        assert isinstance(node, Binary)
        return _ARITHMETIC[node.operator](*parts)

    def _adv(self, days: int) -> Array:
        name = "amount" if self._conventions.adv == "dollars" else "volume"
        return op.ts_sum(self._panel.input(name), days) / days

    def _series(self, node: Expr) -> Array:
        """A value for each day and symbol, also of what simplifies to a number: rank(x - x)."""
        return np.broadcast_to(self.value(node), (len(self._panel.days), len(self._panel.symbols)))

    def _call(self, node: Call) -> Array:
        first = self._series(node.args[0])
        if node.name == "indneutralize":
            group = node.args[1]
            assert isinstance(group, Group)
            return op.indneutralize(first, self._panel.groups(group.level))
        if node.days is None:
            return _PLAIN[node.name](first, *map(self.value, node.args[1:]))
        if node.name in _PAIRED:
            return _PAIRED[node.name](first, self._series(node.args[1]), node.days)
        return _WINDOWED[node.name](first, node.days)


def bars_needed(node: Expr) -> int:
    """Daily bars, today's included, that the value of one day depends on."""
    return 1 + _looks_back(node)


def _looks_back(node: Expr) -> int:
    below = max((_looks_back(child) for child in children(node)), default=0)
    if isinstance(node, Field):
        return node.days - 1 if node.name == ADV else int(node.name == "returns")
    if isinstance(node, Call) and node.days is not None:
        return below + node.days - (node.name not in ("delay", "delta"))
    return below


def inputs(node: Expr) -> set[str]:
    """Names of the inputs it uses; `adv` without its days, groups as `IndClass.level`."""
    return {
        one.name if isinstance(one, Field) else str(one)
        for one in walk(node)
        if isinstance(one, Field | Group)
    }
