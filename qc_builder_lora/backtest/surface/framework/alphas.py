"""Alpha models: what turns data into insights. The base, the empty, the constant, the sum."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ..alias import both_styles
from .collection import InsightCollection
from .insight import Insight, guid
from .spelling import Overridable, adopt


@both_styles
class AlphaModel(Overridable):
    """Base of alpha models; subclasses give `update`."""

    LEAN = "AlphaModel"

    @property
    def name(self) -> str:
        """Its own, or one that no other model has."""
        return str(self.__dict__.setdefault("_name", guid()))

    @name.setter
    def name(self, value: str) -> None:
        self.__dict__["_name"] = value

    def update(self, algorithm: Any, data: Any) -> Any:
        raise NotImplementedError(
            "Types deriving from 'AlphaModel' must implement the 'IEnumerable<Insight> "
            "Update(QCAlgorithm, Slice) method."
        )

    def on_securities_changed(self, algorithm: Any, changes: Any) -> None:
        """Told of securities that come and go."""


def as_alpha(model: Any) -> Any:
    """A model, or an object that looks like one."""
    required = ("update", "on_securities_changed")
    return adopt(model, AlphaModel, "IAlphaModel", required)


@both_styles
class NullAlphaModel(AlphaModel):
    """Expects nothing."""

    def update(self, algorithm: Any, data: Any) -> Any:
        return []


@both_styles
class CompositeAlphaModel(AlphaModel):
    """The insights of several models, each marked with its model's name."""

    def __init__(self, *alpha_models: Any) -> None:
        if len(alpha_models) == 1 and isinstance(alpha_models[0], list | tuple):
            alpha_models = tuple(alpha_models[0])
        if not alpha_models:
            raise ValueError("Must specify at least 1 alpha model for the CompositeAlphaModel")
        self._models = [as_alpha(model) for model in alpha_models]

    def update(self, algorithm: Any, data: Any) -> Any:
        found = []
        for model in self._models:
            name = model.name
            for insight in model.update(algorithm, data) or ():
                if not insight.source_model:
                    insight.source_model = name
                found.append(insight)
        return found

    def on_securities_changed(self, algorithm: Any, changes: Any) -> None:
        for model in self._models:
            model.on_securities_changed(algorithm, changes)

    def add_alpha(self, alpha_model: Any) -> None:
        self._models.append(as_alpha(alpha_model))


@both_styles
class ConstantAlphaModel(AlphaModel):
    """The same insight for every security, again whenever its period is over."""

    def __init__(
        self, type: Any, direction: Any, period: timedelta, magnitude: float | None = None,  # noqa: A002
        confidence: float | None = None, weight: float | None = None,
    ) -> None:  # fmt: skip
        self.type = type
        self.direction = direction
        self.period = period
        self.magnitude = magnitude
        self.confidence = confidence
        self.weight = weight
        self.securities: list[Any] = []
        self.insights_time_by_symbol: dict[Any, datetime] = {}
        shown = "".join(
            f",{value:g}" for value in (magnitude, confidence, weight) if value is not None
        )
        self.name = f"ConstantAlphaModel({type},{direction},{period}{shown})"

    def update(self, algorithm: Any, data: Any) -> Any:
        found = []
        for security in self.securities:
            if security.price and self.should_emit_insight(algorithm.utc_time, security.symbol):
                found.append(
                    Insight(
                        security.symbol, self.period, self.type, self.direction, self.magnitude,
                        self.confidence, weight=self.weight,
                    )
                )  # fmt: skip
        return found

    def on_securities_changed(self, algorithm: Any, changes: Any) -> None:
        for security in changes.added_securities:
            if security not in self.securities:
                self.securities.append(security)
        for security in changes.removed_securities:
            if security in self.securities:
                self.securities.remove(security)
            self.insights_time_by_symbol.pop(security.symbol, None)

    def should_emit_insight(self, utc_time: datetime, symbol: Any) -> bool:
        """Whether the last insight for a symbol is over; if so, a new one begins now."""
        before = self.insights_time_by_symbol.get(symbol)
        if before is not None and utc_time - before < self.period:
            return False
        self.insights_time_by_symbol[symbol] = utc_time
        return True


class Remembering(AlphaModel):
    """Base of models that take back what they said of a symbol."""

    _said: InsightCollection | None = None

    def _say(self, insights: list[Insight]) -> list[Insight]:
        if self._said is None:
            self._said = InsightCollection()
        self._said.add_range(insights)
        return insights

    def _take_back(self, algorithm: Any, symbol: Any) -> None:
        if self._said is not None and self._said.contains_key(symbol):
            algorithm.insights.cancel(self._said[symbol])
            self._said.clear([symbol])


@both_styles
class AlphaModelExtensions(Overridable):
    """A model's name."""

    @staticmethod
    def get_model_name(model: Any) -> str:
        found = getattr(model, "name", None)
        return str(found) if found else type(model).__name__
