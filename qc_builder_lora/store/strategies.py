"""Strategies, their Backtests and Gates, and which of them were accepted."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, ScalarSelect, Select, String, func, select, type_coerce

from qc_builder_lora.errors import StoreError
from qc_builder_lora.records import Backtest, BacktestStatus, Gate, Outcome, Role, Strategy
from qc_builder_lora.store.noun import Noun
from qc_builder_lora.store.rows import BATCH
from qc_builder_lora.store.tables import BacktestRow, GateRow, GenerationRow, StrategyRow

FIGURES = ("Net Profit", "Sharpe Ratio", "Drawdown", "Total Orders", "End Equity")
"""By which two backtests that a builder's engine reported are told apart."""

_OUTCOMES = {str(one): one for one in Outcome}


class Answered(NamedTuple):
    """A Strategy without its code, and the newest outcome of each gate that was asked for."""

    id: str
    source: str
    created_at: datetime
    outcomes: Mapping[str, Outcome]


def _told(gates: Sequence[str], said: Sequence[str | None]) -> dict[str, Outcome]:
    pairs = zip(gates, said, strict=True)
    return {name: _OUTCOMES[word] for name, word in pairs if word is not None}


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

    def answered(
        self,
        gates: Sequence[str],
        *,
        source: str | None = None,
        since: datetime | None = None,
        served: bool = True,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Answered]:
        """Newest first, without code or evidence; with `served` those alone that a builder was
        given."""
        table = self.table
        columns = (table.c.id, table.c.source, table.c.created_at)
        order = (table.c.created_at.desc(), table.c.id.desc())
        statement = select(*columns, *map(self._newest_outcome, gates))
        statement = statement.where(*self._among(source, since, served))
        statement = statement.order_by(*order).limit(limit).offset(offset or None)
        with self._database.reading() as connection:
            return [
                Answered(row[0], row[1], row[2], _told(gates, row[3:]))
                for row in connection.execute(statement)
            ]

    def how_many(
        self, *, source: str | None = None, since: datetime | None = None, served: bool = True
    ) -> int:
        """How many `answered` would give without a limit."""
        among = self._among(source, since, served)
        with self._database.reading() as connection:
            statement = select(func.count()).select_from(self.table).where(*among)
            return connection.scalar(statement) or 0

    def _among(
        self, source: str | None, since: datetime | None, served: bool
    ) -> list[ColumnElement[bool]]:
        among = list(self._since(since))
        if source is not None:
            among.append(self.table.c.source == source)
        if served:
            among.append(self._was_served())
        return among

    def _newest_outcome(self, name: str) -> ScalarSelect[str]:
        # One look into the index for each: sorting all answers costs more than twice as much.
        gate = GateRow.table().alias()
        return (
            select(type_coerce(gate.c.outcome, String))
            .where(gate.c.strategy_id == self.table.c.id, gate.c.name == name)
            .order_by(gate.c.created_at.desc(), gate.c.id.desc())
            .limit(1)
            .scalar_subquery()
        )

    def undecided(self, gate: str, basis: str, *, source: str | None = None) -> list[str]:
        """Ids of those given to a builder without a PASS of `gate` under `basis`, oldest first.

        Asked under another basis since, it is undecided again: those answers are the newest.
        """
        asked, since = GateRow.table(), GateRow.table().alias()
        elsewhere = (
            select(since.c.id)
            .where(since.c.strategy_id == asked.c.strategy_id, since.c.name == gate)
            .where(since.c.basis != basis, since.c.created_at > asked.c.created_at)
            .exists()
        )
        decided = (
            select(asked.c.id)
            .where(asked.c.strategy_id == self.table.c.id, asked.c.name == gate)
            .where(asked.c.basis == basis, asked.c.outcome == Outcome.PASS, ~elsewhere)
            .exists()
        )
        order = (self.table.c.created_at, self.table.c.id)
        statement = select(self.table.c.id).where(self._was_served(), ~decided).order_by(*order)
        if source is not None:
            statement = statement.where(self.table.c.source == source)
        with self._database.reading() as connection:
            return list(connection.scalars(statement))

    def _was_served(self) -> ColumnElement[bool]:
        made = GenerationRow.table()
        return (
            select(made.c.id)
            .where(made.c.strategy_id == self.table.c.id, made.c.role == Role.SERVED)
            .exists()
        )


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

    def newest_of(
        self, strategy_ids: Collection[str]
    ) -> dict[str, tuple[BacktestStatus, int | None, Mapping[str, str]]]:
        """Id of the Strategy → status, orders and statistics of its newest Backtest."""
        columns = [self.table.c[name] for name in
                   ("strategy_id", "status", "total_orders", "statistics")]  # fmt: skip
        order = (self.table.c.created_at, self.table.c.id)
        keys, found = list(strategy_ids), {}
        for start in range(0, len(keys), BATCH):
            among = self.table.c.strategy_id.in_(keys[start : start + BATCH])
            with self._database.reading() as connection:
                for row in connection.execute(select(*columns).where(among).order_by(*order)):
                    found[row[0]] = (BacktestStatus(row[1]), row[2], row[3])
        return found

    def told_twice(self) -> dict[str, dict[str, set[str]]]:
        """Figures that a builder's engine reported of more than one Strategy: figures → id of the
        Strategy → ids of the Builds."""
        table = self.table
        shared = (
            select(table.c.figures)
            .where(table.c.figures.is_not(None))
            .group_by(table.c.figures)
            .having(func.count(table.c.strategy_id.distinct()) > 1)
        )
        columns = (table.c.figures, table.c.strategy_id, table.c.build_id)
        statement = select(*columns).where(table.c.figures.in_(shared)).distinct()
        found: dict[str, dict[str, set[str]]] = {}
        with self._database.reading() as connection:
            for figures, strategy_id, build_id in connection.execute(statement):
                found.setdefault(figures, {}).setdefault(strategy_id, set()).add(build_id)
        return found

    def _values(self, record: Backtest) -> dict[str, Any]:
        values = super()._values(record)
        reported = record.build_id is not None and record.status is BacktestStatus.COMPLETED
        # Runs without an order are all alike.
        told = reported and record.total_orders
        values["figures"] = figures_of(record.statistics) if told else None
        return values


def figures_of(statistics: Mapping[str, str]) -> str:
    """One text, the same for the same figures."""
    return json.dumps([str(statistics.get(key, "?"))[:32] for key in FIGURES])


def rung(name: str) -> tuple[int, str]:
    """By which gates are sorted: G10 comes after G9."""
    number = re.match(r"G(\d+)", name)
    return (int(number.group(1)) if number else 1000, name)


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
        """Gate name → the newest answer, in the order of the ladder."""
        found = {gate.name: gate for gate in reversed(self.find(strategy_id=strategy_id))}
        return {name: found[name] for name in sorted(found, key=rung)}

    def latest_of(self, strategy_ids: Sequence[str]) -> dict[str, dict[str, Gate]]:
        """The same for many: id of the Strategy → name → the newest answer."""
        found: dict[str, dict[str, Gate]] = {key: {} for key in strategy_ids}
        for start in range(0, len(strategy_ids), BATCH):
            keys = list(strategy_ids[start : start + BATCH])
            order = (self.table.c.created_at, self.table.c.id)
            statement = select(*self._columns.values()).where(self.table.c.strategy_id.in_(keys))
            for gate in self._run(statement.order_by(*order)):
                found[gate.strategy_id][gate.name] = gate
        return {
            key: {name: gates[name] for name in sorted(gates, key=rung)}
            for key, gates in found.items()
        }

    def newest(self, name: str, strategy_ids: Sequence[str]) -> Iterator[Gate]:
        """The newest answer of one gate to each of them that has any, in no order."""
        for start in range(0, len(strategy_ids), BATCH):
            keys = list(strategy_ids[start : start + BATCH])
            among = (self.table.c.strategy_id.in_(keys), self.table.c.name == name)
            order = (self.table.c.created_at, self.table.c.id)
            statement = select(*self._columns.values()).where(*among).order_by(*order)
            yield from {gate.strategy_id: gate for gate in self._run(statement)}.values()

    def unanswered(self, name: str, basis: str) -> dict[str, tuple[int, datetime]]:
        """Id of the Strategy → how often `name` said UNKNOWN under `basis`, and when last."""
        gate = self.table
        columns = (gate.c.strategy_id, func.count(), func.max(gate.c.created_at))
        statement = (
            select(*columns)
            .where(gate.c.name == name, gate.c.basis == basis)
            .where(gate.c.outcome == Outcome.UNKNOWN)
            .group_by(gate.c.strategy_id)
        )
        with self._database.reading() as connection:
            return {row[0]: (row[1], row[2]) for row in connection.execute(statement)}
