"""Volatility models: what a strategy asks of them; no order depends on one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .alias import both_styles, spelled
from .known import Lean


@both_styles
class BaseVolatilityModel(Lean):
    """Base of a strategy's own: `volatility`, and `update(security, data)` for every bar."""

    @property
    def volatility(self) -> float:
        return 0.0

    def update(self, security: Any, data: Any) -> None:
        """Nothing to follow."""

    def get_history_requirements(self, security: Any, time: Any) -> list[Any]:
        """None: nothing is warmed up."""
        return []


class IVolatilityModel(BaseVolatilityModel):
    """The interface's name."""


class IndicatorVolatilityModel(BaseVolatilityModel):
    """An indicator's value; what feeds the indicator is the strategy's business."""

    def __init__(
        self, indicator: Any, indicator_update: Callable[[Any, Any, Any], Any] | None = None
    ) -> None:
        self._indicator, self._update = indicator, indicator_update

    @property
    def volatility(self) -> float:
        return float(self._indicator.current.value)

    def update(self, security: Any, data: Any) -> None:
        if self._update is not None:
            self._update(security, data, self._indicator)

    Volatility, Update = volatility, update


class VolatilityModel:
    """The model that says nothing."""

    NULL = Null = BaseVolatilityModel()


def listener(model: Any) -> Callable[[Any, Any], Any] | None:
    """What a model is told of bars with; None where it is told of none."""
    try:
        found: Callable[[Any, Any], Any] = spelled(model, "update")
    except AttributeError:
        return None
    return found
