"""What strategies in Python borrow from .NET works as it does in LEAN."""

from __future__ import annotations

from collections.abc import Callable

from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.records import BacktestStatus

Run = Callable[..., BacktestResult]


def told(result: BacktestResult) -> list[str]:
    assert result.status is BacktestStatus.COMPLETED, result.reason
    return [line for line in result.logs if "told " in line]


def test_a_circular_queue_tells_when_its_first_item_comes(run: Run) -> None:
    body = """
q = CircularQueue[int]([1, 2, 3])
q.circle_completed += lambda sender, event: self.log("told circle")
self.log("told " + ",".join(str(q.dequeue()) for _ in range(7)))
p = CircularQueue(4, 5)
p.CircleCompleted += lambda sender, event: self.log("told other circle")
self.log(f"told {p.Dequeue()} {p.Dequeue()}")
"""
    found = told(run(initialize=body))
    assert [line.split("told ")[1] for line in found] == [
        "circle", "circle", "circle", "1,2,3,1,2,3,1", "other circle", "4 5",
    ]  # fmt: skip


def test_spans_of_time_are_pythons(run: Run) -> None:
    body = """
assert TimeSpan.FromDays(2) == timedelta(days=2) == TimeSpan.from_hours(48)
assert TimeSpan(1, 2, 3) == timedelta(hours=1, minutes=2, seconds=3)
assert TimeSpan(1, 2, 3, 4) == timedelta(days=1, hours=2, minutes=3, seconds=4)
assert TimeSpan.ZERO == timedelta(0)
assert DateTime(2010, 1, 4) == datetime(2010, 1, 4)
assert DateTime.MinValue == datetime.min
self.log("told yes")
"""
    assert len(told(run(initialize=body))) == 1


def test_what_a_regression_strategy_raises_is_its_failure(run: Run) -> None:
    result = run(on_data='raise RegressionTestException("not as expected")')
    assert result.status is BacktestStatus.FAILED
    assert "not as expected" in (result.reason or "")


def test_initializers_are_called_for_each_security(run: Run) -> None:
    body = """
first = FuncSecurityInitializer(lambda s: self.log(f"told one {s.symbol.value}"))
second = FuncSecurityInitializer(lambda s: s.set_leverage(3))
self.set_security_initializer(CompositeSecurityInitializer(first, second))
ibm = self.add_equity("IBM", Resolution.DAILY)
self.log(f"told {ibm.leverage:g}")
"""
    assert [line.split("told ")[1] for line in told(run(initialize=body))] == ["one IBM", "3"]


def test_objects_have_to_string_in_both_spellings(run: Run) -> None:
    body = 'self.log("told " + self.aapl.to_string() + self.aapl.ToString())'
    (line,) = told(run(initialize=body))
    assert line.count("AAPL") == 2
