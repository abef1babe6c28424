"""The scheduler that calls `loop.turn`: on enough new strategies, on cron, or left-over work.

APScheduler keeps its two jobs in the store's database. It does not know of other daemons, so it
decides only *when* to look; whether anything is done is decided by the leases in the store, and
two daemons on one database make one turn between them.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import FrameType
from typing import Any

from qc_builder_lora.config import Settings
from qc_builder_lora.errors import MissingExtra, QcLoraError, SettingsError, Stopped, TurnBusy
from qc_builder_lora.ids import now
from qc_builder_lora.log import get_logger
from qc_builder_lora.loop import LEASE, turn
from qc_builder_lora.records import RunStatus, Turn
from qc_builder_lora.store import Store

HARVEST_LEASE = "harvest"
RETRY_AFTER = timedelta(minutes=15)
"""A turn that failed is not tried again by itself before this has passed."""

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Due:
    """Whether a turn should be made now, and why or what it waits for."""

    now: bool
    trigger: str
    waits_for: str
    new_strategies: int
    needed: int


def due(settings: Settings, store: Store, moment: datetime | None = None) -> Due:
    """What the rule says at this moment. Asks the store only; changes nothing."""
    from qc_builder_lora.harvest.gates import load_rules

    moment = moment or now()
    newest = next(iter(store.turns.find(limit=1)), None)
    finished = next(iter(store.turns.find(status=RunStatus.FINISHED, limit=1)), None)
    since = finished.started_at if finished else None
    count = store.strategies.accepted_since(since, load_rules().line)
    enough = count >= settings.retrain_min_new

    def answer(at_once: bool, trigger: str, waits_for: str) -> Due:
        return Due(
            now=at_once,
            trigger=trigger,
            waits_for=waits_for,
            new_strategies=count,
            needed=settings.retrain_min_new,
        )

    if newest is not None and newest.status is RunStatus.RUNNING:
        return answer(True, newest.trigger, f"turn {newest.id} to be finished")
    if newest is not None and newest.status is RunStatus.FAILED:
        again = (newest.finished_at or newest.started_at) + RETRY_AFTER
        if moment < again:
            return answer(False, newest.trigger, f"{again:%H:%M} UTC, to retry: {newest.error}")
        return answer(True, newest.trigger, "the failed turn to be tried again")
    waits = f"{settings.retrain_min_new - count} more accepted strategies"
    return answer(enough, "new strategies", "nothing" if enough else waits)


class Daemon:
    """Looks every `poll_s` seconds, and at the times of `retrain_cron`, until told to stop."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings, self.store = settings, store
        self._stop = threading.Event()
        self._busy = threading.Lock()
        self._scheduler = _scheduler(settings)

    def run(self) -> None:
        """Schedule, then wait for SIGINT or SIGTERM; a turn under way checkpoints and stops."""
        global _running  # noqa: PLW0603 - jobs in a database can only name module-level functions
        _running = self
        self._schedule()
        self._scheduler.start()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._asked_to_stop)
        log.info("daemon started", pid=os.getpid(), every_s=self.settings.poll_s)
        try:
            while not self._stop.wait(0.5):
                pass
        finally:
            self._scheduler.shutdown(wait=False)
            log.info("daemon stopped")

    def _asked_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _schedule(self) -> None:
        common = {"replace_existing": True, "max_instances": 1, "coalesce": True}
        self._scheduler.add_job(
            _poll_job,
            "interval",
            seconds=self.settings.poll_s,
            id="poll",
            next_run_time=now(),
            misfire_grace_time=None,
            **common,
        )
        if self.settings.retrain_cron:
            trigger = cron_trigger(self.settings.retrain_cron)
            self._scheduler.add_job(
                _cron_job, trigger, id="cron", misfire_grace_time=3600, **common
            )
        elif self._scheduler.get_job("cron"):
            self._scheduler.remove_job("cron")

    def poll(self) -> Turn | None:
        """Take in what the builder made, and make a turn if one is due."""
        if not self._busy.acquire(blocking=False):
            return None
        try:
            self._harvest()
            found = due(self.settings, self.store)
            if not found.now:
                log.debug("no turn is due", waits_for=found.waits_for)
                return None
            return self._turn(found.trigger)
        finally:
            self._busy.release()

    def cron(self) -> Turn | None:
        """Make a turn because it is time."""
        with self._busy:
            return self._turn("cron")

    def _turn(self, trigger: str) -> Turn | None:
        try:
            made = turn(self.settings, self.store, trigger, stop=self._stop)
        except TurnBusy as busy:
            log.info("another process makes the turn", lease=str(busy))
            return None
        except Stopped:
            log.info("turn stopped; the next start goes on with it")
            return None
        except QcLoraError as error:
            log.error("turn failed", error=str(error))
            return None
        log.info("turn finished", turn=made.id, report=made.stages["report"]["path"])
        return made

    def _harvest(self) -> None:
        """Ingest and gates, by one process at a time; a store that is busy is tried next time."""
        from qc_builder_lora.stages import Stages

        holder = f"{socket.gethostname()}:{os.getpid()}"
        lease = self.store.leases.acquire(HARVEST_LEASE, holder, 600)
        if lease is None:
            return
        try:
            blank = Turn(id="harvest", trigger="poll", status=RunStatus.RUNNING, started_at=now())
            Stages(self.settings, self.store, blank).harvest()
        except QcLoraError as error:
            log.warning("harvest postponed", error=str(error))
        finally:
            self.store.leases.release(lease)


_running: Daemon | None = None


def _poll_job() -> None:
    if _running is not None:
        _running.poll()


def _cron_job() -> None:
    if _running is not None:
        _running.cron()


def cron_trigger(expression: str) -> Any:
    """APScheduler's trigger of five cron fields, in UTC; SettingsError if they are none."""
    apscheduler_cron = _import("apscheduler.triggers.cron")
    try:
        return apscheduler_cron.CronTrigger.from_crontab(expression, timezone="UTC")
    except ValueError as error:
        raise SettingsError(
            f"retrain_cron {expression!r} is not a cron expression ({error}). "
            "Example: '0 3 * * 6' is Saturdays at 03:00 UTC."
        ) from error


def next_cron(expression: str, moment: datetime | None = None) -> datetime | None:
    """When a cron expression is next due."""
    found: datetime | None = cron_trigger(expression).get_next_fire_time(None, moment or now())
    return found


def _scheduler(settings: Settings) -> Any:
    background = _import("apscheduler.schedulers.background")
    jobstores = _import("apscheduler.jobstores.sqlalchemy")
    return background.BackgroundScheduler(
        jobstores={"default": jobstores.SQLAlchemyJobStore(url=settings.database_url)},
        timezone="UTC",
    )


def _import(module: str) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtra("daemon", "apscheduler") from error


def lease_holder(store: Store) -> str | None:
    """Who is making a turn now, if anybody."""
    current = store.leases.current(LEASE)
    return current.holder if current else None
