"""The indicator methods whose overloads differ in more than their numbers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ..desk import Desk
from ..feeding import register
from ..indicators import (
    Alpha,
    FilteredIdentity,
    Identity,
    IntradayVwap,
    LeastSquaresMovingAverageWithReference,
    ValueAtRisk,
    Variance,
    VolumeWeightedAveragePriceIndicator,
)
from ..indicators.arguments import REQUIRED, Parameter, is_symbol, matched
from ..interest import InterestRateProvider
from ..known import not_modelled
from .shortcuts import TAIL, attach, bound, indicator_name, refused
from .shortcuts import method as table_method

_PERIOD = Parameter("period", "int")
_FIELD = (Parameter("selector", "Any", None), Parameter("field_name", "Any", None))
_ALPHA = (
    Parameter("alpha_period", "int", 1),
    Parameter("beta_period", "int", 252),
    Parameter("resolution", "Resolution | None", None),
    Parameter("risk_free_rate", "float | None", None),
    Parameter("selector", "Any", None),
)
_single_lsma = table_method("lsma")


class OddShortcuts:
    """`a`, `candlestick_patterns`, `filtered_identity`, `identity`, `lsma`, `v`, `var`, `vwap`."""

    UPPER = frozenset({"a", "lsma", "v", "var", "vwap"})
    _desk: Desk

    @property
    def candlestick_patterns(self) -> Any:
        """LEAN's candlestick patterns; their sixty classes are read when first asked for."""
        from .candlesticks import CandlestickPatterns

        return CandlestickPatterns(self._desk)

    def identity(self, symbol: Any, *args: Any, **named: Any) -> Identity:
        resolution, selector, _, field = _identity_arguments("identity", args, named)
        security = self._desk.security(symbol)
        label = indicator_name(security, security.symbol, field or "close", _named(resolution))
        found: Identity = attach(self._desk, [security], Identity(label), resolution, selector)
        return found

    def filtered_identity(self, symbol: Any, *args: Any, **named: Any) -> FilteredIdentity:
        resolution, selector, passes, field = _identity_arguments("filtered", args, named)
        security = self._desk.security(symbol)
        label = indicator_name(security, security.symbol, field or "close", _named(resolution))
        made = FilteredIdentity(label, passes)
        made._ib_symbol = security.symbol
        register(self._desk, security, made, resolution, selector)
        return made

    def lsma(self, *args: Any, **named: Any) -> Any:
        pair = "reference" in named or (len(args) > 1 and is_symbol(args[1]))
        if not pair:
            return _single_lsma(self, *args, **named)
        target, reference, values = self._pair("lsma", args, named, (_PERIOD, *TAIL))
        period, resolution, selector = values
        label = indicator_name(target, target.symbol, f"LSMA({period})", resolution)
        made = LeastSquaresMovingAverageWithReference(
            label, target.symbol, reference.symbol, period
        )
        return attach(self._desk, [target, reference], made, resolution, selector)

    def a(self, *args: Any, **named: Any) -> Alpha:
        target, reference, values = self._pair("a", args, named, _ALPHA)
        alpha_period, beta_period, resolution, rate, selector = values
        shown = "" if rate is None else f"{rate:g}"
        kind = f"A({alpha_period},{beta_period},{shown})"
        rate = InterestRateProvider() if rate is None else rate
        label = indicator_name(target, target.symbol, kind, resolution)
        made = Alpha(label, target.symbol, reference.symbol, alpha_period, beta_period, rate)
        found: Alpha = attach(self._desk, [target, reference], made, resolution, selector)
        return found

    def _pair(
        self, name: str, args: tuple[Any, ...], named: dict[str, Any],
        overload: tuple[Parameter, ...],
    ) -> tuple[Any, Any, list[Any]]:  # fmt: skip
        symbols = (Parameter("target", "Symbol"), Parameter("reference", "Symbol"))
        values = bound(((*symbols, *overload),), args, named)
        if values is None:
            raise refused(name, args, named)
        target, reference = (self._desk.security(symbol) for symbol in values[:2])
        return target, reference, values[2:]

    def v(self, symbol: Any, *args: Any, **named: Any) -> Any:
        """Variance; of an option, with no period, its vega, which is not modelled."""
        if not args and "period" not in named:
            not_modelled("QCAlgorithm.v", "of an option")
        return self.var(symbol, *args, **named)

    def var(self, symbol: Any, *args: Any, **named: Any) -> Any:
        """Variance; value at risk where a confidence level is given."""
        risk = (_PERIOD, Parameter("confidence_level", "float"), *TAIL)
        security = self._desk.security(symbol)
        values = bound((risk,), args, named)
        if values is not None:
            period, level, resolution, selector = values
            kind = f"VAR({period},{level:g})"
            label = indicator_name(security, security.symbol, kind, resolution)
            made: Any = ValueAtRisk(label, period, level)
            return attach(self._desk, [security], made, resolution, selector)
        values = bound(((_PERIOD, *TAIL),), args, named)
        if values is None:
            raise refused("var", (symbol, *args), named)
        period, resolution, selector = values
        label = indicator_name(security, security.symbol, f"V({period})", resolution)
        return attach(self._desk, [security], Variance(label, period), resolution, selector)

    def vwap(self, symbol: Any, *args: Any, **named: Any) -> Any:
        """Over a number of bars; without one, the day's."""
        security = self._desk.security(symbol)
        if not args and not named:
            label = indicator_name(security, security.symbol, "VWAP", None)
            return attach(self._desk, [security], IntradayVwap(label), None, None)
        values = bound(((_PERIOD, *TAIL),), args, named)
        if values is None:
            raise refused("vwap", (symbol, *args), named)
        period, resolution, selector = values
        label = indicator_name(security, security.symbol, f"VWAP({period})", resolution)
        made = VolumeWeightedAveragePriceIndicator(label, period)
        return attach(self._desk, [security], made, resolution, selector)

    def create_indicator_name(self, symbol: Any, type: str, resolution: Any = None) -> str:  # noqa: A002
        security = self._desk.security(symbol) if symbol else None
        return indicator_name(security, symbol, type, resolution)


def _named(resolution: Any) -> Any:
    """A span of time has no suffix of its own in a name."""
    return None if isinstance(resolution, timedelta) else resolution


def _identity_arguments(
    name: str, args: tuple[Any, ...], named: dict[str, Any]
) -> tuple[Any, Any, Any, Any]:
    """Resolution, selector, filter and field name, in any of LEAN's six overloads."""
    rest, left = list(args), dict(named)
    resolution = left.pop("resolution", REQUIRED)
    if resolution is REQUIRED:
        first = rest[0] if rest else None
        is_span = isinstance(first, timedelta) or type(first).__name__ == "Resolution"
        resolution = rest.pop(0) if is_span else None
    overload = (*_FIELD,) if name == "identity" else (
        _FIELD[0], Parameter("filter", "Any", None), _FIELD[1]
    )  # fmt: skip
    values = matched(overload, tuple(rest), left)
    if values is None:
        raise refused(name, args, named)
    selector, *middle, field = values
    return resolution, selector, middle[0] if middle else None, field
