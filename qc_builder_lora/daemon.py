"""The scheduler that calls `loop.turn`: on enough new strategies, on cron, or left-over work.

APScheduler keeps the cron job in the store's database, so that a time that passed while no daemon
ran is made up for; the looks are each process's own. It does not know of other daemons, so it
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
from qc_builder_lora.notify import Webhook
from qc_builder_lora.records import RunStatus, Turn
from qc_builder_lora.store import Store
from qc_builder_lora.watch_job import JudgedWatch, funnel_judge

HARVEST_LEASE = "harvest"
START_LEASE = "daemon start"
RETRY_AFTER = timedelta(minutes=15)
"""A turn that failed is not tried again by itself before this has passed."""
MISSED_CRON_S = 6 * 3600
"""A cron time that passed while no daemon ran is made up for within this many seconds."""

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
        self._scheduler = _scheduler(store)
        self._webhook = Webhook(settings.notify_webhook, settings.notify_secret)
        self._watch = JudgedWatch(settings, funnel_judge(settings), self._webhook.send)

    def run(self) -> None:
        """Schedule, then wait for SIGINT or SIGTERM; a turn under way checkpoints and stops."""
        global _running  # noqa: PLW0603 - jobs in a database can only name module-level functions
        _running = self
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._asked_to_stop)
        if not self._start():
            return
        log.info("daemon started", pid=os.getpid(), every_s=self.settings.poll_s)
        try:
            while not self._stop.wait(0.5):
                _check_alive()
        finally:
            self._scheduler.shutdown(wait=False)
            self._webhook.close()
            log.info("daemon stopped")

    def _start(self) -> bool:
        """Start the scheduler, one daemon at a time: APScheduler makes its table as if it were
        alone. False when told to stop meanwhile."""
        while (lease := self.store.leases.acquire(START_LEASE, _holder(), 30)) is None:
            if self._stop.wait(0.2):
                return False
        try:
            self._scheduler.start(paused=True)
            self._schedule()
            self._scheduler.resume()
        finally:
            self.store.leases.release(lease)
        return True

    def _asked_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _schedule(self) -> None:
        # One more than runs at a time: a look during a turn ends at once, without a warning.
        common = {"max_instances": 2, "coalesce": True}
        self._scheduler.add_job(
            _poll_job,
            "interval",
            seconds=self.settings.poll_s,
            id="poll",
            next_run_time=now(),
            misfire_grace_time=None,
            jobstore="memory",
            **common,
        )
        expression = self.settings.retrain_cron
        known = self._scheduler.get_job("cron")
        if expression and (known is None or known.args != (expression,)):
            self._scheduler.add_job(
                _cron_job,
                cron_trigger(expression),
                args=[expression],
                id="cron",
                replace_existing=True,
                misfire_grace_time=MISSED_CRON_S,
                **common,
            )

    def poll(self) -> Turn | None:
        """Take in what the builder made, and make a turn if one is due."""
        if not self._busy.acquire(blocking=False):
            return None
        try:
            self._harvest()
            self._look_who_is_worse()
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

    def _look_who_is_worse(self) -> None:
        """Judge some of what was served by who is on trial; a trouble with it stops no turn."""
        try:
            self._watch.look(self.store)
        except QcLoraError as error:
            log.warning("who is on trial cannot be judged", error=str(error))

    def _harvest(self) -> None:
        """Ingest and gates, by one process at a time; a store that is busy is tried next time."""
        from qc_builder_lora.stages import Stages

        lease = self.store.leases.acquire(HARVEST_LEASE, _holder(), 600)
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


def _cron_job(expression: str) -> None:
    # The job outlives the daemon that made it; one that was started without it leaves it alone.
    if _running is not None and _running.settings.retrain_cron == expression:
        _running.cron()


def _check_alive() -> None:
    """A scheduler whose thread has ended would look as if nothing were ever due."""
    if not any(thread.name == "APScheduler" for thread in threading.enumerate()):
        raise QcLoraError(
            "The scheduler's thread ended; the error is above. Nothing is lost: start the daemon "
            "again."
        )


def _holder() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def cron_trigger(expression: str) -> Any:
    """APScheduler's trigger of five cron fields, in UTC; SettingsError if they are none."""
    apscheduler_cron = _import("apscheduler.triggers.cron")
    try:
        # APScheduler numbers the days from Monday, cron from Sunday; names mean the same to both.
        fields = expression.split()
        fields[4:5] = [_days_by_name(days) for days in fields[4:5]]
        return apscheduler_cron.CronTrigger.from_crontab(" ".join(fields), timezone="UTC")
    except ValueError as error:
        raise SettingsError(
            f"retrain_cron {expression!r} is not a cron expression ({error}). "
            "Example: '0 3 * * 6' is Saturdays at 03:00 UTC."
        ) from error


_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def _days_by_name(days: str) -> str:
    """Cron's fifth field (crontab(5): 0 and 7 are Sunday) as a list of days' names."""
    if days == "*":
        return days
    named = []
    for part in days.lower().split(","):
        span, _, step = part.partition("/")
        first, _, last = ("0-6" if span == "*" else span).partition("-")
        low = _day(first)
        high = _day(last or ("6" if step else first))
        # A range may end on Sunday, by name or as 7: fri-sun.
        high = high + 7 if high == 0 < low else high
        if high < low:
            raise ValueError(f"the range {span!r} ends before it begins")
        named += [_DAYS[day % 7] for day in range(low, high + 1, int(step or 1))]
    return ",".join(dict.fromkeys(named))


def _day(text: str) -> int:
    """A day as cron counts them: 0 to 7, or a name."""
    if text in _DAYS:
        return _DAYS.index(text)
    if text.isdigit() and int(text) <= len(_DAYS):
        return int(text)
    raise ValueError(f"{text!r} is no day of the week: 0 to 7, or {', '.join(_DAYS)}")


def next_cron(expression: str, moment: datetime | None = None) -> datetime | None:
    """When a cron expression is next due."""
    found: datetime | None = cron_trigger(expression).get_next_fire_time(None, moment or now())
    return found


def _scheduler(store: Store) -> Any:
    background = _import("apscheduler.schedulers.background")
    memory = _import("apscheduler.jobstores.memory")
    database = _import("apscheduler.jobstores.sqlalchemy")
    return background.BackgroundScheduler(
        # The store's own engine: its driver, its waiting for locks, its way to begin.
        jobstores={
            "default": database.SQLAlchemyJobStore(engine=store.database.engine),
            "memory": memory.MemoryJobStore(),
        },
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
