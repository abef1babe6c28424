"""Two results side by side: which figures differ, and the first order in which they part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qc_builder_lora.backtest.compare import compare, number_in
from qc_builder_lora.backtest.plot import draw, drawdown
from qc_builder_lora.errors import InputError
from qc_builder_lora.records import BacktestStatus
from tests.backtest.engines.conftest import STATISTICS, completed

ONE = completed()
OTHER = replace(ONE, engine="other")


def test_equal_results_do_not_differ() -> None:
    found = compare([ONE, OTHER])
    assert found.same is True
    assert found.partings == found.equity == ()
    assert {row.same for row in found.rows} == {True}


def test_a_figure_that_differs_is_given_with_its_gap() -> None:
    changed = {**STATISTICS, "Sharpe Ratio": "0.9", "Total Fees": "$1,002.00"}
    found = compare([ONE, replace(OTHER, statistics=changed)])
    rows = {row.name: row for row in found.rows}
    assert found.same is False
    assert rows["Sharpe Ratio"].differences == (0.0, pytest.approx(0.088))
    assert rows["Total Fees"].differences[1] == 1000.0
    assert rows["Win Rate"].same is True


def test_a_figure_in_another_dress_is_the_same() -> None:
    dressed = {**STATISTICS, "Start Equity": "100000.00", "Loss Rate": "0.00%"}
    assert compare([ONE, replace(OTHER, statistics=dressed)]).same is True


def test_a_figure_that_one_does_not_give_is_unknown_and_no_difference() -> None:
    fewer = {key: value for key, value in STATISTICS.items() if key != "Sortino Ratio"}
    found = compare([ONE, replace(OTHER, statistics=fewer)])
    row = next(row for row in found.rows if row.name == "Sortino Ratio")
    assert (row.values, row.same, row.differences[1]) == (("0.9", None), None, None)
    assert found.same is True


def test_the_first_order_that_differs_is_named_with_what_differs() -> None:
    orders = [dict(one) for one in completed(orders=4).orders]
    changed = [*orders[:2], {**orders[2], "quantity": 90.0}, {**orders[3], "type": "limit"}]
    found = compare([replace(ONE, orders=tuple(orders)), replace(OTHER, orders=tuple(changed))])
    (parting,) = found.partings
    assert (parting.engine, parting.where) == ("other", "order 3")
    assert parting.facts == {"quantity": (100.0, 90.0)}


def test_a_fill_at_another_price_is_a_difference_and_an_unknown_fee_is_none() -> None:
    first = dict(ONE.orders[0])
    fill = {**first["fills"][0], "price": 131.5, "fee": None}
    changed = ({**first, "fills": [fill]}, ONE.orders[1])
    (parting,) = compare([ONE, replace(OTHER, orders=changed)]).partings
    assert parting.facts == {"fill price": (131.0, 131.5)}


@pytest.mark.parametrize(("mine", "theirs"), [(2, 3), (3, 2)])
def test_the_order_that_only_one_has_is_named(mine: int, theirs: int) -> None:
    one, other = completed(orders=mine), replace(completed(orders=theirs), engine="other")
    (parting,) = compare([one, other]).partings
    pair = parting.facts["order"]
    assert parting.where == "order 3"
    assert pair[0 if mine == 3 else 1] == "market_on_open IBM 100.0 2010-01-05T14:31:00Z"
    assert pair[1 if mine == 3 else 0] is None


def test_the_first_day_of_another_equity_is_named() -> None:
    equity = (ONE.equity[0], ("2010-01-05", 100400.01), ("2010-01-07", 9.0))
    (parting,) = compare([ONE, replace(OTHER, equity=equity)]).equity
    assert parting.where == "2010-01-05"
    assert parting.facts == {"equity": (100400.0, 100400.01)}


def test_an_engine_that_cannot_say_leaves_the_comparison_open() -> None:
    lost = replace(OTHER, status=BacktestStatus.UNKNOWN, statistics={}, orders=(), equity=(),
                   reason="no credentials", total_orders=None)  # fmt: skip
    found = compare([ONE, lost])
    assert found.same is None
    assert {row.same for row in found.rows} == {None}
    assert found.partings == ()
    assert found.plain()["orders"] == {"canned": 2, "other": None}


def test_the_same_engine_twice_keeps_both_columns() -> None:
    assert compare([ONE, ONE]).engines == ("canned", "canned 2")


@pytest.mark.parametrize(
    ("text", "number"),
    [("17.300%", 17.3), ("$-3.49", -3.49), ("-$3.49", -3.49), ("$1,234.50", 1234.5), ("0", 0.0),
     ("IBM R735QTJ8XC9X", None), ("", None), (None, None), ("d41d8cd98f00b204", None)],
)  # fmt: skip
def test_numbers_are_read_out_of_print(text: str | None, number: float | None) -> None:
    assert number_in(text) == number


def test_drawdown_is_below_the_highest_so_far() -> None:
    assert drawdown([100, 120, 90, 120, 60]) == pytest.approx([0, 0, -25, 0, -50])


@pytest.mark.parametrize(("name", "begins"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"),
                                              ("a.html", b"<!doctype html>")])  # fmt: skip
def test_a_picture_is_drawn(tmp_path: Path, name: str, begins: bytes) -> None:
    draw(tmp_path / name, "<b>mine</b>.py", [ONE, OTHER])
    raw = (tmp_path / name).read_bytes()
    assert raw.startswith(begins)
    if name.endswith("html"):
        assert b"<svg" in raw
        assert b"&lt;b&gt;mine" in raw
        assert b"<b>mine" not in raw
        assert b"http" not in raw.split(b"</svg>")[1]


def test_nothing_to_draw_and_an_unknown_kind_are_said(tmp_path: Path) -> None:
    empty = replace(ONE, equity=(), reason="does not compile")
    with pytest.raises(InputError, match=r"no equity to draw \(canned: does not compile"):
        draw(tmp_path / "a.png", "x", [empty])
    with pytest.raises(InputError, match=r"cannot be drawn as '\.gif'"):
        draw(tmp_path / "a.gif", "x", [ONE])
