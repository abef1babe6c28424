"""The Ledger of a real provider: in the store, so that neither a restart nor a second process
refills a Build's budget.

Where the store cannot be used (locked, gone, full), builders are served on: the money is counted
in memory, that is said once, and it is written to the store when that answers again. What this
process knows to be spent is never forgotten meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Generic, TypeVar

from qc_builder_lora.errors import DiskFull, StoreError
from qc_builder_lora.ids import new_id, now
from qc_builder_lora.log import get_logger
from qc_builder_lora.records import Spending

if TYPE_CHECKING:
    from qc_builder_lora.store import Store

T = TypeVar("T")
BUSY_S = 2.0
"""How long a call waits for a store that another process holds, in seconds."""
_REST_S = 10.0
"""How long a store that failed is left alone, in seconds."""

log = get_logger(__name__)


@dataclass(frozen=True)
class _Done(Generic[T]):
    """What the store answered; None instead of one means that it did not."""

    value: T


class StoreLedger:
    """A Ledger that outlives its process. What each method promises stands in Ledger."""

    def __init__(
        self, open_store: Callable[[], Store], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`open_store` is called at the first paid call; closing what it gives is `close`'s."""
        self._open, self._clock = open_store, clock
        self._lock = threading.RLock()
        self._store: Store | None = None
        self._rests_until = 0.0
        self._said = False
        self._unsaved: dict[str, Spending] = {}
        """Made while the store was away."""
        self._late: list[tuple[str, Decimal]] = []
        """Reservations of the store that were settled while it was away."""
        self._seen: dict[str, Decimal] = {}
        """What the store last said of a Build."""

    @property
    def waiting(self) -> int:
        """Rows that the store has not taken yet."""
        return len(self._unsaved) + len(self._late)

    def reserve(
        self, build_id: str, provider: str, model: str, amount: Decimal, limit: Decimal
    ) -> str | None:
        """Set `amount` aside; the reservation's id, or None if the Build would pass `limit`."""
        with self._lock:
            done = self._ask(
                lambda store: store.spendings.reserve(build_id, provider, model, amount, limit)
            )
            if done is not None:
                self._ask(lambda store: self._look(store, build_id))
                return done.value
            if self._known(build_id) + amount > limit:
                return None
            return self._in_memory(build_id, provider, model, amount)

    def settle(self, reservation: str, amount: Decimal) -> None:
        """Replace what was set aside by what it cost; a second time changes nothing."""
        with self._lock:
            held = self._unsaved.get(reservation)
            if held is not None:
                if held.cost_usd is None:
                    settled = replace(held, cost_usd=amount, settled_at=now())
                    self._unsaved[reservation] = settled
                self._ask(lambda store: None)
            elif self._ask(lambda store: store.spendings.settle(reservation, amount)) is None:
                self._late.append((reservation, amount))

    def spent(self, build_id: str) -> Decimal:
        """US dollars spent and set aside, as far as is known."""
        with self._lock:
            done = self._ask(lambda store: self._look(store, build_id))
            return self._known(build_id) if done is None else done.value

    def close(self) -> None:
        """Write what is left, and close the store; what it does not take is said."""
        with self._lock:
            if self.waiting:
                self._rests_until = 0.0
                self._ask(lambda store: None)
            if self.waiting:
                log.warning("spending could not be written to the store", rows=self.waiting)
            if self._store is not None:
                self._store.close()
                self._store = None

    def _look(self, store: Store, build_id: str) -> Decimal:
        self._seen[build_id] = store.spendings.spent(build_id)
        return self._seen[build_id]

    def _known(self, build_id: str) -> Decimal:
        mine = [one for one in self._unsaved.values() if one.build_id == build_id]
        return self._seen.get(build_id, Decimal(0)) + sum(
            (one.reserved_usd if one.cost_usd is None else one.cost_usd for one in mine), Decimal(0)
        )

    def _in_memory(self, build_id: str, provider: str, model: str, amount: Decimal) -> str:
        made = Spending(
            id=new_id(),
            build_id=build_id,
            provider=provider,
            model=model,
            reserved_usd=amount,
            created_at=now(),
        )
        self._unsaved[made.id] = made
        return made.id

    def _ask(self, work: Callable[[Store], T]) -> _Done[T] | None:
        """What the store says, after it has taken what waits for it; None while it is away."""
        if self._clock() < self._rests_until:
            return None
        try:
            if self._store is None:
                self._store = self._open()
            if self.waiting:
                self._write(self._store)
            return _Done(work(self._store))
        except (StoreError, DiskFull) as error:
            self._rests_until = self._clock() + _REST_S
            if not self._said:
                log.warning("spending is counted in memory", why=str(error))
            self._said = True
            return None

    def _write(self, store: Store) -> None:
        with store.transaction():
            store.spendings.add_all(self._unsaved.values())
            for reservation, amount in self._late:
                store.spendings.settle(reservation, amount)
        # After the commit, on purpose: what it did not take stays here. Settling those that are
        # still open finds them in the store from now on.
        self._unsaved.clear()
        self._late.clear()
        self._said = False
        log.warning("the store answers again", then="what was spent meanwhile has been written")
