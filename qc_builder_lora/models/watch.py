"""Takes a model back that is shown to be worse: in the history, in the log, and by webhook.

One look counts what was served since the last and asks the store what stands. All who serve one
store write their figures there and read those of the others; the first to find a model worse takes
it back, and the others learn so. While the store is away each goes by what it knows: a canary is
ended here at once, and written down when it is back.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qc_builder_lora.config import Settings
from qc_builder_lora.errors import NotFound, PromotionRefused, QcLoraError
from qc_builder_lora.ids import new_id, now
from qc_builder_lora.log import get_logger
from qc_builder_lora.models.call import Outcome
from qc_builder_lora.models.guard import Finding, Guard, Key, Trialled, phases_of
from qc_builder_lora.models.ledger import BUSY_S
from qc_builder_lora.models.rollback_rule import load_rollback_rule
from qc_builder_lora.models.standing import hosted
from qc_builder_lora.models.tally import Tally
from qc_builder_lora.notify import Webhook
from qc_builder_lora.records import AUTOMATIC, Promotion

if TYPE_CHECKING:
    from qc_builder_lora.store import Store
    from qc_builder_lora.store.course import Course
    from qc_builder_lora.store.tallies import Told

_SAVE_EVERY = 2
"""Looks between two times that the figures are written to the store."""
Notify = Callable[[dict[str, Any]], object]

log = get_logger(__name__)


class Watch:
    """One of a serving process; `note` from any thread, `look` from one."""

    def __init__(
        self,
        settings: Settings,
        open_store: Callable[[], Store],
        notify: Notify,
        *,
        who: str,
    ) -> None:
        """`who` serves, in a word."""
        self._settings, self._open, self._notify = settings, open_store, notify
        self._who = who
        self._process = f"{who}:{new_id()}"
        self._store: Store | None = None
        self._course: Course | None = None
        self._told: set[str] = set()
        self.guard = Guard(load_rollback_rule())
        self.rollbacks = 0
        """Since the start."""
        self._looks = 0
        self._saved: dict[Key, int] = {}
        """How many requests of each tally the store knows of."""

    def note(self, outcome: Outcome) -> None:
        """A provider was asked; microseconds."""
        self.guard.note(outcome)

    def look(self) -> Finding | None:
        """Look once; what was found to be worse and has been, or is to be, taken back."""
        self._looks += 1
        if self._course is not None:
            self.guard.count()
        course = self._what_stands()
        if course is None:
            return None
        self.guard.stands(course)
        self.guard.count()
        before = self.guard.suspicion
        finding = self.guard.find(course)
        doubted = self.guard.suspicion if self.guard.suspicion is not before else None
        if doubted is not None:
            log.warning("a fresh promotion looks worse; the model before answers beside it until "
                        "that is sure", model=doubted.trialled.model, beside=doubted.trialled.other,
                        share=self.guard.rule.holdback, figures=doubted.sentence)  # fmt: skip
        if doubted is not None or self._looks % _SAVE_EVERY == 0:
            self.save()
        if finding is not None:
            self._take_back(finding)
        return finding

    @property
    def holdback(self) -> Trialled | None:
        """The promotion in doubt, where the model before is to answer for a part of the Builds."""
        return self.guard.holding_back(self._course) if self._course is not None else None

    def save(self) -> None:
        """Tell the other processes, and whoever serves after this one."""
        tallies = self.guard.tallies
        new = {key: one for key, one in tallies.items() if self._saved.get(key) != one.asked}
        if not new or self._course is None:
            return
        try:
            self._opened().tallies.put(
                self._process, {key: one.plain() for key, one in new.items()}
            )
        except QcLoraError as error:
            self._say("", "figures of served requests cannot be shared", why=str(error))
            return
        self._saved = {key: one.asked for key, one in tallies.items()}

    def close(self) -> None:
        """Keep the figures, give the store back."""
        self.guard.count()
        self.save()
        if self._store is not None:
            self._store.close()
            self._store = None

    def _take_back(self, finding: Finding) -> None:
        model, decision = finding.trialled.model, finding.trialled.decision
        try:
            made = take_back(self._opened(), self._settings, finding, self._who)
        except PromotionRefused as error:
            self._say(decision.id, "a model that does worse was not taken back", model=model,
                      why=str(error), figures=finding.sentence)  # fmt: skip
            return
        except QcLoraError as error:
            self._say(decision.id, "a model that does worse cannot be taken back yet", model=model,
                      why=str(error), figures=finding.sentence)  # fmt: skip
            return
        self.rollbacks += 1
        self._course = None
        log.warning("a model was taken back by itself", model=model, reason=finding.sentence)
        self._notify(event_of(made, finding))

    def _say(self, key: str, event: str, **keys: str) -> None:
        if key + event not in self._told:
            self._told.add(key + event)
            log.warning(event, **keys)

    def _what_stands(self) -> Course | None:
        """What the store says, or said last."""
        try:
            store = self._opened()
            course = store.promotions.course()
            if self._course is None or phases_of(course) != phases_of(self._course):
                store.tallies.keep(phases_of(course))
            self._course = course
            self._hear(store)
        except NotFound:
            return None
        except QcLoraError as error:
            self._say("", "what stands cannot be looked up", why=str(error))
        return self._course

    def _hear(self, store: Store) -> None:
        """What the other processes counted."""

        def unread(told: Told, why: str) -> None:
            self._say(told.process, "figures of another process cannot be read",
                      process=told.process, why=why)  # fmt: skip

        self.guard.others = tallies_of(store, self._process, unread)

    def _opened(self) -> Store:
        if self._store is None:
            self._store = self._open()
        return self._store


def tallies_of(
    store: Store, but: str = "", unread: Callable[[Told, str], object] = lambda told, why: None
) -> dict[Key, list[Tally]]:
    """What all processes counted, without the one named; `unread` is told of what is no tally."""
    found: dict[Key, list[Tally]] = {}
    for told in store.tallies.find(but=but):
        try:
            found.setdefault((told.phase, told.model), []).append(Tally.of(told.figures))
        except (TypeError, KeyError) as error:
            unread(told, f"{type(error).__name__}: {error}")
    return found


def in_doubt(store: Store) -> Trialled | None:
    """The fresh promotion that looks worse than the model before it, while that is not sure."""
    guard, course = Guard(load_rollback_rule()), store.promotions.course()
    guard.others = tallies_of(store)
    guard.stands(course)
    return guard.holding_back(course)


def new_watch(settings: Settings, who: str, *, webhook: Webhook | None = None) -> Watch:
    """A Watch as the settings want it; `webhook` is closed by who gave it."""
    from qc_builder_lora.store import Store

    sender = webhook or Webhook(settings.notify_webhook, settings.notify_secret)

    def opened() -> Store:
        return Store.open(settings.database_url, upgrade=False, busy_s=BUSY_S)

    return Watch(settings, opened, sender.send, who=who)


def take_back(store: Store, settings: Settings, finding: Finding, who: str) -> Promotion:
    """Write the rollback down; PromotionRefused where another decision came first, or where
    nobody could answer instead."""
    by = f"{AUTOMATIC} ({who} {socket.gethostname()}:{os.getpid()})"
    return store.promotions.rollback(
        by,
        finding.sentence,
        of=finding.trialled.decision.id,
        emptying=bool(hosted(settings)),
    )


def event_of(made: Promotion, finding: Finding) -> dict[str, Any]:
    """What the webhook is sent: one JSON object, `text` for people, the rest for programs."""
    nobody = made.model_id == made.previous_model_id
    answers = "hosted models answer" if nobody else f"{made.model_id} answers"
    return {
        "event": "rollback",
        "id": made.id,
        "at": now().isoformat(),
        "text": f"qc-lora: {made.previous_model_id} was taken back by itself, {answers}. "
        f"{finding.sentence}",
        "model": made.previous_model_id,
        "answers": None if nobody else made.model_id,
        "canary_share": finding.trialled.decision.share,
        "decision": finding.trialled.decision.id,
        "by": made.decided_by,
        "reason": made.reason,
        "figures": finding.plain(),
    }
