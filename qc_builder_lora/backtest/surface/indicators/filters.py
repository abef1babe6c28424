"""Ehlers' filters: the Hilbert transform, and the Swiss army knife of five filters."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from math import cos, pi, sin, sqrt
from typing import Any

from ..enums import enum
from .arguments import Period
from .base import IndicatorBase
from .derived import Derived
from .windowed import Delay

Tool = enum("SwissArmyKnifeTool")
SwissArmyKnifeTool = Any


class HilbertTransform(IndicatorBase):
    """Splits prices into an in-phase and a quadrature part; gives the input itself."""

    SHORT = "Hilbert"

    def _set_up(
        self,
        length: Period = 7,
        in_phase_multiplication_factor: float = 0.635,
        quadrature_multiplication_factor: float = 0.338,
    ) -> None:
        self._length = int(length)
        self.warm_up_period = self._length + 2
        self._in_factor = float(in_phase_multiplication_factor)
        self._quad_factor = float(quadrature_multiplication_factor)
        self._past = Delay(f"{self.name}_prev", self._length)
        self._detrended: float | None = None
        # Each delay is one shorter than its name says: it is fed after its reader.
        self._delay_2 = Delay(f"{self.name}_detrendPriceDelay2", 1)
        self._delay_4 = Delay(f"{self.name}_detrendPriceDelay4", 3)
        self._in_delay = Delay(f"{self.name}_inPhaseDelay3", 2)
        self._quad_delay = Delay(f"{self.name}_quadratureDelay2", 1)
        self.in_phase = Derived(f"{self.name}_inPhase", self._in_ready)
        self.quadrature = Derived(f"{self.name}_quad", self._quad_ready)

    def _in_ready(self) -> bool:
        return self.samples > self._length + 2

    def _quad_ready(self) -> bool:
        return self.samples > self._length

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.warm_up_period

    def _next(self, time: datetime, value: float) -> float:
        if self._past.feed(time, value):
            self._detrended = value - self._past.value
            self._delay_2.feed(time, self._detrended)
            self._delay_4.feed(time, self._detrended)
        two, four = _ready(self._delay_2), _ready(self._delay_4)
        factor = self._in_factor
        found = 1.25 * (four - two * factor) + _ready(self._in_delay) * factor
        self.in_phase.feed(time, found if self._in_ready() else 0.0)
        if self._in_ready():
            self._in_delay.feed(time, self.in_phase.value)
        factor = self._quad_factor
        found = two - (self._detrended or 0.0) * factor + _ready(self._quad_delay) * factor
        self.quadrature.feed(time, found if self._quad_ready() else 0.0)
        if self._quad_ready():
            self._quad_delay.feed(time, self.quadrature.value)
        return value


def _ready(delay: Delay) -> float:
    return delay.value if delay.is_ready else 0.0


class SwissArmyKnife(IndicatorBase):
    """One of Ehlers' two-pole filters, by its tool."""

    SHORT = "Swiss"

    def _set_up(self, period: Period, delta: float, tool: SwissArmyKnifeTool) -> None:
        self.period = self.warm_up_period = int(period)
        self._c0, self._b, self._a = _coefficients(self.period, float(delta), tool)
        self._prices: deque[float] = deque(maxlen=3)
        self._filtered: deque[float] = deque([0.0, 0.0], maxlen=2)

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.period

    def _next(self, time: datetime, value: float) -> float:
        if not self._prices:
            self._prices.extend((value, value))
        self._prices.append(value)
        older, old, new = self._prices
        b0, b1, b2 = self._b
        a1, a2 = self._a
        before, last = self._filtered
        found = self._c0 * (b0 * new + b1 * old + b2 * older) + a1 * last + a2 * before
        self._filtered.append(found)
        return found


Coefficients = tuple[float, tuple[float, float, float], tuple[float, float]]


def _coefficients(period: int, delta: float, tool: Any) -> Coefficients:
    """c0, (b0, b1, b2), (a1, a2) of Ehlers' one equation."""
    turn = 2 * pi / period
    if tool == Tool.HIGH_PASS:
        alpha = (cos(turn) + sin(turn) - 1) / cos(turn)
        return (1 + alpha) / 2, (1, -1, 0), (1 - alpha, 0)
    if tool == Tool.BAND_PASS:
        gamma = 1 / cos(2 * turn * delta)
        alpha = gamma - sqrt(gamma**2 - 1)
        return (1 - alpha) / 2, (1, 0, -1), (-cos(turn) * (1 - alpha), alpha)
    beta = 2.415 * (1 - cos(turn))
    alpha = -beta + sqrt(beta**2 + 2 * beta)
    poles = (2 * (1 - alpha), -((1 - alpha) ** 2))
    if tool == Tool.GAUSS:
        return alpha**2, (1, 0, 0), poles
    if tool == Tool.BUTTER:
        return alpha**2 / 4, (1, 2, 1), poles
    return (1 + alpha) ** 2 / 4, (1, -2, 1), poles
