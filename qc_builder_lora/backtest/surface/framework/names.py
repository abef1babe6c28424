"""What the framework puts into `AlgorithmImports`, and the folders of LEAN's own models."""

from __future__ import annotations

from typing import Any

from . import (
    alphas,
    collection,
    construction,
    crossing,
    execution,
    expiry,
    insight,
    methods,
    optimisers,
    optimising,
    pairs,
    patient,
    returns,
    reversion,
    risk,
    selection,
    statics,
    target,
    universe,
    weighting,
)

_PARTS = (
    alphas, collection, construction, crossing, execution, expiry, insight, methods, optimisers,
    optimising, pairs, patient, returns, reversion, risk, selection, statics, target, universe,
    weighting,
)  # fmt: skip
_OURS = frozenset({"FrameworkMethods", "Overridable", "Patient", "Remembering", "SymbolData",
                   "Pair", "Universes", "Framework"})  # fmt: skip
FOLDERS = frozenset({"Alphas", "Execution", "Portfolio", "Risk", "Selection"})
"""The folders of LEAN's Python models: each model in a module of its own name."""


def _exports() -> dict[str, Any]:
    found = {}
    for part in _PARTS:
        for name, item in vars(part).items():
            ours = isinstance(item, type) and item.__module__ == part.__name__
            if ours and not name.startswith("_") and name not in _OURS:
                found[name] = item
    return found


FRAMEWORK = _exports()
