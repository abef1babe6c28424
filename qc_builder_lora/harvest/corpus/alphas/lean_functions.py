"""The functions of the language as a strategy carries them: Python on arrays of bars x symbols.

Written apart from `operators.py`, in the same order of operations, so that a test can hold a
strategy's signal against the panel's value to the last digit. Short, for a small model has to learn
them: what numpy says in one call on a `window` is written where it is used, by `lean_formula`.
"""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import dedent

_SOURCES = {
    "window": ((), '''
        def window(x, days):
            """Past values of each day, newest first."""
            past = np.vstack([x[:days] * np.nan, x])
            return np.array([past[days - age : len(past) - age] for age in range(days)])
    '''),
    "delay": (("window",), '''
        def delay(x, days):
            return window(x, days + 1)[-1]
    '''),
    "ts_argmax": (("window",), '''
        def ts_argmax(x, days):
            """Days since the highest, the oldest of equals."""
            past = window(x, days)
            since = days - 1.0 - past[::-1].argmax(axis=0)
            return np.where(np.isnan(past).any(axis=0), np.nan, since)
    '''),
    "ts_rank": (("window",), '''
        def ts_rank(x, days):
            """Rank of today among the past days, 0 to 1."""
            return np.heaviside(x - window(x, days)[1:], 0.5).mean(axis=0)
    '''),
    "decay_linear": (("window",), '''
        def decay_linear(x, days):
            """Weighted average, newest heaviest; unknown is zero."""
            weights = np.arange(days, 0, -1.0)[:, None, None]
            past = window(x, days) * (weights / weights.sum())
            return np.where(np.isnan(past).all(axis=0), np.nan, np.nansum(past, axis=0))
    '''),
    "deviations": (("window",), '''
        def deviations(x, days):
            """Less the mean; zero where flat."""
            past = window(x, days)
            return np.where(past.std(axis=0) <= 1e-12 * abs(past), 0, past - past.mean(axis=0))
    '''),
    "stddev": (("window",), '''
        def stddev(x, days):
            """Zero where flat."""
            spread = window(x, days).std(axis=0)
            return np.where(spread <= 1e-12 * abs(x), 0, spread)
    '''),
    "stddev_of_deviations": (("deviations",), '''
        def stddev(x, days):
            return np.sqrt((deviations(x, days) ** 2).mean(axis=0))
    '''),
    "correlation": (("deviations",), '''
        def correlation(x, y, days):
            x, y = deviations(x, days), deviations(y, days)
            size = np.linalg.norm(x, axis=0) * np.linalg.norm(y, axis=0)
            return np.round((x * y).sum(axis=0) / size, 12)
    '''),
    "covariance": (("deviations",), '''
        def covariance(x, y, days):
            return np.round((deviations(x, days) * deviations(y, days)).mean(axis=0), 15)
    '''),
    "rank": ((), '''
        def rank(x):
            """Rank among the symbols, 0 to 1."""
            above = np.nansum(np.heaviside(x[:, :, None] - x[:, None], 0.5), axis=2) - 0.5
            return above / ((~np.isnan(x)).sum(axis=1)[:, None] - 1) + 0 * x
    '''),
    "scale": ((), '''
        def scale(x):
            return x / np.nansum(abs(x), axis=1, keepdims=True)
    '''),
    "indneutralize": ((), '''
        def indneutralize(x, groups):
            """Less the mean of each day's symbols of the same group."""
            means = [np.nanmean(x[:, groups == group], axis=1) for group in groups]
            return x - np.transpose(means)
    '''),
    "divide": ((), '''
        def divide(x, y):
            return x / np.where(y == 0, np.nan, y)
    '''),
    "log": ((), '''
        def log(x):
            return np.log(np.where(x > 0, x, np.nan))
    '''),
    "power": ((), '''
        def power(x, y):
            sign = np.where((x < 0) & (y % 2 == 1), -1.0, 1.0)
            result = np.where(x == 0, 0.0, sign * abs(x) ** y)
            return np.where(np.isfinite(result), result, np.nan)
    '''),
    "signedpower": ((), '''
        def signedpower(x, y):
            result = np.sign(x) * abs(x) ** y
            return np.where(np.isfinite(result), result, np.nan)
    '''),
    "root": ((), '''
        def signedpower(x, y):
            return np.sign(x) * abs(x) ** y
    '''),
    "less": ((), '''
        def less(x, y):
            return np.where(np.isnan(x) | np.isnan(y), np.nan, x < y)
    '''),
    "at_most": ((), '''
        def at_most(x, y):
            return np.where(np.isnan(x) | np.isnan(y), np.nan, x <= y)
    '''),
    "equals": ((), '''
        def equals(x, y):
            return np.where(np.isnan(x) | np.isnan(y), np.nan, x == y)
    '''),
    "either": ((), '''
        def either(x, y):
            unknown = np.isnan(x) | np.isnan(y)
            return np.where((x == 1) | (y == 1), 1.0, np.where(unknown, np.nan, 0.0))
    '''),
    "choose": ((), '''
        def choose(condition, yes, no):
            return np.where(np.isnan(condition), np.nan, np.where(condition == 1, yes, no))
    '''),
}  # fmt: skip


def function_texts(names: Iterable[str]) -> list[str]:
    """The source of these functions and of those they call, each after what it calls."""
    found: dict[str, str] = {}

    def add(name: str) -> None:
        needs, source = _SOURCES[name]
        for need in needs:
            add(need)
        found.setdefault(name, dedent(source).strip("\n") + "\n")

    wanted = list(names)
    for name in wanted:
        # Of deviations where another function needs them anyway.
        shared = name == "stddev" and not {"correlation", "covariance"}.isdisjoint(wanted)
        add("stddev_of_deviations" if shared else name)
    return list(found.values())
