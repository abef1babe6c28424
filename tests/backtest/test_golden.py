"""Figures that LEAN itself published for its data, reproduced to the printed digit.

The strategies in `golden/` are our own, written after the words in expected_statistics.json; the
ribbon registers its Delay lines, as LEAN's own algorithm does (the words leave that open). No
figure is left out: the hash of the orders says that every order, price and time is LEAN's.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qc_builder_lora.backtest.protocol import BacktestSettings
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.records import BacktestStatus

CASES = {
    "basic_template": "BasicTemplateAlgorithm",
    "basic_template_daily": "BasicTemplateDailyAlgorithm",
    "macd_trend": "MACDTrendAlgorithm",
    "displaced_ribbon": "DisplacedMovingAverageRibbon",
    "raw_data": "RawDataRegressionAlgorithm",
    "stop_limit": "StopLimitOrderRegressionAlgorithm",
    "parameterized": "ParameterizedAlgorithm",
}
# LEAN's runs take these from its configuration file; the code's own defaults are longer.
PARAMETERS = {"parameterized": {"ema-fast": "10", "ema-slow": "20"}}


@pytest.mark.parametrize("name", CASES)
def test_every_statistic_equals_lean_to_the_printed_digit(
    name: str, lean: Simulator, lean_data: Path
) -> None:
    published = json.loads((lean_data / "expected_statistics.json").read_text())
    expected = published["algorithms"][CASES[name]]["expected_statistics"]
    code = (Path(__file__).parent / "golden" / f"{name}.py").read_text()

    result = lean.run(code, BacktestSettings(parameters=PARAMETERS.get(name, {})))

    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert list(result.statistics.items()) == list(expected.items())


def test_ticks_are_unknown_by_name(lean: Simulator) -> None:
    code = """
from AlgorithmImports import *

class Ticks(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.add_equity("SPY", Resolution.TICK)
"""
    result = lean.run(code)
    assert result.status is BacktestStatus.UNKNOWN
    assert result.reason == "not modelled: Resolution.TICK (for SPY)"
    assert result.statistics == {}
