"""QCAlgorithm's indicators, consolidators, plots."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ..bars import Slice
from ..consolidators import ConsolidatorBase, IdentityConsolidator, sized
from ..consolidators.periods import PeriodCountConsolidator
from ..desk import Desk
from ..feeding import deregister, known, register
from ..indicator_past import IndicatorHistory, from_past, from_slices
from ..indicators import IndicatorBase
from ..keywords import lean_names
from ..past import _securities, _span, history
from ..subscriptions import SubscriptionManager
from ..warming import warm_up, warm_up_over


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

    def register_indicator(self, symbol: Any, indicator: Any, *args: Any, **named: Any) -> None:
        """Keep an indicator fed by bars of a resolution, a length or a consolidator."""
        span, selector = _fed_by("register_indicator", args, named, _SPANS)
        desk = self._desk
        security, fed = desk.security(symbol), known(desk, indicator)
        register(desk, security, fed, span, selector)
        # Only what a time makes can be made of the past.
        length = span.period if isinstance(span, PeriodCountConsolidator) else None
        if desk.settings.automatic_indicator_warm_up and length is not None:
            warm_up_over(desk, [security], fed, length, selector)

    def unregister_indicator(self, indicator: Any) -> None:
        deregister(self._desk, known(self._desk, indicator))

    def deregister_indicator(self, indicator: Any) -> None:
        self.unregister_indicator(indicator)

    def warm_up_indicator(self, symbol: Any, indicator: Any, *args: Any, **named: Any) -> None:
        """Feed an indicator the past bars that make it ready."""
        span, selector = _fed_by("warm_up_indicator", args, named, ("resolution", "period"))
        desk = self._desk
        securities, fed = _securities(desk, symbol), known(desk, indicator)
        if isinstance(span, timedelta):
            warm_up_over(desk, securities, fed, span, selector)
        else:
            warm_up(desk, securities, fed, span, selector)

    def indicator_history(self, indicator: Any, *args: Any, **named: Any) -> IndicatorHistory:
        """An indicator's values over past bars, or over those of a history of slices."""
        desk, rest, fed = self._desk, list(args), known(self._desk, indicator)
        slices = named.pop("history", None)
        if rest and isinstance(rest[0], list) and rest[0] and isinstance(rest[0][0], Slice):
            slices = rest.pop(0)
        if slices is not None:
            _, selector = _fed_by("indicator_history", rest, named, ())
            return from_slices(fed, list(slices), selector)
        for name in ("symbol", "symbols"):
            rest[:0] = [named.pop(name)] if name in named else []
        securities = _securities(desk, rest.pop(0))
        named["periods"] = named.pop("period", named.pop("periods", None))
        span = _span(rest, {key: value for key, value in named.items() if value is not None})
        left: dict[str, Any] = {key: named[key] for key in _OTHERS if key in named}
        resolution, selector = _fed_by("indicator_history", rest, left, ("resolution",))
        return from_past(desk, securities, fed, span, resolution, selector)

    def resolve_consolidator(self, symbol: Any, *args: Any, **named: Any) -> Any:
        """The consolidator that an indicator of a resolution or a length would get."""
        span = next(iter([*args, *(named.pop(key) for key in _SPANS if key in named)]), None)
        security = self._desk.security(symbol)
        if span is None:
            return IdentityConsolidator()
        return self._desk.consolidator(security, span)

    @lean_names(
        *(
            f"symbol {span} {rest}"
            for span in ("period", "resolution", "max_count", "calendar", "period_func")
            for rest in ("handler", "tick_type handler")
        ),
        "type symbol size tick_type handler",
    )
    def consolidate(self, symbol: Any, span: Any, *handlers: Any, **named: Any) -> ConsolidatorBase:
        """`consolidate(symbol, timedelta(days=7), handler)`: handler takes the longer bar."""
        handler: Any = named.get("handler", handlers[-1] if handlers else None)
        if not callable(handler):
            raise TypeError(f"consolidate needs a function for the bars, got {handler!r}")
        if isinstance(symbol, type) or type(symbol).__name__ == "StandIn":
            # `consolidate(RenkoBar, symbol, size, tick_type, handler)`.
            made = named.get("size", handlers[0])
            symbol, span = span, sized(symbol, made)
        security = self._desk.security(symbol)
        consolidator = self._desk.consolidator(security, span)
        consolidator.data_consolidated += lambda _, bar: handler(bar)
        self._desk.consolidate(security, consolidator)
        return consolidator

    @property
    def subscription_manager(self) -> SubscriptionManager:
        return SubscriptionManager(self._desk)

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

    def plot_indicator(self, chart: str, *args: Any, **named: Any) -> None:
        """Plot each indicator whenever it moves."""
        things = [*args, *named.values()]
        waits = next((item for item in things if isinstance(item, bool)), False)
        for item in things:
            for indicator in item if isinstance(item, list | tuple) else [item]:
                if isinstance(indicator, IndicatorBase):
                    self._plot_moves(chart, indicator, waits=waits)

    def _plot_moves(self, chart: str, indicator: IndicatorBase, *, waits: bool) -> None:
        def moved(_: Any, value: float) -> None:
            if indicator.is_ready or not waits:
                self._point(chart, indicator.name, value)

        indicator.follow(moved)

    def add_chart(self, chart: Any) -> None:
        """Charts are recorded by what is plotted on them."""

    def add_series(self, *args: Any) -> None:
        """Charts are recorded by what is plotted on them."""


_OTHERS = ("resolution", "selector")
_SPANS = ("resolution", "time_span", "py_object", "consolidator")


def _fed_by(name: str, args: Any, named: dict[str, Any], spans: tuple[str, ...]) -> tuple[Any, Any]:
    """What feeds an indicator, a resolution or the like, and its selector."""
    rest = list(args)
    found = []
    for keys in (spans, ("selector",)) if spans else (("selector",),):
        given = [named.pop(key) for key in keys if key in named]
        found.append(given[0] if given else rest.pop(0) if rest else None)
    selector = found.pop()
    if rest or named or not (selector is None or callable(selector)):
        shown = ", ".join([*(type(item).__name__ for item in args), *named])
        raise TypeError(f"No method matches given arguments for {name}: ({shown})")
    return (found[0] if found else None), selector
