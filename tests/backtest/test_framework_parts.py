"""The framework's arithmetic on its own: closes of insights, collections, weights, optimisers."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qc_builder_lora.backtest.simulator.calendar import NEW_YORK, load_hours, zone
from qc_builder_lora.backtest.surface.enums import Resolution
from qc_builder_lora.backtest.surface.framework import periods
from qc_builder_lora.backtest.surface.framework.collection import InsightManager
from qc_builder_lora.backtest.surface.framework.construction import PortfolioBias
from qc_builder_lora.backtest.surface.framework.expiry import Expiry
from qc_builder_lora.backtest.surface.framework.insight import (
    Insight,
    InsightDirection,
    InsightType,
)
from qc_builder_lora.backtest.surface.framework.optimisers import (
    MaximumSharpeRatioPortfolioOptimizer,
    MinimumVariancePortfolioOptimizer,
    RiskParityPortfolioOptimizer,
    UnconstrainedMeanVariancePortfolioOptimizer,
)
from qc_builder_lora.backtest.surface.framework.patient import StandardDeviationExecutionModel
from qc_builder_lora.backtest.surface.framework.reversion import (
    MeanReversionPortfolioConstructionModel,
)
from qc_builder_lora.backtest.surface.framework.risk import (
    CompositeRiskManagementModel,
    MaximumDrawdownPercentPortfolio,
    RiskManagementModel,
    TrailingStopRiskManagementModel,
)
from qc_builder_lora.backtest.surface.framework.sessions import Sessions, moment_of, seconds_of
from qc_builder_lora.backtest.surface.framework.statics import OrderSizing
from qc_builder_lora.backtest.surface.framework.target import (
    PortfolioTarget,
    PortfolioTargetCollection,
)
from qc_builder_lora.backtest.surface.framework.weighting import (
    AccumulativeInsightPortfolioConstructionModel,
    ConfidenceWeightedPortfolioConstructionModel,
    InsightWeightingPortfolioConstructionModel,
)

np = pytest.importorskip("numpy")
UP, DOWN, FLAT = InsightDirection.UP, InsightDirection.DOWN, InsightDirection.FLAT
HOURS = load_hours(Path("/nowhere"))
EXCHANGE = zone(NEW_YORK)
DAY = 86400


def ask(message: list[Any]) -> Any:
    """What the simulator answers about its calendar."""
    _, what, moment = message
    if what != "sessions":
        return EXCHANGE.utc(moment) if what == "utc" else EXCHANGE.local(moment)
    found = []
    for day in range(moment // DAY, moment // DAY + 366):
        if HOURS.is_open_day(day):
            opening, close = (day * DAY + edge for edge in HOURS.session(day, False))
            found.append([opening, close, opening - EXCHANGE.utc(opening)])
    return found


SESSIONS = Sessions(ask)


def new_york(text: str) -> datetime:
    """UTC of a moment in New York."""
    return moment_of(EXCHANGE.utc(seconds_of(datetime.fromisoformat(text))))


CLOSES = {
    "over a weekend": ("2013-10-11 15:50", timedelta(minutes=20), "2013-10-14 09:40"),
    "days are trading days": ("2013-10-11 16:00", timedelta(days=1), "2013-10-14 16:00"),
    "part of a day is part of a session": (
        "2013-10-14 10:00", timedelta(hours=36), "2013-10-15 13:15",
    ),
    "over an early close": ("2013-11-27 15:59", timedelta(hours=4), "2013-12-02 09:59"),
    "over a change of clocks": ("2013-11-01 15:59", timedelta(minutes=2), "2013-11-04 09:31"),
    "from before the open": ("2013-10-14 09:00", timedelta(minutes=1), "2013-10-14 09:31"),
    "no time at all is a second": ("2013-10-14 10:00", timedelta(0), "2013-10-14 10:00:01"),
    "seconds": ("2013-10-14 15:59:30", timedelta(seconds=45), "2013-10-15 09:30:15"),
}  # fmt: skip


@pytest.mark.parametrize("case", CLOSES)
def test_an_insight_closes_after_its_span_of_market_hours(case: str) -> None:
    generated, span, expected = CLOSES[case]
    closes, period = periods.by_span(span)(new_york(generated), SESSIONS)
    assert closes == new_york(expected)
    assert period == (span or timedelta(seconds=1))


def test_steps_by_session_equal_steps_by_bar() -> None:
    draw = random.Random(7)
    for _ in range(60):
        start = seconds_of(datetime(2013, 6, 28)) + draw.randrange(30 * DAY)
        size, count = draw.choice([60, 300, 3600]), draw.randrange(1, 700)
        slow, left = start, count
        while left:
            before, slow = slow, slow + size
            found = SESSIONS.bounds(before // DAY)
            left -= found is not None and before < found[1] and slow > found[0]
        assert periods.after_bars(SESSIONS, start, size, count) == slow, (start, size, count)


def test_both_clocks_agree_around_changes_of_the_clocks() -> None:
    for text in ("2013-03-08", "2013-11-01"):
        start = seconds_of(datetime.fromisoformat(text))
        for local in range(start, start + 5 * DAY, 1800):
            assert SESSIONS.utc(local) == EXCHANGE.utc(local)
            assert SESSIONS.local(local + 4 * 3600) == EXCHANGE.local(local + 4 * 3600)


def test_hours_are_counted_in_minutes() -> None:
    closes, period = periods.by_bars(Resolution.HOUR, 7)(new_york("2013-10-14 09:30"), SESSIONS)
    assert closes == new_york("2013-10-15 10:00")
    assert period == timedelta(hours=7)


def test_a_close_in_the_past_is_refused() -> None:
    with pytest.raises(ValueError, match="closeTimeLocal must not be in the past"):
        periods.by_close(datetime(2013, 10, 11))(new_york("2013-10-14 10:00"), SESSIONS)


def test_a_close_that_is_given_sets_the_period() -> None:
    close = periods.by_close(datetime(2013, 10, 16, 10))
    assert close(new_york("2013-10-14 10:00"), SESSIONS)[1] == timedelta(days=2)
    close = periods.by_close(datetime(2013, 10, 15, 9, 40))
    assert close(new_york("2013-10-14 15:50"), SESSIONS)[1] == timedelta(minutes=20)


EXPIRIES = {
    "end_of_day": "2013-10-12", "end_of_week": "2013-10-14", "end_of_month": "2013-11-01",
    "end_of_quarter": "2014-01-01", "end_of_year": "2014-01-01", "one_month": "2013-11-11 13:00",
    "one_quarter": "2014-01-11 13:00", "one_year": "2014-10-11 13:00",
}  # fmt: skip


@pytest.mark.parametrize("name", EXPIRIES)
def test_expiry_names_moments(name: str) -> None:
    moment = datetime(2013, 10, 11, 13)
    assert getattr(Expiry, name)(moment) == datetime.fromisoformat(EXPIRIES[name])
    assert getattr(Expiry, name.upper())(moment) == getattr(Expiry, name)(moment)


def test_a_week_ends_on_the_next_monday_also_on_a_sunday() -> None:
    assert Expiry.EndOfWeek(datetime(2013, 10, 13, 5)) == datetime(2013, 10, 14)  # type: ignore[attr-defined]
    assert Expiry.EndOfWeek(datetime(2013, 10, 14)) == datetime(2013, 10, 21)  # type: ignore[attr-defined]


def test_an_expiry_while_the_exchange_is_shut_waits_for_the_open() -> None:
    closes, period = periods.by_function(Expiry.end_of_week)(new_york("2013-10-11 15:00"), SESSIONS)
    assert closes == new_york("2013-10-14 09:30")
    assert period == closes - new_york("2013-10-11 15:00")


# Insights and their collection.


def insight(symbol: str = "SPY", minutes: int = 0, direction: Any = UP, **more: Any) -> Insight:
    made = Insight.price(symbol, timedelta(minutes=20), direction, **more)
    made.generated_time_utc = datetime(2013, 10, 7, 14) + timedelta(minutes=minutes)
    made.settle(SESSIONS)
    return made


def test_insights_take_leans_overloads() -> None:
    symbol, day = "SPY", timedelta(days=1)
    plain = Insight(symbol, day, InsightType.PRICE, UP, 0.1, 0.2, "model", 0.3, "tag")
    assert (plain.magnitude, plain.confidence, plain.source_model, plain.weight, plain.tag) == (
        0.1, 0.2, "model", 0.3, "tag",
    )  # fmt: skip
    assert Insight(symbol, day, InsightType.PRICE, UP, "tag").tag == "tag"
    assert Insight.Price(symbol, Resolution.DAILY, 2, DOWN, weight=0.5).Weight == 0.5
    timed = Insight(datetime(2020, 1, 2), symbol, day, InsightType.VOLATILITY, FLAT, None, None)
    assert timed.close_time_utc == datetime(2020, 1, 3)
    assert Insight.price(symbol, Expiry.end_of_day, UP, sourceModel="a").source_model == "a"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("SPY", 5, UP), "a period of 5"),
        (("SPY", timedelta(days=1), 1), "expected an InsightType and an InsightDirection"),
        (("SPY", timedelta(milliseconds=5), UP), "greater than or equal to 1 second"),
        (("SPY", Resolution.DAILY, 0, UP), "barCount must be greater than zero"),
        (("SPY", timedelta(days=1)), "no direction"),
    ],
)
def test_a_wrong_insight_is_refused(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        Insight.price(*arguments)


def test_a_group_is_given_once() -> None:
    one, two = insight(), insight("IBM")
    assert Insight.group(one, two) == [one, two]
    assert one.group_id == two.group_id is not None
    with pytest.raises(ValueError, match="already been assigned to a group"):
        Insight.group([one])


def test_a_clone_has_the_same_identity_and_its_own_close() -> None:
    one = insight(tag="x")
    two = one.clone()
    two.expire(datetime(2013, 10, 7, 14, 5))
    assert (two.id, two.tag, one.is_active(datetime(2013, 10, 7, 14, 10))) == (one.id, "x", True)
    assert two.is_expired(datetime(2013, 10, 7, 14, 5))


def test_an_insight_is_active_at_its_close_and_expired_after_it() -> None:
    one = insight()
    assert one.close_time_utc == datetime(2013, 10, 7, 14, 20)
    assert one.is_active(datetime(2013, 10, 7, 14, 20))
    assert one.IsExpired(datetime(2013, 10, 7, 14, 20, 1))


def test_the_manager_expires_symbols_and_insights() -> None:
    clock = SimpleNamespace(utc_time=datetime(2013, 10, 7, 14, 10))
    manager = InsightManager(clock)
    first, second, third = insight(), insight("IBM"), insight("IBM", 5)
    manager.add_range([first, second, third])
    assert (manager.count, manager.total_count) == (3, 3)
    manager.cancel(["SPY"])
    manager.Expire([third])
    assert manager.get_active_insights(clock.utc_time) == [second]
    assert manager.get_next_expiry_time() == datetime(2013, 10, 7, 14, 9, 59)
    assert manager.remove_expired_insights(clock.utc_time) == [first, third]
    assert (manager.count, manager.total_count, len(manager)) == (1, 3, 1)
    assert not manager.contains_key("SPY")
    assert manager.get_insights(lambda item: item.symbol == "SPY") == [first]
    with pytest.raises(KeyError, match="SPY"):
        manager["SPY"]


# Weights.


def weigh(model: Any, insights: list[Insight]) -> list[float]:
    wanted = [item for item in insights if model.should_create_target_for_insight(item)]
    return list(model.determine_target_percent(wanted).values())


def test_weights_above_one_are_scaled_down_and_flat_counts_nothing() -> None:
    model = InsightWeightingPortfolioConstructionModel()
    insights = [
        insight("A", weight=0.9), insight("B", direction=DOWN, weight=0.6), insight("C"),
        insight("D", direction=FLAT, weight=0.5),
    ]  # fmt: skip
    assert weigh(model, insights) == pytest.approx([0.45, -0.3, 0.0])
    model = ConfidenceWeightedPortfolioConstructionModel()
    assert weigh(model, [insight("A", confidence=0.3)]) == [0.3]


def test_accumulated_insights_add_up_and_a_flat_one_steps_back() -> None:
    model = AccumulativeInsightPortfolioConstructionModel(percent=0.1)
    ups = [insight("A", minute) for minute in range(3)]
    assert weigh(model, ups) == pytest.approx([0.3])
    assert weigh(model, [*ups, insight("A", 3, FLAT)]) == pytest.approx([0.2])
    assert weigh(model, [insight("A", 0), insight("A", 1, DOWN), insight("A", 2, DOWN)]) == (
        pytest.approx([-0.1])
    )


def test_arguments_and_settings_are_taken_in_either_spelling() -> None:
    model = InsightWeightingPortfolioConstructionModel(portfolioBias=PortfolioBias.LONG)
    assert weigh(model, [insight("A", weight=0.5), insight("B", direction=DOWN, weight=0.5)]) == [
        0.5, 0.0,
    ]  # fmt: skip
    execution = StandardDeviationExecutionModel()
    assert execution.maximum_order_value == 20_000
    execution.MaximumOrderValue = 500
    assert execution.maximum_order_value == 500
    with pytest.raises(TypeError, match="bais"):
        InsightWeightingPortfolioConstructionModel(bais=1)


def test_reversion_projects_onto_the_simplex() -> None:
    project = MeanReversionPortfolioConstructionModel.simplex_projection
    assert project([0.2, 0.3, 0.5]) == pytest.approx([0.2, 0.3, 0.5])
    assert project([1.5, 0.2, -1.0]) == pytest.approx([1.0, 0.0, 0.0])
    assert sum(project([0.9, 0.8, 0.1])) == pytest.approx(1)
    with pytest.raises(ValueError, match="Total must be > 0"):
        project([1.0], 0)


# Optimisers, against another method.


def returns(seed: int, size: int = 4) -> Any:
    draw = np.random.default_rng(seed)
    return draw.normal(0.001, 0.01, (63, size)) @ draw.normal(0.3, 0.6, (size, size))


@pytest.mark.parametrize("seed", range(12))
def test_least_variance_equals_scipys(seed: int) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    data = returns(seed)
    mean, spread = data.mean(axis=0), np.cov(data, rowvar=False)
    target = float(0.7 * mean.max() + 0.3 * mean.min())
    low = (-1.0, 0.0)[seed % 2]
    found = MinimumVariancePortfolioOptimizer(low, 1, target).optimize(data)
    peer = optimize.minimize(
        lambda w: 1e4 * w @ spread @ w, np.full(4, 0.25), bounds=[(low, 1)] * 4, method="SLSQP",
        constraints=[
            {"type": "eq", "fun": lambda w: 1e3 * (mean @ w - target)},
            {"type": "eq", "fun": lambda w: w.sum() - 1},
        ],
        options={"ftol": 1e-11, "maxiter": 500},
    )  # fmt: skip
    # SLSQP may stop on a line search that goes nowhere: at the optimum, then.
    assert peer.success or peer.status == 8
    assert found == pytest.approx(peer.x / np.abs(peer.x).sum(), abs=2e-4)


def test_a_return_out_of_reach_gives_equal_weights() -> None:
    assert MinimumVariancePortfolioOptimizer(target_return=9.0).optimize(returns(1)) == (
        pytest.approx([0.25] * 4)
    )


@pytest.mark.parametrize("seed", range(8))
def test_most_sharpe_beats_every_other_portfolio(seed: int) -> None:
    data = returns(seed)
    mean, spread = data.mean(axis=0), np.cov(data, rowvar=False)
    weights = MaximumSharpeRatioPortfolioOptimizer(0, 1).optimize(data)
    assert weights.sum() == pytest.approx(1)
    assert weights.min() >= -1e-9

    def sharpe(w: Any) -> float:
        return float(mean @ w / np.sqrt(w @ spread @ w))

    others = np.random.default_rng(seed).dirichlet(np.ones(4), 2000)
    assert sharpe(weights) >= max(map(sharpe, others)) - 1e-9 or mean.max() <= 0


def test_risk_parity_gives_every_security_the_same_risk() -> None:
    spread = np.array([[0.04, 0.01, 0.0], [0.01, 0.09, 0.02], [0.0, 0.02, 0.16]])
    weights = RiskParityPortfolioOptimizer().optimize(None, None, spread)
    risks = weights * (spread @ weights)
    assert weights.sum() == pytest.approx(1)
    assert risks == pytest.approx([risks[0]] * 3, rel=1e-6)


def test_unconstrained_weights_are_returns_over_covariance() -> None:
    optimiser = UnconstrainedMeanVariancePortfolioOptimizer()
    assert optimiser.Optimize(None, [0.1, 0.2], [[0.5, 0.0], [0.0, 0.25]]) == (
        pytest.approx([0.2, 0.8])
    )


# Targets, orders and risk.


class Book:
    """An algorithm with two securities, one of them held, and an open order."""

    is_warming_up = False

    def __init__(self) -> None:
        held, other, silent = self._security("A", 100), self._security("B", 0), None
        silent = self._security("C", 0)
        silent.has_data = False
        self.securities = {"A": held, "B": other, "C": silent}
        self.cancelled: list[Any] = []
        self.insights = SimpleNamespace(cancel=self.cancelled.extend)
        ticket = SimpleNamespace(quantity=10, quantity_filled=4)
        self.transactions = SimpleNamespace(
            get_open_order_tickets=lambda symbol: [ticket] if symbol == "B" else []
        )
        self.portfolio = SimpleNamespace(total_portfolio_value=100_000.0)

    def _security(self, symbol: str, quantity: float) -> Any:
        return SimpleNamespace(
            symbol=symbol, price=10.0, volume=5000.0, has_data=True, is_tradable=True,
            holdings=SimpleNamespace(
                quantity=quantity, invested=quantity != 0, is_long=quantity > 0,
                absolute_holdings_value=1000.0, absolute_holdings_cost=1000.0,
            ),
            symbol_properties=SimpleNamespace(lot_size=1.0),
        )  # fmt: skip


def test_what_reduces_comes_first_then_the_largest() -> None:
    book = Book()
    targets = PortfolioTargetCollection()
    targets.add_range(
        [PortfolioTarget("B", 500), PortfolioTarget("A", 90), PortfolioTarget("C", 5)]
    )
    assert [str(item) for item in targets.order_by_margin_impact(book)] == ["A: 90", "B: 500"]
    targets.add(PortfolioTarget("B", 6.7))
    assert [str(item) for item in targets.order_by_margin_impact(book)] == ["A: 90"]
    book.is_warming_up = True
    assert targets.OrderByMarginImpact(book) == []


def test_reached_targets_are_dropped() -> None:
    targets = PortfolioTargetCollection()
    targets.add_range([PortfolioTarget("A", 100.4), PortfolioTarget("B", 6)])
    targets.clear_fulfilled(Book())
    assert targets.Keys == ["B"]
    assert not targets.remove(PortfolioTarget("B", 6))
    assert targets.remove("B")
    assert targets.is_empty


def test_order_sizes_are_whole_lots_within_their_limits() -> None:
    book = Book()
    security = book.securities["B"]
    assert OrderSizing.get_unordered_quantity(book, PortfolioTarget("B", 50.9)) == 44
    assert OrderSizing.get_order_size_for_percent_volume(security, 0.01, -80) == -50
    assert OrderSizing.get_order_size_for_maximum_value(security, 305, 80) == 30
    assert OrderSizing.get_order_size_for_maximum_value(security, 9, -80) == 0


class Cap(RiskManagementModel):
    """Holds at most so much of A."""

    def __init__(self, most: float) -> None:
        self.most = most

    def manage_risk(self, algorithm: Any, targets: Any) -> Any:
        return [PortfolioTarget("A", min(item.quantity, self.most)) for item in targets
                if item.symbol == "A"]  # fmt: skip


def test_a_later_risk_model_sees_what_an_earlier_one_left() -> None:
    composite = CompositeRiskManagementModel(Cap(70), Cap(80))
    targets = [PortfolioTarget("A", 100), PortfolioTarget("B", 5)]
    assert [str(item) for item in composite.manage_risk(None, targets)] == ["A: 70", "B: 5"]
    with pytest.raises(ValueError, match="at least 1 risk management model"):
        CompositeRiskManagementModel()


def test_a_trailing_stop_falls_from_the_best_value() -> None:
    book, model = Book(), TrailingStopRiskManagementModel(0.05)
    found = []
    for value in (1000.0, 1100.0, 1046.0, 1044.0):
        book.securities["A"].holdings.absolute_holdings_value = value
        found.append([str(item) for item in model.manage_risk(book, [])])
    assert found == [[], [], [], ["A: 0"]]
    assert book.cancelled == ["A"]


def test_a_portfolio_that_fell_too_far_is_flattened_by_the_next_targets() -> None:
    book, model = Book(), MaximumDrawdownPercentPortfolio(0.1, True)
    targets = [PortfolioTarget("A", 100)]
    for value, wanted in ((100_000, []), (110_000, []), (99_500, []), (98_900, ["A: 0"]),
                          (98_000, [])):  # fmt: skip
        book.portfolio.total_portfolio_value = float(value)
        assert [str(item) for item in model.manage_risk(book, targets)] == wanted
    book.portfolio.total_portfolio_value = 50_000.0
    assert model.manage_risk(book, []) == []
