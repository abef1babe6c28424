"""From the pieces of a source to the records that the store keeps, redacted on the way.

Equal pieces give equal records, whenever they are harvested. What a source says of its own work
opens no gate: the gates run the code themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from qc_builder_lora.harvest.labels import Label, label_of
from qc_builder_lora.harvest.sources.piece import Measured, Piece, record_id
from qc_builder_lora.harvest.strategies import strategy_of
from qc_builder_lora.ids import now, text_hash
from qc_builder_lora.records import (
    Backtest,
    BacktestStatus,
    Build,
    Generation,
    Request,
    Role,
    Strategy,
)
from qc_builder_lora.redact import Redactor
from qc_builder_lora.requests import new_request
from qc_builder_lora.store import Store

_LONGEST = 200


class Kept:
    """All that is new of some pieces, by id; of two of one id the first counts."""

    def __init__(self) -> None:
        self.builds: dict[str, Build] = {}
        self.requests: dict[str, Request] = {}
        self.strategies: dict[str, Strategy] = {}
        self.generations: dict[str, Generation] = {}
        self.backtests: dict[str, Backtest] = {}
        self.redacted: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self.builds or self.generations or self.backtests)


class Keeping:
    """Looks up what the store has of pieces, all at once, and makes the records of the rest.

    Raises nothing of its own; what a record may hold is checked by the store.
    """

    def __init__(self, store: Store, source: str) -> None:
        self._store = store
        self._source = source

    def records(self, pieces: Sequence[Piece]) -> Kept:
        """What is not in the store yet."""
        kept = Kept()
        clean = Redactor(kept.redacted)
        known = self._known(pieces)
        for piece in pieces:
            build_id, generation_id = self._build_id(piece), self._generation_id(piece)
            if build_id not in known and build_id not in kept.builds:
                kept.builds[build_id] = self._build(piece, build_id, clean)
            if generation_id not in known and generation_id not in kept.generations:
                self._answered(kept, piece, generation_id, build_id, clean)
            if piece.measured is not None:
                key = self._backtest_id(piece.measured)
                if key not in known and key not in kept.backtests:
                    self._measured(kept, piece, generation_id, build_id, clean)
        return kept

    def _known(self, pieces: Sequence[Piece]) -> set[str]:
        """Ids of these pieces' records that the store has; ids of different nouns never meet."""
        store = self._store
        measured = [piece.measured for piece in pieces if piece.measured is not None]
        return (
            store.builds.among({self._build_id(piece) for piece in pieces})
            | store.generations.among({self._generation_id(piece) for piece in pieces})
            | store.backtests.among({self._backtest_id(one) for one in measured})
        )

    def _build_id(self, piece: Piece) -> str:
        return record_id(self._source, None, piece.group, "build")

    def _generation_id(self, piece: Piece) -> str:
        # Not of its time: a file that was only touched is nothing new.
        return record_id(self._source, None, piece.key, "generation")

    def _backtest_id(self, measured: Measured) -> str:
        return record_id(self._source, measured.moment, measured.key, "backtest")

    def _build(self, piece: Piece, key: str, clean: Redactor) -> Build:
        return Build(
            id=key,
            title=clean.text(piece.title)[:_LONGEST],
            host=self._source,
            started_at=_moment(piece),
            spec=clean.optional(piece.spec),
            status=clean.optional(piece.status),
        )

    def _answered(self, kept: Kept, piece: Piece, key: str, build_id: str, clean: Redactor) -> None:
        """The Generation, with its Request and its Strategy."""
        code = clean.text(piece.code)
        asked = (piece.instruction or "").strip() or piece.title
        request = new_request(clean.text(asked), created_at=_moment(piece))
        strategy = strategy_of(
            code,
            created_at=_moment(piece),
            source=self._source,
            family=clean.optional(piece.family),
            licence=piece.licence,
        )
        if strategy is not None:
            kept.strategies.setdefault(strategy.id, strategy)
        kept.requests.setdefault(request.id, request)
        measured = piece.measured
        failed = measured is not None and measured.status is BacktestStatus.FAILED
        kept.generations[key] = Generation(
            id=key,
            request_id=request.id,
            code=code,
            role=Role.SERVED,
            created_at=_moment(piece),
            model=(clean.optional(piece.model) or "")[:_LONGEST] or None,
            build_id=build_id,
            iteration=piece.iteration,
            strategy_id=None if strategy is None else strategy.id,
            version=clean.optional(piece.version),
            fitness=piece.fitness,
            label=_label(code, measured, parses=strategy is not None),
            error=clean.optional(measured.reason) if measured and failed else None,
        )

    def _measured(
        self, kept: Kept, piece: Piece, generation_id: str, build_id: str, clean: Redactor
    ) -> None:
        made = kept.generations.get(generation_id) or self._store.generations.get(generation_id)
        measured = piece.measured
        if made.strategy_id is None or measured is None:
            return
        completed = measured.status is BacktestStatus.COMPLETED
        key = self._backtest_id(measured)
        kept.backtests[key] = Backtest(
            id=key,
            strategy_id=made.strategy_id,
            status=measured.status,
            engine=measured.engine,
            engine_version=measured.engine_version,
            data_fingerprint=None,
            created_at=measured.moment or now(),
            code_sha256=measured.code_sha256 or text_hash(piece.code),
            reason=clean.optional(measured.reason),
            phase=measured.phase,
            settings=clean.mapping(measured.settings),
            statistics=clean.mapping(measured.statistics) if completed else {},
            total_orders=measured.total_orders if completed else None,
            closed_trades=measured.closed_trades if completed else None,
            equity=measured.equity if completed else (),
            build_id=build_id,
        )


def _moment(piece: Piece) -> datetime:
    return piece.moment or now()


def _label(code: str, measured: Measured | None, *, parses: bool) -> Label:
    return label_of(
        code,
        compiled=None,
        status=None if measured is None else measured.status,
        statistics={} if measured is None else measured.statistics,
        parses=parses,
    )


def weight(piece: Piece) -> int:
    """About how many bytes a piece and its records take in memory."""
    measured = piece.measured
    points = 0 if measured is None else len(measured.equity)
    return 2 * len(piece.code) + len(piece.instruction or "") + len(piece.spec or "") + 200 * points
