"""All mutations, by name."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.fixes.calls import CALLS
from qc_builder_lora.harvest.corpus.fixes.habits import HABITS
from qc_builder_lora.harvest.corpus.fixes.mutation import Mutation
from qc_builder_lora.harvest.corpus.fixes.names import NAMES
from qc_builder_lora.harvest.corpus.fixes.running import RUNNING
from qc_builder_lora.harvest.corpus.fixes.shape import SHAPES

MUTATIONS: dict[str, Mutation] = {
    one.name: one for group in (SHAPES, NAMES, CALLS, RUNNING, HABITS) for one in group
}
