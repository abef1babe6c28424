"""The words of the alpha language, and how we read what the paper leaves open."""

from __future__ import annotations

from dataclasses import dataclass

VERSION = "alphas 2"
"""Of our own alphas: another number for every change that draws others or writes them anew."""

INPUTS = {
    "open": "opening price",
    "high": "highest price",
    "low": "lowest price",
    "close": "closing price",
    "volume": "shares traded",
    "vwap": "volume-weighted average price; (high + low + close) / 3 where bars have none",
    "returns": "close / yesterday's close - 1",
    "cap": "market capitalisation: close times shares outstanding",
}
ADV = "adv"
"""`adv20` is the average daily dollar volume of the past 20 days."""
LEVELS = ("sector", "industry", "subindustry")


@dataclass(frozen=True)
class Function:
    """How a function is called: expressions first, then days or a group where it takes one."""

    name: str
    expressions: int
    days: bool
    meaning: str
    group: bool = False
    smallest: int = 1
    """Fewest days that make sense."""

    @property
    def form(self) -> str:
        """`correlation(x, y, days)`."""
        names = ["x", "y"][: self.expressions]
        names += ["days"] if self.days else []
        return f"{self.name}({', '.join([*names, *(['group'] if self.group else [])])})"


def _table(*functions: Function) -> dict[str, Function]:
    return {function.name: function for function in functions}


FUNCTIONS = _table(
    Function("abs", 1, False, "absolute value"),
    Function("log", 1, False, "natural logarithm; unknown unless x > 0"),
    Function("sign", 1, False, "-1, 0 or 1"),
    Function("rank", 1, False, "rank among the symbols of the day, 0 to 1"),
    Function("scale", 1, False, "rescaled so that absolute values of the day add up to 1"),
    Function("signedpower", 2, False, "sign(x) * abs(x)^y"),
    Function("min", 2, False, "the smaller; `min(x, days)` is ts_min"),
    Function("max", 2, False, "the larger; `max(x, days)` is ts_max"),
    Function("delay", 1, True, "x that many days ago"),
    Function("delta", 1, True, "x less x that many days ago"),
    Function("sum", 1, True, "sum over the past days"),
    Function("product", 1, True, "product over the past days"),
    Function("stddev", 1, True, "standard deviation over the past days", smallest=2),
    Function("ts_min", 1, True, "smallest of the past days"),
    Function("ts_max", 1, True, "largest of the past days"),
    Function("ts_argmin", 1, True, "days since the smallest of the past days"),
    Function("ts_argmax", 1, True, "days since the largest of the past days"),
    Function("ts_rank", 1, True, "rank of today among the past days, 0 to 1", smallest=2),
    Function("decay_linear", 1, True, "average with weights days, days - 1, …, 1, newest first"),
    Function("correlation", 2, True, "correlation over the past days", smallest=2),
    Function("covariance", 2, True, "covariance over the past days", smallest=2),
    Function("indneutralize", 1, False, "x less its mean in the symbol's group", group=True),
)

AMBIGUITIES: tuple[tuple[str, str], ...] = (
    ("days that are no whole number", "floor(d), as the paper says: 17.93 is 17"),
    ("rank, ts_rank: scale", "(r - 1) / (n - 1), so 0 to 1; one symbol alone is unknown"),
    ("rank, ts_rank: ties", "share the mean of their ranks"),
    ("rank: unknown values", "stay unknown and do not count"),
    ("ts_argmax, ts_argmin", "days ago, today is 0; of equal values the oldest"),
    ("stddev, covariance", "of the population: divided by d, not d - 1"),
    (
        "correlation of something flat",
        "unknown; flat is a deviation below 1e-12 of the mean. Covariance and stddev are then 0",
    ),
    (
        "correlation, covariance: rounding",
        "to 12 and 15 decimals, so that equal ones tie in a rank and noise does not order them",
    ),
    ("decay_linear: direction", "today has the largest weight, d"),
    ("decay_linear: unknown values", "count as 0; unknown only where all days are"),
    ("other functions over days", "unknown if any of the days is"),
    ("min, max of two expressions", "element by element, an unknown one gives way to the other"),
    ("min, max with a number", "ts_min, ts_max over that many days"),
    ("scale", "across the symbols of a day, never over time; all 0 is unknown"),
    ("signedpower", "keeps the sign; `^` does not: (-2)^2 = 4, (-2)^3 = -8"),
    (
        "^ of a negative base",
        "with a fraction as exponent: of its absolute value; 0^y is 0 whatever y, unknown too",
    ),
    ("x / 0, log of x <= 0", "unknown, never infinite"),
    ("comparisons", "1 or 0 where a number is wanted; unknown if either side is"),
    ("||", "true if either side is, whatever the other; false only if both are"),
    ("condition unknown in ? :", "unknown"),
    (
        "adv{d}: dollars or shares",
        "dollars (price times volume), as the paper says; --adv shares reads it as share volume, "
        "which is what `adv20 < volume` compares sensibly",
    ),
    ("vwap on daily bars", "LEAN's have none: (high + low + close) / 3"),
    ("returns, prices", "adjusted for splits and dividends, close to close"),
    ("cap", "close times the shares in the classification file; without that file, refused"),
    (
        "IndClass",
        "the levels of the classification file, a grouping each; a symbol without one is unknown, "
        "a group of one is 0",
    ),
    ("delay-0 alphas (42, 48, 53, 54)", "traded like all others: known at the close, next open"),
)
"""What the paper leaves open, and how it is read here."""
