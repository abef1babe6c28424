"""Accepted strategies become Examples: what was asked, with the code that answered it."""

from __future__ import annotations

import re
from collections.abc import Collection

from qc_builder_lora.harvest.fidelity import judge
from qc_builder_lora.harvest.questions import request_of
from qc_builder_lora.harvest.rules import Rules
from qc_builder_lora.ids import example_id
from qc_builder_lora.records import BacktestStatus, Example, Generation, Outcome, Role
from qc_builder_lora.store import Store

SOURCE = "builder"
LICENCE = "LicenseRef-own-work"
FIDELITY = "G9 fidelity"
_CODE_IN_QUESTION = re.compile(r"```|^class \w+\(QCAlgorithm\)", re.MULTILINE)


def make_examples(store: Store, rules: Rules, among: Collection[str] | None = None) -> int:
    """One Example for each accepted Strategy and each different question it answers.

    Returns how many are new. `among` looks at these Strategies alone. A request that carries code
    of its own (a repair) is left to the error-fix pairs: as a plain question it would make no
    sense.
    """
    if among is not None and not among:
        return 0
    added = 0
    for strategy in store.strategies.accepted(rules.line):
        if among is not None and strategy.id not in among:
            continue
        # Not what a model answered to a suite, or beside the one that served.
        for generation in store.generations.find(strategy_id=strategy.id, role=Role.SERVED):
            added += _add(store, generation, rules)
    return added


def _add(store: Store, generation: Generation, rules: Rules) -> bool:
    request = request_of(store, generation)
    instruction = request.instruction
    if request.context or _CODE_IN_QUESTION.search(instruction):
        return False
    key = example_id(instruction, generation.code)
    if store.examples.has(key):
        return False
    # Accepted for one question; this may be another, which it does not answer.
    if FIDELITY in rules.line and judge(instruction, generation.code, rules)[0] is not Outcome.PASS:
        return False
    store.examples.add(
        Example(
            id=key,
            instruction=instruction,
            code=generation.code,
            family=family_of(store, generation),
            source=SOURCE,
            licence=licence_of(store, generation),
            # When it was written, so that the last of a build's iterations can be told.
            created_at=generation.created_at,
            style="builder",
            strategy_id=generation.strategy_id,
            backtest_id=own_run(store, generation),
        )
    )
    return True


def own_run(store: Store, generation: Generation) -> str | None:
    """Our own backtest, which the gates rest on."""
    runs = store.backtests.find(strategy_id=generation.strategy_id, status=BacktestStatus.COMPLETED)
    return next((run.id for run in runs if run.build_id is None), None)


def licence_of(store: Store, generation: Generation) -> str:
    """What the source stated; a builder's own work where it stated none."""
    if generation.strategy_id is None:
        return LICENCE
    return store.strategies.get(generation.strategy_id).licence or LICENCE


def family_of(store: Store, generation: Generation) -> str:
    """The specification's title, as a family of its own: all its iterations stay on one side."""
    if generation.build_id is None:
        return "builder"
    title = store.builds.get(generation.build_id).title
    return "builder/" + (re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_") or "untitled")
