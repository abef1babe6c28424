"""How long we wait for QuantConnect, and how often we ask: every pause goes through here.

So every pause can be cut short by a cancellation, and none goes past the deadline.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field


class Overdue(Exception):
    """The deadline came while waiting for something; the text says for what."""


class Cancelled(Exception):
    """Somebody asked to stop."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds between questions. The defaults follow QuantConnect's own client."""

    deadline_s: float = 3600.0
    """For one backtest, queueing included."""
    poll_s: float = 1.0
    poll_most_s: float = 10.0
    """How often a compilation or backtest is looked at: at first, and in the end."""
    retry_s: float = 1.0
    retry_most_s: float = 60.0
    """Pause after a failed request; doubled each time."""
    tries: int = 5
    """Of a request that fails with 5xx, no JSON or no connection, before it is given up."""
    node_s: float = 10.0
    node_most_s: float = 60.0
    """Pause while all backtest nodes of the account are busy; doubled each time."""
    loading_s: float = 1.0
    loading_tries: int = 60
    """Charts and orders are prepared when they are first asked for."""
    longest_retry_after_s: float = 300.0
    """A server that asks for a longer pause than this is asked again after it."""

    def between_failures(self, failures: int) -> float:
        """Doubled each time, up to a cap, and spread so that clients do not come in step."""
        pause = min(self.retry_most_s, self.retry_s * 2.0 ** (failures - 1))
        return pause * random.uniform(0.75, 1.0)

    def between_nodes(self, failures: int) -> float:
        """The same for busy nodes."""
        return min(self.node_most_s, self.node_s * 2.0 ** (failures - 1))

    def between_polls(self, polls: int) -> float:
        """A backtest of seconds is seen at once, one of an hour costs few requests."""
        return min(self.poll_most_s, self.poll_s * 1.3**polls)


@dataclass
class Patience:
    """What is left of the time for one backtest."""

    deadline_s: float
    stop: threading.Event = field(default_factory=threading.Event)
    _until: float = field(init=False)

    def __post_init__(self) -> None:
        self._until = time.monotonic() + self.deadline_s

    def wait(self, seconds: float, reason: str) -> None:
        """Pause; Overdue when the time is up before or after it, Cancelled when asked to stop."""
        left = self._until - time.monotonic()
        if self.stop.wait(max(0.0, min(seconds, left))):
            raise Cancelled
        if left <= seconds:
            raise Overdue(reason)
