"""The functions of the language as a strategy carries them: Python on arrays of bars x symbols.

Written apart from `operators.py`, in the same order of operations, so that a test can hold a
strategy's signal against the panel's value to the last digit.
"""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import dedent

_SOURCES = {
    "delay": ((), '''
        def delay(x, days):
            past = np.full_like(x, np.nan)
            past[days:] = x[: len(x) - days]
            return past
    '''),
    "delta": (("delay",), '''
        def delta(x, days):
            return x - delay(x, days)
    '''),
    "ts_sum": (("delay",), '''
        def ts_sum(x, days):
            return sum(delay(x, age) for age in range(days))
    '''),
    "ts_mean": (("ts_sum",), '''
        def ts_mean(x, days):
            return ts_sum(x, days) / days
    '''),
    "ts_product": (("delay",), '''
        def ts_product(x, days):
            return math.prod(delay(x, age) for age in range(days))
    '''),
    "ts_min": (("delay",), '''
        def ts_min(x, days):
            return np.min([delay(x, age) for age in range(days)], axis=0)
    '''),
    "ts_max": (("delay",), '''
        def ts_max(x, days):
            return np.max([delay(x, age) for age in range(days)], axis=0)
    '''),
    "ts_argmax": (("delay",), '''
        def ts_argmax(x, days):
            """Days since the largest value; of equal ones the oldest counts."""
            past = np.array([delay(x, age) for age in reversed(range(days))])
            return np.where(np.isnan(past).any(axis=0), np.nan, days - 1.0 - past.argmax(axis=0))
    '''),
    "ts_argmin": (("ts_argmax",), '''
        def ts_argmin(x, days):
            return ts_argmax(-x, days)
    '''),
    "ts_rank": (("delay",), '''
        def ts_rank(x, days):
            """Rank of today among the past days, 0 to 1."""
            past = np.array([delay(x, age) for age in range(1, days)])
            place = ((past < x).sum(axis=0) + (past == x).sum(axis=0) / 2) / (days - 1)
            return np.where(np.isnan(past).any(axis=0) | np.isnan(x), np.nan, place)
    '''),
    "decay_linear": (("delay", "ts_max"), '''
        def decay_linear(x, days):
            """Weighted average, newest day heaviest; unknown days count as zero."""
            weights = np.arange(days, 0, -1) / (days * (days + 1) / 2)
            known = np.where(np.isnan(x), 0.0, x)
            total = sum(weights[age] * delay(known, age) for age in range(days))
            return np.where(ts_max(~np.isnan(x) + 0.0, days) == 0, np.nan, total)
    '''),
    "deviations": (("delay", "ts_mean"), '''
        def deviations(x, days):
            """The past values less their mean; zero where they do not vary."""
            mean = ts_mean(x, days)
            away = [delay(x, age) - mean for age in range(days)]
            flat = sum(a * a for a in away) <= days * (1e-12 * mean) ** 2
            return [np.where(flat, 0.0, a) for a in away]
    '''),
    "stddev": (("deviations",), '''
        def stddev(x, days):
            return np.sqrt(sum(a * a for a in deviations(x, days)) / days)
    '''),
    "correlation": (("deviations", "divide"), '''
        def correlation(x, y, days):
            """Rounded, so that equal correlations tie in a rank."""
            xs, ys = deviations(x, days), deviations(y, days)
            size = np.sqrt(sum(a * a for a in xs)) * np.sqrt(sum(b * b for b in ys))
            return np.round(divide(sum(a * b for a, b in zip(xs, ys)), size), 12)
    '''),
    "covariance": (("deviations",), '''
        def covariance(x, y, days):
            """Rounded, so that equal covariances tie in a rank."""
            pairs = zip(deviations(x, days), deviations(y, days))
            return np.round(sum(a * b for a, b in pairs) / days, 15)
    '''),
    "rank": (("divide",), '''
        def rank(x):
            """Rank among the symbols of each day, 0 to 1."""
            below = (x[:, None, :] < x[:, :, None]).sum(axis=2)
            equal = (x[:, None, :] == x[:, :, None]).sum(axis=2)
            others = (~np.isnan(x)).sum(axis=1, keepdims=True) - 1
            return np.where(np.isnan(x), np.nan, divide(below + (equal - 1) / 2, others))
    '''),
    "scale": (("divide",), '''
        def scale(x):
            return divide(x, np.nansum(np.abs(x), axis=1, keepdims=True))
    '''),
    "indneutralize": (("divide",), '''
        def indneutralize(x, groups):
            """Less the mean of each day's symbols of the same group."""
            result = np.full_like(x, np.nan)
            for group in set(groups) - {None}:
                members = np.array([name == group for name in groups])
                count = (~np.isnan(x[:, members])).sum(axis=1, keepdims=True)
                mean = divide(np.nansum(x[:, members], axis=1, keepdims=True), count)
                result[:, members] = x[:, members] - mean
            return result
    '''),
    "divide": ((), '''
        def divide(x, y):
            """Unknown where the divisor is zero."""
            return x / np.where(y == 0, np.nan, y)
    '''),
    "log": ((), '''
        def log(x):
            return np.log(np.where(x > 0, x, np.nan))
    '''),
    "power": ((), '''
        def power(x, y):
            sign = np.where((x < 0) & (y % 2 == 1), -1.0, 1.0)
            result = np.where(x == 0, 0.0, sign * np.abs(x) ** y)
            return np.where(np.isfinite(result), result, np.nan)
    '''),
    "signedpower": ((), '''
        def signedpower(x, y):
            result = np.sign(x) * np.abs(x) ** y
            return np.where(np.isfinite(result), result, np.nan)
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

    for name in names:
        add(name)
    return list(found.values())
