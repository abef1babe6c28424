"""From the pieces of a source to the store: everything once, many pieces a transaction.

Harvested again, nothing is doubled; stopped at any point, the next time takes the rest. A piece
that the store refuses is named, and costs no other.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from qc_builder_lora.errors import StoreError, StoreUnavailable
from qc_builder_lora.harvest.sources.kept import Keeping, Kept, weight
from qc_builder_lora.harvest.sources.piece import Measured, Piece, Skipped, record_id
from qc_builder_lora.ids import new_id
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.redact import for_a_message
from qc_builder_lora.store import Store

BATCH = 500
"""Pieces looked up and written at a time."""
BATCH_BYTES = 16 * 2**20
"""And no more than this: a piece may bring an equity series of every minute."""
BATCH_S = 1.0
"""And nothing waits much longer than this: a source on a network gives a piece now and then."""
_TRIES = 3
T = TypeVar("T")


@dataclass
class SourceReport:
    """What one harvest of a source did."""

    source: str
    seen: int = 0
    """Pieces that were looked at."""
    builds: int = 0
    generations: int = 0
    strategies: int = 0
    backtests: int = 0
    """New ones of each."""
    statuses: Counter[str] = field(default_factory=Counter)
    """Of the new backtests."""
    labels: Counter[str] = field(default_factory=Counter)
    redacted: Counter[str] = field(default_factory=Counter)
    skipped: list[Skipped] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            **vars(self),
            "statuses": dict(self.statuses),
            "labels": dict(self.labels),
            "redacted": dict(self.redacted),
            "skipped": [vars(one) for one in self.skipped],
        }


def take(
    store: Store,
    source: str,
    pieces: Iterable[Piece | Skipped],
    progress: Progress = SILENT,
) -> SourceReport:
    """Keep every piece that is new. Raises what the store and the source raise; what was kept
    before that stays kept."""
    report = SourceReport(source)
    keeper = _Keeper(store, source, report)
    done = 0
    for batch in _batches(pieces):
        found = [item for item in batch if isinstance(item, Piece)]
        report.skipped += [_told(item) for item in batch if isinstance(item, Skipped)]
        if found:
            keeper.keep(found)
        report.seen += len(found)
        done += len(batch)
        progress.update(done)
    return report


def knows(store: Store, source: str) -> Callable[[Measured], bool]:
    """Whether a backtest of this source is in the store, so that it need not be fetched again."""

    def known(measured: Measured) -> bool:
        return store.backtests.has(record_id(source, measured.moment, measured.key, "backtest"))

    return known


def _told(skipped: Skipped) -> Skipped:
    # The reason may show a value of the file.
    return Skipped(skipped.where, for_a_message(skipped.why))


def _batches(items: Iterable[Piece | Skipped]) -> Iterator[list[Piece | Skipped]]:
    """As they come; where the source fails, what it gave before is still handed on."""
    batch: list[Piece | Skipped] = []
    heavy, began = 0, time.monotonic()
    try:
        for item in items:
            batch.append(item)
            heavy += weight(item) if isinstance(item, Piece) else 0
            late = time.monotonic() - began > BATCH_S
            if len(batch) == BATCH or heavy > BATCH_BYTES or late:
                yield batch
                batch, heavy, began = [], 0, time.monotonic()
    except (Exception, KeyboardInterrupt):
        if batch:
            yield batch
        raise
    if batch:
        yield batch


class _Keeper:
    """Writes batches, each in one transaction that no look-up or redaction prolongs."""

    def __init__(self, store: Store, source: str, report: SourceReport) -> None:
        self._store = store
        self._report = report
        self._keeping = Keeping(store, source)
        self._batch = new_id()

    def keep(self, pieces: Sequence[Piece]) -> None:
        for _ in range(_TRIES):
            try:
                self._write(self._keeping.records(pieces))
            except StoreUnavailable:
                raise
            except StoreError as error:
                # Another harvester was between our look and our write: what it kept is as good.
                refused = error
            else:
                return
        if len(pieces) == 1:
            where = pieces[0].where or pieces[0].title
            self._report.skipped.append(Skipped(where, f"the store refuses it: {refused}"))
            return
        for piece in pieces:
            self.keep([piece])

    def _write(self, kept: Kept) -> None:
        if not kept:
            return
        store, report = self._store, self._report
        # Sorted: on PostgreSQL two harvesters that insert in different orders wait for each other.
        with store.transaction():
            builds = store.builds.add_all(_sorted(kept.builds))
            store.requests.add_all(_sorted(kept.requests))
            strategies = store.strategies.add_all(_sorted(kept.strategies))
            generations = store.generations.add_all(_sorted(kept.generations))
            backtests = store.backtests.add_all(_sorted(kept.backtests))
            store.redactions.add(report.source, self._batch, kept.redacted)
        report.builds += builds
        report.strategies += strategies
        report.generations += generations
        report.backtests += backtests
        report.redacted.update(kept.redacted)
        report.labels.update(str(one.label) for one in kept.generations.values())
        report.statuses.update(str(one.status) for one in kept.backtests.values())


def _sorted(records: dict[str, T]) -> list[T]:
    return [records[key] for key in sorted(records)]
