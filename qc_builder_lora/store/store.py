"""The store: one object, with one attribute for each noun of the design."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from qc_builder_lora.errors import NotFound, StoreUnavailable
from qc_builder_lora.store.address import Address, parse_address
from qc_builder_lora.store.comparisons import Comparisons, Verdicts
from qc_builder_lora.store.database import Database
from qc_builder_lora.store.entries import Entries
from qc_builder_lora.store.examples import Examples, Snapshots
from qc_builder_lora.store.generations import Builds, Generations, Requests
from qc_builder_lora.store.ingested import Ingested
from qc_builder_lora.store.leases import Leases
from qc_builder_lora.store.models import Evaluations, Models
from qc_builder_lora.store.promotions import Promotions
from qc_builder_lora.store.ratings import Ratings
from qc_builder_lora.store.redactions import Redactions
from qc_builder_lora.store.revisions import ensure_revision
from qc_builder_lora.store.rows import Rows
from qc_builder_lora.store.runs import Adapters, Runs, Turns
from qc_builder_lora.store.spendings import Spendings
from qc_builder_lora.store.strategies import Backtests, Gates, Strategies
from qc_builder_lora.store.tallies import Tallies

BUSY_S = 90.0
"""How long a writer may keep others waiting, in seconds, before they say so: a minute and more."""


class Store:
    """Everything that is kept. One may be shared by threads; each has transactions of its own."""

    def __init__(self, database: Database) -> None:
        """Use `Store.open`."""
        self.database = database
        self.builds = Builds(database)
        self.requests = Requests(database)
        self.generations = Generations(database)
        self.strategies = Strategies(database)
        self.backtests = Backtests(database)
        self.gates = Gates(database)
        self.examples = Examples(database)
        self.entries = Entries(database)
        self.snapshots = Snapshots(database)
        self.runs = Runs(database)
        self.adapters = Adapters(database)
        self.models = Models(database)
        self.evaluations = Evaluations(database)
        self.comparisons = Comparisons(database)
        self.verdicts = Verdicts(database)
        self.ratings = Ratings(database)
        self.spendings = Spendings(database)
        self.promotions = Promotions(database, self.models, self.verdicts)
        self.turns = Turns(database)
        self.leases = Leases(database)
        self.ingested = Ingested(database)
        self.redactions = Redactions(database)
        self.tallies = Tallies(database)

    @classmethod
    def open(cls, url: str, *, upgrade: bool = True, busy_s: float = BUSY_S) -> Self:
        """The store behind a SQLAlchemy URL; `upgrade` makes it, or brings it to our revision.

        Any number of processes may open one at once. Raises SettingsError for a URL that cannot
        be used, MissingExtra without PostgreSQL's driver, NewerStore, and without `upgrade`
        OlderStore or NotFound; StoreBusy and StoreUnavailable (locked, damaged, read-only,
        unreachable), each with nothing changed.
        """
        address = parse_address(url)
        prepare_file(address, create=upgrade)
        database = Database(address, busy_s=busy_s)
        try:
            ensure_revision(database, upgrade=upgrade)
        except BaseException:
            database.close()
            raise
        return cls(database)

    @property
    def url(self) -> str:
        """Where the store is, with the password hidden."""
        return str(self.database.address)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All calls in the block happen, or none of them does.

        A block inside another joins it: it is kept when the outer one is, and taken back alone
        when it raises. Belongs to the thread or task that opened it; on SQLite other writers wait.
        """
        with self.database.writing():
            yield

    def nouns(self) -> tuple[Rows[Any], ...]:
        """All tables that hold records, each after those that it refers to."""
        return (
            self.builds,
            self.requests,
            self.strategies,
            self.generations,
            self.backtests,
            self.gates,
            self.examples,
            self.entries,
            self.snapshots,
            self.runs,
            self.adapters,
            self.models,
            self.evaluations,
            self.comparisons,
            self.verdicts,
            self.ratings,
            self.spendings,
            self.promotions,
            self.turns,
        )

    def counts(self) -> dict[str, int]:
        """Table → number of rows, for every table but leases and tallies."""
        counts = {noun.table.name: noun.count() for noun in self.nouns()}
        counts["ingested"] = self.ingested.count()
        return {**counts, "redactions": self.redactions.count()}

    def close(self) -> None:
        """Give the connections back; the store cannot be used afterwards."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def prepare_file(address: Address, *, create: bool) -> None:
    """Make the folder of a SQLite file, or raise NotFound when the file must be there already."""
    if address.path is None:
        return
    try:
        if address.path.is_file():
            return
    except OSError as error:
        raise StoreUnavailable(
            f"{address.path}: cannot be looked at ({error.strerror}). Make {address.path.parent} "
            "readable for this user, or move the home with QC_LORA_HOME."
        ) from error
    if not create:
        raise NotFound("database", str(address.path), "Make it with: qc-lora store upgrade")
    try:
        address.path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"{address.path}: its folder cannot be made ({error.strerror}). Make "
            f"{address.path.parent} yourself, or move the home with QC_LORA_HOME."
        ) from error
