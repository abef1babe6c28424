"""Libraries are as those of LEAN's Python: pandas 2, the names of numpy 1.26, statsmodels."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qc_builder_lora.backtest.check import compiles
from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.records import BacktestStatus, Outcome

Run = Callable[..., BacktestResult]


def logged(run: Run, expression: str, head: str = "") -> str:
    """What an expression over 60 days of AAPL's closes gives, as text."""
    on_data = f"""
    close = self.history([self.aapl], 60, Resolution.DAILY)["close"].unstack(level=0)
    self.log(f"gives {{{expression}}}")
    self.quit()
    """
    result = run("", on_data, head=head)
    assert (result.status, result.reason) == (BacktestStatus.COMPLETED, None)
    return next(line.partition("gives ")[2] for line in result.logs if "gives " in line)


@pytest.mark.parametrize(
    ("expression", "same"),
    [
        ("close[self.aapl][-1]", "close[self.aapl].iloc[-1]"),
        ("close[self.aapl][0]", "close[self.aapl].iloc[0]"),
        ("close.iloc[-1][0]", "close.iloc[-1].iloc[0]"),
        ("close.resample('M').last().shape", "close.resample('ME').last().shape"),
        ("close.fillna(method='ffill').shape", "close.ffill().shape"),
        ("close.applymap(abs).shape", "close.map(abs).shape"),
    ],
)
def test_what_pandas_2_takes_is_taken(run: Run, expression: str, same: str) -> None:
    assert logged(run, f"({expression}) == ({same})") == "True"


def test_names_that_numpy_2_took_away_are_those_of_leans_numpy(run: Run) -> None:
    head = "from numpy import NaN"
    expression = (
        "np.isnan(np.NaN), np.isnan(NaN), np.Inf == np.PINF == -np.NINF, np.float_ is np.float64,"
        " np.in1d([[1, 2]], [2]).tolist(), float(np.trapz([0, 2])), int(np.product([2, 3]))"
    )
    given = logged(run, f"({expression})", head)
    assert given == "(np.True_, np.True_, True, True, [False, True], 1.0, 6)"


def test_a_name_that_numpy_1_26_has_not_either_is_an_error(run: Run) -> None:
    result = run("self.log(np.int)")
    assert result.status is BacktestStatus.FAILED
    assert "module 'numpy' has no attribute 'int'" in (result.reason or "")


def test_the_compile_check_knows_names_of_leans_numpy() -> None:
    code = (
        "from AlgorithmImports import *\n\nclass Tested(QCAlgorithm):\n"
        "    def initialize(self) -> None:\n        self._best = {}\n"
    )
    good, bad = compiles([code.format("np.NaN"), code.format("np.Nann")])
    assert good.outcome is Outcome.PASS
    assert bad.outcome is Outcome.FAIL


def test_statsmodels_is_there_for_pairs(run: Run) -> None:
    head = "from statsmodels.tsa.stattools import coint\nimport statsmodels.api as sm"
    given = logged(run, "0 <= coint(close[self.aapl], close[self.aapl].shift(1).bfill())[1]", head)
    assert given == "True"


@pytest.mark.parametrize(
    ("made", "columns"),
    [
        (
            "self.apo(self.aapl, 5, 10, MovingAverageType.SIMPLE)",
            ["current", "fast", "histogram", "signal", "slow"],
        ),
        ("self.wilr(self.aapl, 14)", ["current", "maximum", "minimum"]),
        ("self.adxr(self.aapl, 5)", ["adx", "current"]),
        ("self.kvo(self.aapl, 5, 10, 13)", ["current", "signal"]),
        ("self.rma(self.aapl, 5)", ["current", "longaverage", "mediumaverage", "shortaverage"]),
        ("self.sobv(self.aapl, 5)", ["current", "onbalancevolume"]),
    ],
)
def test_an_indicators_past_shows_its_parts_as_columns(
    run: Run, made: str, columns: list[str]
) -> None:
    expression = (
        f"self.indicator_history({made}, self.aapl, 30, Resolution.DAILY)"
        ".data_frame.dropna().columns.tolist()"
    )
    assert logged(run, expression) == str(columns)
