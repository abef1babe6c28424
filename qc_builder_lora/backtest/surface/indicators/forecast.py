"""ARIMA: the next value by what the last ones and the errors of fitting them say.

Two steps of least squares, as LEAN fits it (after mbhauser.com's notes on two-step ARMA
estimation). LEAN hands the series over newest first, and so the "past" of each value is what came
after it; that is not our choice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

from ..known import not_modelled
from .windowed import WindowIndicator

Rows = list[list[float]]


class AutoRegressiveIntegratedMovingAverage(WindowIndicator):
    """ARIMA(ar_order, diff_order, ma_order), fitted anew to the last `period` values each time."""

    SHORT = "ARIMA"

    def _set_up(  # type: ignore[override]
        self, ar_order: int, diff_order: int, ma_order: int, period: int, intercept: bool = True
    ) -> None:
        if ar_order < 0 or ma_order < 0:
            raise ValueError("AR/MA orders cannot be negative.")
        if ar_order == 0:
            raise ValueError(
                "arOrder (p) must be greater than zero for all currently available fitting methods."
            )
        if period < max(ar_order, ma_order):
            raise ValueError("Period must exceed both arOrder and maOrder")
        if not intercept:
            not_modelled("AutoRegressiveIntegratedMovingAverage", "without an intercept")
        if 0 < ma_order < ar_order:
            # LEAN's second step takes more rows than the first has left.
            not_modelled("AutoRegressiveIntegratedMovingAverage", "more AR than MA terms")
        super()._set_up(period)
        self._orders = int(ar_order), int(diff_order), int(ma_order)
        self.ar_parameters: list[float] = []
        self.ma_parameters: list[float] = []
        self.intercept = 0.0
        self.ar_residual_error = self.ma_residual_error = 0.0

    def _over(self, values: deque[float], value: float) -> float:
        if len(values) < self.period:
            return 0.0
        _, differences, lags = self._orders
        series = list(reversed(values))
        newest = []
        for _ in range(differences):
            newest.append(series[0])
            series = [after - before for after, before in pairwise(series)]
        errors = self._fit(series)
        found = self.intercept
        found += sum(by * item for by, item in zip(self.ar_parameters, series, strict=False))
        found += sum(by * errors[lags + place + 1] for place, by in enumerate(self.ma_parameters))
        return found + sum(newest)

    def _fit(self, series: list[float]) -> list[float]:
        """Set the parameters; the errors of the first step."""
        past, _, lags = self._orders
        rows = lagged(past, series)
        first = least_squares(rows, series[past:])
        errors = [0.0] * past + _errors(rows, series[past:], first)
        self.ar_residual_error = _squares(errors) / (len(series) - past - 1)
        if not lags:
            self.ar_parameters = first
            return errors
        both = [rows[place] + row for place, row in enumerate(lagged(lags, errors))]
        second = least_squares([[1.0, *row] for row in both], series[lags:])
        left = _squares(_errors(both, series[lags:], second[1:]))
        self.ma_residual_error = left / (len(series) - max(past, lags) - 1)
        self.intercept = second[0]
        self.ar_parameters, self.ma_parameters = second[1 : 1 + past], second[1 + past :]
        return errors


def lagged(order: int, series: Sequence[float]) -> Rows:
    """For each value from `order` on, the `order` values before it, the nearest first."""
    return [
        [series[place - back] for back in range(1, order + 1)]
        for place in range(order, len(series))
    ]  # fmt: skip


def _errors(rows: Rows, wanted: Sequence[float], by: Sequence[float]) -> list[float]:
    return [
        want - sum(a * b for a, b in zip(row, by, strict=True))
        for row, want in zip(rows, wanted, strict=True)
    ]  # fmt: skip


def _squares(values: Sequence[float]) -> float:
    return sum(value * value for value in values)


def least_squares(rows: Rows, wanted: Sequence[float]) -> list[float]:
    """The weights of ordinary least squares, by the normal equations and Cholesky's factors."""
    if not rows:
        raise ValueError("The period leaves no value behind the lags and differences to fit to.")
    size = len(rows[0])
    normal = [[sum(row[i] * row[j] for row in rows) for j in range(size)] for i in range(size)]
    right = [sum(row[i] * want for row, want in zip(rows, wanted, strict=True))
             for i in range(size)]  # fmt: skip
    factor = _cholesky(normal)
    middle = [0.0] * size
    for i in range(size):
        middle[i] = (right[i] - sum(factor[i][k] * middle[k] for k in range(i))) / factor[i][i]
    found = [0.0] * size
    for i in reversed(range(size)):
        later = sum(factor[k][i] * found[k] for k in range(i + 1, size))
        found[i] = (middle[i] - later) / factor[i][i]
    return found


def _cholesky(matrix: Rows) -> Rows:
    size = len(matrix)
    found = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            left = matrix[i][j] - sum(found[i][k] * found[j][k] for k in range(j))
            if i == j and left <= 0:
                raise ValueError("Matrix must be positive definite.")
            found[i][j] = left**0.5 if i == j else left / found[j][j]
    return found
