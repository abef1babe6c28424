"""What was once said and not done: days, windows, first purchases and stops, on the sample data."""

import random
import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest

from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.backtest.sample_data import convert
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.harvest.corpus.families import FAMILIES
from qc_builder_lora.harvest.corpus.family import Frame

FRAME = Frame(start=date(2007, 1, 1), end=date(2008, 12, 31), cash=100000, wording=0)
DRAWN: dict[str, dict[str, Any]] = {
    "weekday": {"buy": 0, "sell": 3, "weight": 0.5, "tickers": ["IBM"]},
    "equal_weight": {"period": "month", "minutes": 30, "tickers": ["IBM", "MSFT"]},
    "fixed_weights": {"weight": 0.6, "tickers": ["IBM", "AAPL"]},
    "accumulation": {"shares": 10, "period": "month", "tickers": ["IBM"]},
    "dollar_cost_average": {"dollars": 2000, "period": "month", "tickers": ["IBM"]},
    "loss_limit": {"period": 20, "limit": 0.03, "each": 0.3, "tickers": ["AAPL", "GOOG", "MSFT"]},
    "fixed_fractional": {"signal": "sma 20", "risk": 0.005, "stop": 0.08, "tickers": ["GOOG"]},
}
POOR = {"fixed_fractional": 5000}
"""Cash with which half a percent at risk is less than one share."""


def code_of(name: str, frame: Frame = FRAME) -> str:
    return FAMILIES[name].code(DRAWN[name], frame)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, BacktestResult]]:
    pytest.importorskip("bokeh_sampledata", reason="the sample data is an extra")
    folder = tmp_path_factory.mktemp("bars")
    convert(folder)
    engine = Simulator(folder, allow_open_sandbox=True)
    codes = [code_of(name).replace("set_cash(100000)", f"set_cash({POOR.get(name, 100000)})")
             for name in DRAWN]  # fmt: skip
    yield dict(zip(DRAWN, engine.run_many(codes, jobs=2), strict=True))
    engine.close()


def filled(result: BacktestResult) -> list[tuple[datetime, float]]:
    """When and how much, of all orders in turn."""
    return [
        (datetime.fromisoformat(fill["time"]), fill["quantity"])
        for order in result.orders
        for fill in order["fills"]
    ]


def test_a_purchase_of_a_weekday_is_filled_on_it(results: dict[str, BacktestResult]) -> None:
    fills = filled(results["weekday"])
    assert len(fills) > 150
    assert {when.weekday() for when, quantity in fills if quantity > 0} == {0}
    assert {when.weekday() for when, quantity in fills if quantity < 0} == {3}


@pytest.mark.parametrize(
    "name", ["equal_weight", "fixed_weights", "accumulation", "dollar_cost_average"]
)
def test_what_is_bought_at_every_months_start_is_bought_at_the_first(
    results: dict[str, BacktestResult], name: str
) -> None:
    result = results[name]
    assert filled(result)[0][0].date() == date(2007, 1, 3)
    assert not [line for line in result.logs if "accurate price" in line]


def test_after_the_months_loss_nothing_is_bought_until_the_next(
    results: dict[str, BacktestResult],
) -> None:
    fills = filled(results["loss_limit"])
    sold_out = [
        when for when, _ in fills
        if sum(1 for other, quantity in fills if other == when and quantity < 0) == 3
    ]  # fmt: skip
    assert sold_out
    for when in sold_out:
        later = [other for other, quantity in fills if quantity > 0 and other > when]
        assert not [
            other for other in later if (other.year, other.month) == (when.year, when.month)
        ]


def test_no_order_for_no_share_is_sent(results: dict[str, BacktestResult]) -> None:
    result = results["fixed_fractional"]
    assert result.runs
    assert not [line for line in result.logs if "Error" in line]


def test_a_ratios_window_is_as_long_as_is_said() -> None:
    parameters = {"period": 20, "entry": 1.0, "exit": 0.5, "tickers": ["IBM", "MSFT"]}
    line = re.search(r"self\._ratios = (.*\]\)?.*)\n    .*if len",
                     FAMILIES["pairs_ratio"].code(parameters, FRAME))  # fmt: skip
    assert line is not None
    kept = eval(line[1].replace("self._ratios", "before"), {"before": list(range(30)), "ratio": 99})
    assert (len(kept), kept[-1]) == (20, 99)


@pytest.mark.parametrize("name", ["atr_stop", "break_even", "cooling_off", "fixed_fractional"])
def test_a_stop_below_the_entry_is_measured_from_the_price_that_was_paid(name: str) -> None:
    family = FAMILIES[name]
    code = family.code(family.draw_parameters(random.Random(1), ["IBM"]), FRAME)
    assert re.search(r"(?:stop|entry) = self\.portfolio\[self\._symbol\]\.average_price", code)


def test_every_pair_says_how_much_of_the_portfolio_is_in_a_leg() -> None:
    family = FAMILIES["pairs_ratio"]
    drawn = family.draw_parameters(random.Random(1), ["IBM", "MSFT"])
    for number in range(family.styles):
        assert re.search(r"50%|half|0\.5", family.instruction(number, drawn, FRAME), re.I)
