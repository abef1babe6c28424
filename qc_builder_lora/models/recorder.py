"""Keeps what the gateway served, for comparisons and for the bill: Requests and Generations.

A thread writes, in the pauses between requests where there are any; the caller only puts into a
bounded queue. While the store is locked or gone,
answers go to a spool on disk and from there, later, to the store; where the disk takes nothing
either, the queue fills, then the newest are dropped and counted. Serving goes on all the while.
Secrets are taken out before anything is written. No Strategy is made of a served answer, so none
of it is taught.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from qc_builder_lora.errors import DiskFull, StoreError, StoreUnavailable
from qc_builder_lora.ids import new_id, now
from qc_builder_lora.log import get_logger
from qc_builder_lora.models.chain import Answered
from qc_builder_lora.models.served_spool import Pair, ServedSpool
from qc_builder_lora.records import Build, Generation, Request, Role
from qc_builder_lora.redact import Redactor

if TYPE_CHECKING:
    from qc_builder_lora.store import Store

_MOST = 1000
"""Answers that may wait for the store."""
_REST_S = 5.0
_GATHER_S, _TOGETHER = 0.2, 100
"""How long answers are gathered, and how many are written at once at most."""
_LOOK_S, _PATIENCE, _QUIET = 0.001, 50, 20
"""How often a pause between requests is looked for, in seconds, how many times at most, and after
how many times without any request nobody is waited for."""

_SOURCE = "served"

log = get_logger(__name__)


class Recorder:
    """One queue and one thread; `take` is what a Chain's `on_answer` calls."""

    def __init__(
        self,
        open_store: Callable[[], Store],
        *,
        host: str,
        then: Callable[[str, Answered], object] = lambda generation_id, answered: None,
        most: int = _MOST,
        rest_s: float = _REST_S,
        gather_s: float = _GATHER_S,
        spool: ServedSpool | None = None,
        busy: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`host` is what Builds made here say of where they came from; `then` is called, on the
        recorder's thread, with the id of each Generation once it is in the store. `busy` says
        whether a request is under way.
        """
        self._open, self._host, self._then = open_store, host, then
        self._batch = new_id()
        self._rest_s, self._gather_s = rest_s, gather_s
        self._spool, self._busy, self._clock = spool, busy, clock
        self._away_until = 0.0
        self._builds: set[str] = set()
        """Of the last transaction: they need not be looked for in the next."""
        self._taken_out: Counter[str] = Counter()
        """What the store was not told yet."""
        self._waiting: queue.Queue[Answered] = queue.Queue(most)
        self._store: Store | None = None
        self._ending = threading.Event()
        self._said, self._full = False, False
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self.counts: Counter[str] = Counter()
        """`kept`, `spooled`, `dropped`, and `redacted` secrets, since the start."""
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Answers that the store has not taken yet."""
        return self._waiting.qsize()

    def take(self, answered: Answered) -> None:
        """Keep an answer, some time soon; never waits and never raises."""
        try:
            self._waiting.put_nowait(answered)
        except queue.Full:
            self.counts["dropped"] += 1

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what waits, for so long, and say what could not be written."""
        self._ending.set()
        self._thread.join(timeout_s)
        left = self.waiting + self.counts["dropped"]
        if left:
            log.warning("served answers were not kept", answers=left)
        if self._store is not None and not self._thread.is_alive():
            self._store.close()

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all that was taken is in the store; whether it is."""
        end = time.monotonic() + timeout_s
        while self._waiting.unfinished_tasks and time.monotonic() < end:
            time.sleep(0.01)
        return not self._waiting.unfinished_tasks

    def _run(self) -> None:
        while not (self._ending.is_set() and self._waiting.empty()):
            batch = self._gathered()
            if batch:
                self._keep(batch)
            for _ in batch:
                self._waiting.task_done()
            self._drain()
        self._drain()

    def _gathered(self) -> list[Answered]:
        """What has come since the last time: a transaction has its price, and it is paid with the
        time of those who are being served. Nor must they wake this thread with every answer."""
        self._ending.wait(self._gather_s)
        batch: list[Answered] = []
        with contextlib.suppress(queue.Empty):
            while len(batch) < _TOGETHER:
                batch.append(self._waiting.get_nowait())
        return batch

    def _await_pause(self) -> None:
        """Return when a request has just ended, or none has come for a while, or never mind.

        All share one interpreter: the longest pause there is begins behind a request.
        """
        quiet, seen = 0, False
        for _ in range(_PATIENCE):
            if self._busy():
                quiet, seen = 0, True
            elif seen or quiet == _QUIET:
                return
            else:
                quiet += 1
            if self._ending.wait(_LOOK_S):
                return

    def _keep(self, batch: Sequence[Answered]) -> None:
        redactor = Redactor()
        self._await_pause()
        records = [self._records(answered, redactor) for answered in batch]
        self.counts["redacted"] += redactor.counts.total()
        self._taken_out.update(redactor.counts)
        self._await_pause()
        while True:
            try:
                self._write_rested(records)
            except (StoreError, DiskFull) as error:
                self._say_once(error)
                if self._spooled(records):
                    return
                if self._ending.wait(self._rest_s):
                    self.counts["dropped"] += len(batch)
                    return
                continue
            self._said = False
            self.counts["kept"] += len(batch)
            for (_, generation), answered in zip(records, batch, strict=True):
                self._then(generation.id, answered)
            return

    def _write_rested(self, records: Sequence[Pair]) -> None:
        """As `_write`; where there is a spool, a store that failed is left alone for a while."""
        if self._spool is not None and self._clock() < self._away_until:
            raise StoreUnavailable("The store did not answer a moment ago.")
        try:
            self._write(records)
        except (StoreError, DiskFull):
            self._away_until, self._builds = self._clock() + self._rest_s, set()
            raise

    def _spooled(self, records: Sequence[Pair]) -> bool:
        if self._spool is None:
            return False
        try:
            self._spool.add(records)
        except OSError as error:
            if not self._full:
                log.warning("served answers cannot be spooled", why=str(error))
            self._full = True
            return False
        self._full = False
        self.counts["spooled"] += len(records)
        return True

    def _drain(self) -> None:
        """What was spooled into the store, where that is back."""
        if self._spool is None or self._clock() < self._away_until or self._spool.empty():
            return
        try:
            taken = self._spool.drain(self._write)
        except (StoreError, DiskFull, OSError) as error:
            self._away_until = self._clock() + self._rest_s
            self._say_once(error)
            return
        self._said = False
        self.counts["kept"] += taken
        log.info("spooled answers are in the store", answers=taken)

    def _say_once(self, error: Exception) -> None:
        if not self._said:
            where = {"spool": str(self._spool.file)} if self._spool else {}
            log.warning("served answers wait for the store", why=str(error), **where)
        self._said = True

    def _write(self, records: Sequence[Pair]) -> None:
        """All of them or none, in one transaction."""
        if self._store is None:
            self._store = self._open()
        store = self._store
        with store.transaction():
            builds = {generation.build_id for _, generation in records if generation.build_id}
            for build in builds - self._builds:
                if not store.builds.has(build):
                    store.builds.add(self._build(build))
            store.requests.add_all(request for request, _ in records)
            store.generations.add_all(generation for _, generation in records)
            store.redactions.add(_SOURCE, self._batch, self._taken_out)
        self._builds = builds
        self._taken_out.clear()

    def _build(self, key: str) -> Build:
        return Build(id=key, title="requests served", host=self._host, started_at=now())

    def _records(self, answered: Answered, redactor: Redactor) -> Pair:
        asked, draft = answered.request, answered.draft
        request = Request(
            id=asked.id,
            instruction=redactor.text(asked.instruction),
            context=redactor.text(asked.context),
            created_at=asked.created_at,
        )
        generation = Generation(
            id=new_id(),
            request_id=request.id,
            code=redactor.text(draft.code),
            role=Role.SERVED,
            created_at=now(),
            model=draft.model,
            build_id=answered.build_id or None,
            prompt_tokens=draft.prompt_tokens,
            completion_tokens=draft.completion_tokens,
            cost_usd=draft.cost_usd,
            latency_s=draft.latency_s,
            finish_reason=draft.finish_reason,
        )
        return request, generation
