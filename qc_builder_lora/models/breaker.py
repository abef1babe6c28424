"""Keeps a provider that fails from being asked by everybody, again and again.

Closed, it lets all through. After some failures in a row it opens: nobody is let through for a
while. Then it is half open: one single probe goes through, and its result closes or opens it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import StrEnum

from qc_builder_lora.models.faults import rule_of


class State(StrEnum):
    """Whether requests are let through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


class Breaker:
    """One provider's breaker. The lock is held for its own figures only, never during a call."""

    def __init__(
        self,
        *,
        failures: int = 3,
        rest_s: float = 30.0,
        long_rest_s: float = 300.0,
        probe_s: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` must be monotonic: the wall clock jumps.

        `probe_s` is after how long a probe that never reported counts as lost.
        """
        self._limit, self._rest_s, self._long_rest_s = failures, rest_s, long_rest_s
        self._probe_s, self._clock = probe_s, clock
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until: float | None = None
        self._probe_since: float | None = None

    @property
    def state(self) -> State:
        """As it is at this moment."""
        with self._lock:
            return self._state()

    @property
    def opens_in_s(self) -> float:
        """Seconds until a probe is let through; 0 if one is already."""
        with self._lock:
            return max(0.0, (self._open_until or 0.0) - self._clock()) if self._open_until else 0.0

    def allow(self) -> bool:
        """Whether a request may go through now. A True must be followed by one report."""
        with self._lock:
            state = self._state()
            if state is State.CLOSED:
                return True
            if state is State.OPEN or self._probe_runs():
                return False
            self._probe_since = self._clock()
            return True

    def succeeded(self) -> None:
        """The provider answered, or refused for a reason that lies with the request."""
        with self._lock:
            self._failures, self._open_until, self._probe_since = 0, None, None

    def failed(self, kind: str, retry_after_s: float | None = None) -> None:
        """The provider failed in that way; a kind that says nothing of its health is a success."""
        rule = rule_of(kind)
        if not rule.counts:
            self.succeeded()
            return
        with self._lock:
            probing = self._probe_since is not None
            self._probe_since = None
            self._failures += 1
            if rule.opens:
                self._open_for(self._long_rest_s)
            elif probing or self._failures >= self._limit:
                self._open_for(max(self._rest_s, min(retry_after_s or 0.0, self._long_rest_s)))

    def forget(self) -> None:
        """The request ended without telling anything: cancelled by us."""
        with self._lock:
            self._probe_since = None

    def rest(self, seconds: float) -> None:
        """The provider asked for a pause that is longer than anybody waits: open until then."""
        with self._lock:
            self._open_for(min(seconds, self._long_rest_s))

    def _open_for(self, seconds: float) -> None:
        self._open_until = max(self._open_until or 0.0, self._clock() + seconds)

    def _probe_runs(self) -> bool:
        since = self._probe_since
        return since is not None and self._clock() - since < self._probe_s

    def _state(self) -> State:
        if self._open_until is None:
            return State.CLOSED
        return State.OPEN if self._clock() < self._open_until else State.HALF_OPEN
