"""Accepted strategies become Examples: what was asked, with the code that answered it."""

from __future__ import annotations

import re

from qc_builder_lora.harvest.gates import Rules
from qc_builder_lora.ids import json_hash, now
from qc_builder_lora.records import Example, Generation, Role
from qc_builder_lora.store import Store

SOURCE = "builder"
LICENCE = "LicenseRef-own-work"
_CODE_IN_QUESTION = re.compile(r"```|^class \w+\(QCAlgorithm\)", re.MULTILINE)


def make_examples(store: Store, rules: Rules) -> int:
    """One Example for each accepted Strategy and each different question it answers.

    Returns how many are new. A request that carries code of its own (a repair) is left to the
    error-fix pairs: as a plain question it would make no sense.
    """
    added = 0
    for strategy in store.strategies.accepted(rules.line):
        # Not what a model answered to a suite, or beside the one that served.
        for generation in store.generations.find(strategy_id=strategy.id, role=Role.SERVED):
            added += _add(store, generation)
    return added


def _add(store: Store, generation: Generation) -> bool:
    request = store.requests.get(_first(store, generation).request_id)
    instruction = request.instruction
    if request.context or _CODE_IN_QUESTION.search(instruction):
        return False
    example_id = json_hash({"instruction": instruction, "code": generation.code})
    if store.examples.has(example_id):
        return False
    store.examples.add(
        Example(
            id=example_id,
            instruction=instruction,
            code=generation.code,
            family=_family(store, generation),
            source=SOURCE,
            licence=_licence(store, generation),
            created_at=now(),
            style="builder",
            strategy_id=generation.strategy_id,
        )
    )
    return True


def _licence(store: Store, generation: Generation) -> str:
    """What the source stated; a builder's own work where it stated none."""
    if generation.strategy_id is None:
        return LICENCE
    return store.strategies.get(generation.strategy_id).licence or LICENCE


def _first(store: Store, generation: Generation) -> Generation:
    """The first answer of the same build: later questions only say what was wrong with it."""
    if generation.build_id is None:
        return generation
    build = store.generations.find(build_id=generation.build_id)
    return min(build, key=lambda one: (one.iteration or 0, one.created_at))


def _family(store: Store, generation: Generation) -> str:
    """The specification's title, as a family of its own: all its iterations stay on one side."""
    if generation.build_id is None:
        return "builder"
    title = store.builds.get(generation.build_id).title
    return "builder/" + (re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_") or "untitled")
