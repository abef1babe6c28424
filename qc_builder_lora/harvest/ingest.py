"""From the spool to the store: everything once, whenever and however often it is interrupted.

Builds are stored as they become complete, in one transaction with the numbers of all their records,
so a kill at any point loses nothing and doubles nothing. Records of a build that is still running
stay in the spool until the next pass. A file beside each spool says where the next pass may begin;
it is only believed as far as the store confirms it.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import IngestBusy, InputError, QcLoraError
from qc_builder_lora.files import write_json
from qc_builder_lora.harvest import events
from qc_builder_lora.harvest.builds import Reconstruction
from qc_builder_lora.harvest.kept import SOURCE, Keeping, Kept
from qc_builder_lora.harvest.sealed import seal
from qc_builder_lora.harvest.spool import Damage, Event, Spool, is_finished, read, spools
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import Build
from qc_builder_lora.store import Store

WINDOW = 500
"""Records read, checked against the store and written at a time."""
WINDOW_BYTES = 8 * 2**20
"""And no more than this: a host may record answers of megabytes."""
SPOOL_FOLDER = "spool"
_LOOK_S = 0.1
"""How often somebody who waits looks whether the other has ended."""


@dataclass
class IngestReport:
    """What one pass did."""

    spools: int = 0
    records: int = 0
    """Taken for the first time."""
    builds: int = 0
    generations: int = 0
    strategies: int = 0
    backtests: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    redacted: Counter[str] = field(default_factory=Counter)
    """Secrets and personal traces taken out, by kind."""
    waiting: int = 0
    """Builds still running, which the next pass will look at again."""
    unknown: int = 0
    """Records that say nothing to this version; taken all the same."""
    lost: int = 0
    """Records the host could not write (a full disk), as far as their numbers show."""
    damaged: list[str] = field(default_factory=list)
    """Stretches of spools that are not records: file, offset, what is wrong."""

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {**vars(self), "labels": dict(self.labels), "redacted": dict(self.redacted)}


def ingest(
    store: Store, home: Path, progress: Progress = SILENT, *, wait_s: float = 0.0
) -> IngestReport:
    """Take everything that is new in the spools of a home into the store.

    Raises IngestBusy if another process is still at it after `wait_s` seconds, and what the store
    raises; whatever was stored before that stays stored, and the rest is taken the next time. A
    spool that cannot be read is reported and costs no other.
    """
    folder = home / SPOOL_FOLDER
    report = IngestReport()
    try:
        if not folder.is_dir():
            return report
    except OSError as error:
        raise _unusable(folder, error) from error
    with _only_one(folder, wait_s):
        passed = 0
        for spool in spools(folder):
            try:
                _Pass(store, spool, report).run(_Onward(progress, passed))
                passed += spool.path.stat().st_size
            except QcLoraError:
                raise
            except OSError as error:
                report.damaged.append(f"{spool.path}: cannot be read ({error.strerror or error})")
            report.spools += 1
    return report


def total(home: Path) -> int:
    """Bytes in all spools of a home: what `ingest` counts its progress in."""
    found = 0
    for spool in spools(home / SPOOL_FOLDER):
        with suppress(OSError):
            found += spool.path.stat().st_size
    return found


class _Onward:
    """The progress of one spool as part of that of all."""

    def __init__(self, whole: Progress, before: int) -> None:
        self._whole = whole
        self._before = before

    def update(self, done: float, note: str = "") -> None:
        self._whole.update(self._before + done, note)


@contextmanager
def _only_one(folder: Path, wait_s: float) -> Iterator[None]:
    try:
        lock = (folder / ".ingest.lock").open("a")
    except OSError as error:
        raise _unusable(folder, error) from error
    deadline = time.monotonic() + wait_s
    with lock:
        while not _locked(lock.fileno()):
            if time.monotonic() >= deadline:
                raise IngestBusy(folder)
            time.sleep(_LOOK_S)
        yield


def _unusable(folder: Path, error: OSError) -> InputError:
    return InputError(
        f"{folder}: cannot be written ({error.strerror}), so nothing was taken from it. "
        "Make it writable, or move the home with QC_LORA_HOME."
    )


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class _Pass:
    """One reading of one spool."""

    def __init__(self, store: Store, spool: Spool, report: IngestReport) -> None:
        self._store = store
        self._spool = spool
        self._report = report
        self._found = Reconstruction()
        self._keeping = Keeping(spool.id, _host(spool))
        self._cursor = _Cursor(store, spool)
        self._end = 0

    def run(self, progress: Progress) -> None:
        # Asked before reading: what is written after the answer is left for the next pass.
        finished = is_finished(self._spool)
        self._end = self._cursor.offset()
        before = self._report.records
        for window in _windows(read(self._spool.path, self._end)):
            self._take(window)
            self._write()
            progress.update(self._end, f"{self._report.records:,} records")
        if finished:
            self._found.end()
            self._write()
            if self._report.records > before:
                self._report_losses()
        self._report.waiting += len(self._found.open)
        self._report.unknown += self._found.unknown
        waiting = min((build.offset for build in self._found.open), default=self._end)
        if finished and not self._found.open:
            waiting = seal(self._spool) or waiting
        self._cursor.move(waiting)

    def _take(self, window: Sequence[Event | Damage]) -> None:
        found = [item for item in window if isinstance(item, Event)]
        before = self._store.ingested.among(self._spool.id, [event.sequence for event in found])
        for item in window:
            if isinstance(item, Damage):
                where = f"{self._spool.path} at {item.start}: {item.fact}"
                self._report.damaged.append(where)
            elif item.sequence not in before:
                self._found.take(item)
            self._end = item.end

    def _write(self) -> None:
        done, free = list(self._found.done()), self._found.free
        if not done and not free:
            return
        self._found.free = []
        numbers = [*free, *(number for part in done for number in part.records)]
        with self._store.transaction():
            self._store.ingested.restore([(self._spool.id, number) for number in numbers])
            self._keep([self._keeping.records(part) for part in done])
        self._report.records += len(numbers)

    def _keep(self, kept: Sequence[Kept]) -> None:
        store, report = self._store, self._report
        redacted: Counter[str] = Counter()
        for part in kept:
            redacted.update(part.redacted)
            if self._keep_build(part.build):
                redacted.update(part.redacted_of_build)
        store.redactions.add(SOURCE, self._spool.id, redacted)
        report.redacted.update(redacted)
        store.requests.add_all(item for part in kept for item in part.requests)
        report.strategies += store.strategies.add_all(s for part in kept for s in part.strategies)
        generations = [item for part in kept for item in part.generations]
        report.generations += store.generations.add_all(generations)
        report.backtests += store.backtests.add_all(b for part in kept for b in part.backtests)
        report.labels.update(str(generation.label) for generation in generations)

    def _keep_build(self, build: Build) -> bool:
        """Whether it is new."""
        if self._store.builds.has(build.id):
            # Its oldest attempts were handed out before it was complete.
            changes = {"finished_at": build.finished_at, "status": build.status}
            self._store.builds.update(build.id, **changes)
            return False
        self._store.builds.add(build)
        self._report.builds += 1
        return True

    def _report_losses(self) -> None:
        last = self._store.ingested.last(self._spool.id)
        if last is not None:
            self._report.lost += last + 1 - self._store.ingested.count(self._spool.id)
        torn = self._spool.path.stat().st_size - self._end
        if torn > 0:
            where = f"{self._spool.path} at {self._end}: {torn} bytes of a record cut short"
            self._report.damaged.append(where)


def _windows(items: Iterator[Event | Damage]) -> Iterator[list[Event | Damage]]:
    window: list[Event | Damage] = []
    for item in items:
        window.append(item)
        if len(window) == WINDOW or item.end - window[0].start > WINDOW_BYTES:
            yield window
            window = []
    if window:
        yield window


class _Cursor:
    """Where the next pass over a spool may begin."""

    def __init__(self, store: Store, spool: Spool) -> None:
        self._spool_path = spool.path
        self._path = spool.path.with_suffix(".cursor")
        self._store = store
        self._id = spool.id

    def offset(self) -> int:
        """An offset before which the store has every record; 0 when in doubt."""
        try:
            found = json.loads(self._path.read_text("utf-8"))
            offset, taken = int(found["offset"]), int(found["taken"])
            if found["file"] != self._file():
                # Written anew without secrets, and stopped before that was noted here.
                return 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0
        # Another store, or an older copy of this one, has taken less: it must see all again.
        return offset if 0 < taken <= self._store.ingested.count(self._id) else 0

    def move(self, offset: int) -> None:
        """Remember it. Only a hint: a disk too full for it costs the next pass some time."""
        taken = self._store.ingested.count(self._id)
        try:
            place = {"offset": offset, "taken": taken, "file": self._file()}
            write_json(self._path, place)
        except OSError:
            return

    def _file(self) -> int:
        return self._spool_path.stat().st_ino


def _host(spool: Spool) -> str:
    """The host's script, from the first record of the file."""
    for item in islice(read(spool.path), 1):
        if isinstance(item, Event) and item.kind == events.OPENED:
            arguments = item.body.get("arguments") or ["unknown"]
            return str(arguments[0])
    return "unknown"
