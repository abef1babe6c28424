"""One turn of the loop: harvest, choose, retrain, release, evaluate, report. The only file that
knows all stages.

What a stage produced is written into the Turn before the next one starts, so a turn that was
killed is taken up at the stage it was in, and every stage takes up its own work in turn. One turn
at a time, whoever starts it: the lease in the store decides.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from qc_builder_lora.config import Settings
from qc_builder_lora.errors import QcLoraError, Stopped, TurnBusy
from qc_builder_lora.ids import new_id, now
from qc_builder_lora.log import get_logger
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import RunStatus, Turn
from qc_builder_lora.stages import STAGES, Stages
from qc_builder_lora.store import Lease, Store

LEASE = "loop"

Show = Callable[[str, float], AbstractContextManager[Progress]]
log = get_logger(__name__)


@contextmanager
def show_nothing(_title: str, _total: float) -> Iterator[Progress]:
    """The default: no bars."""
    yield SILENT


def turn(
    settings: Settings,
    store: Store,
    trigger: str,
    *,
    show: Show = show_nothing,
    until: str | None = None,
    stop: threading.Event | None = None,
) -> Turn:
    """Make a turn, or finish the one that was left; returns it with the results of its stages.

    `until` stops after that stage, `stop` as soon as it is set; both leave the turn open. Raises
    TurnBusy while another process holds the lease, Stopped, and whatever a stage raises, after
    writing it into the Turn.
    """
    with _lease(settings, store, stop or threading.Event()) as held:
        current = open_turn(store, trigger)
        stages = Stages(settings, store, current)
        for name in STAGES:
            if name in current.stages:
                continue
            log.info("stage begins", turn=current.id, stage=name)
            current = _stage(store, current, stages, name, show, held)
            if name == until:
                return current
        return store.turns.update(current.id, status=RunStatus.FINISHED, finished_at=now())


def open_turn(store: Store, trigger: str) -> Turn:
    """The newest turn that has not finished, or a new one."""
    newest = store.turns.find(limit=1)
    if newest and newest[0].status is not RunStatus.FINISHED:
        again = {"status": RunStatus.RUNNING, "error": None, "finished_at": None}
        return store.turns.update(newest[0].id, **again)
    return store.turns.add(
        Turn(id=new_id(), trigger=trigger, status=RunStatus.RUNNING, started_at=now())
    )


def _stage(store: Store, current: Turn, stages: Stages, name: str, show: Show, held: _Held) -> Turn:
    """Run one stage and write down what it produced; an error is written down as well."""
    try:
        result = stages.run(name, lambda title, total: _guarded(show, title, total, held))
    except (Stopped, TurnBusy):
        raise
    except QcLoraError as error:
        store.turns.update(
            current.id, status=RunStatus.FAILED, error=f"{name}: {error}", finished_at=now()
        )
        raise
    held.check()
    current = store.turns.update(current.id, stages={**current.stages, name: result})
    stages.turn = current
    return current


@contextmanager
def _guarded(show: Show, title: str, total: float, held: _Held) -> Iterator[Progress]:
    with show(title, total) as progress:
        yield _Watched(progress, held)


class _Watched:
    """Progress that stops the work when the lease is lost."""

    def __init__(self, inner: Progress, held: _Held) -> None:
        self._inner, self._held = inner, held

    def update(self, done: float, note: str = "") -> None:
        self._held.check()
        self._inner.update(done, note)


class _Held:
    """A lease that a thread keeps renewing until it is let go."""

    def __init__(self, store: Store, lease: Lease, asked: threading.Event) -> None:
        self._store, self._lease, self._asked = store, lease, asked
        self._stop = threading.Event()
        self._lost = False
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    def _renew(self) -> None:
        while not self._stop.wait(self._lease.seconds / 3):
            try:
                self._lost = not self._store.leases.renew(self._lease)
            except QcLoraError as error:
                # A store that is busy now may answer before the lease ends; if not, it is lost.
                log.warning("lease not renewed", error=str(error))
            if self._lost:
                return

    def check(self) -> None:
        """TurnBusy when somebody else has, or could have, the lease; Stopped when asked to."""
        if self._asked.is_set():
            raise Stopped("The turn was stopped; the next one goes on from here.")
        if self._lost:
            raise TurnBusy(
                "This process lost the lease of the loop (it was stopped or cut off for longer "
                "than lease_s), so another one may be at work. What was finished is kept."
            )

    def release(self) -> None:
        """Let the next one have it."""
        self._stop.set()
        self._thread.join()
        if not self._lost:
            self._store.leases.release(self._lease)


@contextmanager
def _lease(settings: Settings, store: Store, asked: threading.Event) -> Iterator[_Held]:
    holder = f"{socket.gethostname()}:{os.getpid()}"
    lease = store.leases.acquire(LEASE, holder, settings.lease_s)
    if lease is None:
        current = store.leases.current(LEASE)
        who = f"{current.holder} until {current.expires_at:%H:%M:%S} UTC" if current else "another"
        raise TurnBusy(
            f"A turn is under way already: the lease is held by {who}. It ends by itself; "
            "see qc-lora status."
        )
    held = _Held(store, lease, asked)
    try:
        yield held
    finally:
        held.release()


def result_of(turn: Turn, stage: str) -> dict[str, Any]:
    """What a finished stage wrote into its Turn."""
    return dict(turn.stages[stage])
