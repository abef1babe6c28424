"""From the pieces of a source to the store: redacted, everything once, one piece a transaction.

Harvested again, nothing is doubled; stopped at any point, the next time takes the rest. What a
source says of its own work opens no gate: the gates run the code themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from qc_builder_lora.backtest.check import strategy_hash
from qc_builder_lora.errors import InputError, StoreError, StoreUnavailable
from qc_builder_lora.harvest.labels import label_of
from qc_builder_lora.harvest.sources.piece import Measured, Piece, Skipped, record_id
from qc_builder_lora.ids import now, text_hash
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import Backtest, BacktestStatus, Build, Generation, Role, Strategy
from qc_builder_lora.redact import Redactor
from qc_builder_lora.requests import new_request
from qc_builder_lora.store import Store

_LONGEST = 200


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
    for done, piece in enumerate(pieces, 1):
        if isinstance(piece, Skipped):
            report.skipped.append(piece)
        else:
            report.seen += 1
            keeper.keep(piece)
        progress.update(done)
    return report


def knows(store: Store, source: str) -> Callable[[Measured], bool]:
    """Whether a backtest of this source is in the store, so that it need not be fetched again."""

    def known(measured: Measured) -> bool:
        return store.backtests.has(record_id(source, measured.moment, measured.key, "backtest"))

    return known


class _Keeper:
    """Makes the records of pieces; equal pieces give equal records."""

    def __init__(self, store: Store, source: str, report: SourceReport) -> None:
        self._store = store
        self._source = source
        self._report = report
        self._clean = Redactor(report.redacted)

    def keep(self, piece: Piece) -> None:
        # Not of its time: a file that was only touched is nothing new.
        generation_id = record_id(self._source, None, piece.key, "generation")
        try:
            self._keep(piece, generation_id)
        except StoreUnavailable:
            raise
        except StoreError:
            # Another harvester was between our look and our write; what it kept is as good.
            if not self._store.generations.has(generation_id):
                raise
            self._keep(piece, generation_id)

    def _keep(self, piece: Piece, generation_id: str) -> None:
        with self._store.transaction():
            build_id = self._build(piece)
            if not self._store.generations.has(generation_id):
                self._generation(piece, generation_id, build_id)
            if piece.measured is not None:
                kept = self._store.generations.get(generation_id)
                self._backtest(piece.measured, kept.strategy_id, build_id, piece.code)

    def _build(self, piece: Piece) -> str:
        build_id = record_id(self._source, None, piece.group, "build")
        if not self._store.builds.has(build_id):
            self._store.builds.add(
                Build(
                    id=build_id,
                    title=self._clean.text(piece.title)[:_LONGEST],
                    host=self._source,
                    started_at=piece.moment or now(),
                    spec=self._clean.optional(piece.spec),
                    status=self._clean.optional(piece.status),
                )
            )
            self._report.builds += 1
        return build_id

    def _generation(self, piece: Piece, generation_id: str, build_id: str) -> None:
        code = self._clean.text(piece.code)
        asked = (piece.instruction or "").strip() or piece.title
        request = new_request(self._clean.text(asked), created_at=piece.moment or now())
        strategy = self._strategy(piece, code)
        if not self._store.requests.has(request.id):
            self._store.requests.add(request)
        measured = piece.measured
        label = label_of(
            code,
            compiled=None,
            status=None if measured is None else measured.status,
            statistics={} if measured is None else measured.statistics,
        )
        failed = measured is not None and measured.status is BacktestStatus.FAILED
        self._store.generations.add(
            Generation(
                id=generation_id,
                request_id=request.id,
                code=code,
                role=Role.SERVED,
                created_at=piece.moment or now(),
                model=None if piece.model is None else piece.model[:_LONGEST],
                build_id=build_id,
                iteration=piece.iteration,
                strategy_id=None if strategy is None else strategy.id,
                version=piece.version,
                fitness=piece.fitness,
                label=label,
                error=self._clean.optional(measured.reason) if measured and failed else None,
            )
        )
        self._report.generations += 1
        self._report.labels[str(label)] += 1

    def _strategy(self, piece: Piece, code: str) -> Strategy | None:
        try:
            identity = strategy_hash(code)
        except InputError:
            # A Strategy is a syntax tree; the text stays in its Generation.
            return None
        if self._store.strategies.has(identity):
            return self._store.strategies.get(identity)
        self._report.strategies += 1
        return self._store.strategies.add(
            Strategy(
                id=identity,
                code=code,
                code_sha256=text_hash(code),
                created_at=piece.moment or now(),
                source=self._source,
                family=piece.family,
                licence=piece.licence,
            )
        )

    def _backtest(
        self, measured: Measured, strategy_id: str | None, build_id: str, code: str
    ) -> None:
        key = record_id(self._source, measured.moment, measured.key, "backtest")
        if strategy_id is None or self._store.backtests.has(key):
            return
        completed = measured.status is BacktestStatus.COMPLETED
        self._store.backtests.add(
            Backtest(
                id=key,
                strategy_id=strategy_id,
                status=measured.status,
                engine=measured.engine,
                engine_version=measured.engine_version,
                data_fingerprint=None,
                created_at=measured.moment or now(),
                code_sha256=measured.code_sha256 or text_hash(code),
                reason=self._clean.optional(measured.reason),
                phase=measured.phase,
                settings=dict(measured.settings),
                statistics=dict(measured.statistics) if completed else {},
                total_orders=measured.total_orders if completed else None,
                closed_trades=measured.closed_trades if completed else None,
                equity=measured.equity if completed else (),
                build_id=build_id,
            )
        )
        self._report.backtests += 1
        self._report.statuses[str(measured.status)] += 1
