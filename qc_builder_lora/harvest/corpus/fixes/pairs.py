"""Good examples of the store, broken with a seed, proven to fail, and kept as error-fix pairs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from qc_builder_lora.harvest.corpus.candidate import Execution
from qc_builder_lora.harvest.corpus.fixes.asking import asked
from qc_builder_lora.harvest.corpus.fixes.funnel import SOURCE, FixFunnel
from qc_builder_lora.harvest.corpus.fixes.kinds import MUTATIONS
from qc_builder_lora.harvest.corpus.fixes.proof import Broken, Fault, prove
from qc_builder_lora.ids import json_hash, now, text_hash
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import Example
from qc_builder_lora.store import Store

VERSION = "fixes 1"
KIND = "fix"
_CHUNK = 100
_MOST_ROUNDS = 8
"""Pairs of one example at most: more of them teach its code, not mistakes."""


def add_pairs(
    store: Store,
    execution: Execution,
    count: int,
    seed: int,
    progress: Progress = SILENT,
    taken: Callable[[Example], bool] = lambda _: True,
) -> FixFunnel:
    """Break `count` examples that `taken` agrees to, and keep those that fail as meant.

    Safe to repeat and to interrupt: what is proven is added a chunk at a time, and what the store
    has is not proven again. The same store, count and seed give the same pairs.
    """
    funnel = FixFunnel()
    having = _having(store)
    waiting: list[Broken] = []
    for broken in broken_ones(store, count, seed, taken):
        funnel.counts["in"] += 1
        known = having.get(broken.key)
        if known is not None:
            origin = known.origin or {}
            funnel.keep(broken.mutation.name, str(origin.get("stage")), known.family, new=False)
        else:
            waiting.append(broken)
        if len(waiting) == _CHUNK:
            _keep(store, execution, waiting, funnel, progress)
            waiting = []
    _keep(store, execution, waiting, funnel, progress)
    progress.update(count, f"{funnel.counts['kept']} kept")
    return funnel


def broken_ones(
    store: Store, count: int, seed: int, taken: Callable[[Example], bool]
) -> Iterator[Broken]:
    """Each executed example once before any twice, in an order that the seed decides."""
    keys = [one.id for one in store.examples.each() if _is_base(one) and taken(one)]
    keys.sort(key=lambda key: text_hash(f"fixes/{seed}/{key}"))
    made = 0
    for round_ in range(_MOST_ROUNDS):
        for start in range(0, len(keys), _CHUNK):
            part = keys[start : start + _CHUNK]
            found = {one.id: one for one in store.examples.fetch(part)}
            for key in part:
                broken = break_one(found[key], round_, seed)
                if broken is None:
                    continue
                yield broken
                made += 1
                if made == count:
                    return


def _is_base(example: Example) -> bool:
    return example.kind == "write" and example.backtest_id is not None


def break_one(base: Example, round_: int, seed: int) -> Broken | None:
    """The example with the mistake that its turn and the seed give; None where none fits."""
    order = sorted(MUTATIONS, key=lambda name: text_hash(f"{seed}/{base.id}/{name}"))
    for name in order:
        broken = break_with(base, name, seed)
        if broken is not None and round_ == 0:
            return broken
        round_ -= broken is not None
    return None


def break_with(base: Example, name: str, seed: int) -> Broken | None:
    """The example with one mistake, where the seed puts it; None where it has no place."""
    code = MUTATIONS[name].rewrite(base.code, random.Random(f"{seed}/{base.id}/{name}"))
    if code is None or code == base.code:
        return None
    return Broken(base, MUTATIONS[name], seed, code)


def _having(store: Store) -> dict[tuple[Any, Any, Any], Example]:
    """The pairs in the store, by base, mutation and seed."""
    found = {}
    for example in store.examples.find(source=SOURCE):
        origin = example.origin or {}
        found[origin.get("base"), origin.get("mutation"), origin.get("seed")] = example
    return found


def _keep(
    store: Store,
    execution: Execution,
    broken: Sequence[Broken],
    funnel: FixFunnel,
    progress: Progress,
) -> None:
    if not broken:
        return
    before = funnel.counts["in"] - len(broken)
    progress.update(before, "compile check")
    proofs = prove(
        broken,
        execution,
        # How many of the chunk have to run is not known before; half is about right.
        lambda done: progress.update(
            min(before + 2 * done, funnel.counts["in"]), f"{funnel.counts['kept']} kept"
        ),
    )
    with store.transaction():
        for one, proof in zip(broken, proofs, strict=True):
            if isinstance(proof, str):
                funnel.stopped[proof] += 1
                continue
            example = pair(one, proof)
            new = not store.examples.has(example.id)
            if new:
                store.examples.add(example)
            funnel.keep(one.mutation.name, proof.stage, example.family, new=new)


def pair(broken: Broken, fault: Fault) -> Example:
    """The broken code and its message as the question, the good code as the answer.

    Family and parameters are the base's, so that both fall on one side of every snapshot.
    """
    base = broken.base
    style, instruction = asked(broken.number("style"), base.instruction, fault.message, broken.code)
    return Example(
        id=json_hash({"instruction": instruction, "code": base.code}),
        instruction=instruction,
        code=base.code,
        family=base.family,
        source=SOURCE,
        licence=base.licence,
        created_at=now(),
        parameters=dict(base.parameters),
        style=style,
        strategy_id=base.strategy_id,
        backtest_id=base.backtest_id,
        version=VERSION,
        origin={
            "kind": KIND,
            "base": base.id,
            "source": base.source,
            "mutation": broken.mutation.name,
            "seed": broken.seed,
            "stage": str(fault.stage),
            "request": base.instruction,
            "broken": broken.code,
        },
    )
