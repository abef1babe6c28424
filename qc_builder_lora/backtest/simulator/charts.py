"""What a strategy plots, kept point by point within bounds: its looks are not."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_POINTS = 4000
"""Points of one series that LEAN keeps in a backtest; later ones are dropped there too."""
MOST_SERIES = 200
"""Series of one backtest."""


@dataclass
class Charts:
    """Chart → series → (UTC seconds, value), in the order they were plotted."""

    series: dict[str, dict[str, list[tuple[int, float]]]] = field(default_factory=dict)
    dropped: int = 0
    """Points that were over a bound."""
    _count: int = 0

    def add(self, chart: str, series: str, utc: int, value: float) -> None:
        """One point. A second one at the same moment takes the first one's place, as in LEAN."""
        points = self.series.get(chart, {}).get(series)
        if points is None:
            if self._count >= MOST_SERIES:
                self.dropped += 1
                return
            self._count += 1
            points = self.series.setdefault(chart, {}).setdefault(series, [])
        if points and points[-1][0] == utc:
            points[-1] = (utc, value)
        elif len(points) < MOST_POINTS:
            points.append((utc, value))
        else:
            self.dropped += 1

    def plain(self) -> dict[str, dict[str, list[list[float]]]]:
        """As JSON values."""
        return {
            chart: {name: [list(point) for point in points] for name, points in found.items()}
            for chart, found in self.series.items()
            if found
        }
