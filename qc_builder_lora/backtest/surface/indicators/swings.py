"""Turning points: parabolic stop and reverse, ZigZag, pivots, Wilder's swings."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Any

from ..alias import both_styles
from ..enums import enum
from ..known import Lean
from .arguments import Period
from .derived import BarIndicator, Derived, TradeBarIndicator
from .events import EventHook
from .window import RollingWindow

PivotPointType = enum("PivotPointType")


class ParabolicStopAndReverseExtended(BarIndicator):
    """Wilder's stop as TA-Lib's SAREXT has it: negative while short."""

    SHORT = "SAREXT"
    warm_up_period = 2

    def _set_up(
        self,
        sar_start: float = 0.0,
        offset_on_reverse: float = 0.0,
        af_start_short: float = 0.02,
        af_increment_short: float = 0.02,
        af_max_short: float = 0.2,
        af_start_long: float = 0.02,
        af_increment_long: float = 0.02,
        af_max_long: float = 0.2,
    ) -> None:
        self._start, self._offset = float(sar_start), float(offset_on_reverse)
        self._pace = {
            True: (float(af_start_long), float(af_increment_long), float(af_max_long)),
            False: (float(af_start_short), float(af_increment_short), float(af_max_short)),
        }
        self._af = {True: float(af_start_long), False: float(af_start_short)}
        self._bar: Any = None
        self._long = True
        self._sar = self._extreme = 0.0

    @property
    def is_ready(self) -> bool:
        return self.samples >= 2

    def _next_bar(self, bar: Any) -> float:
        before, self._bar = self._bar, bar
        if before is None:
            return abs(self._start) if self._start else bar.close
        if self.samples == 2:
            self._begin_with(before, bar)
            before = bar
        crossed = bar.low <= self._sar if self._long else bar.high >= self._sar
        return self._turn(before, bar) if crossed else self._go_on(before, bar)

    def _begin_with(self, before: Any, bar: Any) -> None:
        if self._start:
            self._long = self._start > 0
            self._sar = abs(self._start)
        else:
            down, up = before.low - bar.low, bar.high - before.high
            self._long = not (down > 0 and up < down)
            self._sar = before.low if self._long else before.high
        self._extreme = bar.high if self._long else bar.low

    def _turn(self, before: Any, bar: Any) -> float:
        """The stop is hit: it jumps to the extreme, on the other side."""
        self._long = not self._long
        self._sar = self._within(self._extreme, before, bar)
        if self._offset:
            self._sar *= 1 - self._offset if self._long else 1 + self._offset
        shown = self._sar if self._long else -self._sar
        self._af[self._long] = self._pace[self._long][0]
        self._extreme = bar.high if self._long else bar.low
        self._advance(before, bar)
        return shown

    def _go_on(self, before: Any, bar: Any) -> float:
        shown = self._sar if self._long else -self._sar
        _, step, most = self._pace[self._long]
        further = bar.high > self._extreme if self._long else bar.low < self._extreme
        if further:
            self._extreme = bar.high if self._long else bar.low
            self._af[self._long] = min(self._af[self._long] + step, most)
        self._advance(before, bar)
        return shown

    def _advance(self, before: Any, bar: Any) -> None:
        moved = self._sar + self._af[self._long] * (self._extreme - self._sar)
        self._sar = self._within(moved, before, bar)

    def _within(self, sar: float, before: Any, bar: Any) -> float:
        """Not inside the range of the last two bars."""
        if self._long:
            return min(sar, float(before.low), float(bar.low))
        return max(sar, float(before.high), float(bar.high))


class ParabolicStopAndReverse(ParabolicStopAndReverseExtended):
    """Wilder's stop, above the bars while short and below them while long."""

    SHORT = "PSAR"

    def _set_up(  # type: ignore[override]
        self, af_start: float = 0.02, af_increment: float = 0.02, af_max: float = 0.2
    ) -> None:
        super()._set_up(0.0, 0.0, *(af_start, af_increment, af_max) * 2)

    def _next_bar(self, bar: Any) -> float:
        return abs(super()._next_bar(bar))


class ZigZag(BarIndicator):
    """The last pivot: a turn by more than `sensitivity`, no sooner than `min_trend_length`."""

    SHORT = "ZZ"

    def _set_up(self, sensitivity: float = 0.05, min_trend_length: int = 1) -> None:
        if not 0 < sensitivity < 1:
            raise ValueError("Sensitivity must be between 0 and 1.")
        if min_trend_length < 1:
            raise ValueError("Minimum trend length must be greater than 0.")
        self._turn, self._least = float(sensitivity), int(min_trend_length)
        self.warm_up_period = self._least + 1
        self.high_pivot = Derived(f"{self.name}_HighPivot", self._any)
        self.low_pivot = Derived(f"{self.name}_LowPivot", self._any)
        self.pivot_type = PivotPointType.LOW
        self._pivot: Any = None
        self._was_low = False
        self._count = 0

    def _any(self) -> bool:
        return self._pivot is not None

    @property
    def is_ready(self) -> bool:
        return self.samples > self._least

    def _next_bar(self, bar: Any) -> float:
        if self._pivot is None:
            self._mark(bar, turned=True)
            return 0.0
        was_low, pivot = self._was_low, self._pivot
        if was_low:
            back = bar.high >= pivot.low * (1 + self._turn)
            further = bar.low <= pivot.low
        else:
            back = bar.low <= pivot.high * (1 - self._turn)
            further = bar.high >= pivot.high
        if back and self._count >= self._least:
            self._mark(bar, turned=True)
            found = (self.high_pivot if was_low else self.low_pivot).value
        elif further:
            self._mark(bar, turned=False)
            found = (self.low_pivot if was_low else self.high_pivot).value
        else:
            found = pivot.low if was_low else pivot.high
        self._count += 1
        return float(found)

    def _mark(self, bar: Any, *, turned: bool) -> None:
        self._pivot, self._count = bar, 0
        high = self._was_low if turned else not self._was_low
        (self.high_pivot if high else self.low_pivot).feed(
            bar.end_time, bar.high if high else bar.low
        )
        if turned:
            self.pivot_type = PivotPointType.HIGH if high else PivotPointType.LOW
            self._was_low = not high


@both_styles
class PivotPoint(Lean):
    """A turning point: its kind, price and time."""

    __slots__ = ("pivot_point_type", "symbol", "time", "value")

    def __init__(self, type: Any, price: float, time: datetime) -> None:  # noqa: A002
        self.pivot_point_type = type
        self.value = price
        self.time = time
        self.symbol = None

    @property
    def end_time(self) -> datetime:
        return self.time

    @property
    def price(self) -> float:
        return self.value


@both_styles
class PivotPointsEventArgs(Lean):
    """What `new_pivot_point_formed` hands over."""

    __slots__ = ("pivot_point",)

    def __init__(self, pivot_point: PivotPoint) -> None:
        self.pivot_point = pivot_point


class PivotPointsHighLow(BarIndicator):
    """A bar that stands out of those around it: 1 high, -1 low, 2 both, 0 none."""

    SHORT = "PivotPointsHighLow"
    SET_UPS = ("_set_up", "_set_up_same")

    def _label(self, values: list[Any]) -> str:
        return super()._label(values[:1])

    def _set_up(
        self,
        surrounding_bars_count_for_high_point: Period,
        surrounding_bars_count_for_low_point: Period,
        last_stored_values: Period = 100,
        strict: bool = True,
    ) -> None:
        high = int(surrounding_bars_count_for_high_point)
        low = int(surrounding_bars_count_for_low_point)
        self._highs: deque[Any] = deque(maxlen=2 * high + 1)
        self._lows: deque[Any] = deque(maxlen=2 * low + 1)
        self._strict = strict
        self._points = RollingWindow(last_stored_values)
        self.warm_up_period = 2 * max(high, low) + 1
        self.new_pivot_point_formed = EventHook()

    def _set_up_same(
        self, surrounding_bars_count: Period, last_stored_values: Period = 100
    ) -> None:
        self._set_up(surrounding_bars_count, surrounding_bars_count, last_stored_values)

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.warm_up_period

    def reset(self) -> None:
        """Handlers stay."""
        kept = self.new_pivot_point_formed
        super().reset()
        self.new_pivot_point_formed = kept

    def _next_bar(self, bar: Any) -> float:
        self._highs.append(bar)
        self._lows.append(bar)
        high = self._stands_out(self._highs, "high", 1)
        low = self._stands_out(self._lows, "low", -1)
        for kind, middle, price in ((PivotPointType.HIGH, high, "high"),
                                    (PivotPointType.LOW, low, "low")):  # fmt: skip
            if middle is not None:
                self._form(PivotPoint(kind, getattr(middle, price), middle.end_time))
        if high is not None:
            return 2.0 if low is not None else 1.0
        return -1.0 if low is not None else 0.0

    def _stands_out(self, bars: deque[Any], price: str, sign: int) -> Any:
        """The middle bar, if no other reaches it; None while the window fills."""
        if len(bars) < (bars.maxlen or 0):
            return None
        prices = [sign * getattr(bar, price) for bar in bars]
        middle = len(prices) // 2
        best = prices.pop(middle)
        others = max(prices)
        return bars[middle] if best > others or (best == others and not self._strict) else None

    def _form(self, point: PivotPoint) -> None:
        self._points.add(point)
        self.new_pivot_point_formed.fire(self, PivotPointsEventArgs(point))

    def get_high_pivot_points_array(self) -> list[PivotPoint]:
        return [p for p in self._points if p.pivot_point_type == PivotPointType.HIGH]

    def get_low_pivot_points_array(self) -> list[PivotPoint]:
        return [p for p in self._points if p.pivot_point_type == PivotPointType.LOW]

    def get_all_pivot_points_array(self) -> list[PivotPoint]:
        return list(self._points)


class WilderSwingIndex(TradeBarIndicator):
    """Wilder's swing index of two bars, by the limit move."""

    SHORT = "SI"
    warm_up_period = 2

    def _label(self, values: list[Any]) -> str:
        return self.SHORT

    def _set_up(self, limit_move: float) -> None:
        self._limit = abs(float(limit_move))
        self._bar: Any = None

    @property
    def is_ready(self) -> bool:
        return self.samples > 1

    def _next_bar(self, bar: Any) -> float:
        before, self._bar = self._bar, bar
        if before is None:
            return 0.0
        moved = bar.close - before.close + 0.5 * (bar.close - bar.open)
        moved += 0.25 * (before.close - before.open)
        above, below = bar.high - before.close, bar.low - before.close
        sizes = (abs(above), abs(below), bar.high - bar.low)
        body = 0.25 * (before.close - before.open)
        wide = (above - 0.5 * below + body, below - 0.5 * above + body, sizes[2] + body)
        reach = abs(wide[sizes.index(max(sizes))])
        if reach == 0 or self._limit == 0:
            return 0.0
        found: float = 50 * (moved / reach) * (max(sizes[:2]) / self._limit)
        return found


class WilderAccumulativeSwingIndex(WilderSwingIndex):
    """The running sum of the swing index."""

    SHORT = "ASI"

    def _next_bar(self, bar: Any) -> float:
        return self.value + super()._next_bar(bar)
