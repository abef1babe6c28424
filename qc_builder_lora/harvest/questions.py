"""Which question a harvested Generation answers: the first one of its build.

Later iterations are only told what was wrong with the one before, which says nothing by itself.
"""

from __future__ import annotations

from qc_builder_lora.records import Generation, Request
from qc_builder_lora.store import Store


def request_of(store: Store, generation: Generation) -> Request:
    """The Request of the first Generation of the same build."""
    first = generation
    if generation.build_id is not None:
        build = store.generations.find(build_id=generation.build_id)
        first = min(build, key=lambda one: (one.iteration or 0, one.created_at))
    return store.requests.get(first.request_id)


def question_of(store: Store, generation: Generation) -> str:
    """Its instruction."""
    return request_of(store, generation).instruction
