"""The one place that turns a MovingAverageType into a moving average."""

from __future__ import annotations

from typing import Any

from ..alias import both_styles
from ..enums import MovingAverageType
from ..known import Lean
from . import averages as avg
from .adaptive import KaufmanAdaptiveMovingAverage, McGinleyDynamic
from .base import IndicatorBase

SIMPLE = MovingAverageType.SIMPLE
EXPONENTIAL = MovingAverageType.EXPONENTIAL
WILDERS = MovingAverageType.WILDERS

_AVERAGES: dict[int, Any] = {
    MovingAverageType.SIMPLE: avg.SimpleMovingAverage,
    MovingAverageType.EXPONENTIAL: avg.ExponentialMovingAverage,
    MovingAverageType.WILDERS: avg.WilderMovingAverage,
    MovingAverageType.LINEAR_WEIGHTED_MOVING_AVERAGE: avg.LinearWeightedMovingAverage,
    MovingAverageType.DOUBLE_EXPONENTIAL: avg.DoubleExponentialMovingAverage,
    MovingAverageType.TRIPLE_EXPONENTIAL: avg.TripleExponentialMovingAverage,
    MovingAverageType.TRIANGULAR: avg.TriangularMovingAverage,
    MovingAverageType.T_3: avg.T3MovingAverage,
    MovingAverageType.KAMA: KaufmanAdaptiveMovingAverage,
    MovingAverageType.HULL: avg.HullMovingAverage,
    MovingAverageType.ALMA: avg.ArnaudLegouxMovingAverage,
    MovingAverageType.ZLEMA: avg.ZeroLagExponentialMovingAverage,
    MovingAverageType.MGD: McGinleyDynamic,
}


def average(kind: Any, name: str, period: int) -> IndicatorBase:
    """The moving average that a MovingAverageType names."""
    made: IndicatorBase = _AVERAGES[int(kind)](name, period)
    return made


@both_styles
class MovingAverageTypeExtensions(Lean):
    """`MovingAverageTypeExtensions.as_indicator(type, name, period)`; the name may be left out."""

    @staticmethod
    def as_indicator(moving_average_type: Any, *rest: Any) -> IndicatorBase:
        made: IndicatorBase = _AVERAGES[int(moving_average_type)](*rest)
        return made
