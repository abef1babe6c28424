"""Which of LEAN's indicators there are, held against quantconnect-stubs; the rest is unknown."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.backtest.protocol import BacktestResult, BacktestStatus

pytest.importorskip("AlgorithmImports", reason="quantconnect-stubs is not installed")
BENCH = Path(__file__).parents[3] / "bench" / "indicator_coverage.py"
OPTION_METHODS = {"d", "g", "iv", "r", "t", "γ", "δ", "θ", "ρ"}
UNKNOWN_METHODS = OPTION_METHODS
UNKNOWN_CLASSES = {
    "TimeSeriesIndicator", "OptionIndicatorBase", "OptionGreeksIndicatorBase",
    "ImpliedVolatility", "Delta", "Gamma", "Rho", "Theta", "Vega",
}  # fmt: skip


@pytest.fixture(scope="module")
def parts() -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("indicator_coverage", BENCH)
    assert spec is not None
    assert spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    found: dict[str, Any] = bench.measure()
    return found


def test_only_options_and_an_abstract_base_are_missing(parts: dict[str, Any]) -> None:
    assert set(parts["classes"].missing) == UNKNOWN_CLASSES
    assert set(parts["methods"].missing) == UNKNOWN_METHODS
    assert parts["classes"].total >= 218
    assert parts["methods"].total >= 136


@pytest.mark.parametrize("part", ["constructors", "overloads", "candlestick patterns"])
def test_arguments_have_leans_names_order_and_defaults(parts: dict[str, Any], part: str) -> None:
    assert parts[part].missing == ()
    assert parts[part].total >= 61


@pytest.mark.parametrize("name", sorted(UNKNOWN_METHODS))
def test_a_missing_method_is_unknown_by_its_name(
    run: Callable[..., BacktestResult], name: str
) -> None:
    result = run(f"self.{name}(self.aapl, 1)")
    assert result.status is BacktestStatus.UNKNOWN, result.reason
    assert result.reason is not None
    assert result.reason.startswith(f"not modelled: QCAlgorithm.{name}")


@pytest.mark.parametrize("name", sorted(UNKNOWN_CLASSES - {"OptionGreeksIndicatorBase"}))
def test_a_missing_class_is_unknown_by_its_name(
    run: Callable[..., BacktestResult], name: str
) -> None:
    result = run(f"{name}('x', 1)")
    assert result.status is BacktestStatus.UNKNOWN, result.reason
    assert result.reason is not None
    assert result.reason.startswith(f"not modelled: {name}")
