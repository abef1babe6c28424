"""LEAN's result JSON of today and of before its renamings, read to the same words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qc_builder_lora.backtest.lean_result import (
    find_result,
    problem,
    read_equity,
    read_file,
    read_orders,
    read_result,
)
from qc_builder_lora.backtest.lean_series import moment_of
from qc_builder_lora.errors import CorruptFile
from qc_builder_lora.records import BacktestStatus
from tests.backtest.engines.conftest import STATISTICS, completed
from tests.backtest.engines.lean_format import midnight_after, old_result_file, result_file

RESULTS = Path(__file__).parent / "results"
COMPLETED, FAILED, UNKNOWN = BacktestStatus


@pytest.mark.parametrize("name", ["before_2024", "today"])
def test_a_file_of_either_time_reads_the_same(name: str) -> None:
    found = read_file(RESULTS / f"{name}.json")
    assert found.verdict() == (COMPLETED, None, "done")
    assert found.statistics["Total Orders"] == "3"
    assert "Total Trades" not in found.statistics
    assert found.statistics["Sharpe Ratio"] == "1.124"
    assert (found.total_orders, found.closed_trades) == (3, 1)
    assert found.equity == (
        ("2013-10-07", 100000.0), ("2013-10-08", 100210.5), ("2013-10-09", 99875.25),
    )  # fmt: skip
    assert [one["type"] for one in found.orders] == ["market", "limit", "market_on_open"]
    assert [one["status"] for one in found.orders] == ["filled", "canceled", "filled"]
    assert found.orders[1]["limit_price"] == 140.5
    assert found.orders[1]["fills"] == []
    assert [one["fills"][0]["price"] for one in found.orders if one["fills"]] == [144.78, 145.2]
    assert found.trades == (
        {
            "symbol": "SPY", "direction": "long", "quantity": 100.0,
            "entry_time": "2013-10-07T13:31:00Z", "entry_price": 144.78,
            "exit_time": "2013-10-09T13:31:00Z", "exit_price": 145.2, "profit": 42.0, "fees": 2.0,
        },
    )  # fmt: skip
    assert found.trade_statistics["totalNumberOfTrades"] == 1
    assert found.trade_statistics["averageMAE"] == -12.5


def test_fees_are_known_only_where_order_events_are() -> None:
    old, new = (read_file(RESULTS / f"{name}.json") for name in ("before_2024", "today"))
    assert old.orders[0]["fills"][0]["fee"] is None
    assert new.orders[0]["fills"][0]["fee"] == 1.0
    assert new.version == "2.5.0.0.16900"


@pytest.mark.parametrize("shape", [result_file, old_result_file])
def test_what_is_written_in_either_shape_comes_back(shape: Any) -> None:
    result = completed()
    found = read_result(json.loads(json.dumps(shape(result))))
    assert found.equity == result.equity
    assert found.trades == result.trades
    assert [one["fills"] for one in found.orders] == [one["fills"] for one in result.orders]
    expected = {key: STATISTICS[key] for key in found.statistics}
    assert found.statistics == expected


@pytest.mark.parametrize(
    "point",
    [
        {"x": 1381204800, "y": 100.5},
        {"X": 1381204800000, "Y": 100.5},
        {"x": "2013-10-08T04:00:00Z", "y": 100.5},
        [1381204800, 100.5],
        [1381204800, 99.0, 101.0, 98.0, 100.5],
        {"time": 1381204800, "open": 99.0, "high": 101.0, "low": 98.0, "close": 100.5},
    ],
)
def test_every_form_of_a_point_is_read(point: Any) -> None:
    chart = {"series": {"Equity": {"values": [point]}}}
    # 04:00 UTC is midnight in New York, which ends the 7th.
    assert read_equity(chart) == (("2013-10-07", 100.5),)


@pytest.mark.parametrize("point", [None, [], [1], "text", {}, {"x": 1}, [1381204800, None],
                                   [1381204800, "NaN"]])  # fmt: skip
def test_a_point_without_a_value_is_left_out(point: Any) -> None:
    assert read_equity({"series": {"Equity": {"values": [point]}}}) == ()


@pytest.mark.parametrize("chart", [None, {}, [], {"series": None}, {"series": {"Other": {}}},
                                   {"series": {"Equity": {"values": None}}}])  # fmt: skip
def test_a_chart_without_equity_is_empty(chart: Any) -> None:
    assert read_equity(chart) == ()


def test_series_in_a_list_are_found_by_name() -> None:
    series = [{"name": "Return", "values": [[1381204800, 9.0]]},
              {"name": "Equity", "values": [[1381204800, 5.0]]}]  # fmt: skip
    assert read_equity({"series": series}) == (("2013-10-07", 5.0),)


def test_a_weekend_that_repeats_friday_is_left_out_and_one_that_moves_is_not() -> None:
    values = [("2013-10-11", 5.0), ("2013-10-12", 5.0), ("2013-10-13", 6.0), ("2013-10-14", 6.0)]
    points = [[midnight_after(day), value] for day, value in values]
    days = [day for day, _ in read_equity({"series": {"Equity": {"values": points}}})]
    assert days == ["2013-10-11", "2013-10-13", "2013-10-14"]


def test_a_weekend_that_only_starts_a_curve_is_left_out() -> None:
    points = [[midnight_after("2013-10-13"), 5.0], [midnight_after("2013-10-14"), 6.0]]
    assert read_equity({"series": {"Equity": {"values": points}}}) == (("2013-10-14", 6.0),)


def test_orders_named_in_words_are_read() -> None:
    (found,) = read_orders([{"Id": 7, "Symbol": "SPY R735QTJ8XC9X", "Type": "StopLimit",
                             "Status": "CancelPending", "Quantity": "5"}])  # fmt: skip
    assert (found["id"], found["symbol"]) == (7, "SPY")
    assert (found["type"], found["status"]) == ("stop_limit", "cancel_pending")
    assert found["quantity"] == 5.0


def test_partial_fills_are_all_kept() -> None:
    events = [
        {"orderId": 1, "status": status, "fillQuantity": quantity, "fillPrice": 10.0,
         "time": 1381152660, "orderFeeAmount": 0.5}
        for status, quantity in (("submitted", 0), ("partiallyFilled", 4), ("filled", 6))
    ]  # fmt: skip
    (found,) = read_orders({"1": {"id": 1, "status": 3, "quantity": 10}}, events)
    assert [fill["quantity"] for fill in found["fills"]] == [4.0, 6.0]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2013-10-07T13:31:00Z", "2013-10-07T13:31:00Z"),
        ("2013-10-07T13:31:00.1234567Z", "2013-10-07T13:31:00Z"),
        ("2013-10-07 13:31:00", "2013-10-07T13:31:00Z"),
        ("2013-10-07T09:31:00-04:00", "2013-10-07T13:31:00Z"),
        (1381152660.0, "2013-10-07T13:31:00Z"),
        ("yesterday", None),
        (None, None),
    ],
)
def test_times_of_all_kinds(text: Any, moment: str | None) -> None:
    assert moment_of(text) == moment


KEYS = st.sampled_from(
    ["statistics", "totalPerformance", "tradeStatistics", "closedTrades", "orders", "events",
     "charts", "Strategy Equity", "series", "Equity", "values", "state", "RuntimeError", "error",
     "symbol", "value", "status", "type", "id", "time", "x", "y", "Total Orders", "fillQuantity",
     "serverStatistics", "LEAN Version", "orderFee", "symbols", "direction", "name"]
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(value=st.dictionaries(KEYS, JSON, max_size=8), events=st.lists(JSON, max_size=3))
def test_no_json_whatever_breaks_the_reader(value: dict[str, Any], events: list[Any]) -> None:
    found = read_result(value, events)
    status, reason, _ = found.verdict()
    assert status is COMPLETED or reason
    json.dumps([found.equity, found.orders, found.trades], allow_nan=False)


@settings(max_examples=300, deadline=None)
@given(points=st.lists(JSON, max_size=4), orders=JSON)
def test_no_points_and_orders_whatever_break_the_reader(points: list[Any], orders: Any) -> None:
    read_equity({"series": {"Equity": {"values": points}}})
    read_orders(orders, points)


def test_a_statistic_cannot_move_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "1.json"
    path.write_text(json.dumps({"charts": {}, "statistics": {"\x1b[2JMine": "\x1b]0;x\x07"}}))
    assert read_file(path).statistics == {"?[2JMine": "?]0;x?"}


def test_nan_in_a_file_is_no_figure(tmp_path: Path) -> None:
    path = tmp_path / "1.json"
    path.write_text('{"charts": {}, "statistics": {"Alpha": NaN, "Beta": "1"}, "orders":'
                    '{"1": {"id": 1, "price": NaN, "quantity": Infinity}}}')  # fmt: skip
    found = read_file(path)
    assert found.statistics == {"Beta": "1"}
    assert found.orders[0]["quantity"] is None


# What cannot be said ------------------------------------------------------------------------------


def test_a_renamed_statistic_is_named_and_a_custom_one_is_not_taken_for_it() -> None:
    assert problem({**STATISTICS, "My Own Figure": "1"}) is None
    renamed = {**STATISTICS, "Sharpe": "0.8"}
    del renamed["Sharpe Ratio"]
    assert "have no 'Sharpe Ratio'" in str(problem(renamed))
    renamed = {**STATISTICS, "Total Fee": "$1"}
    del renamed["Total Fees"]
    assert "no 'Total Fees' but 'Total Fee'" in str(problem(renamed))


@pytest.mark.parametrize("found", [None, [], {}, "text"])
def test_no_statistics_are_unknown(found: Any) -> None:
    status, reason, _ = read_result({"statistics": found}).verdict()
    assert (status, reason) == (UNKNOWN, "the engine gave no statistics")


def test_a_runtime_error_in_a_file_is_the_strategys() -> None:
    state = {"Status": "RuntimeError", "RuntimeError": "ValueError : no",
             "StackTrace": "ValueError : no\n  at on_data"}  # fmt: skip
    found = read_result({"state": state, "statistics": STATISTICS})
    assert found.verdict() == (FAILED, "ValueError : no\n  at on_data", "run")


def test_an_error_of_the_initialisation_is_placed_there() -> None:
    text = "During the algorithm initialization, the following exception has occurred: x"
    assert read_result({"state": {"RuntimeError": text}}).verdict()[2] == "initialize"


def performed(**figures: Any) -> dict[str, Any]:
    return {"totalPerformance": {"portfolioStatistics": figures}}


@pytest.mark.parametrize(
    ("key", "said", "figures"),
    [("Sharpe Ratio", "9.000", {"sharpeRatio": 0.812}),
     ("Net Profit", "99.000%", {"totalNetProfit": "0.015"}),
     ("Drawdown", "0.100%", {"drawdown": 0.022}),
     ("End Equity", "999999", {"endEquity": 101500}),
     ("Compounding Annual Return", "81.23%", {"CompoundingAnnualReturn": 0.0812})],
)  # fmt: skip
def test_a_statistic_that_the_strategy_has_set_itself_makes_all_unknown(
    key: str, said: str, figures: dict[str, Any]
) -> None:
    plain = {"statistics": STATISTICS, **performed(**figures)}
    assert read_result(plain).verdict()[0] is COMPLETED
    forged = {"statistics": {**STATISTICS, key: said}, **performed(**figures)}
    status, reason, _ = read_result(forged).verdict()
    assert status is UNKNOWN
    assert f"the statistics say {key!r} is {said}" in str(reason)


@pytest.mark.parametrize("order", [1, -1])
def test_the_former_name_of_a_statistic_beside_todays_is_the_strategys_own(order: int) -> None:
    pairs = [*STATISTICS.items(), ("Total Trades", "999")][::order]
    found = read_result({"statistics": dict(pairs)})
    assert found.total_orders == 2
    assert found.statistics["Total Trades"] == "999"
    assert found.verdict()[0] is COMPLETED


@pytest.mark.parametrize("said", ["", "NaN", "many", "∞"])
def test_a_core_statistic_that_is_no_figure_is_unknown(said: str) -> None:
    for key in ("Total Orders", "Sharpe Ratio"):
        status, reason, _ = read_result({"statistics": {**STATISTICS, key: said}}).verdict()
        assert (status, reason) == (UNKNOWN, f"the statistics' {key!r} is no figure: {said!r}")


def test_figures_that_are_no_numbers_do_not_become_zero() -> None:
    found = read_result({"statistics": {**STATISTICS, "Total Orders": "many"}})
    assert found.total_orders is None
    assert found.closed_trades is None


@pytest.mark.parametrize("text", ["", "{", "\x00", "[" * 100_000])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "1.json"
    path.write_text(text)
    with pytest.raises(CorruptFile, match=r"1\.json: it is not JSON"):
        read_file(path)


@pytest.mark.parametrize("value", [[], {}, {"statistics": {}}, "x"])
def test_another_json_is_no_result(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "1.json"
    path.write_text(json.dumps(value))
    with pytest.raises(CorruptFile, match="not a backtest result of LEAN's"):
        read_file(path)


def test_the_result_is_found_among_what_lean_leaves(tmp_path: Path) -> None:
    text = json.dumps(result_file(completed()))
    for name in ("5-summary.json", "5-order-events.json", "data-monitor-report-1.json"):
        (tmp_path / name).write_text("[]")
    (tmp_path / "config.json").write_text("{}")
    assert find_result(tmp_path) is None
    (tmp_path / "5.json").write_text(text)
    assert find_result(tmp_path) == tmp_path / "5.json"
