"""Risk-free interest rates: a constant, a function, or the one that LEAN's data folder tells."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from .alias import both_styles
from .known import Lean

_EPOCH = date(1970, 1, 1)
_ask: list[Callable[[list[Any]], Any]] = []


def use(ask: Callable[[list[Any]], Any]) -> None:
    """Ask this simulator for the rates of its data folder."""
    _ask[:] = [ask]


@both_styles
class ConstantRiskFreeRateInterestRateModel(Lean):
    """Always the same rate."""

    def __init__(self, risk_free_rate: float) -> None:
        self._rate = float(risk_free_rate)

    def get_interest_rate(self, date: Any) -> float:
        """The rate."""
        return self._rate


@both_styles
class FuncRiskFreeRateInterestRateModel(Lean):
    """As a function of the day says."""

    def __init__(self, get_interest_rate_func: Callable[[Any], float]) -> None:
        self._function = get_interest_rate_func

    def get_interest_rate(self, date: Any) -> float:
        """The function's answer."""
        return float(self._function(date))


@both_styles
class InterestRateProvider(Lean):
    """The primary credit rate of the United States, as the data folder has it up to the day."""

    DEFAULT_RISK_FREE_RATE = DefaultRiskFreeRate = 0.01

    def __init__(self) -> None:
        self._days: list[int] = []
        self._rates: list[float] = []
        self._until = -1

    def get_interest_rate(self, date: Any) -> float:
        """The last rate set by that day; the first one before all."""
        day = ((date.date() if isinstance(date, datetime) else date) - _EPOCH) // timedelta(days=1)
        if day > self._until:
            self._days, self._rates, self._until = _ask[0](["rates", day])
        if not self._days:
            return self.DEFAULT_RISK_FREE_RATE
        return self._rates[max(bisect_right(self._days, day) - 1, 0)]
