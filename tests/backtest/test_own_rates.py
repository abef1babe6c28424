"""What a strategy may put in the place of LEAN's models that no order depends on."""

from __future__ import annotations

from .conftest import Run

HOLD = "if not self.portfolio.invested: self.set_holdings(self.aapl, 0.5)"


def ratio(run: Run, model: str, head: str = "") -> float:
    initialize = f"self.set_risk_free_interest_rate_model({model})" if model else ""
    result = run(initialize, HOLD, head=head)
    assert result.status.value == "completed", result.reason
    return float(result.statistics["Sharpe Ratio"])


def test_a_higher_risk_free_rate_lowers_the_sharpe_ratio(run: Run) -> None:
    nothing = ratio(run, "ConstantRiskFreeRateInterestRateModel(0)")
    much = ratio(run, "ConstantRiskFreeRateInterestRateModel(0.2)")
    assert much < nothing - 0.5


def test_a_function_and_a_class_of_ones_own_give_the_same_as_the_constant(run: Run) -> None:
    constant = ratio(run, "ConstantRiskFreeRateInterestRateModel(0.05)")
    assert ratio(run, "FuncRiskFreeRateInterestRateModel(lambda time: 0.05)") == constant
    own = "class Rates:\n    def GetInterestRate(self, date):\n        return 0.05\n"
    assert ratio(run, "Rates()", own) == constant


def test_leans_own_provider_changes_nothing(run: Run) -> None:
    assert ratio(run, "InterestRateProvider()") == ratio(run, "")


def test_the_model_is_asked_with_days_of_the_backtest(run: Run) -> None:
    head = """
    def rate(time):
        assert datetime(2010, 1, 1) < time < datetime(2010, 7, 2), time
        return 0.0
    """
    ratio(run, "FuncRiskFreeRateInterestRateModel(rate)", head)


def test_a_rate_that_raises_fails_the_strategy_with_its_words(run: Run) -> None:
    model = "FuncRiskFreeRateInterestRateModel(lambda time: {}[1])"
    result = run(f"self.set_risk_free_interest_rate_model({model})", HOLD)
    assert result.status.value == "failed"
    assert result.reason == "the interest rate's function: KeyError: 1"


def test_something_without_a_rate_is_refused(run: Run) -> None:
    result = run("self.set_risk_free_interest_rate_model(7)")
    assert result.status.value == "failed"
    assert "GetInterestRate must be implemented" in str(result.reason)


def test_an_indicator_may_be_the_volatility(run: Run) -> None:
    result = run(
        "self.spread = self.std(self.aapl, 5)\n"
        "model = IndicatorVolatilityModel(self.spread)\n"
        "self.securities[self.aapl].set_volatility_model(model)",
        "found = self.securities[self.aapl].volatility_model.volatility\n"
        "assert found == self.spread.current.value",
    )
    assert result.status.value == "completed", result.reason


def test_an_own_volatility_model_is_told_of_every_bar(run: Run) -> None:
    result = run(
        "self.mine = Mine()\nself.securities[self.aapl].volatility_model\n"
        "self.securities[self.aapl].set_volatility_model(self.mine)",
        "self.days = getattr(self, 'days', 0) + 1",
        "def on_end_of_algorithm(self):\n"
        "    assert self.mine.volatility == self.days > 100, self.days",
        head="""
        class Mine:
            volatility = 0

            def update(self, security, data):
                assert data.close == security.close
                self.volatility += 1
        """,
    )
    assert result.status.value == "completed", result.reason


def test_a_consolidator_from_scratch_says_that_it_takes_quotes(run: Run) -> None:
    result = run(
        "self.subscription_manager.add_consolidator(self.aapl, Hours(timedelta(hours=1)))",
        head="""
        class Hours(PythonConsolidator):
            def __init__(self, period):
                self.consolidated = self.working_data = None
                self.input_type = self.output_type = QuoteBar
                self.period = period

            def update(self, data):
                pass

            def scan(self, time):
                pass
        """,
    )
    # Days have no quotes to feed it with.
    assert result.status.value == "failed"
    assert "no subscription of that kind of bars" in str(result.reason)


LEVERED = "self.securities[self.aapl].set_leverage(8)\n"
DEEP = """
if self.time.date() == date(2010, 1, 5):
    self.set_holdings(self.aapl, 7)
"""


def calls(run: Run, model: str) -> int:
    result = run(LEVERED + model, DEEP)
    assert result.status.value == "completed", result.reason
    return sum(order["tag"] == "Margin Call" for order in result.orders)


def test_without_margin_calls_a_position_beyond_its_margin_stays(run: Run) -> None:
    usual = calls(run, "")
    assert usual > 0
    assert calls(run, "self.portfolio.set_margin_call_model(MarginCallModel.NULL)") == 0
    assert calls(run, "self.portfolio.margin_call_model = MarginCallModel.Null") == 0
    named = "self.portfolio, self.default_order_properties"
    again = f"self.portfolio.margin_call_model = DefaultMarginCallModel({named})"
    assert calls(run, again) == usual


def test_a_wide_margin_call_buffer_calls_later(run: Run) -> None:
    wide = "self.portfolio.margin_call_model = DefaultMarginCallModel(self.portfolio, None, 1e6)"
    assert calls(run, wide) == 0


def test_closed_trades_are_read_while_the_backtest_runs(run: Run) -> None:
    result = run(
        "",
        """
        if self.time.day == 10 and not self.portfolio.invested:
            self.market_order(self.aapl, 10)
        elif self.portfolio.invested and self.time.day > 20:
            self.liquidate()
        """,
        "def on_end_of_algorithm(self):\n"
        "    trades = self.trade_builder.closed_trades\n"
        "    self.log(f'closed {len(trades)}')\n"
        "    assert trades and all(trade.symbol == self.aapl for trade in trades)\n"
        "    first = trades[0]\n"
        "    assert first.quantity == 10 and first.direction == TradeDirection.LONG\n"
        "    gain = (first.exit_price - first.entry_price) * 10\n"
        "    assert abs(first.profit_loss - gain) < 0.01 and first.is_win == (gain > 0)\n"
        "    assert first.duration == first.exit_time - first.entry_time > timedelta(5)\n"
        "    assert first.order_ids == [1, 2]\n"
        "    assert not self.trade_builder.has_open_position(self.aapl)",
    )
    assert result.status.value == "completed", result.reason
    assert f"closed {result.closed_trades}" in result.logs[-1]
