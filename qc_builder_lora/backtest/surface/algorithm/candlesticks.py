"""`self.candlestick_patterns`: one method a pattern, which makes it and keeps it fed."""

from __future__ import annotations

from typing import Any

from ..alias import both_styles, snake
from ..desk import Desk
from ..indicators.arguments import Parameter
from ..indicators.candles import PATTERNS
from ..indicators.candles.pattern import PenetratingPattern
from ..known import Lean
from .shortcuts import TAIL, attach, bound, indicator_name, refused


class CandlestickPatterns(Lean):
    """LEAN's patterns of a subscribed security."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def _make(self, name: str, cls: Any, symbol: Any, args: Any, named: Any) -> Any:
        reaching = issubclass(cls, PenetratingPattern)
        own = (Parameter("penetration", "float", cls.PENETRATION),) if reaching else ()
        values = bound(((*own, *TAIL),), args, named)
        if values is None:
            raise refused(name, (symbol, *args), named)
        *values, resolution, selector = values
        security = self._desk.security(symbol)
        label = indicator_name(security, security.symbol, cls.__name__.upper(), resolution)
        return attach(self._desk, [security], cls(label, *values), resolution, selector)


def _method(name: str, cls: Any) -> Any:
    def make(self: CandlestickPatterns, symbol: Any, *args: Any, **named: Any) -> Any:
        return self._make(name, cls, symbol, args, named)

    make.__name__ = name
    make.__doc__ = cls.__doc__
    return make


for _name, _cls in PATTERNS.items():
    setattr(CandlestickPatterns, snake(_name), _method(snake(_name), _cls))
both_styles(CandlestickPatterns)
