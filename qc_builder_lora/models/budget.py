"""Money: reserve before a paid call, settle after it, so that no crowd of calls can overspend.

Checking what was spent before a call and adding its cost after it lets every call that runs at the
same moment through. Here the most that a call can cost is set aside first, in one step of the
Ledger; an answer that does not say what it used has cost that much.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from qc_builder_lora.errors import BudgetExhausted
from qc_builder_lora.ids import new_id
from qc_builder_lora.models.dialogue import messages_of
from qc_builder_lora.models.prices import Price, Prices
from qc_builder_lora.models.writer import SYSTEM_PROMPT, Draft
from qc_builder_lora.records import Request

LOCAL = "local"
_TOKENS_AROUND_A_MESSAGE = 16


class Ledger(Protocol):
    """Keeps what each Build has spent and set aside. Every method is one atomic step."""

    def reserve(
        self, build_id: str, provider: str, model: str, amount: Decimal, limit: Decimal
    ) -> str | None:
        """Set `amount` aside and give the reservation's id; None if the Build would pass `limit`.

        What is set aside counts as spent until it is settled: after a crash it stays so.
        """
        ...

    def settle(self, reservation: str, amount: Decimal) -> None:
        """Replace what was set aside by what it cost; a second time changes nothing."""
        ...

    def spent(self, build_id: str) -> Decimal:
        """US dollars spent and set aside."""
        ...


class MemoryLedger:
    """A Ledger that lives as long as its process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent: dict[str, Decimal] = {}
        self._open: dict[str, tuple[str, Decimal]] = {}

    def reserve(
        self, build_id: str, provider: str, model: str, amount: Decimal, limit: Decimal
    ) -> str | None:
        """See Ledger."""
        with self._lock:
            after = self._spent.get(build_id, Decimal(0)) + amount
            if after > limit:
                return None
            self._spent[build_id] = after
            reservation = new_id()
            self._open[reservation] = build_id, amount
            return reservation

    def settle(self, reservation: str, amount: Decimal) -> None:
        """See Ledger."""
        with self._lock:
            if reservation in self._open:
                build_id, reserved = self._open.pop(reservation)
                self._spent[build_id] += amount - reserved

    def spent(self, build_id: str) -> Decimal:
        """See Ledger."""
        with self._lock:
            return self._spent.get(build_id, Decimal(0))


@dataclass(frozen=True)
class Reservation:
    """Money set aside for one call; exactly one of the three methods ends it."""

    price: Price | None
    """None for the local model, which is free."""
    amount: Decimal
    _ledger: Ledger
    _id: str

    @property
    def free(self) -> bool:
        """Whether nothing is written of it in the books."""
        return self.price is None

    def settle(self, draft: Draft) -> Decimal | None:
        """Charge what the answer used; all that was set aside, and None, where it does not say."""
        if self.price is None:
            return Decimal(0)
        if draft.prompt_tokens is None or draft.completion_tokens is None:
            self.keep()
            return None
        cost = self.price.cost(draft.prompt_tokens, draft.completion_tokens)
        self._ledger.settle(self._id, cost)
        return cost

    def keep(self) -> None:
        """Charge all of it: tokens may have been written that nobody counted for us."""
        if self.price is not None:
            self._ledger.settle(self._id, self.amount)

    def release(self) -> None:
        """Charge nothing: the provider did not write."""
        if self.price is not None:
            self._ledger.settle(self._id, Decimal(0))


class Budget:
    """What one Build may spend on hosted models. The local one is free and always allowed."""

    def __init__(self, prices: Prices, limit_usd: Decimal, ledger: Ledger | None = None) -> None:
        self._prices, self._limit = prices, limit_usd
        self._ledger = ledger or MemoryLedger()

    def spent(self, build_id: str) -> Decimal:
        """US dollars the Build has spent and set aside."""
        return self._ledger.spent(build_id)

    def reserve(
        self, build_id: str, provider: str, model: str, request: Request, max_tokens: int
    ) -> Reservation:
        """Set the most that this call can cost aside; BudgetExhausted or UnknownPrice otherwise."""
        if provider == LOCAL:
            return Reservation(None, Decimal(0), self._ledger, "")
        prompt = most_tokens(request)
        price = self._prices.price_of(provider, model, prompt)
        amount = price.cost(prompt, max_tokens)
        reservation = self._ledger.reserve(build_id, provider, model, amount, self._limit)
        if reservation is None:
            spent = self._ledger.spent(build_id)
            raise BudgetExhausted(
                f"{provider}: this call may cost ${amount:.4f}, and ${spent:.4f} of the "
                f"${self._limit} of this build are spent or set aside. Raise QC_LORA_BUDGET_USD, "
                "or ask for fewer tokens; the local model stays free."
            )
        return Reservation(price, amount, self._ledger, reservation)


def most_tokens(request: Request) -> int:
    """No tokenizer makes more tokens of a text than it has bytes; each message adds a few."""
    messages = messages_of(request, SYSTEM_PROMPT)
    texts = sum(len(message["content"].encode("utf-8", "replace")) for message in messages)
    return texts + _TOKENS_AROUND_A_MESSAGE * len(messages)
