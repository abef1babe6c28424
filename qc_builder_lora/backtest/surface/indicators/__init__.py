"""LEAN's indicators."""

from __future__ import annotations

from .averages import (
    DoubleExponentialMovingAverage,
    ExponentialMovingAverage,
    LinearWeightedMovingAverage,
    SimpleMovingAverage,
    TripleExponentialMovingAverage,
    WilderMovingAverage,
)
from .bands import BollingerBands, DonchianChannel, KeltnerChannels
from .base import IndicatorBase, IndicatorDataPoint, RollingWindow
from .derived import BarIndicator
from .extensions import CompositeIndicator, IndicatorExtensions, PythonIndicator
from .oscillators import (
    AroonOscillator,
    CommodityChannelIndex,
    MovingAverageConvergenceDivergence,
    RelativeStrengthIndex,
    Stochastic,
    WilliamsPercentR,
)
from .trend import AverageDirectionalIndex, AverageTrueRange, TrueRange
from .windowed import (
    Delay,
    Identity,
    Maximum,
    MeanAbsoluteDeviation,
    Minimum,
    Momentum,
    MomentumPercent,
    RateOfChange,
    RateOfChangePercent,
    StandardDeviation,
    Sum,
    Variance,
)

__all__ = [
    "AroonOscillator",
    "AverageDirectionalIndex",
    "AverageTrueRange",
    "BarIndicator",
    "BollingerBands",
    "CommodityChannelIndex",
    "CompositeIndicator",
    "Delay",
    "DonchianChannel",
    "DoubleExponentialMovingAverage",
    "ExponentialMovingAverage",
    "Identity",
    "IndicatorBase",
    "IndicatorDataPoint",
    "IndicatorExtensions",
    "KeltnerChannels",
    "LinearWeightedMovingAverage",
    "Maximum",
    "MeanAbsoluteDeviation",
    "Minimum",
    "Momentum",
    "MomentumPercent",
    "MovingAverageConvergenceDivergence",
    "PythonIndicator",
    "RateOfChange",
    "RateOfChangePercent",
    "RelativeStrengthIndex",
    "RollingWindow",
    "SimpleMovingAverage",
    "StandardDeviation",
    "Stochastic",
    "Sum",
    "TripleExponentialMovingAverage",
    "TrueRange",
    "Variance",
    "WilderMovingAverage",
    "WilliamsPercentR",
]
