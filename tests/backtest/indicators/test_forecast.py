"""ARIMA's least squares are numpy's, and it forecasts what it was made from."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import pytest

from qc_builder_lora.backtest.protocol import BacktestResult, BacktestStatus
from qc_builder_lora.backtest.surface.indicators.forecast import lagged, least_squares


def test_least_squares_are_numpys() -> None:
    dice = random.Random(7)
    rows = [[1.0, dice.random(), dice.random()] for _ in range(40)]
    wanted = [dice.random() for _ in rows]
    expected = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0]
    assert least_squares(rows, wanted) == pytest.approx(list(expected), rel=1e-9)


def test_lags_are_the_nearest_first() -> None:
    assert lagged(2, [1.0, 2.0, 3.0, 4.0]) == [[2.0, 1.0], [3.0, 2.0]]


def test_columns_that_say_the_same_have_no_weights() -> None:
    with pytest.raises(ValueError, match="positive definite"):
        least_squares([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]], [1.0, 2.0, 3.0])


def test_a_falling_power_is_seen_through(run: Callable[..., BacktestResult]) -> None:
    result = run(
        more="""
        def on_end_of_algorithm(self):
            made = AutoRegressiveIntegratedMovingAverage("it", 1, 0, 0, 10)
            for step in range(12):
                made.update(datetime(2010, 1, 1 + step), 100 * 0.9**step)
            self.log(f"{made.is_ready} {made.ar_parameters[0]:.9f} {made.current.value:.9f}")
        """
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    # Newest first: each value is the one before it, in that order, over 0.9.
    value = 100 * 0.9**11 / 0.9
    assert result.logs[-1].endswith(f"True {1 / 0.9:.9f} {value:.9f}")
    assert math.isfinite(value)


@pytest.mark.parametrize(
    ("orders", "said"),
    [
        ("0, 1, 1, 50", "must be greater than zero"),
        ("-1, 1, 1, 50", "cannot be negative"),
        ("60, 1, 1, 50", "must exceed both"),
    ],
)
def test_orders_that_cannot_be_are_refused(
    run: Callable[..., BacktestResult], orders: str, said: str
) -> None:
    result = run(f"self.arima(self.aapl, {orders})")
    assert result.status is BacktestStatus.FAILED
    assert said in (result.reason or "")


def test_without_an_intercept_it_is_unknown(run: Callable[..., BacktestResult]) -> None:
    result = run("AutoRegressiveIntegratedMovingAverage(1, 1, 1, 50, False)")
    assert result.status is BacktestStatus.UNKNOWN
    assert "without an intercept" in (result.reason or "")


def test_more_lags_of_the_value_than_of_the_error_are_unknown(
    run: Callable[..., BacktestResult],
) -> None:
    result = run("self.arima(self.aapl, 2, 1, 1, 50)")
    assert result.status is BacktestStatus.UNKNOWN
    assert "more AR than MA terms" in (result.reason or "")
