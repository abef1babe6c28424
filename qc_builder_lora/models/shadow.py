"""Ask a second model what the first has just answered, without anybody noticing.

Off the hot path: it is offered requests that were served and kept already, takes a share of them
by a stable hash, and asks one at a time while no foreground request is under way; one that begins
meanwhile ends the shadow's. Its answers are Generations with the role `shadow`: nobody is served
them, nobody is taught by them. Every request not asked is counted with the reason.
"""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from datetime import time as day_time
from decimal import Decimal
from typing import TYPE_CHECKING

from qc_builder_lora.errors import ProviderError, QcLoraError, SettingsError, StoreError
from qc_builder_lora.ids import new_id, now
from qc_builder_lora.log import get_logger
from qc_builder_lora.models.cancel import Cancel, cancellable
from qc_builder_lora.models.chain import Answered, Chain
from qc_builder_lora.models.faults import Kind
from qc_builder_lora.models.writer import Draft
from qc_builder_lora.records import Generation, Role
from qc_builder_lora.redact import Redactor

if TYPE_CHECKING:
    from qc_builder_lora.store import Store

REASONS = (
    "offered", "sampled", "asked", "answered", "not_sampled", "outside_window", "queue_full",
    "foreground_busy", "preempted", "over_budget", "paused", "failed", "same_model", "not_kept",
)  # fmt: skip
_THE_MODELS_OWN = {Kind.EMPTY, Kind.TRUNCATED, Kind.CONTEXT_OVERFLOW, Kind.CONTENT_FILTER}
_LOOK_S, _REST_S = 0.02, 0.5
_WINDOW = 10_000

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class ShadowRule:
    """How much the shadow may do."""

    share: float = 1.0
    """The part of the requests that is taken, a fraction."""
    window: tuple[day_time, day_time] | None = None
    """From when until when, UTC; None for always. The end may lie on the next day."""
    queue: int = 32
    """Requests that may wait for it; more are dropped."""
    patience_s: float = 120.0
    """How long one waits for a quiet moment before it is dropped."""
    deadline_s: float = 300.0
    """The longest that one answer may take."""
    errors: int = 5
    """Failures in a row after which it switches itself off."""

    def open_at(self, moment: datetime) -> bool:
        """Whether the window is open at a time (UTC)."""
        if self.window is None:
            return True
        start, end = self.window
        clock = moment.time().replace(tzinfo=None)
        return start <= clock < end if start <= end else clock >= start or clock < end

    def takes(self, request_id: str) -> bool:
        """Whether a request is of the share: always the same answer for the same request."""
        digest = hashlib.sha256(f"shadow:{request_id}".encode()).digest()
        return int.from_bytes(digest[:4]) % _WINDOW < self.share * _WINDOW


def parse_window(text: str | None) -> tuple[day_time, day_time] | None:
    """`22:00-06:00` as two times; SettingsError says what it should look like."""
    if not text:
        return None
    try:
        start, end = (day_time.fromisoformat(part.strip()) for part in text.split("-"))
    except ValueError as error:
        raise SettingsError(
            f"shadow_window must be two times in UTC like 22:00-06:00, got {text!r}."
        ) from error
    return start, end


@dataclass(frozen=True)
class _Offer:
    answered: Answered
    until: float


class Shadow:
    """One queue, one thread, one request at a time."""

    def __init__(
        self,
        chain: Chain,
        rule: ShadowRule,
        open_store: Callable[[], Store],
        *,
        busy: Callable[[], bool],
        start: bool = True,
        timed: bool = True,
        clock: Callable[[], float] = time.monotonic,
        today: Callable[[], datetime] = now,
    ) -> None:
        """`chain` holds the one Writer to ask, with the budget of the shadow; `busy` says whether
        a foreground request is under way. Without `start` nothing runs by itself: see `ask`.
        Without `timed` how long an answer took is unknown: others were asked beside it.
        """
        self._chain, self._rule, self._open, self._busy = chain, rule, open_store, busy
        self._clock, self._today = clock, today
        self._queue: queue.Queue[_Offer] = queue.Queue(rule.queue)
        self._ending = threading.Event()
        self._timed = timed
        self._keeping = threading.Lock()
        """Several threads may `ask` at once; the books are kept by one at a time."""
        self._failures = 0
        self._store: Store | None = None
        self.counts: Counter[str] = Counter()
        """Of REASONS, since the start; `asked` that are zero for long are a sign of a fault."""
        self.paused: str | None = None
        """Why it has switched itself off, None while it has not."""
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
        if start:
            self._thread.start()

    @property
    def model(self) -> str:
        """Who is asked."""
        return self._chain.writers[0].model

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return self._queue.qsize()

    def offer(self, answered: Answered) -> None:
        """Take a served request or count why not; never waits and never raises."""
        self.counts["offered"] += 1
        reason = self._refusal(answered)
        if reason is None:
            self.counts["sampled"] += 1
            try:
                self._queue.put_nowait(_Offer(answered, self._clock() + self._rule.patience_s))
                return
            except queue.Full:
                reason = "queue_full"
        self.counts[reason] += 1

    def close(self, timeout_s: float = 5.0) -> None:
        """End the request under way, drop the rest, close the Writer."""
        self._ending.set()
        self._thread.join(timeout_s)
        self._chain.close()
        if self._store is not None and not self._thread.is_alive():
            self._store.close()

    def _refusal(self, answered: Answered) -> str | None:
        if self.paused is not None:
            return "paused"
        if answered.draft.model == self.model:
            return "same_model"
        if not self._rule.takes(answered.request.id):
            return "not_sampled"
        return None if self._rule.open_at(self._today()) else "outside_window"

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                offer = self._queue.get(timeout=0.1)
            except queue.Empty:
                continue
            reason = self._quiet(offer) or self.ask(offer.answered)
            self.counts[reason] += 1
            if reason == "preempted":
                # Where requests come thick, beginning again at each pause would cost them more
                # than it brings.
                self._ending.wait(_REST_S)

    def _quiet(self, offer: _Offer) -> str | None:
        """Wait for a moment without foreground requests; why not, where there was none."""
        if self.paused is not None:
            return "paused"
        while self._busy():
            if self._clock() >= offer.until:
                return "foreground_busy"
            if self._ending.wait(_LOOK_S):
                return "preempted"
        return None

    def ask(self, answered: Answered) -> str:
        """Ask now, and keep the answer; one of REASONS."""
        with self._keeping:
            self.counts["asked"] += 1
        token, done = Cancel(), threading.Event()
        watch = threading.Thread(target=self._give_way, args=(token, done), daemon=True)
        watch.start()
        try:
            with cancellable(token):
                draft = self._chain.write(
                    answered.request,
                    max_tokens=answered.max_tokens,
                    deadline_s=self._rule.deadline_s,
                    build_id=f"shadow:{self._today():%Y-%m-%d}",
                )
        except QcLoraError as error:
            with self._keeping:
                return self._failed(answered, error)
        finally:
            done.set()
        with self._keeping:
            self._failures = 0
            return self._keep(answered, draft)

    def _give_way(self, token: Cancel, done: threading.Event) -> None:
        while not done.wait(_LOOK_S):
            if self._busy() or self._ending.is_set():
                token.cancel()
                return

    def _failed(self, answered: Answered, error: QcLoraError) -> str:
        kinds = {fault.kind for fault in getattr(error, "failures", ())}
        if isinstance(error, ProviderError):
            kinds.add(error.kind)
        if Kind.CANCELLED in kinds:
            return "preempted"
        if Kind.BUDGET in kinds:
            return "over_budget"
        if kinds & _THE_MODELS_OWN:
            # Nobody else is to blame: having no code for it is this model's answer.
            empty = Draft(text="", code="", provider=self._chain.writers[0].name, model=self.model)
            return self._keep(answered, empty, str(error))
        self._failures += 1
        if self._failures >= self._rule.errors:
            self.paused = f"{self._failures} failures in a row, the last: {error}"
            log.warning("the shadow has switched itself off", why=self.paused)
        return "failed"

    def _keep(self, answered: Answered, draft: Draft, error: str | None = None) -> str:
        if not self._timed:
            draft = replace(draft, latency_s=None)
        try:
            if self._store is None:
                self._store = self._open()
            self._store.generations.add(shadow_generation(answered.request.id, draft, error))
        except StoreError as fault:
            log.warning("a shadow answer was not kept", why=str(fault))
            return "not_kept"
        return "answered"


def shadow_generation(request_id: str, draft: Draft, error: str | None = None) -> Generation:
    """A Draft that nobody was served, as the record the store keeps."""
    return Generation(
        id=new_id(),
        request_id=request_id,
        code=Redactor().text(draft.code),
        role=Role.SHADOW,
        created_at=now(),
        model=draft.model,
        prompt_tokens=draft.prompt_tokens,
        completion_tokens=draft.completion_tokens,
        cost_usd=draft.cost_usd if draft.cost_usd is not None else _free(draft),
        latency_s=draft.latency_s,
        finish_reason=draft.finish_reason,
        error=Redactor().optional(error),
    )


def _free(draft: Draft) -> Decimal | None:
    return Decimal(0) if draft.provider == "local" else None
