"""Market profiles: how much was traded, or how often, at which price."""

from __future__ import annotations

from bisect import insort
from collections import deque
from math import ceil
from typing import Any

from .arguments import Period
from .derived import TradeBarIndicator
from .running import Running


class MarketProfile(TradeBarIndicator):
    """The point of control of the last `period` closes, and the value area around it."""

    def _set_up(
        self,
        period: Period = 2,
        value_area_volume_percentage: float = 0.7,
        price_range_round_off: float = 0.05,
    ) -> None:
        if price_range_round_off <= 0:
            raise ValueError("Must be strictly bigger than zero.")
        self.period = self.warm_up_period = int(period)
        self._share = float(value_area_volume_percentage)
        self._steps = 1 / float(price_range_round_off)
        self._past: deque[tuple[float, float]] = deque()
        self._volumes: dict[float, float] = {}
        self._prices: list[float] = []
        self._total = Running(self.period)
        self.profile_high = self.profile_low = 0.0
        self.poc_price = self.poc_volume = 0.0
        self.value_area_volume = self.value_area_high = self.value_area_low = 0.0

    @property
    def POCPrice(self) -> float:  # noqa: N802
        return self.poc_price

    @property
    def POCVolume(self) -> float:  # noqa: N802
        return self.poc_volume

    @property
    def volume_per_price(self) -> dict[float, float]:
        return {price: self._volumes[price] for price in self._prices}

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.period

    def _volume(self, bar: Any) -> float:
        raise NotImplementedError

    def _next_bar(self, bar: Any) -> float:
        self._add(self._rounded(bar.close), self._volume(bar))
        point = self._point_of_control()
        self.poc_price = self._prices[point]
        self.poc_volume = self._volumes[self.poc_price]
        self.profile_high, self.profile_low = self._prices[-1], self._prices[0]
        self._spread(point)
        return self.poc_price

    def _rounded(self, price: float) -> float:
        # The product is rounded first, so that 10.05 lies on its own step as it does in decimals.
        return round(ceil(round(price * self._steps, 9)) / self._steps, 9)

    def _add(self, price: float, volume: float) -> None:
        if price not in self._volumes:
            self._volumes[price] = 0.0
            insort(self._prices, price)
        self._volumes[price] += volume
        self._total.add(volume)
        self._past.append((price, volume))
        if len(self._past) > self.period:
            self._drop(*self._past.popleft())

    def _drop(self, price: float, volume: float) -> None:
        if price in self._volumes:
            self._volumes[price] -= volume
            if self._volumes[price] == 0:
                del self._volumes[price]
                self._prices.remove(price)

    def _point_of_control(self) -> int:
        """The price with the most; of equals the one nearest to the middle."""
        middle = (len(self._prices) - 1) // 2
        volumes = [self._volumes[price] for price in self._prices]
        best = 0
        for index, volume in enumerate(volumes):
            nearer = abs(middle - index) < abs(middle - best)
            if volume > volumes[best] or (volume == volumes[best] and nearer):
                best = index
        return best

    def _spread(self, point: int) -> None:
        """Widen from the point of control to the fuller side until the share is reached."""
        self.value_area_volume = self._total.value * self._share
        volumes = [self._volumes[price] for price in self._prices]
        held, low, high, last = self.poc_volume, point, point, len(volumes) - 1
        while held <= self.value_area_volume:
            below = volumes[low - 1] if low > 0 else 0.0
            above = volumes[high + 1] if high < last else 0.0
            if low == 0 and above == 0:
                # Nothing is left to take; LEAN's loop would not end here.
                break
            if above == 0 or below > above:
                held += below
                low = max(low - 1, 0)
            else:
                held += above
                high += 1
        self.value_area_high, self.value_area_low = self._prices[high], self._prices[low]


class VolumeProfile(MarketProfile):
    """By volume."""

    SHORT = "VP"

    def _volume(self, bar: Any) -> float:
        volume: float = bar.volume
        return volume


class TimeProfile(MarketProfile):
    """By number of bars."""

    SHORT = "TP"

    def _volume(self, bar: Any) -> float:
        return 1.0
