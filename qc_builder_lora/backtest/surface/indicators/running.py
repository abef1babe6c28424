"""Sums over a sliding window, kept so exactly that what cancels in LEAN's decimals cancels here."""

from __future__ import annotations

from collections import deque
from math import sqrt


class Running:
    """The sum of the last `size` values; what rounding loses is carried along (Knuth's two-sum)."""

    __slots__ = ("_lost", "_total", "size", "value", "values")

    def __init__(self, size: int) -> None:
        self.size = size
        self.values: deque[float] = deque()
        self.value = 0.0
        self._total = 0.0
        self._lost = 0.0

    @property
    def full(self) -> bool:
        return len(self.values) == self.size

    def add(self, value: float) -> float:
        """Take one value; gives the sum."""
        values = self.values
        total = self._total
        if len(values) == self.size:
            gone = -values.popleft()
            found = total + gone
            part = found - total
            self._lost += (total - (found - part)) + (gone - part)
            total = found
        values.append(value)
        found = total + value
        part = found - total
        self._lost += (total - (found - part)) + (value - part)
        self._total = found
        self.value = found + self._lost
        return self.value


class Spread:
    """Mean and population variance of the last `size` values, at a constant cost a value.

    Sums of distances from an anchor near the values lose nothing to cancellation; the anchor is
    moved, and the sums are taken anew, once a window's length.
    """

    __slots__ = ("_age", "_anchor", "_same", "_squares", "_sum", "size", "values")

    def __init__(self, size: int) -> None:
        self.size = size
        self.values: deque[float] = deque(maxlen=size)
        self._anchor = self._sum = self._squares = 0.0
        self._age = self._same = 0

    def add(self, value: float) -> float:
        """Take one value; gives the variance."""
        values = self.values
        # A flat stretch as long as the window has no variance at all, not one of 1e-17.
        self._same = self._same + 1 if values and values[-1] == value else 1
        if self._age == 0:
            values.append(value)
            self._begin()
        else:
            if len(values) == self.size:
                gone = values[0] - self._anchor
                self._sum -= gone
                self._squares -= gone * gone
            values.append(value)
            come = value - self._anchor
            self._sum += come
            self._squares += come * come
        self._age = (self._age + 1) % self.size
        return self.variance

    def _begin(self) -> None:
        values = self.values
        self._anchor = anchor = sum(values) / len(values)
        distances = [value - anchor for value in values]
        self._sum = sum(distances)
        self._squares = sum(distance * distance for distance in distances)

    @property
    def variance(self) -> float:
        count = len(self.values)
        if count < 2 or self._same >= count:
            return 0.0
        mean = self._sum / count
        return max(self._squares / count - mean * mean, 0.0)

    @property
    def deviation(self) -> float:
        return sqrt(self.variance)
