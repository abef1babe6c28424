"""The algorithm framework as a strategy sees it, run from end to end on daily bars."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.records import BacktestStatus

Run = Callable[..., BacktestResult]

UP = "Insight.price(self.aapl, timedelta(days=5), InsightDirection.UP)"
# Due only with new insights and with expiries: no orders for drifting weights.
EQUAL = (
    "self.set_portfolio_construction(EqualWeightingPortfolioConstructionModel(timedelta(days=400)))"
)
ONE_INSIGHT = """
class Once(AlphaModel):
    def __init__(self, days=5, direction=InsightDirection.UP, **more):
        self.days, self.direction, self.more, self.done = days, direction, more, False

    def update(self, algorithm, data):
        if self.done:
            return []
        self.done = True
        span = timedelta(days=self.days)
        return [Insight.price(algorithm.aapl, span, self.direction, **self.more)]
"""


def words(result: BacktestResult) -> list[str]:
    """What the strategy logged, without the moment in front."""
    assert result.status is BacktestStatus.COMPLETED, result.reason
    lines = [line for line in result.logs if not line.startswith("Note: no figures")]
    return [line.split(" ", 2)[2] if line[:2] == "20" else line for line in lines]


def quantities(result: BacktestResult) -> list[float]:
    assert result.status is BacktestStatus.COMPLETED, result.reason
    return [float(order["quantity"]) for order in result.orders]


def test_an_insight_buys_and_its_expiry_sells(run: Run) -> None:
    result = run(f"self.set_alpha(Once())\n{EQUAL}", head=ONE_INSIGHT)
    bought, sold = result.orders
    assert sold["quantity"] == -bought["quantity"] < 0
    # Emitted at the close of Monday 4 January, five trading days: it is over after that of the
    # 11th, which the bar of the 12th is the first to see.
    assert [order["time"][:10] for order in (bought, sold)] == ["2010-01-04", "2010-01-12"]


def test_without_models_nothing_is_traded(run: Run) -> None:
    result = run("", f"self.emit_insights({UP})")
    assert quantities(result) == []


def test_emitted_insights_are_acted_upon_before_on_data_goes_on(run: Run) -> None:
    on_data = f"""
        if self.portfolio.invested or self.insights.count:
            return
        self.emit_insights({UP})
        self.log(f"{{self.transactions.orders_count}} {{self.insights.count}}")
    """
    assert "1 1" in words(run(EQUAL, on_data))


ORDER_OF_CALLS = """
class Alpha(AlphaModel):
    def update(self, algorithm, data):
        algorithm.log("update")
        return []
    def on_securities_changed(self, algorithm, changes):
        algorithm.log("alpha changed")

class Construction(PortfolioConstructionModel):
    def create_targets(self, algorithm, insights):
        algorithm.log("targets")
        return []
    def on_securities_changed(self, algorithm, changes):
        algorithm.log("construction changed")

class Risk(RiskManagementModel):
    def manage_risk(self, algorithm, targets):
        algorithm.log("risk")
        return []
    def on_securities_changed(self, algorithm, changes):
        algorithm.log("risk changed")

class Execution(ExecutionModel):
    def execute(self, algorithm, targets):
        algorithm.log("execute")
    def on_securities_changed(self, algorithm, changes):
        algorithm.log("execution changed")
"""
CHOOSE = """
self.set_alpha(Alpha())
self.set_portfolio_construction(Construction())
self.set_execution(Execution())
self.set_risk_management(Risk())
"""
CALLS = [
    "AAPL", "alpha changed", "construction changed", "execution changed", "risk changed",
    "on_data", "update", "targets", "risk", "execute",
]  # fmt: skip
MORE = """
def on_securities_changed(self, changes):
    self.log(",".join(str(item.symbol) for item in changes.added_securities))
"""


def test_models_are_called_in_leans_order(run: Run) -> None:
    result = run(CHOOSE, 'self.log("on_data")', MORE, head=ORDER_OF_CALLS)
    assert words(result)[: len(CALLS)] == CALLS


def test_an_override_in_either_spelling_counts(run: Run) -> None:
    older = ORDER_OF_CALLS
    for snake, pascal in {
        "def update": "def Update", "def create_targets": "def CreateTargets",
        "def manage_risk": "def ManageRisk", "def execute": "def Execute",
        "def on_securities_changed": "def OnSecuritiesChanged",
    }.items():  # fmt: skip
        older = older.replace(snake, pascal)
    result = run(CHOOSE, 'self.log("on_data")', MORE, head=older)
    assert words(result)[: len(CALLS)] == CALLS


def test_an_object_that_looks_like_a_model_is_one(run: Run) -> None:
    plain = ORDER_OF_CALLS
    for base in ("AlphaModel", "PortfolioConstructionModel", "RiskManagementModel",
                 "ExecutionModel"):  # fmt: skip
        plain = plain.replace(f"({base})", "")
    result = run(CHOOSE, 'self.log("on_data")', MORE, head=plain)
    assert words(result)[: len(CALLS)] == CALLS


@pytest.mark.parametrize(("head", "name"), [("", "Alpha"), ("    name = 'mine'\n", "mine")])
def test_insights_name_the_model_they_come_from(run: Run, head: str, name: str) -> None:
    alpha = f"""
class Alpha:
{head}
    def update(self, algorithm, data):
        return [Insight.price(algorithm.aapl, timedelta(days=1), InsightDirection.UP)]
    def on_securities_changed(self, algorithm, changes):
        pass
"""
    on_data = "for item in self.insights: self.log(item.source_model)"
    assert words(run("self.set_alpha(Alpha())", on_data, head=alpha))[0] == name


def test_a_model_that_lacks_a_method_is_refused_in_leans_words(run: Run) -> None:
    result = run(
        "self.set_alpha(Mine())", head="class Mine:\n    def update(self, a, d): return []"
    )
    assert result.status is BacktestStatus.FAILED
    assert "IAlphaModel.OnSecuritiesChanged must be implemented" in (result.reason or "")


def test_a_subclass_calls_its_base_in_either_spelling(run: Run) -> None:
    head = """
        class Half(EqualWeightingPortfolioConstructionModel):
            def DetermineTargetPercent(self, activeInsights):
                whole = super().DetermineTargetPercent(activeInsights)
                return {insight: share / 2 for insight, share in whole.items()}

        class Quarter(Half):
            def determine_target_percent(self, active_insights):
                whole = super().determine_target_percent(active_insights)
                return {insight: share / 2 for insight, share in whole.items()}
    """
    full, half, quarter = (
        quantities(
            run(f"self.set_alpha(Once())\nself.set_portfolio_construction({model}())",
                head=ONE_INSIGHT + "\n" + head.replace("\n        ", "\n"))
        )[0]
        for model in ("EqualWeightingPortfolioConstructionModel", "Half", "Quarter")
    )  # fmt: skip
    assert (half, quarter) == (full // 2, full // 4)


def test_a_construction_model_needs_no_super_init(run: Run) -> None:
    head = """
class Mine(PortfolioConstructionModel):
    def __init__(self):
        self.mine = 1
    def determine_target_percent(self, active_insights):
        return {insight: 0.1 for insight in active_insights}
"""
    result = run(
        "self.set_alpha(Once())\nself.set_portfolio_construction(Mine())", head=ONE_INSIGHT + head
    )
    assert quantities(result)[0] > 0


def test_the_framework_sees_the_warm_up_but_does_not_trade_in_it(run: Run) -> None:
    head = """
class Counting(AlphaModel):
    seen = 0
    def update(self, algorithm, data):
        Counting.seen += algorithm.is_warming_up
        return [Insight.price(algorithm.aapl, timedelta(days=1), InsightDirection.UP)]
"""
    initialize = f"self.set_warm_up(timedelta(days=20))\nself.set_alpha(Counting())\n{EQUAL}"
    on_data = f"""
        if self.is_warming_up:
            self.emit_insights({UP})
        elif not self.portfolio.invested:
            self.log(f"{{Counting.seen}} {{self.transactions.orders_count}}")
    """
    lines = words(run(initialize, on_data, head=head))
    assert lines[0] == "Error: Warning: insights emitted during algorithm warmup are ignored."
    assert lines.count(lines[0]) == 1
    # 15 December to 31 December: twelve sessions.
    assert lines[1] == "12 0"


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("self.date_rules.month_start()", ["04", "01", "01", "01", "03", "01"]),
        ("Expiry.END_OF_MONTH", ["04", "01", "01", "01", "03", "01"]),
        ("timedelta(days=400)", ["04"]),
        ("lambda now: None if now.month < 3 else now + timedelta(days=400)", ["04"]),
        ("None", None),
    ],
    ids=["date rule", "expiry", "time span", "function", "always"],
)
def test_targets_are_due_by_the_rule_alone(run: Run, rule: str, days: list[str] | None) -> None:
    head = """
class Watched(EqualWeightingPortfolioConstructionModel):
    def determine_target_percent(self, active_insights):
        self.algorithm.log(f"due {self.algorithm.time:%d}")
        return super().determine_target_percent(active_insights)
"""
    initialize = f"""
        self.settings.rebalance_portfolio_on_insight_changes = False
        self.settings.rebalance_portfolio_on_security_changes = False
        day = timedelta(days=1)
        self.set_alpha(ConstantAlphaModel(InsightType.PRICE, InsightDirection.UP, day))
        self.set_portfolio_construction(Watched({rule}))
    """
    found = [line for line in words(run(initialize, head=head)) if line.startswith("due")]
    if days is None:
        assert len(found) > 100
    elif "lambda" in rule:
        # Due when the function first gives a moment that is over: never, here.
        assert found == []
    elif rule == "timedelta(days=400)":
        assert found == []
    else:
        assert found == [f"due {day}" for day in days[1:]]


def test_new_insights_and_expiries_make_targets_due_unless_told_otherwise(run: Run) -> None:
    setup = f"self.set_alpha(Once())\n{EQUAL}"
    assert len(quantities(run(setup, head=ONE_INSIGHT))) == 2
    off = "self.settings.rebalance_portfolio_on_insight_changes = False\n"
    off += "self.settings.RebalancePortfolioOnSecurityChanges = False\n"
    assert quantities(run(off + setup, head=ONE_INSIGHT)) == []


def test_cancelled_insights_are_sold_at_once(run: Run) -> None:
    on_data = """
        if self.portfolio.invested and self.insights.count:
            self.insights.cancel([self.aapl])
    """
    result = run(f"self.set_alpha(Once(90))\n{EQUAL}", on_data, head=ONE_INSIGHT)
    assert [order["time"][:10] for order in result.orders] == ["2010-01-04", "2010-01-05"]


def test_an_insights_tag_is_not_its_orders_tag(run: Run) -> None:
    result = run(f'self.set_alpha(Once(tag="because"))\n{EQUAL}', head=ONE_INSIGHT)
    assert result.orders[0]["tag"] == ""


def test_a_short_insight_sells_short_and_a_long_only_portfolio_does_not(run: Run) -> None:
    short = "self.set_alpha(Once(5, InsightDirection.DOWN))\n"
    assert quantities(run(short + EQUAL, head=ONE_INSIGHT))[0] < 0
    long_only = EQUAL.replace("=400)", "=400), PortfolioBias.LONG")
    assert quantities(run(short + long_only, head=ONE_INSIGHT)) == []


def test_percent_gives_none_and_says_why_before_the_first_price(run: Run) -> None:
    lines = words(run("self.log(PortfolioTarget.percent(self, self.aapl, 0.5))"))
    assert lines[0].startswith("Error: AAPL: The security does not have an accurate price")
    assert lines[1] == "None"


def test_percent_is_the_quantity_that_set_holdings_would_reach(run: Run) -> None:
    on_data = """
        if self.portfolio.invested:
            return
        target = PortfolioTarget.percent(self, self.aapl, 0.4)
        delta = PortfolioTarget.Percent(self, self.aapl, 0.4, True)
        self.set_holdings(self.aapl, 0.4)
        self.log(f"{target} {delta.quantity:g} {target.Tag!r}")
    """
    result = run("", on_data)
    wanted = f"{quantities(result)[0]:g}"
    assert f"AAPL: {wanted} {wanted} ''" in words(result)


def test_orders_below_the_least_margin_are_not_sent(run: Run) -> None:
    setup = f"self.settings.minimum_order_margin_portfolio_percentage = 0.6\n{EQUAL}\n"
    assert quantities(run(setup + "self.set_alpha(Once())", head=ONE_INSIGHT)) == []


def test_insights_carry_what_the_algorithm_adds(run: Run) -> None:
    head = """
class Mine(AlphaModel):
    name = "mine"
    def update(self, algorithm, data):
        return [Insight.price(algorithm.aapl, Resolution.DAILY, 3, InsightDirection.UP, 0.1, 0.5)]
"""
    on_data = """
        for insight in self.insights[self.aapl] if self.insights.contains_key(self.aapl) else []:
            now = self.portfolio[self.aapl].price
            self.log(f"{insight.SourceModel} {insight.generated_time_utc} {insight.CloseTimeUtc} "
                     f"{insight.period} {insight.reference_value == now}")
            self.quit()
            return
    """
    lines = words(run("self.set_alpha(Mine())", on_data, head=head))
    assert lines[0] == "mine 2010-01-04 21:00:00 2010-01-07 21:00:00 3 days, 0:00:00 False"


def test_an_execution_model_hears_of_orders(run: Run) -> None:
    head = """
class Mine(ImmediateExecutionModel):
    def on_order_event(self, algorithm, order_event):
        algorithm.log(f"execution {order_event.status}")
"""
    result = run(
        f"self.set_alpha(Once())\n{EQUAL}\nself.set_execution(Mine())",
        more="def on_order_event(self, event):\n    self.log(f'own {event.status}')",
        head=ONE_INSIGHT + head,
    )
    assert words(result)[:4] == [
        "own Submitted", "execution Submitted",
        "Warning: market orders submitted while the market is closed are automatically converted "
        "into MarketOnOpen orders to fill at the next market open.",
        "own Filled",
    ]  # fmt: skip


def test_leans_own_module_of_a_model_gives_the_model(run: Run) -> None:
    result = run(
        "self.log(A is ConstantAlphaModel and B is EqualWeightingPortfolioConstructionModel)",
        head="""
            from Alphas.ConstantAlphaModel import ConstantAlphaModel as A
            from Portfolio.EqualWeightingPortfolioConstructionModel import *
            B = EqualWeightingPortfolioConstructionModel
        """,
    )
    assert words(result)[0] == "True"


UNKNOWN = {
    "sectors in a portfolio": (
        "self.set_portfolio_construction(SectorWeightingPortfolioConstructionModel())",
        "SectorWeightingPortfolioConstructionModel",
    ),
    "sectors at risk": (
        "self.add_risk_management(MaximumSectorExposureRiskManagementModel())",
        "MaximumSectorExposureRiskManagementModel",
    ),
    "coarse selection": (
        "self.set_universe_selection(CoarseFundamentalUniverseSelectionModel(lambda c: []))",
        "CoarseFundamentalUniverseSelectionModel",
    ),
    "constituents": (
        "self.add_universe_selection(ETFConstituentsUniverseSelectionModel('SPY'))",
        "ETFConstituentsUniverseSelectionModel",
    ),
    "fundamentals": ("self.add_universe(lambda fundamental: [])", "QCAlgorithm.add_universe"),
    "an unknown model of LEAN's": (
        "from Selection.UncorrelatedUniverseSelectionModel import X",
        "Selection.UncorrelatedUniverseSelectionModel",
    ),
    "an option universe": ("x = OptionUniverseSelectionModel", None),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_what_needs_data_that_the_simulator_has_not_is_unknown_by_name(run: Run, what: str) -> None:
    line, name = UNKNOWN[what]
    result = run(line)
    if name is None:
        assert result.status is BacktestStatus.COMPLETED
        result = run(line + "(timedelta(1), lambda t: [])")
        name = "OptionUniverseSelectionModel"
    assert result.status is BacktestStatus.UNKNOWN, result.reason
    assert name in (result.reason or "")


# Universes.


def test_a_manual_universe_is_subscribed_at_the_start(run: Run) -> None:
    initialize = """
        self.universe_settings.resolution = Resolution.DAILY
        symbols = [Symbol.create(t, SecurityType.EQUITY, Market.USA) for t in ("MSFT", "IBM")]
        self.set_universe_selection(ManualUniverseSelectionModel(symbols))
        self.log(len(self.securities))
    """
    on_data = 'self.log(",".join(sorted(str(s) for s in data.keys())))\nself.quit()'
    result = run(initialize, on_data, MORE)
    assert words(result)[:3] == ["1", "AAPL,IBM,MSFT", "AAPL,IBM,MSFT"]


@pytest.mark.parametrize(
    "call",
    [
        'self.add_universe("mine", self.choose)',
        'self.AddUniverse("mine", Resolution.DAILY, self.choose)',
        'self.set_universe_selection(CustomUniverseSelectionModel("mine", self.choose))',
        "self.add_universe_selection(ScheduledUniverseSelectionModel("
        "self.date_rules.every_day(), self.time_rules.midnight, self.choose))",
    ],
    ids=["by name", "with a resolution", "custom model", "scheduled model"],
)
def test_a_function_chooses_tickers_day_by_day(run: Run, call: str) -> None:
    more = (
        MORE
        + """
def choose(self, now):
    # A schedule asks with the UTC moment, which knows its zone.
    assert now.hour == (5 if now.tzinfo else 0)
    return ["IBM"] if now.day < 12 and now.month == 1 else ["IBM", "MSFT"]
"""
    )
    initialize = f"self.universe_settings.resolution = Resolution.DAILY\n{call}"
    on_data = "self.log(f'{self.time:%d} {len(data.bars)}')\nif self.time.day == 12: self.quit()"
    lines = words(run(initialize, on_data, more))
    told = [line for line in lines if line[0].isupper()]
    if "Scheduled" in call:
        assert told[:3] == ["AAPL", "IBM", "MSFT"]
    else:
        assert told[:2] == ["AAPL,IBM", "MSFT"]
    assert "11 2" in lines
    assert "12 3" in lines


CHANGES = """
def on_securities_changed(self, changes):
    for word, items in (("+", changes.added_securities), ("-", changes.removed_securities)):
        if items:
            self.log(f"{self.time:%m%d} {word}{','.join(str(item.symbol) for item in items)}")

def choose(self, now):
    if now.month == 1 and 10 < now.day < 20:
        return []
    return ["IBM"]
"""


def test_what_a_universe_deselects_leaves_and_may_come_back(run: Run) -> None:
    initialize = """
        self.universe_settings.resolution = Resolution.DAILY
        self.universe = self.add_universe("mine", self.choose)
    """
    on_data = """
        if self.time.month == 1:
            names = ",".join(sorted(str(key) for key in data.keys()))
            active = ",".join(sorted(str(key) for key in self.active_securities.keys()))
            self.log(f"{self.time:%m%d} {names} {active}")
    """
    lines = words(run(initialize, on_data, CHANGES))
    assert [line for line in lines if line[5] in "+-"] == [
        "0104 +AAPL,IBM",
        "0111 -IBM",
        "0120 +IBM",
    ]
    assert [line for line in lines if line[5] not in "+-"][4:7] == [
        "0108 AAPL,IBM AAPL,IBM", "0111 AAPL AAPL", "0112 AAPL AAPL",
    ]  # fmt: skip
    assert "0120 AAPL,IBM AAPL,IBM" in lines


def test_what_is_held_keeps_its_bars_until_it_is_sold(run: Run) -> None:
    initialize = """
        self.universe_settings.resolution = Resolution.DAILY
        self.add_universe("mine", self.choose)
    """
    on_data = """
        if self.time.month > 1:
            return
        if self.time.day == 4:
            self.market_order("IBM", 10)
        if self.time.day == 13:
            self.liquidate("IBM")
        self.log(f"{self.time:%m%d} {len(data)}")
    """
    lines = words(run(initialize, on_data, CHANGES))
    # Sold at the open of the 14th; the selection of the 15th lets it go.
    assert "0114 2" in lines
    assert "0115 1" in lines


def test_insights_of_what_leaves_are_over_and_its_holding_is_sold(run: Run) -> None:
    head = """
class Always(AlphaModel):
    def update(self, algorithm, data):
        wanted = [item for item in algorithm.active_securities.keys() if item == "IBM"]
        if algorithm.insights.total_count:
            return []
        return [Insight.price(item, timedelta(days=90), InsightDirection.UP) for item in wanted]
"""
    initialize = f"""
        self.universe_settings.resolution = Resolution.DAILY
        self.add_universe("mine", self.choose)
        self.set_alpha(Always())
        {EQUAL}
    """
    result = run(initialize, more=CHANGES, head=head)
    bought, sold = result.orders
    assert (bought["symbol"], sold["quantity"]) == ("IBM", -bought["quantity"])
    assert sold["time"][:10] == "2010-01-11"


def test_a_removed_security_is_closed_and_told_of(run: Run) -> None:
    on_data = """
        if self.time.day == 4 and self.time.month == 1:
            self.market_order(self.aapl, 10)
            self.limit_order(self.aapl, 10, 1)
        if self.time.day == 6 and self.time.month == 1:
            known, other = self.remove_security(self.aapl), self.remove_security("X")
            self.log(f"{self.time:%m%d} {known} {other}")
    """
    result = run("", on_data, CHANGES)
    lines = [line for line in words(result) if line[:2] == "01"]
    assert lines == ["0104 +AAPL", "0106 True False", "0107 -AAPL"]
    assert [order["quantity"] for order in result.orders] == [10, 10, -10]
    assert result.orders[1]["status"] == "canceled"
