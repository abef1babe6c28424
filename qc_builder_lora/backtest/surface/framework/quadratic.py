"""Small convex quadratic programmes, solved exactly by the dual active-set method.

D. Goldfarb and A. Idnani, "A numerically stable dual method for solving strictly convex quadratic
programs", Mathematical Programming 27 (1983): LEAN's solver uses the same method.
"""

from __future__ import annotations

from typing import Any

from .returns import numpy

_TOLERANCE = 1e-12
_MOST_STEPS = 1000


def minimise(matrix: Any, rows: Any, bounds: Any, equalities: int) -> Any:
    """The x with the least x'Gx/2 subject to `rows @ x >= bounds`, or None where there is none.

    The first `equalities` rows hold with equality.
    """
    np = numpy()
    try:
        inverse = np.linalg.inv(np.asarray(matrix, dtype=float))
    except np.linalg.LinAlgError:
        return None
    search = _Search(
        inverse, np.asarray(rows, dtype=float), np.asarray(bounds, dtype=float), equalities
    )
    for index in range(equalities):
        if search.slack(index) > 0:
            search.turn(index)
        if not search.take(index):
            return None
    for _ in range(_MOST_STEPS):
        worst = search.worst()
        if worst is None:
            return search.x
        if not search.take(worst):
            return None
    return None


class _Search:
    """The point so far, the active constraints and their multipliers."""

    def __init__(self, inverse: Any, rows: Any, bounds: Any, equalities: int) -> None:
        self._np = numpy()
        self._inverse = inverse
        self._rows, self._bounds = rows.copy(), bounds.copy()
        self.x = self._np.zeros(len(inverse))
        self.active: list[int] = []
        self._multipliers: list[float] = []
        self._equalities = equalities

    def slack(self, index: int) -> float:
        """How far a constraint holds; below zero it is violated."""
        return float(self._rows[index] @ self.x - self._bounds[index])

    def turn(self, index: int) -> None:
        """Write an equality the other way round."""
        self._rows[index] *= -1
        self._bounds[index] *= -1

    def worst(self) -> int | None:
        """The constraint that is violated most, or None."""
        slacks = self._rows @ self.x - self._bounds
        slacks[self.active] = 0.0
        index = int(self._np.argmin(slacks))
        scale = 1 + abs(self._bounds[index])
        return index if slacks[index] < -_TOLERANCE * scale else None

    def take(self, index: int) -> bool:
        """Make a constraint hold, letting others go where that must be; False if it cannot."""
        gained = 0.0
        while True:
            step, change = self._directions(self._rows[index])
            partial, leaving = self._shortest(change)
            length = float(step @ self._rows[index])
            full = -self.slack(index) / length if length > _TOLERANCE else float("inf")
            size = min(full, partial)
            if size == float("inf"):
                # Dependent on what is active already: fine where it holds, else infeasible.
                return self.slack(index) > -1e-9
            if length > _TOLERANCE:
                self.x = self.x + size * step
            for position, amount in enumerate(change):
                self._multipliers[position] -= size * float(amount)
            gained += size
            if size == full:
                self.active.append(index)
                self._multipliers.append(gained)
                return True
            del self.active[leaving], self._multipliers[leaving]

    def _directions(self, normal: Any) -> tuple[Any, Any]:
        """Where x moves, and how the active multipliers change, along a constraint's normal."""
        along = self._inverse @ normal
        if not self.active:
            return along, self._np.zeros(0)
        normals = self._rows[self.active].T
        weighted = self._inverse @ normals
        change = self._np.linalg.lstsq(normals.T @ weighted, normals.T @ along, rcond=None)[0]
        return along - weighted @ change, change

    def _shortest(self, change: Any) -> tuple[float, int]:
        """The step at which the first active inequality lets go."""
        best, leaving = float("inf"), -1
        for position, amount in enumerate(change):
            if self.active[position] >= self._equalities and amount > _TOLERANCE:
                ratio = self._multipliers[position] / float(amount)
                if ratio < best:
                    best, leaving = ratio, position
        return best, leaving
