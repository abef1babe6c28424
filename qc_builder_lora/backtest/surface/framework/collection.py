"""The insights of a strategy: those that are open by symbol, and all that ever were."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from ..alias import both_styles
from ..known import Lean
from .insight import Insight
from .spelling import method, symbol_of


@both_styles
class InsightCollection(Lean):
    """By symbol, in the order in which they came."""

    def __init__(self) -> None:
        self._open: dict[Any, list[Insight]] = {}
        self._all: list[Insight] = []

    @property
    def count(self) -> int:
        return sum(map(len, self._open.values()))

    @property
    def total_count(self) -> int:
        return len(self._all)

    def add(self, item: Insight) -> None:
        self._all.append(item)
        self._open.setdefault(item.symbol, []).append(item)

    def add_range(self, insights: Iterable[Insight]) -> None:
        for insight in insights:
            self.add(insight)

    def contains(self, item: Insight) -> bool:
        return item in self._open.get(item.symbol, ())

    def contains_key(self, symbol: Any) -> bool:
        return bool(self._open.get(symbol_of(symbol)))

    def remove(self, item: Insight) -> bool:
        """Take one out of the open ones; whether it was there."""
        found = self._open.get(item.symbol, [])
        if item not in found:
            return False
        found.remove(item)
        if not found:
            del self._open[item.symbol]
        return True

    def clear(self, symbols: Iterable[Any]) -> None:
        """Take out all open ones of these symbols."""
        for symbol in symbols:
            self._open.pop(symbol_of(symbol), None)

    def try_get_value(self, symbol: Any, *rest: Any) -> tuple[bool, list[Insight] | None]:
        """As pythonnet renders C#'s out parameter: found, value."""
        found = self._open.get(symbol_of(symbol))
        return (False, None) if found is None else (True, list(found))

    def get_next_expiry_time(self) -> datetime | None:
        """The earliest close of the open ones."""
        return min(
            (item.close_time_utc for row in self._open.values() for item in row), default=None
        )

    def get_active_insights(self, utc_time: datetime) -> list[Insight]:
        return [item for item in self if not item.close_time_utc < utc_time]

    def has_active_insights(self, symbol: Any, utc_time: datetime) -> bool:
        return any(item.is_active(utc_time) for item in self._open.get(symbol_of(symbol), ()))

    def remove_expired_insights(self, utc_time: datetime) -> list[Insight]:
        """Take out those that have expired, and give them."""
        expired = [item for item in self if item.close_time_utc < utc_time]
        for item in expired:
            self.remove(item)
        return expired

    def remove_insights(self, filter: Callable[[Insight], bool]) -> None:  # noqa: A002
        """Forget some of all that ever were; the open ones stay open, as in LEAN."""
        self._all = [item for item in self._all if not filter(item)]

    def get_insights(self, filter: Callable[[Insight], bool] | None = None) -> list[Insight]:  # noqa: A002
        """All that ever were, or those that a function picks."""
        return [item for item in self._all if filter is None or filter(item)]

    def __getitem__(self, symbol: Any) -> list[Insight]:
        symbol = symbol_of(symbol)
        if symbol not in self._open:
            raise KeyError(f"The given key '{symbol}' was not present in the dictionary.")
        return list(self._open[symbol])

    def __setitem__(self, symbol: Any, insights: list[Insight]) -> None:
        self._open[symbol_of(symbol)] = list(insights)

    def __contains__(self, symbol: Any) -> bool:
        return self.contains_key(symbol)

    def __iter__(self) -> Iterator[Insight]:
        return iter([item for row in self._open.values() for item in row])

    def __len__(self) -> int:
        return self.count

    def __bool__(self) -> bool:
        return True


@both_styles
class InsightManager(InsightCollection):
    """`self.insights`."""

    def __init__(self, algorithm: Any) -> None:
        super().__init__()
        self._algorithm = algorithm
        self._score: Callable[..., Any] | None = None

    def set_insight_score_function(self, insight_score_function: Any) -> None:
        """An evaluator with a method `score(insights, utc_time)`."""
        found = method(insight_score_function, "score")
        if found is None:
            raise NotImplementedError(
                "IInsightScoreFunction.Score must be implemented. Please implement this missing "
                f"method on {type(insight_score_function)}"
            )
        self._score = found

    @property
    def scores(self) -> bool:
        """Whether an evaluator was set."""
        return self._score is not None

    def step(self, utc_now: datetime) -> None:
        """Let the evaluator look at the insights."""
        if self._score is not None:
            self._score(self, utc_now)

    def expire(self, things: Iterable[Any]) -> None:
        """End insights, or all insights of symbols, a second ago."""
        for thing in list(things or ()):
            if isinstance(thing, Insight):
                thing.expire(self._algorithm.utc_time)
            else:
                for insight in self._open.get(symbol_of(thing), ()):
                    insight.expire(self._algorithm.utc_time)

    def cancel(self, things: Iterable[Any]) -> None:
        self.expire(things)


@both_styles
class GeneratedInsightsCollection(Lean):
    """What listeners of `insights_generated` are told."""

    def __init__(self, date_time_utc: datetime, insights: list[Insight]) -> None:
        self.date_time_utc = date_time_utc
        self.insights = insights
