"""Good examples of the store, broken with a seed, proven to fail, and kept as error-fix pairs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from qc_builder_lora.harvest.corpus.candidate import Execution
from qc_builder_lora.harvest.corpus.fixes.asking import asked
from qc_builder_lora.harvest.corpus.fixes.funnel import SOURCE, FixFunnel
from qc_builder_lora.harvest.corpus.fixes.kinds import MUTATIONS
from qc_builder_lora.harvest.corpus.fixes.proof import (
    UNKNOWN_CHECK,
    UNKNOWN_RUN,
    Broken,
    Fault,
    Proof,
    prove,
)
from qc_builder_lora.harvest.corpus.pairing import (
    CHUNK,
    entry_of,
    in_turns,
    is_base,
    pairs_of,
    unanswered,
)
from qc_builder_lora.ids import example_id, now, text_hash
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import Entry, Example, Outcome, Step
from qc_builder_lora.store import Store

VERSION = "fixes 2"
KIND = "fix"


def add_pairs(
    store: Store,
    execution: Execution,
    count: int,
    seed: int,
    progress: Progress = SILENT,
    taken: Callable[[Example], bool] = lambda _: True,
) -> FixFunnel:
    """Break `count` examples that `taken` agrees to, and keep those that fail as meant.

    Safe to repeat and to interrupt: what is proven is added at once, and what the same checker and
    engine have answered on the same data is not asked again. The same store, count and seed give
    the same pairs.
    """
    funnel = FixFunnel()
    having = pairs_of(store, SOURCE, "mutation")

    def kept(one: Broken) -> bool:
        known = having.get(one.key)
        if known is not None:
            stage = str((known.origin or {}).get("stage"))
            funnel.keep(one.mutation.name, stage, known.family, new=False)
        return known is not None

    def refused(reason: str) -> None:
        funnel.stopped[reason] += 1

    drawn = broken_ones(store, count, seed, taken)
    while chunk := list(islice(drawn, CHUNK)):
        funnel.counts["in"] += len(chunk)
        waiting = unanswered(store, execution, chunk, SOURCE, kept, refused)
        _keep(store, execution, waiting, funnel, progress)
        progress.update(funnel.counts["in"], f"{funnel.counts['kept']} kept")
    progress.update(count, f"{funnel.counts['kept']} kept")
    return funnel


def _entry(broken: Broken, proof: Proof, basis: str) -> Entry:
    """What became of it, for the table of sources: its answer was executed before."""
    fine = isinstance(proof, Fault)
    unknown = proof in (UNKNOWN_CHECK, UNKNOWN_RUN)
    return Entry(
        id=entry_of(SOURCE, broken),
        source=SOURCE,
        version=VERSION,
        licence=broken.base.licence,
        step=Step.KEPT if fine else Step.TRADES,
        outcome=Outcome.PASS if fine else Outcome.UNKNOWN if unknown else Outcome.FAIL,
        created_at=now(),
        reason=None if isinstance(proof, Fault) else proof,
        detail=broken.mutation.name,
        basis=basis,
    )


def broken_ones(
    store: Store, count: int, seed: int, taken: Callable[[Example], bool]
) -> Iterator[Broken]:
    """Each executed example once before any twice, in an order that the seed decides."""
    keys = [one.id for one in store.examples.each() if is_base(one) and taken(one)]
    keys.sort(key=lambda key: text_hash(f"fixes/{seed}/{key}"))
    return in_turns(store, keys, lambda one, turn: break_one(one, turn, seed), count)


def break_one(base: Example, round_: int, seed: int) -> Broken | None:
    """The example with the mistake that its turn and the seed give; None where none fits."""
    order = sorted(MUTATIONS, key=lambda name: _turn(name, base, seed))
    for name in order:
        broken = break_with(base, name, seed)
        if broken is not None and round_ == 0:
            return broken
        round_ -= broken is not None
    return None


def _turn(name: str, base: Example, seed: int) -> float:
    """Its place in the order for this example: a draw in which rare mistakes have more chances.

    Without them a mistake that one code in twenty has a place for would hardly ever be taught.
    """
    drawn = int(text_hash(f"{seed}/{base.id}/{name}")[:12], 16) / 16**12
    return 1.0 - float(drawn ** (1 / MUTATIONS[name].rare))


def break_with(base: Example, name: str, seed: int) -> Broken | None:
    """The example with one mistake, where the seed puts it; None where it has no place."""
    code = MUTATIONS[name].rewrite(base.code, random.Random(f"{seed}/{base.id}/{name}"))
    if code is None or code == base.code:
        return None
    return Broken(base, MUTATIONS[name], seed, code)


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
    basis = execution.basis
    for one, proof in proofs:
        with store.transaction():
            store.entries.put([_entry(one, proof, basis)])
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
        id=example_id(instruction, base.code),
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
