"""What making pairs of executed examples has in common: whose turn it is, and what is known before.

Error-fix and change pairs are drawn with it; what is made of an example, and how it is proven, is
theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from qc_builder_lora.harvest.corpus.candidate import Execution
from qc_builder_lora.records import Example
from qc_builder_lora.store import Store
from qc_builder_lora.store.entries import entry_id

CHUNK = 100
_MOST_ROUNDS = 8
"""Pairs of one example at most: more of them teach its code, not what is done to it."""

Key = tuple[Any, Any, Any]
"""Base, what is done to it, seed."""


class Keyed(Protocol):
    """Something drawn that is known again by its key."""

    @property
    def key(self) -> Key: ...


Made = TypeVar("Made")
One = TypeVar("One", bound=Keyed)


def is_base(example: Example) -> bool:
    """Whether an example was written from an instruction, and executed."""
    return example.kind == "write" and example.backtest_id is not None


def in_turns(
    store: Store, keys: Sequence[str], make: Callable[[Example, int], Made | None], count: int
) -> Iterator[Made]:
    """What `make` gives of each example once before any twice, `count` at most.

    `make` gets the example and the number of its turn, from 0; None where nothing fits it.
    """
    made = 0
    for turn in range(_MOST_ROUNDS):
        for start in range(0, len(keys), CHUNK):
            part = keys[start : start + CHUNK]
            found = {one.id: one for one in store.examples.fetch(part)}
            for key in part:
                one = make(found[key], turn)
                if one is None:
                    continue
                yield one
                made += 1
                if made == count:
                    return


def pairs_of(store: Store, source: str, what: str) -> dict[Key, Example]:
    """The pairs of a source in the store, by base, the entry `what` of their origin, and seed."""
    found = {}
    for example in store.examples.find(source=source):
        origin = example.origin or {}
        found[origin.get("base"), origin.get(what), origin.get("seed")] = example
    return found


def entry_of(source: str, drawn: Keyed) -> str:
    """The id of the Entry that says what became of it."""
    return entry_id(source, "/".join(map(str, drawn.key)))


def unanswered(
    store: Store,
    execution: Execution,
    chunk: Sequence[One],
    source: str,
    kept: Callable[[One], bool],
    refused: Callable[[str], None],
) -> list[One]:
    """Those that are still to be proven.

    `kept` counts one that the store has and says whether it has; `refused` is told why one was
    refused before, by the same checker and engine on the same data.
    """
    before = store.entries.fetch([entry_of(source, one) for one in chunk])
    waiting = []
    for one in chunk:
        said = before.get(entry_of(source, one))
        if kept(one):
            continue
        if said and said.reason and said.basis == execution.basis and not execution.again:
            refused(said.reason)
        else:
            waiting.append(one)
    return waiting
