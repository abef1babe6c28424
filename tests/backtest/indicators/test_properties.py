"""What holds of every indicator: finite values, a true reset, a warm-up that suffices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qc_builder_lora.backtest.surface import indicators as ind
from qc_builder_lora.backtest.surface.enums import MovingAverageType, enum
from qc_builder_lora.backtest.surface.indicators import arguments

ABSTRACT = {
    "BarIndicator", "Indicator", "IndicatorBase", "TradeBarIndicator", "WindowIndicator",
    "MarketProfile", "MultiSymbolIndicator", "PythonIndicator",
}  # fmt: skip
JOINED = {"CompositeIndicator", "ResetCompositeIndicator", "FunctionalIndicator"}
PLAIN = sorted(
    name
    for name, cls in ind.CLASSES.items()
    if issubclass(cls, ind.IndicatorBase)
    and name not in ABSTRACT | JOINED
    and not hasattr(cls, "add")
    and "target_symbol" not in str(arguments._parameters(arguments._set_ups(cls)[0]))
)


def _argument(parameter: arguments.Parameter) -> Any:
    if "MovingAverageType" in parameter.kind:
        return MovingAverageType.SIMPLE
    if "SwissArmyKnifeTool" in parameter.kind:
        return enum("SwissArmyKnifeTool").GAUSS
    if parameter.kind == "float":
        return 0.5
    return 6 if "fast" in parameter.name else 12


GIVEN = {"AutoRegressiveIntegratedMovingAverage": (1, 1, 1, 20)}
"""Where equal numbers for all arguments make no sense: a period must be longer than its lags."""


def make(name: str) -> Any:
    """One of the class, of short periods."""
    required = [
        item
        for item in arguments._parameters(arguments._set_ups(ind.CLASSES[name])[0])
        if item.default is arguments.REQUIRED
    ]
    given = GIVEN.get(name) or [_argument(item) for item in required]
    return ind.CLASSES[name](*given)


@pytest.mark.parametrize("name", PLAIN)
def test_values_are_finite_and_a_reset_begins_anew(name: str, samples: Any, trace: Any) -> None:
    bars, indicator = samples["random"][:300], make(name)
    values, ready = trace(indicator, bars)
    assert np.isfinite(values).all()
    indicator.reset()
    assert indicator.samples == 0
    again, ready_again = trace(indicator, bars)
    assert np.array_equal(values, again)
    assert np.array_equal(ready, ready_again)


@pytest.mark.parametrize("name", PLAIN)
def test_warm_up_period_makes_it_ready(name: str, samples: Any, trace: Any) -> None:
    indicator = make(name)
    if not indicator.warm_up_period:
        pytest.skip("LEAN gives it no warm-up period")
    _, ready = trace(indicator, samples["random"][:300])
    assert ready.any()
    assert int(np.argmax(ready)) + 1 <= indicator.warm_up_period
