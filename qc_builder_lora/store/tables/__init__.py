"""The tables: one for each word of records.py, columns named as the record's fields.

What the words mean stands in records.py. Changing a table needs a new file in
migrations/versions/; a test compares what the migrations make with what stands here.
"""

from qc_builder_lora.store.tables.base import Base
from qc_builder_lora.store.tables.harvest import (
    BacktestRow,
    BuildRow,
    EntryRow,
    ExampleRow,
    GateRow,
    GenerationRow,
    RequestRow,
    SnapshotMemberRow,
    SnapshotRow,
    StrategyRow,
)
from qc_builder_lora.store.tables.release import (
    AdapterRow,
    ComparisonRow,
    EvaluationRow,
    IngestedRow,
    LeaseRow,
    ModelRow,
    PromotionRow,
    RatingRow,
    RedactionRow,
    RunRow,
    SpendingRow,
    TallyRow,
    TurnRow,
    VerdictRow,
)

TABLE_NAMES = tuple(Base.metadata.tables)

__all__ = [
    "TABLE_NAMES",
    "AdapterRow",
    "BacktestRow",
    "Base",
    "BuildRow",
    "ComparisonRow",
    "EntryRow",
    "EvaluationRow",
    "ExampleRow",
    "GateRow",
    "GenerationRow",
    "IngestedRow",
    "LeaseRow",
    "ModelRow",
    "PromotionRow",
    "RatingRow",
    "RedactionRow",
    "RequestRow",
    "RunRow",
    "SnapshotMemberRow",
    "SnapshotRow",
    "SpendingRow",
    "StrategyRow",
    "TallyRow",
    "TurnRow",
    "VerdictRow",
]
