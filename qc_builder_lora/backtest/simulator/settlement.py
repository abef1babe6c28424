"""When the money of a sale may be used again: at once, or some trading days later."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from qc_builder_lora.backtest.simulator.calendar import DAY, Hours, Zone

DAYS, SECOND = 1, 6 * 3600
"""LEAN's Equity.DefaultSettlementDays and DefaultSettlementTime."""


@dataclass
class Settlement:
    """Sales that are not settled yet: UTC seconds and USD."""

    _due: list[tuple[int, float]] = field(default_factory=list)
    unsettled: float = 0.0

    def delay(
        self, local: int, usd: float, days: int, second: int, hours: Hours, zone: Zone
    ) -> None:
        """Keep money back until a second of the day, some trading days after a New York moment."""
        day = local // DAY
        for _ in range(days):
            day = hours.next_day(day)
        heapq.heappush(self._due, (zone.utc(day * DAY + second), usd))
        self.unsettled += usd

    def settle(self, utc: int) -> float:
        """The money that has become free by a moment."""
        freed = 0.0
        while self._due and self._due[0][0] <= utc:
            freed += heapq.heappop(self._due)[1]
        self.unsettled = self.unsettled - freed if self._due else 0.0
        return freed
