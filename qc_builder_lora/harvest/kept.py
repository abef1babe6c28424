"""From a reconstructed build to the records that the store keeps, redacted on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import PurePath

from qc_builder_lora.harvest.attempts import Attempt, Seen
from qc_builder_lora.harvest.builds import Done, OpenBuild
from qc_builder_lora.harvest.strategies import strategy_of
from qc_builder_lora.ids import id_at
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

ENGINE = "quantconnect-mcp"
SOURCE = "builder"
LONGEST_NAME = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Kept:
    """Everything of one build that is ready, in the order in which it can be stored."""

    build: Build
    requests: list[Request] = field(default_factory=list)
    strategies: list[Strategy] = field(default_factory=list)
    generations: list[Generation] = field(default_factory=list)
    backtests: list[Backtest] = field(default_factory=list)
    redacted: Counter[str] = field(default_factory=Counter)
    """What was taken out of all of it but the build, by kind."""
    redacted_of_build: Counter[str] = field(default_factory=Counter)
    """And out of the build, which comes again with each of its parts."""


class Keeping:
    """Makes records for the builds of one spool. The same build gives the same records again."""

    def __init__(self, spool_id: str, host: str) -> None:
        self._spool = spool_id
        self._host = PurePath(host).name[:LONGEST_NAME] or "unknown"
        self._redactor = Redactor()

    def records(self, done: Done) -> Kept:
        """All records of a build, or of the part of it that is ready."""
        of_build = Redactor()
        kept = Kept(self._build(done.build, of_build), redacted_of_build=of_build.counts)
        self._redactor = Redactor(kept.redacted)
        for attempt in done.attempts:
            if not attempt.empty:
                self._keep(kept, done.build, attempt)
        return kept

    def _build(self, build: OpenBuild, clean: Redactor) -> Build:
        return Build(
            id=id_at(build.time_ns, self._spool, build.sequence, "build"),
            title=clean.text(build.title),
            host=self._host,
            started_at=moment(build.time_ns),
            spec=clean.optional(build.spec),
            finished_at=None if build.finished_ns is None else moment(build.finished_ns),
            status=clean.optional(build.status),
        )

    def _keep(self, kept: Kept, build: OpenBuild, attempt: Attempt) -> None:
        code = self._redactor.text(attempt.code)
        request = self._request(build, attempt)
        strategy = None
        if code.strip():
            strategy = strategy_of(code, created_at=moment(attempt.time_ns), source=SOURCE)
        kept.requests.append(request)
        if strategy is not None:
            kept.strategies.append(strategy)
            kept.backtests += self._backtests(kept.build, attempt, strategy)
        kept.generations.append(
            Generation(
                id=id_at(attempt.time_ns, self._spool, attempt.sequence, "generation"),
                request_id=request.id,
                code=code,
                role=Role.SERVED,
                created_at=moment(attempt.time_ns),
                model=(self._redactor.optional(attempt.model) or "")[:LONGEST_NAME] or None,
                build_id=kept.build.id,
                iteration=attempt.iteration,
                strategy_id=None if strategy is None else strategy.id,
                version=self._redactor.optional(attempt.version),
                fitness=attempt.fitness,
                label=attempt.label(),
                error=self._redactor.optional(attempt.problem()),
                error_class=self._redactor.optional(attempt.error_class),
            )
        )

    def _request(self, build: OpenBuild, attempt: Attempt) -> Request:
        asked = (attempt.prompt or "").strip() or (build.spec or "").strip() or build.title
        return new_request(self._redactor.text(asked), created_at=moment(attempt.time_ns))

    def _backtests(self, build: Build, attempt: Attempt, strategy: Strategy) -> Iterator[Backtest]:
        seen = list(attempt.backtests.values())
        if not seen and attempt.claimed:
            # The host told a result that no engine was heard of: a claim, kept as unknown.
            yield self._backtest(build, attempt, strategy, None)
        for one in seen:
            yield self._backtest(build, attempt, strategy, one)

    def _backtest(
        self, build: Build, attempt: Attempt, strategy: Strategy, seen: Seen | None
    ) -> Backtest:
        status, reason = BacktestStatus.UNKNOWN, "The host told a result; no backtest was read."
        if seen is not None:
            status, why = attempt.verdict(seen)
            reason = why or ""
        completed = seen is not None and status is BacktestStatus.COMPLETED
        time_ns, sequence = (attempt.time_ns, attempt.sequence) if seen is None else seen.key
        return Backtest(
            id=id_at(time_ns, self._spool, sequence, "backtest"),
            strategy_id=strategy.id,
            status=status,
            engine=ENGINE,
            engine_version=seen.engine if seen else None,
            data_fingerprint=seen.data_fingerprint if seen else None,
            created_at=moment(time_ns),
            code_sha256=attempt.code_sha256,
            reason=self._redactor.text(reason) or None,
            phase=None if seen is None else seen.phase(status),
            settings={
                "project_id": seen.project if seen else None,
                "backtest_id": seen.id if seen else None,
                "compile_id": seen.compile_id if seen else None,
                "read_back": attempt.read_back_state,
            },
            statistics=self._redactor.mapping(seen.statistics) if seen and completed else {},
            total_orders=seen.total_orders if seen and completed else None,
            closed_trades=seen.closed_trades if seen and completed else None,
            build_id=build.id,
        )


def moment(time_ns: int) -> datetime:
    """The time of a record, in UTC, to the microsecond."""
    return _EPOCH + timedelta(microseconds=time_ns // 1000)
