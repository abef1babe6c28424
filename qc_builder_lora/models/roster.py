"""Who is in a chain, in which order, and how each has fared: they come and go while it answers.

Every change makes new objects: requests under way, and chains of one provider alone, hold the old
ones. Says nothing of when somebody is asked: see `chain`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Self

from qc_builder_lora.models.breaker import Breaker
from qc_builder_lora.models.call import Trial
from qc_builder_lora.models.writer import Writer


class Roster:
    """The providers, their breakers, and the one on trial."""

    def __init__(
        self,
        writers: Sequence[Writer],
        breakers: Mapping[str, Breaker] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.writers = tuple(writers)
        self._clock = clock
        given = breakers or {}
        self.breakers = {w.name: given.get(w.name) or Breaker(clock=clock) for w in self.writers}
        self.trial: Trial | None = None
        """A second writer that some requests are given to first: see `try_out`."""

    def admit(self, writer: Writer, place: int) -> None:
        """Ask one more provider from now on, at that place in the order.

        One that is there already starts with a clean record.
        """
        # New objects, not changes: requests under way and `only` hold the old ones.
        self.breakers = {**self.breakers, writer.name: Breaker(clock=self._clock)}
        if writer not in self.writers:
            self.writers = (*self.writers[:place], writer, *self.writers[place:])

    def dismiss(self, name: str) -> None:
        """Ask the provider of that name no more."""
        self.writers = tuple(writer for writer in self.writers if writer.name != name)

    def try_out(self, writer: Writer, place: int, takes: Callable[[str], bool]) -> None:
        """Give `writer` those requests whose Build it `takes`, before who is at that place.

        Where it fails, the others are asked as ever. A second call changes whom it takes.
        """
        before = self.trial
        same = before is not None and before.writer is writer
        breaker = before.breaker if before and same else Breaker(clock=self._clock)
        self.trial = Trial(writer, place, takes, breaker)

    def end_trial(self) -> None:
        """Give it nothing more; what it has begun it may end."""
        self.trial = None

    def only(self, name: str) -> Self:
        """One provider alone, with its breaker and the same budget."""
        alone = copy(self)
        alone.trial = None
        alone.writers = tuple(writer for writer in self.writers if writer.name == name)
        return alone

    def by_model(self) -> dict[str, Self]:
        """Each provider alone, by its model's name; the one on trial too."""
        found = {writer.model: self.only(writer.name) for writer in self.writers}
        trial = self.trial
        if trial is not None:
            alone = copy(self)
            alone.writers, alone.trial = (), replace(trial, place=0, takes=lambda key: True)
            found[trial.writer.model] = alone
        return found

    def close(self) -> None:
        """Close every Writer that can be closed."""
        for writer in self.writers:
            close = getattr(writer, "close", None)
            if close is not None:
                close()
