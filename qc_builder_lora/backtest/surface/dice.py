"""`Random` of .NET, which LEAN's strategies may name: the same numbers for the same seed."""

from __future__ import annotations

from .alias import both_styles
from .known import Lean

_MOST = 2**31 - 1
_SEED = 161803398


@both_styles
class Random(Lean):
    """Knuth's subtractive generator, as .NET keeps it for seeded instances."""

    def __init__(self, seed: int | None = None) -> None:
        if seed is None:
            import random

            seed = random.randrange(_MOST)
        self._state = _state(min(abs(int(seed)), _MOST))
        self._first, self._second = 0, 21

    def _sample(self) -> int:
        self._first = self._first % 55 + 1
        self._second = self._second % 55 + 1
        found = self._state[self._first] - self._state[self._second]
        found -= found == _MOST
        found += _MOST if found < 0 else 0
        self._state[self._first] = found
        return found

    def next(self, *bounds: int) -> int:
        """A whole number, below a bound or between two."""
        if not bounds:
            return self._sample()
        low, high = (0, *bounds)[-2:]
        if low > high:
            raise ValueError(f"'minValue' cannot be greater than maxValue: {low} and {high}")
        return int(self.next_double() * (high - low)) + low

    def next_double(self) -> float:
        """At least 0 and below 1."""
        return self._sample() * (1.0 / _MOST)


def _state(seed: int) -> list[int]:
    state = [0] * 56
    last = state[55] = _SEED - seed
    value = 1
    for index in range(1, 55):
        place = 21 * index % 55
        state[place] = value
        value = last - value
        value += _MOST if value < 0 else 0
        last = state[place]
    for _ in range(4):
        for index in range(1, 56):
            found = state[index] - state[1 + (index + 30) % 55]
            state[index] = found + (_MOST if found < 0 else 0)
    return state
