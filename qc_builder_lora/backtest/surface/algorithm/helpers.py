"""`self.sma(...)` and its like, from one table: name, class, LEAN's parameters.

A helper makes the indicator, keeps it fed with the security's bars, and warms it up where the
settings say so. Overloads are tried in order; arguments that fit none are refused as LEAN does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import indicators as ind
from ..enums import LeanEnum, MovingAverageType, Resolution
from ..known import not_modelled
from ..past import register, warm_up
from ..security import Security
from ..subscriptions import SECONDS

Parameter = tuple[str, str, Any]
"""Name, kind (`int`, `float`, `average`), default; a required one has REQUIRED."""
REQUIRED = object()


def _p(name: str, kind: str = "int", default: Any = REQUIRED) -> Parameter:
    return (name, kind, default)


_PERIOD = _p("period")
_WILDERS = MovingAverageType.WILDERS
_SIMPLE = MovingAverageType.SIMPLE
_EXPONENTIAL = MovingAverageType.EXPONENTIAL

Overload = tuple[Parameter, ...]
TABLE: dict[str, tuple[type[ind.IndicatorBase], tuple[Overload, ...]]] = {
    "sma": (ind.SimpleMovingAverage, ((_PERIOD,),)),
    "ema": (ind.ExponentialMovingAverage, ((_PERIOD,), (_PERIOD, _p("smoothing_factor", "float")))),
    "lwma": (ind.LinearWeightedMovingAverage, ((_PERIOD,),)),
    "wwma": (ind.WilderMovingAverage, ((_PERIOD,),)),
    "dema": (ind.DoubleExponentialMovingAverage, ((_PERIOD,),)),
    "tema": (ind.TripleExponentialMovingAverage, ((_PERIOD,),)),
    "rsi": (
        ind.RelativeStrengthIndex,
        ((_PERIOD, _p("moving_average_type", "average", _WILDERS)),),
    ),
    "bb": (
        ind.BollingerBands,
        ((_PERIOD, _p("k", "float"), _p("moving_average_type", "average", _SIMPLE)),),
    ),
    "macd": (
        ind.MovingAverageConvergenceDivergence,
        (
            (
                _p("fast_period"),
                _p("slow_period"),
                _p("signal_period"),
                _p("type", "average", _EXPONENTIAL),
            ),
        ),
    ),
    "min": (ind.Minimum, ((_PERIOD,),)),
    "max": (ind.Maximum, ((_PERIOD,),)),
    "sum": (ind.Sum, ((_PERIOD,),)),
    "mom": (ind.Momentum, ((_PERIOD,),)),
    "momp": (ind.MomentumPercent, ((_PERIOD,),)),
    "roc": (ind.RateOfChange, ((_PERIOD,),)),
    "rocp": (ind.RateOfChangePercent, ((_PERIOD,),)),
    "std": (ind.StandardDeviation, ((_PERIOD,),)),
    "var": (ind.Variance, ((_PERIOD,),)),
    "mad": (ind.MeanAbsoluteDeviation, ((_PERIOD,),)),
    "tr": (ind.TrueRange, ((),)),
    "atr": (ind.AverageTrueRange, ((_PERIOD, _p("type", "average", _WILDERS)),)),
    "adx": (ind.AverageDirectionalIndex, ((_PERIOD,),)),
    "cci": (
        ind.CommodityChannelIndex,
        ((_PERIOD, _p("moving_average_type", "average", _SIMPLE)),),
    ),
    "sto": (
        ind.Stochastic,
        ((_PERIOD, _p("k_period"), _p("d_period")), (_PERIOD,)),
    ),
    "kch": (
        ind.KeltnerChannels,
        ((_PERIOD, _p("k", "float"), _p("moving_average_type", "average", _SIMPLE)),),
    ),
    "dch": (ind.DonchianChannel, ((_p("upper_period"), _p("lower_period")), (_PERIOD,))),
    "aroon": (ind.AroonOscillator, ((_p("up_period"), _p("down_period")), (_PERIOD,))),
    "wilr": (ind.WilliamsPercentR, ((_PERIOD,),)),
}
UPPER_NAMES = frozenset(TABLE)


def _fits(value: Any, kind: str) -> bool:
    if kind == "average":
        return isinstance(value, type(_SIMPLE))
    if isinstance(value, bool | LeanEnum):
        return False
    return hasattr(value, "__index__") or (kind == "float" and hasattr(value, "__float__"))


def _bind(
    overload: Overload, args: tuple[Any, ...], named: dict[str, Any]
) -> tuple[list[Any], Any, Any] | None:
    """Values, resolution and selector where the arguments fit the overload, else None."""
    rest, left = list(args), dict(named)
    values: list[Any] = []
    for name, kind, default in overload:
        if name in left:
            value = left.pop(name)
        elif rest and (default is REQUIRED or _fits(rest[0], kind)):
            value = rest.pop(0)
        elif default is REQUIRED:
            return None
        else:
            value = default
        if not _fits(value, kind):
            return None
        values.append(value)
    resolution = left.pop("resolution", None)
    selector = left.pop("selector", None)
    if rest and (rest[0] is None or isinstance(rest[0], type(Resolution.DAILY))):
        resolution = rest.pop(0)
    if rest and (rest[0] is None or callable(rest[0])):
        selector = rest.pop(0)
    return None if rest or left else (values, resolution, selector)


def build(name: str, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The values for an indicator's constructor, the resolution and the selector."""
    for overload in TABLE[name][1]:
        bound = _bind(overload, args, named)
        if bound is not None:
            return bound
    shown = ", ".join([*(type(item).__name__ for item in args), *named])
    raise TypeError(f"No method matches given arguments for {name.upper()}: ({shown})")


def helper(name: str) -> Callable[..., Any]:
    """The method `self.<name>(symbol, …)`."""
    cls = TABLE[name][0]

    def make(self: Any, symbol: Any, *args: Any, **named: Any) -> Any:
        values, resolution, selector = build(name, args, named)
        if name == "sto" and len(values) == 1:
            values = values * 3
        security = self._desk.security(symbol)
        shown = ",".join(
            f"{value:g}" if isinstance(value, float) else str(value) for value in values
        )
        label = f"{name.upper()}({shown + ',' if shown else ''}{security.symbol})"
        indicator = cls(label, *values)
        return attach(self._desk, security, indicator, resolution, selector)

    make.__name__ = name
    make.__doc__ = f"{cls.__name__} of a subscribed security."
    return make


def attach(desk: Any, security: Security, indicator: Any, resolution: Any, selector: Any) -> Any:
    """Register a helper's indicator, warmed up where the settings ask for it."""
    if resolution is not None and resolution not in SECONDS:
        not_modelled(f"Resolution.{Resolution(resolution).name}", f"for {indicator.name}")
    register(desk, security, indicator, resolution, selector)
    if desk.settings.automatic_indicator_warm_up:
        warm_up(desk, security, indicator, selector, resolution)
    return indicator
