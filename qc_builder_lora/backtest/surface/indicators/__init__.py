"""LEAN's indicators, by name: `CLASSES` holds every one that a strategy may name."""

from __future__ import annotations

from typing import Any

from . import (
    adaptive,
    averages,
    bands,
    base,
    breadth,
    chosen,
    demark,
    derived,
    extensions,
    filters,
    forecast,
    oscillators,
    pairs,
    profile,
    ranges,
    statistics,
    stochastics,
    strength,
    swings,
    trend,
    volume,
    window,
    windowed,
)
from .averages import ExponentialMovingAverage, SimpleMovingAverage
from .base import IndicatorBase, IndicatorDataPoint
from .derived import BarIndicator, FilteredIdentity
from .extensions import ForeignIndicator, IndicatorExtensions, PythonIndicator
from .oscillators import MovingAverageConvergenceDivergence
from .pairs import Alpha, LeastSquaresMovingAverageWithReference
from .statistics import StandardDeviation, ValueAtRisk, Variance
from .strength import RelativeStrengthIndex
from .volume import IntradayVwap, VolumeWeightedAveragePriceIndicator
from .window import RollingWindow
from .windowed import Identity, RateOfChange

__all__ = [
    "CLASSES",
    "Alpha",
    "BarIndicator",
    "ExponentialMovingAverage",
    "FilteredIdentity",
    "ForeignIndicator",
    "Identity",
    "IndicatorBase",
    "IndicatorDataPoint",
    "IndicatorExtensions",
    "IntradayVwap",
    "LeastSquaresMovingAverageWithReference",
    "MovingAverageConvergenceDivergence",
    "PythonIndicator",
    "RateOfChange",
    "RelativeStrengthIndex",
    "RollingWindow",
    "SimpleMovingAverage",
    "StandardDeviation",
    "ValueAtRisk",
    "Variance",
    "VolumeWeightedAveragePriceIndicator",
]

_MODULES = (
    adaptive, averages, bands, base, breadth, chosen, demark, derived, extensions, filters,
    forecast, oscillators, pairs, profile, ranges, statistics, stochastics, strength, swings, trend,
    volume, window, windowed,
)  # fmt: skip
# Ours alone: LEAN has no class of that name.
_OWN = frozenset({"BreadthIndicator", "Derived", "ForeignIndicator", "LaterWindowIndicator"})


def _classes() -> dict[str, type[Any]]:
    found = {}
    for module in _MODULES:
        for name, thing in vars(module).items():
            own = isinstance(thing, type) and thing.__module__ == module.__name__
            if own and not name.startswith("_") and name not in _OWN and hasattr(thing, "LEAN"):
                found[name] = thing
    return found


CLASSES: dict[str, type[Any]] = {**_classes(), "Indicator": IndicatorBase}


def __getattr__(name: str) -> Any:
    try:
        return CLASSES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
