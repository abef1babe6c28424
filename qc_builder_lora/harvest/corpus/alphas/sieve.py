"""Which formulas of our own are worth a strategy: known on most days, different by symbol and day.

And different from those taken before: in normal form, and in what they say on a panel.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qc_builder_lora.harvest.corpus.alphas.evaluate import bars_needed, evaluate
from qc_builder_lora.harvest.corpus.alphas.operators import Array, rank
from qc_builder_lora.harvest.corpus.alphas.panel import Panel
from qc_builder_lora.harvest.corpus.alphas.sampling import Sampler
from qc_builder_lora.harvest.corpus.alphas.simplify import simplified, without_scale
from qc_builder_lora.harvest.corpus.alphas.tree import Call, Expr, Kind, kind, size, walk

PANEL = (500, 16, 1)
"""Days, symbols and seed of the random panel that our own formulas are tried on."""
_MOST_BARS = 130
_MOST_NODES = 24
_PATIENCE = 1000
"""Formulas drawn in a row without a new one before the language counts as exhausted."""


@dataclass(frozen=True, kw_only=True)
class Standard:
    """What a formula has to show on the panel."""

    coverage: float = 0.95
    """Share of known values, once it has the bars it needs."""
    varied_days: float = 0.9
    """Share of days on which the symbols have at least three different values, or all differ."""
    least_change: float = 0.01
    """Share of the money that changes hands on an average day."""
    most_change: float = 1.8
    most_in_one: float = 0.45
    """Largest share of the money in one symbol, on the middle day; a whole side is 0.5."""
    most_alike: float = 0.97
    """Correlation of ranks from which two formulas count as the same idea."""


@dataclass
class Sieve:
    """Takes or refuses formulas one after the other, and counts why."""

    panel: Panel
    standard: Standard = field(default_factory=Standard)
    refused: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._texts: set[str] = set()
        self._ranks: list[NDArray[np.float32]] = []
        self._table: NDArray[np.float32] | None = None

    def take(self, node: Expr) -> Expr | None:
        """The normal form if it is worth keeping; None otherwise."""
        plain = simplified(without_scale(simplified(node)))
        reason = self._why_not(plain)
        if reason is not None:
            self.refused[reason] += 1
            return None
        return plain

    def _why_not(self, node: Expr) -> str | None:
        if kind(node) is not Kind.SERIES:
            return "no series"
        if any(isinstance(n, Call) and kind(n.args[0]) is Kind.SCALAR for n in walk(node)):
            return "a function of a number"
        if size(node) > _MOST_NODES or bars_needed(node) > _MOST_BARS:
            return "too long"
        if str(node) in self._texts:
            return "the same formula"
        self._texts.add(str(node))
        values = evaluate(node, self.panel)
        reason = self._degenerate(values[bars_needed(node) - 1 :])
        return reason or ("the same idea" if self._known(values) else None)

    def _degenerate(self, values: Array) -> str | None:
        standard = self.standard
        known = ~np.isnan(values)
        if not known.size or known.mean() < standard.coverage:
            return "unknown too often"
        if (_different(values) >= min(3, values.shape[1])).mean() < standard.varied_days:
            return "the same for all symbols"
        weights = _weights(values)
        if np.median(np.abs(weights).max(axis=1)) > standard.most_in_one:
            return "all in one symbol"
        change = np.abs(np.diff(weights, axis=0)).sum(axis=1).mean()
        if not standard.least_change <= change <= standard.most_change:
            return "does not change" if change < standard.least_change else "changes at random"
        return None

    def _known(self, values: Array) -> bool:
        """Whether one taken before ranks the symbols alike; a new one is remembered."""
        found = _fingerprint(values)
        if self._ranks:
            if self._table is None or len(self._table) + 256 < len(self._ranks):
                self._table = np.array(self._ranks)
            late = self._ranks[len(self._table) :]
            alike = [*(self._table @ found), *(one @ found for one in late)]
            if np.max(np.abs(alike)) >= self.standard.most_alike:
                return True
        self._ranks.append(found)
        return False


def _different(values: Array) -> NDArray[np.int64]:
    """How many different values each day has."""
    ordered = np.sort(values, axis=1)
    steps = np.diff(ordered, axis=1)
    apart = steps > 1e-12 * np.nanmax(np.abs(values), axis=1, keepdims=True)
    count: NDArray[np.int64] = 1 + apart.sum(axis=1)
    return count


def _weights(values: Array) -> Array:
    """Dollar-neutral weights of each day, 0 where they cannot be said."""
    away = values - np.nanmean(values, axis=1, keepdims=True)
    total = np.nansum(np.abs(away), axis=1, keepdims=True)
    weights: Array = np.nan_to_num(away / np.where(total > 0, total, np.nan))
    return weights


def _fingerprint(values: Array, days: int = 60) -> NDArray[np.float32]:
    """Ranks of every so many-th day, centred, of length 1."""
    step = max(1, len(values) // days)
    places = np.nan_to_num(rank(values[::-step][:days]) - 0.5).ravel()
    length = np.sqrt((places * places).sum())
    return (places / (length or 1.0)).astype(np.float32)


def own_formulas(
    panel: Panel, seed: int, levels: Sequence[str] = (), sieve: Sieve | None = None
) -> Iterator[Expr]:
    """Formulas of our own without end; the same seed and panel give the same ones."""
    sampler = Sampler(random.Random(f"alphas/{seed}"), levels)
    sieve = sieve or Sieve(panel)
    idle = 0
    with np.errstate(all="ignore"):
        while idle < _PATIENCE:
            taken = sieve.take(sampler.formula())
            idle = 0 if taken is not None else idle + 1
            if taken is not None:
                yield taken
