"""How orders fill on daily bars: LEAN's rules, on AAPL's bars of 2010."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.backtest.simulator.calendar import date_of
from qc_builder_lora.backtest.simulator.feed import Series
from qc_builder_lora.records import BacktestStatus

Run = Callable[..., BacktestResult]
ONCE = "if self.time.date() != date(2010, 1, 5): return\n"


@pytest.fixture(scope="module")
def aapl(sample: Simulator) -> Series:
    return sample._shelf.series("AAPL")


def bar_on(series: Series, day: str) -> dict[str, float]:
    row = next(i for i, number in enumerate(series.days) if date_of(number).isoformat() == day)
    names = ("open", "high", "low", "close")
    return {name: getattr(series, name)[row] for name in names}


def only_fill(result: BacktestResult) -> dict[str, Any]:
    assert result.status is BacktestStatus.COMPLETED, result.reason
    (order,) = result.orders
    (fill,) = order["fills"]
    return {**fill, "type": order["type"], "status": order["status"]}


def test_a_market_order_on_a_daily_bar_fills_at_the_next_open(run: Run, aapl: Series) -> None:
    fill = only_fill(run(on_data=ONCE + "self.market_order(self.aapl, 10)"))
    assert fill["type"] == "market_on_open"
    assert fill["price"] == bar_on(aapl, "2010-01-06")["open"]
    assert fill["time"] == "2010-01-06T21:00:00Z"


@pytest.mark.parametrize(
    ("at", "kind", "day", "price"),
    [
        ("10, 0", "market_on_close", "2010-01-06", "close"),
        ("15, 44", "market_on_close", "2010-01-06", "close"),
        ("15, 45", "market_on_open", "2010-01-07", "open"),
    ],
)
def test_a_market_order_while_the_exchange_is_open_waits_for_a_price_that_is_not_stale(
    run: Run, aapl: Series, at: str, kind: str, day: str, price: str
) -> None:
    schedule = f"""
    self.schedule.on(self.date_rules.on(2010, 1, 6), self.time_rules.at({at}), self.buy_now)
    """
    result = run(schedule, "pass", "def buy_now(self): self.market_order(self.aapl, 10)")
    fill = only_fill(result)
    assert fill["type"] == kind
    assert fill["price"] == bar_on(aapl, day)[price]
    assert fill["time"] == f"{day}T21:00:00Z"
    assert sum("automatically converted into MarketOnClose" in line for line in result.logs) == 1


def test_a_market_on_close_order_fills_at_the_next_days_close(run: Run, aapl: Series) -> None:
    fill = only_fill(run(on_data=ONCE + "self.market_on_close_order(self.aapl, 10)"))
    assert fill["price"] == bar_on(aapl, "2010-01-06")["close"]


def test_a_buy_limit_fills_at_its_price_once_it_is_penetrated(run: Run, aapl: Series) -> None:
    day = bar_on(aapl, "2010-01-06")
    limit = round((day["open"] + day["low"]) / 2, 4)
    fill = only_fill(run(on_data=ONCE + f"self.limit_order(self.aapl, 10, {limit})"))
    assert fill["price"] == limit
    assert fill["time"] == "2010-01-06T21:00:00Z"


def test_a_buy_limit_above_the_open_fills_at_the_open(run: Run, aapl: Series) -> None:
    limit = bar_on(aapl, "2010-01-06")["open"] + 1
    fill = only_fill(run(on_data=ONCE + f"self.limit_order(self.aapl, 10, {limit})"))
    assert fill["price"] == bar_on(aapl, "2010-01-06")["open"]


def test_a_buy_limit_that_is_only_touched_does_not_fill(run: Run, aapl: Series) -> None:
    # The lowest low of the whole time: touched by no lower price.
    low = min(aapl.low[row] for row, day in enumerate(aapl.days) if 14613 < day < 14791)
    result = run(on_data=ONCE + f"self.limit_order(self.aapl, 10, {low!r})")
    assert result.status is BacktestStatus.COMPLETED
    assert result.orders[0]["status"] == "submitted"
    assert result.orders[0]["fills"] == []


def test_a_sell_stop_fills_at_its_price_or_at_a_lower_open(run: Run, aapl: Series) -> None:
    day = bar_on(aapl, "2010-01-06")
    stop = round((day["open"] + day["low"]) / 2, 4)
    inside = only_fill(run(on_data=ONCE + f"self.stop_market_order(self.aapl, -10, {stop})"))
    assert inside["price"] == stop
    gap = only_fill(
        run(on_data=ONCE + f"self.stop_market_order(self.aapl, -10, {day['open'] + 1})")
    )
    assert gap["price"] == day["open"]


def test_a_stop_limit_needs_the_close_beyond_its_limit(run: Run, aapl: Series) -> None:
    day = bar_on(aapl, "2010-01-06")
    stop, limit = day["high"] - 0.01, day["high"] + 5
    fill = only_fill(run(on_data=ONCE + f"self.stop_limit_order(self.aapl, 10, {stop}, {limit})"))
    assert fill["price"] == day["high"]


def test_a_limit_if_touched_waits_for_its_trigger(run: Run, aapl: Series) -> None:
    day = bar_on(aapl, "2010-01-06")
    trigger, limit = day["low"] + 0.01, day["close"] + 1
    fill = only_fill(
        run(on_data=ONCE + f"self.limit_if_touched_order(self.aapl, 10, {trigger}, {limit})")
    )
    assert fill["price"] == day["close"]


def test_slippage_works_against_the_order(run: Run, aapl: Series) -> None:
    models = """
    self.securities[self.aapl].set_slippage_model(ConstantSlippageModel(0.01))
    """
    fill = only_fill(run(models, ONCE + "self.market_order(self.aapl, 10)"))
    day = bar_on(aapl, "2010-01-06")
    assert fill["price"] == pytest.approx(day["open"] + 0.01 * day["close"])


@pytest.mark.parametrize(("quantity", "fee"), [(100, 1.0), (1000, 5.0), (-1000, 5.0)])
def test_fees_are_interactive_brokers_half_a_cent_a_share_at_least_a_dollar(
    run: Run, quantity: int, fee: float
) -> None:
    fill = only_fill(run(on_data=ONCE + f"self.market_order(self.aapl, {quantity})"))
    assert fill["fee"] == fee


def test_a_constant_fee_model_is_charged(run: Run) -> None:
    models = "self.securities[self.aapl].set_fee_model(ConstantFeeModel(7))"
    fill = only_fill(run(models, ONCE + "self.market_order(self.aapl, 1000)"))
    assert fill["fee"] == 7.0


def test_an_order_beyond_the_buying_power_is_invalid_and_counted(run: Run) -> None:
    result = run(on_data=ONCE + "self.market_order(self.aapl, 100000)")
    assert result.orders[0]["status"] == "invalid"
    assert "Insufficient buying power to complete orders" in result.orders[0]["message"]
    assert result.statistics["Total Orders"] == "1"
    assert any("Insufficient buying power" in line for line in result.logs)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("self.market_order(self.aapl, 0)", "with id -10 that have zero quantity."),
        (
            "self.market_on_close_order(self.aapl, 0.4)",
            "with id -10 which quantity (0.4) is less than lot size (1).",
        ),
    ],
)
def test_an_order_for_nothing_is_refused_and_not_counted(run: Run, call: str, reason: str) -> None:
    result = run(on_data=ONCE + f"self.debug(str({call}.submit_response))")
    assert result.total_orders == 0
    assert any(reason in line for line in result.logs)


def test_orders_before_the_first_bar_and_in_warm_up_are_refused(run: Run) -> None:
    result = run(
        'ticket = self.market_order(self.aapl, 10)\nself.debug(f"in initialize {ticket.status}")\n'
        "self.set_warm_up(5)",
        'if self.is_warming_up: self.debug(f"warm {self.market_order(self.aapl, 1).status}")',
    )
    assert result.total_orders == 0
    assert "in initialize Invalid" in result.logs
    assert sum("warm Invalid" in line for line in result.logs) == 5


def test_an_order_can_be_updated_until_it_fills(run: Run, aapl: Series) -> None:
    day = bar_on(aapl, "2010-01-07")
    limit = (day["open"] + day["low"]) / 2
    fill = only_fill(
        run(
            on_data=f"""
            if self.time.date() == date(2010, 1, 5):
                self.ticket = self.limit_order(self.aapl, 10, 1.0)
            if self.time.date() == date(2010, 1, 6):
                fields = UpdateOrderFields()
                fields.limit_price = {limit}
                fields.quantity = 25
                assert self.ticket.update(fields).is_success
                assert self.ticket.get(OrderField.LIMIT_PRICE) == 1.0
            """,
            more=f"""
            def on_order_event(self, event):
                if event.status == OrderStatus.UPDATE_SUBMITTED:
                    assert self.ticket.get(OrderField.LIMIT_PRICE) == {limit}
                    assert self.ticket.quantity == 25
            """,
        )
    )
    assert (fill["price"], fill["quantity"]) == (pytest.approx(limit), 25)


def test_a_cancelled_order_does_not_fill(run: Run) -> None:
    result = run(
        on_data="""
        if self.time.date() == date(2010, 1, 5):
            ticket = self.market_order(self.aapl, 10)
            ticket.cancel("changed my mind")
            assert ticket.status == OrderStatus.CANCEL_PENDING
            again = ticket.cancel()
            assert again.is_error
            assert again.error_message == "Cancellation is already in progress."
        """
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert result.orders[0]["status"] == "canceled"
    assert result.orders[0]["tag"] == "changed my mind"


def test_order_events_arrive_in_order_with_the_holding_already_changed(run: Run) -> None:
    result = run(
        on_data=ONCE + 'self.market_order(self.aapl, 10, tag="first")',
        more="""
        def on_order_event(self, event):
            held = self.portfolio[self.aapl].quantity
            self.log(f"{event.status} {event.fill_quantity:g} {held:g} {event.ticket.tag}")
        """,
    )
    told = [line for line in result.logs if "first" in line]
    assert told == [
        "2010-01-05 16:00:00 Submitted 0 0 first",
        "2010-01-06 16:00:00 Filled 10 10 first",
    ]


def test_an_order_placed_in_an_order_event_is_not_filled_by_the_same_bar(run: Run) -> None:
    result = run(
        on_data=ONCE + "self.market_order(self.aapl, 10)",
        more="""
        def on_order_event(self, event):
            if event.status == OrderStatus.FILLED and event.fill_quantity > 0:
                self.market_order(self.aapl, -10)
        """,
    )
    times = [order["fills"][0]["time"] for order in result.orders]
    assert times == ["2010-01-06T21:00:00Z", "2010-01-07T21:00:00Z"]


def test_set_holdings_leaves_a_quarter_percent_and_the_fee_free(run: Run, aapl: Series) -> None:
    fill = only_fill(run(on_data=ONCE + "self.set_holdings(self.aapl, 1.0)"))
    price = bar_on(aapl, "2010-01-05")["close"]
    quantity = int(100_000 * 0.9975 / price)
    fee = max(1.0, quantity * 0.005)
    wanted = int((100_000 - fee) * 0.9975 / price)
    assert fill["quantity"] in (quantity, wanted)
    assert fill["quantity"] * price <= (100_000 - fee) * 0.9975


def test_set_holdings_may_use_the_accounts_two_times_leverage(run: Run, aapl: Series) -> None:
    fill = only_fill(run(on_data=ONCE + "self.set_holdings(self.aapl, 1.9)"))
    assert fill["quantity"] * bar_on(aapl, "2010-01-05")["close"] > 185_000


def test_set_holdings_leaves_a_difference_below_a_thousandth_alone(run: Run) -> None:
    result = run(
        on_data="""
        if self.time.date() == date(2010, 1, 5):
            self.set_holdings(self.aapl, 0.5)
        if self.time.date() == date(2010, 1, 7):
            held = self.portfolio[self.aapl].holdings_value
            self.set_holdings(self.aapl, held / self.portfolio.total_portfolio_value)
        """
    )
    assert result.total_orders == 1


def test_set_holdings_counts_what_is_still_on_its_way(run: Run) -> None:
    result = run(
        on_data=ONCE + "self.set_holdings(self.aapl, 0.5)\nself.set_holdings(self.aapl, 0.5)"
    )
    assert result.total_orders == 1


def test_a_short_sale_profits_from_a_falling_price(run: Run) -> None:
    result = run(
        on_data="""
        if self.time.date() == date(2010, 1, 20): self.set_holdings(self.aapl, -0.5)
        if self.time.date() == date(2010, 1, 28): self.liquidate()
        """
    )
    (trade,) = result.trades
    assert trade["direction"] == "short"
    assert trade["profit"] > 0
    assert trade["profit"] == pytest.approx(
        (trade["entry_price"] - trade["exit_price"]) * trade["quantity"], abs=0.01
    )


def test_targets_in_a_list_sell_before_they_buy(run: Run) -> None:
    result = run(
        'self.ibm = self.add_equity("IBM", Resolution.DAILY).symbol\n'
        'self.msft = self.add_equity("MSFT", Resolution.DAILY).symbol',
        """
        if self.time.date() == date(2010, 1, 5):
            self.set_holdings([PortfolioTarget(self.aapl, 0.5), PortfolioTarget(self.ibm, 0.5)])
        if self.time.date() == date(2010, 2, 1):
            targets = [PortfolioTarget(self.msft, 0.9), PortfolioTarget(self.aapl, 0.1)]
            self.set_holdings(targets, liquidate_existing_holdings=True)
        """,
    )
    later = [order for order in result.orders if order["time"].startswith("2010-02-01")]
    assert [(order["symbol"], order["quantity"] > 0) for order in later] == [
        ("IBM", False), ("AAPL", False), ("MSFT", True),
    ]  # fmt: skip
    assert later[0]["tag"] == "Liquidated"


def test_liquidate_cancels_what_is_open_and_sells_what_is_held(run: Run) -> None:
    result = run(
        on_data="""
        if self.time.date() == date(2010, 1, 5):
            self.market_order(self.aapl, 10)
            self.limit_order(self.aapl, 5, 1.0)
        if self.time.date() == date(2010, 1, 8):
            self.liquidate(self.aapl)
        if self.time.date() == date(2010, 1, 12):
            assert not self.portfolio.invested
            assert not self.transactions.get_open_orders()
        """
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert [order["status"] for order in result.orders] == ["filled", "canceled", "filled"]


def test_an_order_more_than_ten_thousand_and_one_ends_the_backtest_as_in_lean(run: Run) -> None:
    result = run(
        on_data="""
        for _ in range(4000):
            self.limit_order(self.aapl, 1, 0.5)
        """
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert result.total_orders == 10_001
    assert len(result.equity) == 3


@pytest.mark.parametrize(
    ("lifetime", "over"),
    [
        ("TimeInForce.DAY", "2010-01-06T21:00:00Z"),
        ("TimeInForce.good_til_date(datetime(2010, 1, 8))", "2010-01-08T21:00:00Z"),
    ],
)
def test_an_order_that_lives_for_a_while_is_cancelled_at_the_close(
    run: Run, lifetime: str, over: str
) -> None:
    result = run(
        on_data=ONCE
        + "properties = OrderProperties()\n"
        + f"properties.time_in_force = {lifetime}\n"
        + "self.limit_order(self.aapl, 10, 20.0, order_properties=properties)",
        more="""
        def on_order_event(self, event):
            if event.status == OrderStatus.CANCELED:
                self.log(f"over {event.utc_time.isoformat()}Z {event.message}")
        """,
    )
    assert result.orders[0]["status"] == "canceled"
    assert any(f"over {over} The order has expired." in line for line in result.logs)
