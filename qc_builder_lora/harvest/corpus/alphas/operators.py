"""The functions of the language on numpy arrays of days x symbols; NaN is unknown.

Each value depends on the rows up to its own, never on later ones. Sums run from the newest day
back, so that the same window gives the same bits however much history lies before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FLAT = 1e-12
"""Deviation, as a share of the mean, below which a window counts as constant."""


def delay(x: Array, days: int) -> Array:
    """The values `days` rows before."""
    past = np.full_like(x, np.nan)
    if days < len(x):
        past[days:] = x[: len(x) - days]
    return past


def over(x: Array, days: int) -> list[Array]:
    """The last `days` values of each row that has as many, newest first; views, no copies."""
    return [x[days - 1 - age : len(x) - age] for age in range(days)]


def _headed(x: Array, values: Array) -> Array:
    """Values of the last rows of x, NaN before them."""
    full = np.full_like(x, np.nan)
    full[len(x) - len(values) :] = values
    return full


def _windowed(x: Array, days: int, fold: Callable[[list[Array]], Array]) -> Array:
    if len(x) < days:
        return np.full_like(x, np.nan)
    return _headed(x, fold(over(x, days)))


def _total(ages: Sequence[Array]) -> Array:
    total = ages[0].copy()
    for age in ages[1:]:
        total += age
    return total


def ts_sum(x: Array, days: int) -> Array:
    return _windowed(x, days, _total)


def product(x: Array, days: int) -> Array:
    return _windowed(x, days, lambda ages: np.multiply.reduce(ages, axis=0))


def ts_min(x: Array, days: int) -> Array:
    return _windowed(x, days, lambda ages: _folded(np.minimum, ages))


def ts_max(x: Array, days: int) -> Array:
    return _windowed(x, days, lambda ages: _folded(np.maximum, ages))


def _folded(step: np.ufunc, ages: Sequence[Array]) -> Array:
    found = ages[0].copy()
    for age in ages[1:]:
        step(found, age, out=found)
    return found


def ts_argmax(x: Array, days: int) -> Array:
    """Days since the largest; of equal ones the oldest."""

    def fold(ages: list[Array]) -> Array:
        best, place = ages[0].copy(), np.zeros_like(ages[0])
        known = ~np.isnan(best)
        for age, value in enumerate(ages[1:], 1):
            place[value >= best] = age
            np.maximum(best, value, out=best)
            known &= ~np.isnan(value)
        place[~known] = np.nan
        return place

    return _windowed(x, days, fold)


def ts_argmin(x: Array, days: int) -> Array:
    """Days since the smallest; of equal ones the oldest."""
    return ts_argmax(-x, days)


def ts_rank(x: Array, days: int) -> Array:
    """Where today stands among the past days: 0 lowest, 1 highest; ties share the mean."""

    def fold(ages: list[Array]) -> Array:
        today = ages[0]
        below = np.zeros_like(today)
        equal = np.zeros_like(today)
        known = ~np.isnan(today)
        for value in ages[1:]:
            below += value < today
            equal += value == today
            known &= ~np.isnan(value)
        place: Array = (below + equal / 2) / (days - 1)
        place[~known] = np.nan
        return place

    return _windowed(x, days, fold)


def decay_linear(x: Array, days: int) -> Array:
    """Weights days, days - 1, …, 1 from today back; unknown days count as 0 unless all are."""

    def fold(ages: list[Array]) -> Array:
        weights = np.arange(days, 0, -1, dtype=float)
        weights /= weights.sum()
        total, known = np.zeros_like(ages[0]), np.zeros(ages[0].shape, dtype=bool)
        for weight, value in zip(weights, ages, strict=True):
            seen = ~np.isnan(value)
            total += weight * np.where(seen, value, 0.0)
            known |= seen
        total[~known] = np.nan
        return total

    return _windowed(x, days, fold)


def _squares(ages: Sequence[Array], days: int) -> tuple[Array, Array]:
    """The mean, and the sum of squared deviations from it; 0 where the window is flat."""
    mean = _total(ages) / days
    squares = np.zeros_like(mean)
    for age in ages:
        away = age - mean
        squares += away * away
    squares[squares <= days * (_FLAT * mean) ** 2] = 0.0
    return mean, squares


def stddev(x: Array, days: int) -> Array:
    """Of the population: divided by days."""
    return _windowed(x, days, lambda ages: np.sqrt(_squares(ages, days)[1] / days))


def _together(x: Array, y: Array, days: int) -> tuple[Array, Array, Array]:
    """Sums of squared deviations of both, and of their products."""
    left, right = over(x, days), over(y, days)
    x_mean, x_squares = _squares(left, days)
    y_mean, y_squares = _squares(right, days)
    products = np.zeros_like(x_mean)
    for a, b in zip(left, right, strict=True):
        products += (a - x_mean) * (b - y_mean)
    products[(x_squares == 0) | (y_squares == 0)] = 0.0
    return x_squares, y_squares, products


def correlation(x: Array, y: Array, days: int) -> Array:
    """Pearson's, to 12 decimals; NaN where either window is flat."""
    if len(x) < days:
        return np.full_like(x, np.nan)
    x_squares, y_squares, products = _together(x, y, days)
    size = np.sqrt(x_squares) * np.sqrt(y_squares)
    return _headed(x, np.round(divide(products, size), 12))


def covariance(x: Array, y: Array, days: int) -> Array:
    """Of the population, to 15 decimals; 0 where either window is flat."""
    if len(x) < days:
        return np.full_like(x, np.nan)
    x_squares, y_squares, products = _together(x, y, days)
    products[np.isnan(x_squares) | np.isnan(y_squares)] = np.nan
    return _headed(x, np.round(products / days, 15))


def rank(x: Array) -> Array:
    """Rank among the known symbols of the day, 0 to 1; ties share the mean, one alone is NaN."""
    order = np.argsort(x, axis=1, kind="stable")
    ordered = np.take_along_axis(x, order, axis=1)
    places = np.broadcast_to(np.arange(x.shape[1], dtype=float), x.shape)
    new = np.ones(x.shape, dtype=bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(new, places, 0.0), axis=1)
    last_of_run = np.ones(x.shape, dtype=bool)
    last_of_run[:, :-1] = new[:, 1:]
    last = np.minimum.accumulate(np.where(last_of_run, places, np.inf)[:, ::-1], axis=1)[:, ::-1]
    result = np.empty_like(x)
    np.put_along_axis(result, order, (first + last) / 2, axis=1)
    known = ~np.isnan(x)
    result[~known] = np.nan
    return divide(result, np.maximum(known.sum(axis=1, keepdims=True) - 1.0, 0.0))


def scale(x: Array) -> Array:
    """Absolute values of the day add up to 1; all 0 is NaN."""
    return divide(x, np.nansum(np.abs(x), axis=1, keepdims=True))


def indneutralize(x: Array, groups: Sequence[str | None]) -> Array:
    """Less the mean of the known symbols of the group; NaN where the group is None."""
    result = np.full_like(x, np.nan)
    names = np.array([name or "" for name in groups])
    for name in sorted(set(names) - {""}):
        members = x[:, names == name]
        count = (~np.isnan(members)).sum(axis=1, keepdims=True)
        mean = divide(np.nansum(members, axis=1, keepdims=True), count.astype(float))
        result[:, names == name] = members - mean
    return result


def divide(x: Array, y: Array) -> Array:
    """Unknown where the divisor is 0."""
    quotient: Array = x / np.where(y == 0, np.nan, y)
    return quotient


def log(x: Array) -> Array:
    """Unknown unless x is above zero."""
    result: Array = np.log(np.where(x > 0, x, np.nan))
    return result


def power(x: Array, y: Array) -> Array:
    """x^y; of |x| where x is negative and y a fraction; 0^y is 0 for any y, overflow unknown."""
    sign = np.where((x < 0) & (y % 2 == 1), -1.0, 1.0)
    return _finite(np.where(x == 0, 0.0, sign * np.abs(x) ** y))


def signedpower(x: Array, y: Array) -> Array:
    """sign(x) * |x|^y; an overflow is unknown."""
    return _finite(np.sign(x) * np.abs(x) ** y)


def _finite(x: Array) -> Array:
    return np.where(np.isfinite(x), x, np.nan)


def compare(operator: str, x: Array, y: Array) -> Array:
    """1 or 0; unknown if either side is."""
    steps = {"<": np.less, ">": np.greater, "<=": np.less_equal, ">=": np.greater_equal}
    answer = steps.get(operator, np.equal)(x, y)
    return np.where(np.isnan(x) | np.isnan(y), np.nan, answer)


def either(x: Array, y: Array) -> Array:
    """1 if either is, else 0 if both are known."""
    unknown = np.isnan(x) | np.isnan(y)
    return np.where((x == 1) | (y == 1), 1.0, np.where(unknown, np.nan, 0.0))


def choose(condition: Array, yes: Array, no: Array) -> Array:
    """`yes` where the condition is 1, `no` where it is 0, unknown where it is."""
    return np.where(np.isnan(condition), np.nan, np.where(condition == 1, yes, no))
