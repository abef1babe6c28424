"""Strategies, their Backtests and Gates, and which of them were accepted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from qc_builder_lora.errors import StoreError
from qc_builder_lora.records import Backtest, BacktestStatus, Gate, Outcome, Strategy
from qc_builder_lora.store.noun import Noun
from qc_builder_lora.store.tables import BacktestRow, GateRow, StrategyRow


class Strategies(Noun[Strategy]):
    """Unique pieces of strategy code.

    The id is the hash of the syntax tree, so the same tree in another layout, or from another
    source, is the same Strategy: the first one stays.
    """

    record, row, word = Strategy, StrategyRow, "strategy"
    identity = ()
    list_command = "qc-lora strategy list"

    def find(
        self,
        *,
        source: str | None = None,
        family: str | None = None,
        code_sha256: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[Strategy]:
        """Newest first."""
        return self._select(
            *self._since(since), limit=limit, source=source, family=family, code_sha256=code_sha256
        )

    def accepted(
        self,
        gates: Sequence[str],
        *,
        since: datetime | None = None,
        source: str | None = None,
        limit: int | None = None,
    ) -> list[Strategy]:
        """Those whose latest answer to every one of `gates` is PASS, newest first.

        With `since`, only those first accepted after that moment: the time of the last gate's
        first PASS, so that asking all gates again makes nothing new. Raises StoreError for an
        empty list of gates, which every Strategy would pass.
        """
        accepted = _accepted(gates, since).subquery()
        return self._select(
            self.table.c.id.in_(select(accepted.c.strategy_id)), limit=limit, source=source
        )

    def accepted_since(
        self, moment: datetime | None, gates: Sequence[str], *, source: str | None = None
    ) -> int:
        """How many `accepted` would give."""
        accepted = _accepted(gates, moment).subquery()
        where: list[ColumnElement[bool]] = [
            self.table.c.id.in_(select(accepted.c.strategy_id)),
        ]
        if source is not None:
            where.append(self.table.c.source == source)
        with self._database.reading() as connection:
            statement = select(func.count()).select_from(self.table).where(*where)
            return connection.scalar(statement) or 0


def _accepted(gates: Sequence[str], since: datetime | None) -> Select[Any]:
    names = sorted(set(gates))
    if not names:
        raise StoreError("No gates were named, so every strategy would pass. Name at least one.")
    gate = GateRow.table()
    among = gate.c.name.in_(names)
    newest = (gate.c.created_at.desc(), gate.c.id.desc())
    rank = func.row_number().over(partition_by=(gate.c.strategy_id, gate.c.name), order_by=newest)
    ranked = select(gate.c.strategy_id, gate.c.outcome, rank.label("rank")).where(among).subquery()
    passing = (
        select(ranked.c.strategy_id)
        .where(ranked.c.rank == 1, ranked.c.outcome == Outcome.PASS)
        .group_by(ranked.c.strategy_id)
        .having(func.count() == len(names))
    )
    if since is None:
        return passing
    first = (
        select(gate.c.strategy_id, func.min(gate.c.created_at).label("moment"))
        .where(among, gate.c.outcome == Outcome.PASS)
        .group_by(gate.c.strategy_id, gate.c.name)
        .subquery()
    )
    return (
        select(first.c.strategy_id)
        .where(first.c.strategy_id.in_(passing))
        .group_by(first.c.strategy_id)
        .having(func.max(first.c.moment) > since)
    )


class Backtests(Noun[Backtest]):
    """Executions of a Strategy."""

    record, row, word = Backtest, BacktestRow, "backtest"

    def find(
        self,
        *,
        strategy_id: str | None = None,
        build_id: str | None = None,
        status: BacktestStatus | None = None,
        engine: str | None = None,
        data_fingerprint: str | None = None,
        code_sha256: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[Backtest]:
        """Newest first."""
        return self._select(
            *self._since(since),
            limit=limit,
            strategy_id=strategy_id,
            build_id=build_id,
            status=status,
            engine=engine,
            data_fingerprint=data_fingerprint,
            code_sha256=code_sha256,
        )


class Gates(Noun[Gate]):
    """Answers of the checks on the way to training; all are kept, the latest counts."""

    record, row, word = Gate, GateRow, "gate"

    def find(
        self,
        *,
        strategy_id: str | None = None,
        name: str | None = None,
        outcome: Outcome | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[Gate]:
        """Newest first."""
        return self._select(
            *self._since(since), limit=limit, strategy_id=strategy_id, name=name, outcome=outcome
        )

    def latest(self, strategy_id: str) -> dict[str, Gate]:
        """Gate name → the newest answer, sorted by name."""
        found = {gate.name: gate for gate in reversed(self.find(strategy_id=strategy_id))}
        return dict(sorted(found.items()))
