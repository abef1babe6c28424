"""An insight: what a strategy expects of one security, and until when."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from ..alias import both_styles
from ..enums import Resolution, enum
from ..known import Lean, not_modelled
from .periods import Close, by_bars, by_close, by_function, by_span, close_after, close_after_bars
from .sessions import Sessions
from .spelling import plain_names, symbol_of

InsightType = enum("InsightType")
InsightDirection = enum("InsightDirection")
_NEVER = datetime.min
_OPTIONAL = ("magnitude", "confidence", "source_model", "weight", "tag")
_numbers = itertools.count(1)


def guid() -> str:
    """An identifier that no other insight of this run has, shaped as LEAN's."""
    text = f"{next(_numbers):032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


@both_styles
class InsightScore(Lean):
    """What an evaluator of the strategy's own makes of an insight."""

    def __init__(
        self, direction: float = 0.0, magnitude: float = 0.0, updated_time_utc: datetime = _NEVER
    ) -> None:
        self.direction = direction
        self.magnitude = magnitude
        self.updated_time_utc = updated_time_utc
        self.is_final_score = False

    def get_score(self, type: Any) -> float:  # noqa: A002
        return self.magnitude if type else self.direction

    def set_score(self, type: Any, value: float, algorithm_utc_time: datetime) -> None:  # noqa: A002
        """Set one of the two; LEAN lets a final score be."""
        if self.is_final_score:
            return
        self.updated_time_utc = algorithm_utc_time
        value = min(max(float(value), 0.0), 1.0)
        if type:
            self.magnitude = value
        else:
            self.direction = value

    def finalize(self, algorithm_utc_time: datetime) -> None:
        self.is_final_score = True
        self.updated_time_utc = algorithm_utc_time


@both_styles
class Insight(Lean):
    """One prediction. Its close is known once the algorithm has emitted it."""

    def __init__(self, *args: Any, **named: Any) -> None:
        """`(symbol, period or function, type, direction, …)`, a generated time in front or not."""
        rest, named = list(args), plain_names(named)
        generated = named.pop("generated_time_utc", None)
        if generated is None and rest and isinstance(rest[0], datetime):
            generated = rest.pop(0)
        if "expiry_func" in named:
            named["period"] = named.pop("expiry_func")
        symbol, period, kind, direction = _bind(
            ("symbol", "period", "type", "direction"), rest, named, "Insight"
        )
        self._fill(symbol, period, kind, direction, _close_of(period), _options(rest, named))
        if generated is not None:
            self.generated_time_utc = generated
            self.close_time_utc = generated + self.period

    def _fill(
        self, symbol: Any, period: Any, kind: Any, direction: Any, close: Close,
        options: dict[str, Any],
    ) -> None:  # fmt: skip
        if not isinstance(direction, InsightDirection) or not isinstance(kind, InsightType):
            raise TypeError(
                "No method matches given arguments for Insight: expected an InsightType and an "
                f"InsightDirection, got {kind!r} and {direction!r}"
            )
        self.id = guid()
        self.group_id: str | None = None
        self.symbol = symbol_of(symbol)
        self.period = period if isinstance(period, timedelta) else timedelta(0)
        self.type = kind
        self.direction = direction
        self.magnitude = options.get("magnitude")
        self.confidence = options.get("confidence")
        self.source_model = options.get("source_model")
        self.weight = options.get("weight")
        self.tag = options.get("tag") or ""
        self.generated_time_utc = self.close_time_utc = _NEVER
        self.reference_value = self.reference_value_final = self.estimated_value = 0.0
        self.score = InsightScore()
        self._close = close

    @staticmethod
    def price(symbol: Any, *args: Any, **named: Any) -> Insight:
        """The price will move: until a moment, for a span, for so many bars, or by a function."""
        rest, named = list(args), plain_names(named)
        until, close = _until(rest, named)
        (direction,) = _bind(("direction",), rest, named, "Insight.Price")
        made = Insight.__new__(Insight)
        made._fill(symbol, until, InsightType.PRICE, direction, close, _options(rest, named))
        return made

    @staticmethod
    def group(*insights: Any) -> list[Insight]:
        """Give insights one new group."""
        members = [
            item
            for thing in insights
            for item in (thing if isinstance(thing, Iterable) else [thing])
        ]
        number = guid()
        for insight in members:
            if insight.group_id is not None:
                raise ValueError(
                    f"Unable to set group id on insight {insight} because it has already been "
                    "assigned to a group."
                )
            insight.group_id = number
        return members

    @staticmethod
    def compute_close_time(hours: Any, generated_time_utc: datetime, *span: Any) -> datetime:
        """For `(hours, generated, resolution, bar_count)` or `(hours, generated, period)`."""
        sessions = hours._desk.framework.sessions
        if len(span) == 2:
            return close_after_bars(sessions, generated_time_utc, *span)
        return close_after(sessions, generated_time_utc, *span)

    @staticmethod
    def from_serialized_insight(serialized_insight: Any) -> Insight:
        not_modelled("Insight.from_serialized_insight")

    def settle(self, sessions: Sessions) -> None:
        """Find period and close, from the moment it was generated."""
        self.close_time_utc, self.period = self._close(self.generated_time_utc, sessions)

    def set_period_and_close_time(self, exchange_hours: Any) -> None:
        if self.generated_time_utc == _NEVER:
            raise ValueError("The insight's 'GeneratedTimeUtc' property must be set before "
                             "calling SetPeriodAndCloseTime.")  # fmt: skip
        self.settle(exchange_hours._desk.framework.sessions)

    def is_expired(self, utc_time: datetime) -> bool:
        return bool(self.close_time_utc < utc_time)

    def is_active(self, utc_time: datetime) -> bool:
        return not self.close_time_utc < utc_time

    def expire(self, utc_time: datetime) -> None:
        """End it a second ago."""
        if self.is_active(utc_time):
            self.close_time_utc = utc_time - timedelta(seconds=1)
            self.period = self.close_time_utc - self.generated_time_utc

    def cancel(self, utc_time: datetime) -> None:
        self.expire(utc_time)

    def clone(self) -> Insight:
        """A copy with the same identity."""
        made = Insight.__new__(Insight)
        made.__dict__.update(self.__dict__)
        return made

    def to_string(self) -> str:
        text = f"{self.id.replace('-', '')}: {self.symbol} {self.type} {self.direction} within "
        text += f"{self.period}"
        if self.magnitude is not None:
            text += f" by {self.magnitude:g}%"
        if self.confidence is not None:
            text += f" with {round(100 * self.confidence, 1):g}% confidence"
        if self.weight is not None:
            text += f" and {round(100 * self.weight, 1):g}% weight"
        return text + (f": {self.tag}" if self.tag else "")

    def short_to_string(self) -> str:
        text = f"{self.symbol} {self.type} {self.direction} {self.period}"
        for letter, value, factor in (
            ("M", self.magnitude, 1), ("C", self.confidence, 100), ("W", self.weight, 100)
        ):  # fmt: skip
            if value is not None:
                text += f" {letter}:{round(factor * value, 10):g}%"
        return text

    def __repr__(self) -> str:
        return self.to_string()

    __str__ = __repr__


def _bind(
    names: tuple[str, ...], rest: list[Any], named: dict[str, Any], where: str
) -> tuple[Any, ...]:
    values = []
    for name in names:
        if name in named:
            values.append(named.pop(name))
        elif rest:
            values.append(rest.pop(0))
        else:
            raise TypeError(f"No method matches given arguments for {where}: no {name}")
    return tuple(values)


def _options(rest: list[Any], named: dict[str, Any]) -> dict[str, Any]:
    """Magnitude, confidence, source model, weight, tag; a text in front is the tag alone."""
    if rest and isinstance(rest[0], str):
        named["tag"] = rest.pop(0)
    found = dict(zip(_OPTIONAL, rest, strict=False)) | named
    strange = next((key for key in found if key not in _OPTIONAL), None)
    if strange is not None or len(rest) > len(_OPTIONAL):
        raise TypeError(f"No method matches given arguments for Insight: {strange or rest}")
    for name in ("magnitude", "confidence", "weight"):
        if found.get(name) is not None:
            found[name] = float(found[name])
    return found


def _until(rest: list[Any], named: dict[str, Any]) -> tuple[Any, Close]:
    for name in ("period", "close_time_local", "expiry_func", "resolution"):
        if name in named:
            rest.insert(0, named.pop(name))
    if rest and isinstance(rest[0], type(Resolution.DAILY)):
        resolution = rest.pop(0)
        (count,) = _bind(("bar_count",), rest, named, "Insight.Price")
        if count < 1:
            raise ValueError("Insight barCount must be greater than zero. (Parameter 'barCount')")
        return None, by_bars(resolution, int(count))
    (until,) = _bind(("period",), rest, named, "Insight.Price")
    if isinstance(until, timedelta) and until < timedelta(seconds=1):
        raise ValueError("Insight period must be greater than or equal to 1 second. "
                         "(Parameter 'period')")  # fmt: skip
    return until, _close_of(until)


def _close_of(until: Any) -> Close:
    if isinstance(until, timedelta):
        return by_span(until)
    if isinstance(until, date):
        return by_close(until)
    if callable(until):
        return by_function(until)
    raise TypeError(f"No method matches given arguments for Insight: a period of {until!r}")
