"""Optimisers of portfolio weights: least variance, most Sharpe, unconstrained, risk parity."""

from __future__ import annotations

from typing import Any

from ..alias import both_styles
from ..frames import pandas
from .quadratic import minimise
from .returns import covariance as covariance_of
from .returns import numpy
from .spelling import Overridable, method


def _moments(returns: Any, expected: Any, covariance: Any) -> tuple[Any, Any]:
    np = numpy()
    mean = np.asarray(returns, dtype=float).mean(axis=0) if expected is None else expected
    spread = covariance_of(returns) if covariance is None else covariance
    return np.atleast_1d(np.asarray(mean, dtype=float)), np.atleast_2d(
        np.asarray(spread, dtype=float)
    )


class _Bounded(Overridable):
    """Weights between two bounds."""

    def __init__(self, lower: float, upper: float) -> None:
        self._lower = lower
        self._upper = upper

    def get_boundary_conditions(self, size: int) -> Any:
        return tuple((self._lower, self._upper) for _ in range(size))


def _bound(named: dict[str, Any], names: tuple[str, ...], value: Any) -> Any:
    """A value under LEAN's C# name or its Python one."""
    for name in names:
        value = named.pop(name, value)
    return value


@both_styles
class MinimumVariancePortfolioOptimizer(_Bounded):
    """The least variance at a target return; equal weights where none reaches it."""

    def __init__(
        self, lower: float = -1, upper: float = 1, target_return: float = 0.02, **named: Any
    ) -> None:
        lower = _bound(named, ("minimum_weight",), lower)
        super().__init__(lower, _bound(named, ("maximum_weight",), upper))
        self._target = target_return

    def optimize(
        self, historical_returns: Any, expected_returns: Any = None, covariance: Any = None
    ) -> Any:
        np = numpy()
        mean, spread = _moments(historical_returns, expected_returns, covariance)
        size = len(spread)
        equal = np.full(size, 1.0 / size)
        one = np.eye(size)
        rows = np.vstack([mean, np.ones(size), one, -one])
        bounds = np.concatenate(
            [[self._target, 1.0], np.full(size, self._lower), np.full(size, -self._upper)]
        )
        found = minimise(spread, rows, bounds, 2)
        if found is None or not np.abs(found).sum():
            return equal
        return found / np.abs(found).sum()


@both_styles
class MaximumSharpeRatioPortfolioOptimizer(_Bounded):
    """The most return for its risk, weights adding up to one."""

    def __init__(
        self, lower: float = -1, upper: float = 1, risk_free_rate: float = 0.0, **named: Any
    ) -> None:
        lower = _bound(named, ("minimum_weight",), lower)
        super().__init__(lower, _bound(named, ("maximum_weight",), upper))
        self._risk_free = risk_free_rate

    def optimize(
        self, historical_returns: Any, expected_returns: Any = None, covariance: Any = None
    ) -> Any:
        """By Charnes and Cooper: least variance of y = t w where the excess return of y is 1."""
        np = numpy()
        mean, spread = _moments(historical_returns, expected_returns, covariance)
        excess, size = mean - self._risk_free, len(spread)
        one, sums = np.eye(size), np.ones((size, size))
        # t is the sum of y, so that it need not be a variable of its own.
        rows = np.vstack(
            [excess, np.ones(size), one - self._lower * sums, self._upper * sums - one]
        )
        bounds = np.concatenate([[1.0, 0.0], np.zeros(2 * size)])
        found = minimise(spread, rows, bounds, 1)
        equal = np.full(size, 1.0 / size)
        return equal if found is None or not found.sum() > 0 else found / found.sum()


@both_styles
class UnconstrainedMeanVariancePortfolioOptimizer(Overridable):
    """Expected returns over covariance, without bounds."""

    def optimize(
        self, historical_returns: Any, expected_returns: Any = None, covariance: Any = None
    ) -> Any:
        mean, spread = _moments(historical_returns, expected_returns, covariance)
        return mean @ numpy().linalg.inv(spread)


@both_styles
class RiskParityPortfolioOptimizer(Overridable):
    """The same risk from every security, by Spinu's convex form (2013) and Newton's method."""

    def __init__(
        self, lower: float | None = None, upper: float | None = None, **named: Any
    ) -> None:
        lower = _bound(named, ("minimum_weight",), lower)
        upper = _bound(named, ("maximum_weight",), upper)
        self._lower = max(lower or 0.0, 1e-5)
        self._upper = max(float("inf") if upper is None else upper, self._lower)

    def optimize(
        self, historical_returns: Any, expected_returns: Any = None, covariance: Any = None
    ) -> Any:
        """`expected_returns` is the risk budget here, as in LEAN."""
        np = numpy()
        spread = covariance_of(historical_returns) if covariance is None else covariance
        spread = np.atleast_2d(np.asarray(spread, dtype=float))
        size = len(spread)
        budget = np.full(size, 1.0 / size) if expected_returns is None else expected_returns
        weights = _newton(spread, np.asarray(budget, dtype=float))
        return np.clip(weights / weights.sum(), self._lower, self._upper)


def _newton(spread: Any, budget: Any) -> Any:
    np = numpy()
    size = len(spread)
    if size == 1:
        return np.ones(1)
    weights, before, after = np.full(size, 1.0 / size), float("inf"), -float("inf")
    for _ in range(15_000):
        if not abs(after - before) > 1e-11:
            break
        before = after
        gradient = spread @ weights - budget / weights
        hessian = spread + np.diag(budget / weights**2)
        weights = weights - np.linalg.solve(hessian, gradient)
        after = float(0.5 * weights @ spread @ weights - budget @ np.log(weights))
    return weights


def as_optimiser(thing: Any) -> Any:
    """A function from returns, expected returns and covariance to weights.

    A strategy's own optimiser is handed data frames: it may be written for LEAN's Python models,
    which hand frames, or for its C# models, which hand matrices.
    """
    found = method(thing, "optimize")
    if found is None:
        raise NotImplementedError(
            "IPortfolioOptimizer.Optimize must be implemented. Please implement this missing "
            f"method on {type(thing)}"
        )
    if isinstance(thing, Overridable) and type(thing).__module__ == __name__:
        return found

    def optimise(returns: Any, expected: Any = None, covariance: Any = None) -> Any:
        frames = (None if item is None else pandas().DataFrame(item)
                  for item in (returns, covariance))  # fmt: skip
        history, spread = frames
        return numpy().asarray(found(history, expected, spread), dtype=float)

    return optimise
