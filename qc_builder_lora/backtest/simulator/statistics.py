"""The figures of a backtest under LEAN's own keys, computed and rounded as LEAN does.

LEAN samples once a calendar day, at midnight in the algorithm's time zone, and once more at the
end; returns include weekends, and are annualised with 252 days all the same. That is not our
choice: figures are to be comparable with LEAN's, to the printed digit.

Formulas: PortfolioStatistics and StatisticsBuilder of LEAN; probabilistic Sharpe ratio by Bailey
and Lopez de Prado (2012) on returns in excess of the risk free rate. A figure that cannot be had
(those against a benchmark without data) is left out, never guessed. Those over the orders are
`outcome.py`'s.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from itertools import pairwise
from operator import itemgetter
from statistics import NormalDist, fmean


@dataclass
class Record:
    """What a backtest leaves behind for its statistics; times in UTC seconds, money in USD."""

    start_cash: float
    daily: list[tuple[int, float, float | None]] = field(default_factory=list)
    """Midnight samples and the last one: time, portfolio value, benchmark price."""
    equity: dict[int, float] = field(default_factory=dict)
    """Every sample of the portfolio value, those of `daily` too."""
    turnover: list[float] = field(default_factory=list)
    """Money turned over since the day before, as a fraction of the portfolio."""
    profits: list[tuple[int, float]] = field(default_factory=list)
    fees: float = 0.0
    orders: int = 0
    trading_days: int = 252


Rates = Callable[[int], float]
"""Risk free rate (a fraction a year) at UTC seconds."""


def summary(record: Record, rates: Rates) -> dict[str, str]:
    """LEAN's summary statistics, as LEAN prints them."""
    times = sorted(record.equity)
    values = [smart_round(record.equity[time]) for time in times]
    end = values[-1] if values else record.start_cash
    returns, benchmark = _returns(record)
    enough = len(returns) >= 2 and record.start_cash != 0
    found = {"Total Orders": str(record.orders)}
    found.update(_trading(record if enough else Record(record.start_cash)))
    years = (times[-1] - times[0]) / 86400 / 365 if times else 0.0
    growth = _compound(record.start_cash, end, years) if enough else 0.0
    drop, recovery = drawdown(times, values) if enough else (0.0, 0)
    net = end / record.start_cash - 1 if enough else 0.0
    found["Compounding Annual Return"] = _percent(growth, 3)
    found["Drawdown"] = f"{round(drop, 3) * 100:.3f}%" if drop else "0%"
    found["Expectancy"] = found.pop("Expectancy")
    found["Start Equity"] = _money(record.start_cash)
    found["End Equity"] = _money(end)
    found["Net Profit"] = _percent(net, 3)
    risk_free = fmean(rates(time) for time in times) if times else 0.0
    found.update(_risk(returns if enough else [], benchmark, risk_free, record.trading_days))
    # Cents: a sum of halves of a cent may lie a hair below.
    found["Total Fees"] = f"${_half_up(round(record.fees, 8))}"
    turnover = fmean(record.turnover) if record.turnover else 0.0
    found["Portfolio Turnover"] = _percent(turnover, 2)
    found["Drawdown Recovery"] = str(recovery)
    return in_order(found)


_ORDER = (
    "Total Orders", "Average Win", "Average Loss", "Compounding Annual Return", "Drawdown",
    "Expectancy", "Start Equity", "End Equity", "Net Profit", "Sharpe Ratio", "Sortino Ratio",
    "Probabilistic Sharpe Ratio", "Loss Rate", "Win Rate", "Profit-Loss Ratio", "Alpha", "Beta",
    "Annual Standard Deviation", "Annual Variance", "Information Ratio", "Tracking Error",
    "Treynor Ratio", "Total Fees", "Estimated Strategy Capacity", "Lowest Capacity Asset",
    "Portfolio Turnover", "Drawdown Recovery", "OrderListHash",
)  # fmt: skip


def in_order(found: dict[str, str], more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The figures there are in LEAN's order; a strategy's own come before the hash.

    None of its own may go by the name of one of ours.
    """
    own = {key: value for key, value in (more or {}).items() if key not in _ORDER}
    ours = {key: found[key] for key in _ORDER if key in found}
    hashed = {_ORDER[-1]: ours.pop(_ORDER[-1])} if _ORDER[-1] in ours else {}
    return ours | own | hashed


def _returns(record: Record) -> tuple[list[float], list[float] | None]:
    """Daily returns of portfolio and benchmark, the first full day left out of both, as LEAN does.

    The benchmark's are None where it had no price at some sample.
    """
    values = [record.start_cash, *(value for _, value, _ in record.daily)]
    changes = [
        smart_round((after - before) * 100 / before) / 100 if before else 0.0
        for before, after in pairwise(values)
    ]
    prices = [price for _, _, price in record.daily]
    if any(price is None for price in prices):
        return changes[2:], None
    rounded = [smart_round(price) for price in prices if price is not None]
    moves = [(after - before) / before if before else 0.0 for before, after in pairwise(rounded)]
    return changes[2:], moves[1:]


def _trading(record: Record) -> dict[str, str]:
    capital = record.start_cash
    wins: list[float] = []
    losses: list[float] = []
    # Closed in one moment: as they were filled.
    for _, profit in sorted(record.profits, key=itemgetter(0)):
        (wins if profit > 0 else losses).append(profit / capital)
        capital += profit
    win = fmean(wins) if wins else 0.0
    loss = fmean(losses) if losses else 0.0
    ratio = win / abs(loss) if loss else 0.0
    count = len(wins) + len(losses)
    win_rate = len(wins) / count if count else 0.0
    loss_rate = len(losses) / count if count else 0.0
    return {
        "Average Win": _percent(win, 2),
        "Average Loss": _percent(loss, 2),
        "Expectancy": _decimal(win_rate * ratio - loss_rate, 3),
        "Loss Rate": f"{_decimal(loss_rate * 100, 0)}%",
        "Win Rate": f"{_decimal(win_rate * 100, 0)}%",
        "Profit-Loss Ratio": _decimal(ratio, 2),
    }


def _risk(
    returns: Sequence[float], benchmark: Sequence[float] | None, risk_free: float, days: int
) -> dict[str, str]:
    annual = _annual(returns, days)
    variance = _variance(returns) * days
    deviation = math.sqrt(variance)
    downside = math.sqrt(_variance([item for item in returns if item < 0]) * days)
    found = {
        "Sharpe Ratio": _double((annual - risk_free) / deviation if deviation else 0.0),
        "Sortino Ratio": _double((annual - risk_free) / downside if downside else 0.0),
        "Probabilistic Sharpe Ratio": _percent(probabilistic_sharpe(returns, risk_free, days), 3),
        "Annual Standard Deviation": _double(deviation),
        "Annual Variance": _double(variance),
    }
    if benchmark is None:
        return found
    if not returns:
        benchmark = []
    found.update(_against(returns, benchmark, annual, risk_free, days))
    return found


def _against(
    returns: Sequence[float], benchmark: Sequence[float], annual: float, risk_free: float, days: int
) -> dict[str, str]:
    spread = _variance(benchmark)
    beta = _covariance(returns, benchmark) / spread if spread else 0.0
    market = _annual(benchmark, days)
    alpha = annual - (risk_free + beta * (market - risk_free)) if beta else 0.0
    gaps = [mine - its for mine, its in zip(returns, benchmark, strict=True)]
    error = math.sqrt(_variance(gaps) * days)
    return {
        "Alpha": _double(alpha),
        "Beta": _double(beta),
        "Information Ratio": _double((annual - market) / error if error else 0.0),
        "Tracking Error": _double(error),
        "Treynor Ratio": _double((annual - risk_free) / beta if beta else 0.0),
    }


def drawdown(times: Sequence[int], values: Sequence[float]) -> tuple[float, int]:
    """The deepest fall from a high, as a fraction, and the most days a high took to be regained."""
    high, high_at = values[0], times[0]
    deepest, longest = 0.0, 0.0
    falling = False
    for time, value in zip(times, values, strict=True):
        if value >= high:
            if falling:
                longest = max(longest, (time - high_at) / 86400)
            high, high_at, falling = value, time, False
        else:
            falling = True
            deepest = max(deepest, 1 - value / high)
    return deepest, int(longest)


def probabilistic_sharpe(returns: Sequence[float], risk_free: float, days: int) -> float:
    """The probability that the true Sharpe ratio is above one a year."""
    deviation = math.sqrt(_variance(returns))
    if len(returns) < 2 or deviation == 0:
        return 0.0
    observed = (fmean(returns) - risk_free / days) / deviation
    skewness, kurtosis = _skewness(returns), _kurtosis(returns)
    spread = (1 - skewness * observed + (kurtosis - 1) / 4 * observed**2) / (len(returns) - 1)
    if not spread > 0:
        return 0.0
    return NormalDist().cdf((observed - 1 / math.sqrt(days)) / math.sqrt(spread))


def _annual(returns: Sequence[float], days: int) -> float:
    return (fmean(returns) + 1) ** days - 1 if returns else 0.0


def _compound(first: float, last: float, years: float) -> float:
    if years == 0 or first == 0 or last <= 0:
        return 0.0
    try:
        return float((last / first) ** (1 / years) - 1)
    except OverflowError:
        return 0.0


def _variance(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    mean = fmean(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _covariance(left: Sequence[float], right: Sequence[float]) -> float:
    if len(left) < 2:
        return 0.0
    a, b = fmean(left), fmean(right)
    return math.fsum((x - a) * (y - b) for x, y in zip(left, right, strict=True)) / (len(left) - 1)


def _moments(values: Sequence[float]) -> tuple[int, float, float, float]:
    """Count, and the central sums of second, third and fourth power."""
    mean = fmean(values)
    gaps = [value - mean for value in values]
    sums = [math.fsum(gap**power for gap in gaps) for power in (2, 3, 4)]
    return len(values), sums[0], sums[1], sums[2]


def _skewness(values: Sequence[float]) -> float:
    """Adjusted Fisher-Pearson coefficient."""
    n, second, third, _ = _moments(values)
    if n < 3 or second == 0:
        return math.nan
    deviation = math.sqrt(second / (n - 1))
    return n / ((n - 1) * (n - 2)) * third / deviation**3


def _kurtosis(values: Sequence[float]) -> float:
    """Sample excess kurtosis."""
    n, second, _, fourth = _moments(values)
    if n < 4 or second == 0:
        return math.nan
    variance = second / (n - 1)
    lead = n * (n + 1) / ((n - 1) * (n - 2) * (n - 3))
    return lead * fourth / variance**2 - 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))


# How LEAN prints: decimals keep trailing zeros up to their rounding, doubles do not.


def smart_round(value: float) -> float:
    """LEAN's SmartRounding: 4 decimals above 1000, else 7 significant digits."""
    if abs(value) > 1000:
        return round(value, 4)
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, 6 - math.floor(math.log10(abs(value))))


def _decimal(value: float, digits: int) -> str:
    if value == 0 or not math.isfinite(value):
        return "0"
    exact = Decimal(repr(value)).normalize()
    exponent = exact.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -digits:
        exact = exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)
    # .NET prints no sign before a zero.
    return format(exact if exact else abs(exact), "f")


def _percent(value: float, digits: int) -> str:
    return f"{_decimal(value * 100, digits)}%"


def _double(value: float, digits: int = 3) -> str:
    if not math.isfinite(value):
        return "0"
    text = repr(round(value, digits))
    return text.removesuffix(".0") if "e" not in text else format(Decimal(text), "f")


def _money(value: float) -> str:
    return _decimal(smart_round(value) if abs(value) > 1000 else value, 2)


def two_digits(value: float) -> str:
    """LEAN's RoundToSignificantDigits(2), with the decimals its arithmetic leaves."""
    if value == 0:
        return "0"
    scale = Decimal(10) ** (math.floor(math.log10(abs(value))) + 1)
    return format((Decimal(repr(value)) / scale).quantize(Decimal("0.01")) * scale, ".2f")


def _half_up(value: float) -> str:
    # A sum of binary fractions: LEAN's decimals have no such dust, and a half is a half.
    exact = Decimal(repr(round(value, 9)))
    return format(exact.quantize(Decimal("0.01"), ROUND_HALF_UP), "f")
