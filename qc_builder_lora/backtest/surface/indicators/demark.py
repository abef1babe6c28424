"""Tom DeMark's sequential count of setups and countdowns."""

from __future__ import annotations

from collections import deque
from typing import Any

from ..enums import enum
from .derived import BarIndicator

Phase = enum("TomDemarkSequentialPhase")


class TomDemarkSequential(BarIndicator):
    """A setup of nine bars after a price flip, then a countdown of thirteen: the phase.

    As in LEAN neither count goes back to zero when its phase ends.
    """

    warm_up_period = 6
    period = 10

    def _label(self, values: list[Any]) -> str:
        return "TomDemarkSequential"

    def _set_up(self) -> None:
        self._bars: deque[Any] = deque(maxlen=10)
        self._phase = Phase.NONE
        self.setup_phase_step_count = self.countdown_phase_step_count = 0
        self.resistance_price = self.support_price = 0.0

    @property
    def is_ready(self) -> bool:
        return self.samples >= 6

    def _next_bar(self, bar: Any) -> float:
        self._bars.append(bar)
        if not self.is_ready:
            return 0.0
        phase = self._phase
        if phase == Phase.NONE:
            return self._flip()
        buying = phase in (Phase.BUY_SETUP, Phase.BUY_COUNTDOWN)
        if phase in (Phase.BUY_SETUP, Phase.SELL_SETUP):
            return self._setup(bar, buying=buying)
        return self._countdown(bar, buying=buying)

    def _flip(self) -> float:
        """A setup begins where the close crosses that of four bars ago."""
        bars = self._bars
        now, before = bars[-1].close - bars[-5].close, bars[-2].close - bars[-6].close
        if not now or not before or (now > 0) == (before > 0):
            return 0.0
        self._phase = Phase.SELL_SETUP if now > 0 else Phase.BUY_SETUP
        self.setup_phase_step_count = 1
        return float(self._phase)

    def _setup(self, bar: Any, *, buying: bool) -> float:
        moved = bar.close - self._bars[-5].close
        if not (moved < 0 if buying else moved > 0):
            self._phase = Phase.NONE
            return 0.0
        self.setup_phase_step_count += 1
        if self.setup_phase_step_count < 9:
            return float(self._phase)
        return self._complete(bar, buying=buying)

    def _complete(self, bar: Any, *, buying: bool) -> float:
        """Nine in a row: remember the level of the nine bars before this one, begin to count."""
        nine, two_ago = list(self._bars)[:9], self._bars[-3]
        perfect = self._perfect(buying=buying)
        if buying:
            self._phase = Phase.BUY_COUNTDOWN
            self.resistance_price = max(item.high for item in nine)
            shown = Phase.BUY_SETUP_PERFECT if perfect else Phase.BUY_SETUP
        else:
            self._phase = Phase.SELL_COUNTDOWN
            self.support_price = min(item.low for item in nine)
            shown = Phase.SELL_SETUP_PERFECT if perfect else Phase.SELL_SETUP
        if bar.close < two_ago.low if buying else bar.close > two_ago.high:
            self.countdown_phase_step_count = 1
        return float(shown)

    def _perfect(self, *, buying: bool) -> bool:
        six, seven, eight, nine = list(self._bars)[-4:]
        if buying:
            return bool(min(eight.low, nine.low) < min(six.low, seven.low))
        return bool(max(eight.high, nine.high) > max(six.high, seven.high))

    def _countdown(self, bar: Any, *, buying: bool) -> float:
        two_ago, phase = self._bars[-3], self._phase
        if bar.close <= two_ago.low if buying else bar.close >= two_ago.high:
            self.countdown_phase_step_count += 1
            if self.countdown_phase_step_count == 13:
                self._phase = Phase.NONE
            return float(phase)
        if bar.close > self.resistance_price if buying else bar.close < self.support_price:
            self._phase = Phase.NONE
        return 0.0
