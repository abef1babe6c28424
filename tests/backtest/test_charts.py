"""What a strategy plots is part of its result."""

from __future__ import annotations

from collections.abc import Callable

from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.backtest.simulator.charts import MOST_POINTS, MOST_SERIES, Charts
from qc_builder_lora.records import BacktestStatus

Run = Callable[..., BacktestResult]


def test_plots_are_recorded_by_chart_and_series_with_their_moments(run: Run) -> None:
    result = run(
        on_data='self.plot("Mine", "close", data[self.aapl].close)\nself.Plot("cash", 1)',
        initialize='c = Chart("Mine")\nc.add_series(Series("close"))\nself.add_chart(c)',
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    points = result.charts["Mine"]["close"]
    assert len(points) == len({moment for moment, _ in points}) > 20
    assert all(value > 0 for _, value in points)
    assert set(result.charts) == {"Mine", "Strategy Equity"}
    assert [value for _, value in result.charts["Strategy Equity"]["cash"]] == [1.0] * len(points)
    assert result.plain()["charts"]["Mine"]["close"] == points


def test_a_result_without_plots_has_no_charts(run: Run) -> None:
    assert run().charts == {}


def test_bounds_hold_and_what_is_over_them_is_counted() -> None:
    charts = Charts()
    for moment in range(MOST_POINTS + 5):
        charts.add("a", "one", moment, 1.0)
    for number in range(MOST_SERIES + 5):
        charts.add("b", str(number), 0, 1.0)
    assert len(charts.series["a"]["one"]) == MOST_POINTS
    assert sum(len(found) for found in charts.series.values()) == MOST_SERIES
    assert charts.dropped == 5 + 6
    charts.add("one chart more", "x", 0, 1.0)
    assert "one chart more" not in charts.series
    charts.add("a", "two points at once", 7, 1.0)
    charts = Charts()
    charts.add("a", "one", 7, 1.0)
    charts.add("a", "one", 7, 2.0)
    assert charts.plain() == {"a": {"one": [[7, 2.0]]}}
