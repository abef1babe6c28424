"""Indicators against TA-Lib, an independent implementation, wherever it has the same convention.

Where LEAN's convention differs, the case says how: `late` is how many bars after TA-Lib's first
value LEAN is ready, `settle` how many bars a different beginning takes to die out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from qc_builder_lora.backtest.surface import indicators as ind
from qc_builder_lora.backtest.surface.enums import MovingAverageType

talib = pytest.importorskip("talib", reason="TA-Lib is not installed")
SIMPLE, EXPONENTIAL = MovingAverageType.SIMPLE, MovingAverageType.EXPONENTIAL
WILDERS = MovingAverageType.WILDERS
K = ind.CLASSES
HLC, HL, HLCV = "high low close", "high low", "high low close volume"


class Case(NamedTuple):
    """One value of one indicator, and TA-Lib's function for it."""

    name: str
    make: Callable[[], Any]
    function: str
    args: tuple[Any, ...] = ()
    inputs: str = "close"
    pick: Callable[[Any], float] = lambda made: made.value
    which: int = 0
    late: int = 0
    settle: int = 0


def _part(name: str) -> Callable[[Any], float]:
    return lambda made: getattr(made, name).value


CASES = [
    Case("sma", lambda: K["SimpleMovingAverage"](20), "SMA", (20,)),
    Case("ema", lambda: K["ExponentialMovingAverage"](20), "EMA", (20,)),
    Case("lwma", lambda: K["LinearWeightedMovingAverage"](20), "WMA", (20,)),
    Case("dema", lambda: K["DoubleExponentialMovingAverage"](10), "DEMA", (10,)),
    Case("tema", lambda: K["TripleExponentialMovingAverage"](10), "TEMA", (10,)),
    # LEAN feeds the six averages from the first bar on, before they are ready.
    Case("t3", lambda: K["T3MovingAverage"](5), "T3", (5,), settle=300),
    Case("trima of an odd period", lambda: K["TriangularMovingAverage"](5), "TRIMA", (5,)),
    Case("trima of an even period", lambda: K["TriangularMovingAverage"](6), "TRIMA", (6,)),
    Case("kama", lambda: K["KaufmanAdaptiveMovingAverage"](10), "KAMA", (10,)),
    Case("mama", K["MesaAdaptiveMovingAverage"], "MAMA", (0.5, 0.05), "middle",
         settle=400),
    Case("fama", K["MesaAdaptiveMovingAverage"], "MAMA", (0.5, 0.05), "middle",
         _part("fama"), 1, settle=400),
    Case("rsi", lambda: K["RelativeStrengthIndex"](14), "RSI", (14,)),
    Case("cmo", lambda: K["ChandeMomentumOscillator"](14), "CMO", (14,)),
    Case("std", lambda: K["StandardDeviation"](20), "STDDEV", (20,)),
    Case("var", lambda: K["Variance"](20), "VAR", (20,)),
    Case("mad", lambda: K["MeanAbsoluteDeviation"](14), "AVGDEV", (14,)),
    Case("lsma", lambda: K["LeastSquaresMovingAverage"](20), "LINEARREG", (20,)),
    Case("lsma slope", lambda: K["LeastSquaresMovingAverage"](20), "LINEARREG_SLOPE", (20,),
         pick=_part("slope")),
    Case("lsma intercept", lambda: K["LeastSquaresMovingAverage"](20), "LINEARREG_INTERCEPT", (20,),
         # LEAN counts the window's values from 1, TA-Lib from 0.
         pick=lambda made: made.intercept.value + made.slope.value),
    Case("tsf", lambda: K["TimeSeriesForecast"](20), "TSF", (20,)),
    Case("max", lambda: K["Maximum"](20), "MAX", (20,)),
    Case("min", lambda: K["Minimum"](20), "MIN", (20,)),
    Case("sum", lambda: K["Sum"](20), "SUM", (20,)),
    Case("midpoint", lambda: K["MidPoint"](14), "MIDPOINT", (14,)),
    Case("midprice", lambda: K["MidPrice"](14), "MIDPRICE", (14,), HL),
    Case("mom", lambda: K["Momentum"](10), "MOM", (10,)),
    Case("momp", lambda: K["MomentumPercent"](10), "ROC", (10,)),
    Case("roc", lambda: K["RateOfChange"](10), "ROCP", (10,)),
    Case("rocp", lambda: K["RateOfChangePercent"](10), "ROC", (10,)),
    Case("rocr", lambda: K["RateOfChangeRatio"](10), "ROCR", (10,)),
    Case("trix", lambda: K["Trix"](10), "TRIX", (10,)),
    # LEAN's are ready with a signal line of nine that TA-Lib has not.
    Case("apo", lambda: K["AbsolutePriceOscillator"](5, 12, SIMPLE), "APO", (5, 12, 0), late=8),
    Case("ppo", lambda: K["PercentagePriceOscillator"](5, 12, SIMPLE), "PPO", (5, 12, 0), late=8),
    # TA-Lib begins the fast average where the slow one does.
    Case("macd", lambda: K["MovingAverageConvergenceDivergence"](12, 26, 9), "MACD", (12, 26, 9),
         settle=400),
    Case("macd signal", lambda: K["MovingAverageConvergenceDivergence"](12, 26, 9), "MACD",
         (12, 26, 9), "close", _part("signal"), 1, settle=400),
    Case("macd histogram", lambda: K["MovingAverageConvergenceDivergence"](12, 26, 9), "MACD",
         (12, 26, 9), "close", _part("histogram"), 2, settle=400),
    Case("macd fast", lambda: K["MovingAverageConvergenceDivergence"](12, 26, 9), "EMA", (12,),
         "close", _part("fast"), late=22),
    Case("macd slow", lambda: K["MovingAverageConvergenceDivergence"](12, 26, 9), "EMA", (26,),
         "close", _part("slow"), late=8),
    Case("bop", K["BalanceOfPower"], "BOP", (), "open high low close"),
    Case("obv", K["OnBalanceVolume"], "OBV", (), "close volume"),
    Case("ad", K["AccumulationDistribution"], "AD", (), HLCV),
    # TA-Lib's averages begin with the first value, LEAN's with a simple mean.
    Case("adosc", lambda: K["AccumulationDistributionOscillator"](3, 10), "ADOSC", (3, 10), HLCV,
         settle=200),
    # LEAN counts the first bar's flow, so that it is ready one bar before TA-Lib.
    Case("mfi", lambda: K["MoneyFlowIndex"](14), "MFI", (14,), HLCV, late=-1, settle=14),
    # LEAN counts the first bar's own range.
    Case("atr", lambda: K["AverageTrueRange"](14, WILDERS), "ATR", (14,), HLC, late=-1, settle=400),
    Case("natr", lambda: K["NormalizedAverageTrueRange"](14), "NATR", (14,), HLC),
    Case("tr", K["TrueRange"], "TRANGE", (), HLC),
    Case("adx", lambda: K["AverageDirectionalIndex"](14), "ADX", (14,), HLC, settle=400),
    Case("+di", lambda: K["AverageDirectionalIndex"](14), "PLUS_DI", (14,), HLC,
         _part("positive_directional_index"), settle=400, late=13),
    Case("-di", lambda: K["AverageDirectionalIndex"](14), "MINUS_DI", (14,), HLC,
         _part("negative_directional_index"), settle=400, late=13),
    Case("adxr", lambda: K["AverageDirectionalMovementIndexRating"](14), "ADXR", (14,), HLC,
         settle=400),
    Case("cci", lambda: K["CommodityChannelIndex"](20), "CCI", (20,), HLC),
    Case("wilr", lambda: K["WilliamsPercentR"](14), "WILLR", (14,), HLC),
    Case("ultosc", lambda: K["UltimateOscillator"](7, 14, 28), "ULTOSC", (7, 14, 28), HLC),
    Case("aroon", lambda: K["AroonOscillator"](14, 14), "AROONOSC", (14,), HL),
    Case("aroon up", lambda: K["AroonOscillator"](14), "AROON", (14,), HL, _part("aroon_up"), 1),
    Case("aroon down", lambda: K["AroonOscillator"](14), "AROON", (14,), HL, _part("aroon_down")),
    Case("sto fast", lambda: K["Stochastic"](14, 3, 3), "STOCHF", (14, 3, 0), HLC,
         _part("fast_stoch"), late=2),
    Case("sto k", lambda: K["Stochastic"](14, 3, 3), "STOCH", (14, 3, 0, 3, 0), HLC,
         _part("stoch_k")),
    Case("sto d", lambda: K["Stochastic"](14, 3, 3), "STOCH", (14, 3, 0, 3, 0), HLC,
         _part("stoch_d"), 1),
    # LEAN's K is smoothed, TA-Lib's fast K is not: ours equals its fast D.
    Case("srsi k", lambda: K["StochasticRelativeStrengthIndex"](14, 14, 3, 3), "STOCHRSI",
         (14, 14, 3, 0), "close", _part("k"), 1, late=1),
    Case("bb upper", lambda: K["BollingerBands"](20, 2), "BBANDS", (20, 2, 2), "close",
         _part("upper_band")),
    Case("bb middle", lambda: K["BollingerBands"](20, 2), "BBANDS", (20, 2, 2), "close",
         _part("middle_band"), 1),
    Case("bb lower", lambda: K["BollingerBands"](20, 2), "BBANDS", (20, 2, 2), "close",
         _part("lower_band"), 2),
    Case("abands upper", lambda: K["AccelerationBands"](20, 4), "ACCBANDS", (20,), HLC,
         _part("upper_band")),
    Case("abands lower", lambda: K["AccelerationBands"](20, 4), "ACCBANDS", (20,), HLC,
         _part("lower_band"), 2),
    Case("psar", K["ParabolicStopAndReverse"], "SAR", (0.02, 0.2), HL),
    Case("sarext", K["ParabolicStopAndReverseExtended"], "SAREXT", (), HL),
    Case("sarext of its own",
         lambda: K["ParabolicStopAndReverseExtended"](50.0, 0.01, 0.03, 0.01, 0.3, 0.01, 0.02, 0.1),
         "SAREXT", (50.0, 0.01, 0.01, 0.02, 0.1, 0.03, 0.01, 0.3), HL),
]  # fmt: skip


def _reference(case: Case, columns: dict[str, Any]) -> Any:
    columns = {**columns, "middle": (columns["high"] + columns["low"]) / 2}
    found = getattr(talib, case.function)(*(columns[n] for n in case.inputs.split()), *case.args)
    return found[case.which] if isinstance(found, tuple) else found


@pytest.mark.parametrize("kind", ["random", "real"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_values_and_readiness_are_talibs(
    case: Case, kind: str, samples: Any, columns: Any, trace: Any
) -> None:
    bars = samples[kind]
    expected = _reference(case, columns(bars))
    values, ready = trace(case.make(), bars, case.pick)
    begun = ~np.isnan(expected)
    first = int(np.argmax(begun))
    assert int(np.argmax(ready)) == first + case.late, "the first bar at which it is ready"
    assert ready[first + case.late :].all()
    compared = begun & ready
    compared[: case.settle] = False
    assert compared.sum() > 500
    assert values[compared] == pytest.approx(expected[compared], rel=1e-8, abs=1e-8)


def test_as_many_indicators_are_compared_as_the_table_has() -> None:
    assert len({type(case.make()) for case in CASES}) >= 45
