"""G10 and the trial ledger: how much of a result is left when all trials of its Build count.

A label for a strategy that may be called promising, never a condition for teaching. It rests on
our own runs: their daily equity is what the statistics are made from.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import sqrt
from typing import Any

import numpy as np

from qc_builder_lora.harvest.ladder import Answer, failed, passed, unknown
from qc_builder_lora.harvest.overfitting import (
    PERIODS_A_YEAR,
    Series,
    deflated_sharpe,
    effective_trials,
    minimum_backtest_years,
    minimum_track_record,
    moments,
    overfitting_probability,
    probabilistic_sharpe,
    sharpe_ratio,
)
from qc_builder_lora.harvest.rules import Rules
from qc_builder_lora.records import BacktestStatus, Build, Outcome, Role
from qc_builder_lora.store import Store

_UNTITLED = "untitled"
_RUNS = ("G1 parse", "G2 static", "G3 substance", "G4 engine")
"""Gates whose FAIL says that there never was a result."""
_FEWEST_RETURNS = 30
_FIRST_PART = 0.7


@dataclass(frozen=True)
class Trial:
    """One code of a Build, with the daily returns of our own run of it."""

    strategy_id: str
    returns: Mapping[str, float]
    """ISO date → return, a fraction."""


@dataclass(frozen=True)
class Ledger:
    """All that was tried for one specification, in however many Builds."""

    build_ids: tuple[str, ...]
    count: int
    """Attempts, those too that failed; never below the backtests that the builder asked for."""
    trials: tuple[Trial, ...]
    """Those of which we have the returns."""
    failed: int = 0
    """Attempts that have none to be had: they do not parse or compile, or did not run to their end,
    so that nobody could have chosen them."""
    complete: bool = True
    """Whether every attempt is one of the two."""


def of_one_specification(store: Store) -> dict[str, tuple[str, ...]]:
    """Id of each Build → those that were given the same specification or title, itself among them.
    Whoever starts again with the same wish has tried more often."""
    groups: dict[str, list[str]] = {}
    for build in store.builds.find():
        groups.setdefault(_wish(build), []).append(build.id)
    return {key: tuple(sorted(group)) for group in groups.values() for key in group}


def _wish(build: Build) -> str:
    told = build.spec or ("" if build.title == _UNTITLED else build.title)
    return " ".join(told.lower().split()) or build.id


def read_ledger(store: Store, build_ids: Sequence[str]) -> Ledger:
    """The codes that the Builds were served, and the backtests that their engine was asked for."""
    served = [
        one for key in build_ids
        for one in store.generations.find(build_id=key, role=Role.SERVED, oldest_first=True)
    ]  # fmt: skip
    codes = list(dict.fromkeys(one.strategy_id for one in served if one.strategy_id))
    broken = {one.code for one in served if one.strategy_id is None and one.code.strip()}
    reported = {one.id for key in build_ids for one in store.backtests.find(build_id=key)}
    latest, trials, failed = store.gates.latest_of(codes), [], len(broken)
    for key in codes:
        runs = store.backtests.find(strategy_id=key, status=BacktestStatus.COMPLETED)
        own = next((run for run in runs if run.build_id is None and run.equity), None)
        if own is not None:
            trials.append(Trial(key, daily_returns(own.equity)))
        elif any(
            latest[key][name].outcome is Outcome.FAIL for name in _RUNS if name in latest[key]
        ):
            failed += 1
    attempts = len(codes) + len(broken)
    return Ledger(
        tuple(build_ids), max(attempts, len(reported)), tuple(trials), failed,
        complete=len(trials) + failed == attempts,
    )  # fmt: skip


def daily_returns(equity: tuple[tuple[str, float], ...]) -> dict[str, float]:
    """Fractions, by the day on which they were made."""
    pairs = itertools.pairwise(equity)
    return {day: after / before - 1 for (_, before), (day, after) in pairs if before > 0}


def answers(ledger: Ledger, rules: Rules, closed: Mapping[str, int | None]) -> dict[str, Answer]:
    """Id of the Strategy → its answer, for every trial that we have the returns of."""
    matrix = _matrix(ledger)
    ratios = [sharpe_ratio(_series(trial)) for trial in ledger.trials]
    known = [ratio for ratio in ratios if ratio is not None]
    shared: dict[str, Any] = {
        "builds": list(ledger.build_ids[:20]),
        "trials": ledger.count,
        "trials_that_failed": ledger.failed,
        "trials_with_returns": len(ledger.trials),
        "effective_trials": None if matrix is None else round(effective_trials(matrix), 2),
        "variance_of_trials": float(np.var(known, ddof=1)) if len(known) > 1 else None,
        "overfitting_probability": None
        if matrix is None or not ledger.complete
        else overfitting_probability(matrix, rules.overfitting_blocks),
    }
    return {
        trial.strategy_id: _answer(trial, shared, rules, closed.get(trial.strategy_id))
        for trial in ledger.trials
    }


def _series(trial: Trial) -> Series:
    return np.array([trial.returns[day] for day in sorted(trial.returns)], dtype=np.float64)


def _matrix(ledger: Ledger) -> Series | None:
    """Returns of all trials on the days that they share, a column a trial."""
    if len(ledger.trials) < 2:
        return None
    days = sorted(set.intersection(*(set(trial.returns) for trial in ledger.trials)))
    if len(days) < _FEWEST_RETURNS:
        return None
    return np.array([[trial.returns[day] for trial in ledger.trials] for day in days])


def _answer(trial: Trial, shared: Mapping[str, Any], rules: Rules, closed: int | None) -> Answer:
    series = _series(trial)
    ratio = sharpe_ratio(series)
    if ratio is None or len(series) < _FEWEST_RETURNS:
        return unknown(f"fewer than {_FEWEST_RETURNS} daily returns that move", **shared)
    figures = {**shared, **_figures(trial, series, ratio, shared)}
    return _verdict(figures, rules, closed)


def _figures(
    trial: Trial, series: Series, ratio: float, shared: Mapping[str, Any]
) -> dict[str, Any]:
    skewness, kurtosis = moments(series)
    count, variance = shared["trials"], shared["variance_of_trials"]
    psr = probabilistic_sharpe(ratio, 0.0, len(series), skewness, kurtosis)
    deflated = psr if count == 1 else None
    if count > 1 and variance is not None:
        deflated = deflated_sharpe(
            ratio, len(series), skewness, kurtosis, trials=count, variance=variance
        )
    days = sorted(trial.returns)
    years = (date.fromisoformat(days[-1][:10]) - date.fromisoformat(days[0][:10])).days / 365.25
    split = int(_FIRST_PART * len(series))
    first, second = sharpe_ratio(series[:split]), sharpe_ratio(series[split:])
    return {
        "observations": len(series),
        "annual_sharpe": ratio * sqrt(PERIODS_A_YEAR),
        "skewness": skewness,
        "kurtosis": kurtosis,
        "probabilistic_sharpe": psr,
        "deflated_sharpe": deflated,
        "minimum_track_record": minimum_track_record(ratio, 0.0, skewness, kurtosis),
        "years": years,
        "minimum_backtest_years": minimum_backtest_years(count, ratio * sqrt(PERIODS_A_YEAR)),
        "second_part_by_first": second / first if first and second is not None else None,
        "second_part_above_zero": second is not None and second > 0,
    }


def _verdict(figures: dict[str, Any], rules: Rules, closed: int | None) -> Answer:
    if figures["annual_sharpe"] <= 0:
        return failed("it earned nothing for its risk", **figures)
    figures["closed_trades"] = closed
    if closed is None or closed < rules.performance_trades:
        return failed("too few closed trades to speak of performance", **figures)
    if figures["deflated_sharpe"] is None:
        return unknown(
            "the deflated Sharpe ratio needs the returns of more of the trials", **figures
        )
    if figures["deflated_sharpe"] < rules.minimum_deflated_sharpe:
        return failed("the deflated Sharpe ratio is too low", **figures)
    if figures["years"] < (figures["minimum_backtest_years"] or 0):
        return failed("the backtest is shorter than so many trials need", **figures)
    # One trial has nothing to be overfitted by choosing.
    if figures["trials"] > 1 and figures["overfitting_probability"] is None:
        return unknown("the probability of overfitting needs the returns of all trials", **figures)
    if (figures["overfitting_probability"] or 0) > rules.maximum_overfitting:
        return failed("the probability of overfitting is too high", **figures)
    part = figures["second_part_by_first"]
    if part is None or not figures["second_part_above_zero"] or part < rules.minimum_second_part:
        return failed("the later part is much worse than the earlier one", **figures)
    return passed(**figures)
