"""The functions of the language on numpy arrays of days x symbols; NaN is unknown.

Each value depends on the rows up to its own, never on later ones. Sums run from the newest day
back, so that the same window gives the same bits however much history lies before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_CACHED = 8192
"""Numbers of a block of rows: 64 KB."""
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


def _windowed(x: Array, days: int, fold: Callable[[list[Array]], Array]) -> Array:
    """`fold` of the ages of each row, a block of rows at a time; NaN before the first window."""
    result = np.full_like(x, np.nan)
    for first, last in _blocks(x, days):
        result[first:last] = fold(over(x[first - days + 1 : last], days))
    return result


def _blocks(x: Array, days: int) -> Iterator[tuple[int, int]]:
    """First and last row of blocks that stay in the processor's cache: half the time."""
    rows = max(8, _CACHED // max(1, x.shape[1]))
    for first in range(days - 1, len(x), rows):
        yield first, min(first + rows, len(x))


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
            np.copyto(place, age, where=value >= best)
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
        # Twice the rank: whole numbers add up faster than halves.
        twice = np.zeros(today.shape, dtype=np.int32)
        known = ~np.isnan(today)
        for value in ages[1:]:
            twice += value < today
            twice += value <= today
            known &= value == value  # noqa: PLR0124 - not for NaN
        place: Array = twice / 2 / (days - 1)
        place[~known] = np.nan
        return place

    return _windowed(x, days, fold)


def decay_linear(x: Array, days: int) -> Array:
    """Weights days, days - 1, …, 1 from today back; unknown days count as 0 unless all are."""
    weights = np.arange(days, 0, -1, dtype=float)
    weights /= weights.sum()
    known = ~np.isnan(x)

    def fold(ages: list[Array]) -> Array:
        total = np.zeros_like(ages[0])
        for weight, value in zip(weights, ages, strict=True):
            total += weight * value
        return total

    total = _windowed(np.where(known, x, 0.0), days, fold)
    total[~_any(known, days)] = np.nan
    return total


def _any(x: NDArray[np.bool_], days: int) -> NDArray[np.bool_]:
    """Whether any of the last days is true."""
    count = np.cumsum(x, axis=0, dtype=np.int64)
    count[days:] -= count[:-days].copy()
    result: NDArray[np.bool_] = count > 0
    return result


def stddev(x: Array, days: int) -> Array:
    """Of the population: divided by days."""

    def fold(ages: list[Array]) -> Array:
        mean = _total(ages) / days
        squares = np.zeros_like(mean)
        for age in ages:
            away = age - mean
            squares += away * away
        return np.sqrt(_without_noise(squares, mean, days) / days)

    return _windowed(x, days, fold)


def _without_noise(squares: Array, mean: Array, days: int) -> Array:
    """Sums of squared deviations, 0 where they are but rounding: the window is flat."""
    squares[squares <= days * (_FLAT * mean) ** 2] = 0.0
    return squares


def _together(left: list[Array], right: list[Array], days: int) -> tuple[Array, Array, Array]:
    """Sums of squared deviations of both, and of their products."""
    x_mean, y_mean = _total(left) / days, _total(right) / days
    x_squares, y_squares, products = (np.zeros_like(x_mean) for _ in range(3))
    for a, b in zip(left, right, strict=True):
        x_away, y_away = a - x_mean, b - y_mean
        products += x_away * y_away
        x_squares += x_away * x_away
        y_squares += y_away * y_away
    x_squares = _without_noise(x_squares, x_mean, days)
    y_squares = _without_noise(y_squares, y_mean, days)
    products[(x_squares == 0) | (y_squares == 0)] = 0.0
    return x_squares, y_squares, products


def _paired(x: Array, y: Array, days: int, fold: Callable[[Array, Array, Array], Array]) -> Array:
    result = np.full_like(x, np.nan)
    for first, last in _blocks(x, days):
        start = first - days + 1
        sums = _together(over(x[start:last], days), over(y[start:last], days), days)
        result[first:last] = fold(*sums)
    return result


def correlation(x: Array, y: Array, days: int) -> Array:
    """Pearson's, to 12 decimals; NaN where either window is flat."""

    def fold(x_squares: Array, y_squares: Array, products: Array) -> Array:
        size = np.sqrt(x_squares) * np.sqrt(y_squares)
        return np.round(divide(products, size), 12)

    return _paired(x, y, days, fold)


def covariance(x: Array, y: Array, days: int) -> Array:
    """Of the population, to 15 decimals; 0 where either window is flat."""

    def fold(x_squares: Array, y_squares: Array, products: Array) -> Array:
        products[np.isnan(x_squares) | np.isnan(y_squares)] = np.nan
        return np.round(products / days, 15)

    return _paired(x, y, days, fold)


def rank(x: Array) -> Array:
    """Rank among the known symbols of the day, 0 to 1; ties share the mean, one alone is NaN."""
    order = np.argsort(x, axis=1)
    ordered = np.take_along_axis(x, order, axis=1)
    places = np.empty_like(x)
    np.put_along_axis(places, order, np.arange(x.shape[1], dtype=float)[None, :], axis=1)
    equal = ordered[:, 1:] == ordered[:, :-1]
    if (tied := equal.any(axis=1)).any():
        shared = np.empty((int(tied.sum()), x.shape[1]))
        np.put_along_axis(shared, order[tied], _shared_places(equal[tied]), axis=1)
        places[tied] = shared
    known = ~np.isnan(x)
    places[~known] = np.nan
    return divide(places, np.maximum(known.sum(axis=1, keepdims=True) - 1.0, 0.0))


def _shared_places(equal: NDArray[np.bool_]) -> Array:
    """The mean place of each run of equals; `equal` says whether one equals the one before it."""
    rows, count = equal.shape[0], equal.shape[1] + 1
    places = np.broadcast_to(np.arange(count, dtype=float), (rows, count))
    edge = np.zeros((rows, 1), dtype=bool)
    later, earlier = np.hstack([edge, equal]), np.hstack([equal, edge])
    first = np.maximum.accumulate(np.where(later, 0.0, places), axis=1)
    last = np.minimum.accumulate(np.where(earlier, np.inf, places)[:, ::-1], axis=1)[:, ::-1]
    shared: Array = (first + last) / 2
    return shared


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
