"""QCAlgorithm's indicators, consolidators, plots."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ..consolidators import ConsolidatorBase, consolidator_for
from ..desk import Desk
from ..frames import values_frame
from ..indicators import IndicatorBase
from ..known import not_modelled
from ..past import _securities, _span, feed, history, register, warm_up


class _History:
    """`self.history(…)` and `self.history[TradeBar](…)`."""

    def __init__(self, desk: Desk, kind: Any = None) -> None:
        self._desk = desk
        self._kind = kind

    def __call__(self, *args: Any, **named: Any) -> Any:
        return history(self._desk, args, named, self._kind)

    def __getitem__(self, kind: Any) -> _History:
        return _History(self._desk, kind)


class IndicatorMethods:
    """What feeds on bars."""

    _desk: Desk

    @property
    def history(self) -> _History:
        return _History(self._desk)

    def register_indicator(
        self, symbol: Any, indicator: Any, span: Any = None, selector: Any = None, **named: Any
    ) -> None:
        for name in ("resolution", "consolidator"):
            span = named.pop(name, span)
        if callable(span) and not isinstance(span, ConsolidatorBase):
            span, selector = None, span
        if not hasattr(indicator, "feed_bar"):
            indicator = _Foreign(indicator)
        security = self._desk.security(symbol)
        consolidator = register(self._desk, security, indicator, span, selector)
        if isinstance(span, ConsolidatorBase) and consolidator is span:
            self._desk.consolidate(security, span)
        if self._desk.settings.automatic_indicator_warm_up and span is None:
            warm_up(self._desk, security, indicator, selector)

    def unregister_indicator(self, indicator: Any) -> None:
        self._desk.forget([indicator.feed_bar])

    def deregister_indicator(self, indicator: Any) -> None:
        self.unregister_indicator(indicator)

    def warm_up_indicator(
        self, symbol: Any, indicator: Any, resolution: Any = None, selector: Any = None
    ) -> None:
        if isinstance(resolution, timedelta):
            not_modelled("QCAlgorithm.warm_up_indicator", f"with {resolution}")
        if not hasattr(indicator, "feed_bar"):
            indicator = _Foreign(indicator)
        warm_up(self._desk, self._desk.security(symbol), indicator, selector, resolution)

    def indicator_history(self, indicator: Any, symbol: Any, *args: Any, **named: Any) -> Any:
        """A data frame of the indicator's values over past bars."""
        desk = self._desk
        security = _securities(desk, symbol)[0]
        rest = list(args)
        selector = named.pop("selector", None)
        span = _span(rest, named)
        if span[0] == "count":
            span = ["count", span[1] + max(int(indicator.warm_up_period) - 1, 0)]
        indicator.reset()
        times, values = [], []
        for bar in desk.bars([security], span)[0]:
            feed(indicator, bar, selector)
            if indicator.is_ready:
                times.append(bar.end_time)
                values.append(indicator.value)
        return values_frame(times, {"current": values})

    def consolidate(self, symbol: Any, span: Any, *handlers: Any, **named: Any) -> ConsolidatorBase:
        """`consolidate(symbol, timedelta(days=7), handler)`: handler takes the longer bar."""
        handler: Any = named.get("handler", handlers[-1] if handlers else None)
        if not callable(handler):
            raise TypeError(f"consolidate needs a function for the bars, got {handler!r}")
        security = self._desk.security(symbol)
        consolidator = consolidator_for(span, self._desk.subscription(security).resolution)
        consolidator.data_consolidated += lambda _, bar: handler(bar)
        self._desk.consolidate(security, consolidator)
        return consolidator

    @property
    def subscription_manager(self) -> _SubscriptionManager:
        return _SubscriptionManager(self._desk)

    def plot(self, *args: Any, **named: Any) -> None:
        """Recorded; a chart's own look is not."""
        values = [*args, *named.values()]
        names = [str(item) for item in values if isinstance(item, str)]
        for item in values:
            if isinstance(item, str):
                continue
            if isinstance(item, IndicatorBase):
                if item.is_ready:
                    self._point(names[0] if names else "Strategy Equity", item.name, item.value)
            else:
                chart, series = ("Strategy Equity", *names)[-2:]
                self._point(chart, series, float(getattr(item, "value", item)))

    def _point(self, chart: str, series: str, value: float) -> None:
        self._desk.send(["plot", chart[:200], series[:200], value])

    def plot_indicator(self, chart: str, *args: Any) -> None:
        """Plot each indicator whenever it moves."""
        for indicator in args:
            if isinstance(indicator, IndicatorBase):
                self._plot_moves(chart, indicator)

    def _plot_moves(self, chart: str, indicator: IndicatorBase) -> None:
        def moved(_: Any, value: float) -> None:
            if indicator.is_ready:
                self._point(chart, indicator.name, value)

        indicator.follow(moved)

    def add_chart(self, chart: Any) -> None:
        """Charts are recorded by what is plotted on them."""

    def add_series(self, *args: Any) -> None:
        """Charts are recorded by what is plotted on them."""


class _Foreign:
    """A strategy's own class with `update(bar)`, registered like an indicator."""

    def __init__(self, own: Any) -> None:
        self._own = own
        self.name = getattr(own, "name", type(own).__name__)
        self.warm_up_period = getattr(own, "warm_up_period", 0)

    def feed_bar(self, bar: Any) -> None:
        getattr(self._own, "update", None) or getattr(self._own, "Update")  # noqa: B009
        (getattr(self._own, "update", None) or self._own.Update)(bar)

    def feed(self, time: Any, value: float) -> None:
        (getattr(self._own, "update", None) or self._own.Update)(time, value)


class _SubscriptionManager:
    """`self.subscription_manager`: adding and removing consolidators."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_consolidator(self, symbol: Any, consolidator: Any) -> None:
        self._desk.consolidate(self._desk.security(symbol), consolidator)

    def remove_consolidator(self, symbol: Any, consolidator: Any) -> None:
        self._desk.drop(consolidator)

    AddConsolidator = add_consolidator
    RemoveConsolidator = remove_consolidator
