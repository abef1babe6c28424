"""Good examples of the store, changed with a seed, proven, and kept as change pairs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from qc_builder_lora.backtest.check import strategy_hash
from qc_builder_lora.backtest.protocol import BacktestResult, BacktestSettings
from qc_builder_lora.harvest.choice import Choice
from qc_builder_lora.harvest.corpus.candidate import Execution
from qc_builder_lora.harvest.corpus.changes.change import Based, Kind, based, number_of
from qc_builder_lora.harvest.corpus.changes.funnel import SOURCE, ChangeFunnel
from qc_builder_lora.harvest.corpus.changes.kinds import KINDS
from qc_builder_lora.harvest.corpus.changes.proof import (
    CHARACTERS,
    Drawn,
    Faithful,
    Proof,
    Proven,
    Refused,
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
from qc_builder_lora.harvest.snapshot_reading import fraction_of
from qc_builder_lora.ids import example_id, now, text_hash
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import Entry, Example, Outcome, Step, Strategy
from qc_builder_lora.store import Store

VERSION = "changes 1"
KIND = "change"
_WORDS = 450
"""Characters of a question beside the code, about."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What changes are drawn from: which examples and parameters, which tickers and years."""

    taken: Callable[[Example], bool]
    """Whether an example may be changed, and whether one may come of it with its parameters."""
    pools: Sequence[Sequence[str]]
    """Tickers that the data has, of each kind of bars."""
    years: tuple[int, int]


def add_changes(
    store: Store,
    execution: Execution,
    faithful: Faithful,
    ground: Ground,
    count: int,
    seed: int,
    progress: Progress = SILENT,
) -> ChangeFunnel:
    """Change `count` examples, and keep what is proven.

    Safe to repeat and to interrupt: what is proven is added at once, and what the same checker and
    engine have answered on the same data is not asked again. The same store, count and seed give
    the same pairs.
    """
    funnel = ChangeFunnel()
    having = pairs_of(store, SOURCE, "change")

    def kept(one: Drawn) -> bool:
        known = having.get(one.key)
        if known is not None:
            funnel.keep(one.kind.name, known.family, _length(known), new=False)
        return known is not None

    def refused(reason: str) -> None:
        funnel.stopped[reason] += 1

    drawn = changed_ones(store, ground, count, seed)
    while chunk := list(islice(drawn, CHUNK)):
        funnel.counts["in"] += len(chunk)
        waiting = unanswered(store, execution, chunk, SOURCE, kept, refused)
        _keep(store, execution, faithful, waiting, funnel, progress)
        progress.update(funnel.counts["in"], f"{funnel.counts['kept']} kept")
    progress.update(count, f"{funnel.counts['kept']} kept")
    return funnel


def changed_ones(store: Store, ground: Ground, count: int, seed: int) -> Iterator[Drawn]:
    """Each executed example once before any twice, short ones first, in an order that the seed
    decides."""
    keys = sorted(
        (2 * len(one.code) + _WORDS > CHARACTERS, text_hash(f"changes/{seed}/{one.id}"), one.id)
        for one in store.examples.each()
        if is_base(one) and ground.taken(one)
    )
    return in_turns(
        store,
        [key for _, _, key in keys],
        lambda one, turn: change_one(one, ground, turn, seed),
        count,
    )


def change_one(base: Example, ground: Ground, round_: int, seed: int) -> Drawn | None:
    """The example with the change that its turn and the seed give; None where none fits."""
    apart = based(base, ground.pools, ground.years)
    if apart is None:
        return None
    for name in sorted(KINDS, key=lambda name: _turn(KINDS[name], base, seed)):
        drawn = change_with(apart, name, ground, seed)
        if drawn is not None and round_ == 0:
            return drawn
        round_ -= drawn is not None
    return None


def _turn(kind: Kind, base: Example, seed: int) -> float:
    """Smaller for what comes earlier: a kind of twice the weight is first twice as often."""
    chance = (number_of("turn", seed, base.id, kind.name) + 1) / (2**32 + 1)
    return -float(chance ** (1 / kind.weight))


def change_with(apart: Based, name: str, ground: Ground, seed: int) -> Drawn | None:
    """The example with one change; None where it has no place, or belongs to another side."""
    base, kind = apart.example, KINDS[name]
    edit = kind.make(apart, random.Random(f"{seed}/{base.id}/{name}"))
    if edit is None or edit.before == edit.after:
        return None
    if edit.becomes is not None:
        becomes = replace(base, parameters=dict(edit.becomes))
        if not ground.taken(becomes) or _is_held(becomes) is not _is_held(base):
            return None
    return Drawn(base, kind, seed, edit)


def _is_held(example: Example) -> bool:
    """On which side of a snapshot it is, where nothing else was decided."""
    return fraction_of(example) < Choice.validation_share


def _length(example: Example) -> int:
    return len(example.instruction) + len(example.code)


def _entry(drawn: Drawn, proof: Proof, basis: str) -> Entry:
    refused = proof if isinstance(proof, Refused) else None
    return Entry(
        id=entry_of(SOURCE, drawn),
        source=SOURCE,
        version=VERSION,
        licence=drawn.base.licence,
        step=refused.step if refused else Step.KEPT,
        outcome=refused.outcome if refused else Outcome.PASS,
        created_at=now(),
        reason=refused.reason if refused else None,
        detail=f"{drawn.kind.name}: {refused.detail}"[:500] if refused and refused.detail
        else drawn.kind.name,
        basis=basis,
    )  # fmt: skip


def _keep(
    store: Store,
    execution: Execution,
    faithful: Faithful,
    drawn: Sequence[Drawn],
    funnel: ChangeFunnel,
    progress: Progress,
) -> None:
    if not drawn:
        return
    before = funnel.counts["in"] - len(drawn)
    progress.update(before, "compile check")
    proofs = prove(
        drawn, execution, faithful,
        lambda part: progress.update(before + part * len(drawn), f"{funnel.counts['kept']} kept"),
    )  # fmt: skip
    basis = execution.basis
    for one, proof in proofs:
        with store.transaction():
            store.entries.put([_entry(one, proof, basis)])
            if isinstance(proof, Refused):
                funnel.stopped[proof.reason] += 1
                continue
            example, new = _added(store, one, proof, execution.settings)
            funnel.keep(one.kind.name, example.family, _length(example), new=new)


def _added(
    store: Store, drawn: Drawn, proven: Proven, settings: BacktestSettings
) -> tuple[Example, bool]:
    """The Example, with both codes' Strategies and Backtests; False when it was there."""
    key = example_id(proven.instruction, drawn.edit.after)
    if store.examples.has(key):
        return store.examples.get(key), False
    evidence = [
        _evidence(store, drawn.base, code, result, settings)
        for code, result in zip(drawn.codes, (proven.before, proven.after), strict=True)
    ]
    return store.examples.add(_pair(key, drawn, proven, evidence)), True


def _evidence(
    store: Store, base: Example, code: str, result: BacktestResult, settings: BacktestSettings
) -> tuple[str, str]:
    """Ids of the Strategy and of the Backtest; the base has its own already."""
    if code == base.code and base.strategy_id is not None and base.backtest_id is not None:
        return base.strategy_id, base.backtest_id
    strategy = Strategy(
        id=strategy_hash(code), code=code, code_sha256=text_hash(code), created_at=now(),
        source=SOURCE, family=base.family, licence=base.licence,
    )  # fmt: skip
    store.strategies.add(strategy)
    return strategy.id, store.backtests.add(result.to_record(strategy.id, settings)).id


def _pair(key: str, drawn: Drawn, proven: Proven, evidence: Sequence[tuple[str, str]]) -> Example:
    """The code and what shall be different as the question, the code afterwards as the answer.

    Family and parameters are the base's, so that both fall on one side of every snapshot.
    """
    base, edit = drawn.base, drawn.edit
    (_, ran_before), (strategy_id, ran_after) = evidence
    origin: dict[str, Any] = {
        "kind": KIND,
        "base": base.id,
        "source": base.source,
        "change": drawn.kind.name,
        "seed": drawn.seed,
        "before": edit.before,
        "before_backtest": ran_before,
        "orders": [len(proven.before.orders), len(proven.after.orders)],
        "demands": [list(one) for one in edit.demands],
    }
    if edit.becomes is not None:
        origin["becomes"] = dict(edit.becomes)
    if edit.afterwards:
        origin["request"] = edit.afterwards
    return Example(
        id=key,
        instruction=proven.instruction,
        code=edit.after,
        family=base.family,
        source=SOURCE,
        licence=base.licence,
        created_at=now(),
        parameters=dict(base.parameters),
        style=proven.wording,
        strategy_id=strategy_id,
        backtest_id=ran_after,
        version=VERSION,
        origin=origin,
    )
