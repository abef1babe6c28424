"""The words that a record's field may have: each with its meaning, as the store keeps them."""

from __future__ import annotations

from enum import StrEnum

RATES = ("parses", "compiles", "runs", "trades")
"""How far an answer comes, step by step: the funnel."""
SHOWN = (*RATES, "faithful")
"""What is counted of a model and shown, and what pairs are compared by."""


class Outcome(StrEnum):
    """What a Gate says. UNKNOWN is never harvested and never counted as a pass."""

    PASS = "PASS"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"


class BacktestStatus(StrEnum):
    """How a Backtest ended: `unknown` means the engine cannot say, which is nobody's failure."""

    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Role(StrEnum):
    """Whether a Generation was given to the host, or made beside it to compare."""

    SERVED = "served"
    SHADOW = "shadow"


class Stage(StrEnum):
    """Where a Model stands between its release and its retirement."""

    CANDIDATE = "candidate"
    SHADOW = "shadow"
    PRODUCTION = "production"
    ARCHIVED = "archived"


class Split(StrEnum):
    """The part of a Snapshot an Example belongs to; `golden` is never trained on."""

    TRAIN = "train"
    VALIDATION = "validation"
    GOLDEN = "golden"


class Step(StrEnum):
    """How far something from a source of the corpus came, in this order."""

    IN = "in"
    PARSED = "parsed"
    COMPILES = "compiles"
    RUNS = "runs"
    TRADES = "trades"
    KEPT = "kept"


class RunStatus(StrEnum):
    """How far a training Run or a turn of the loop has come."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class VerdictKind(StrEnum):
    """What the statistics say about a challenger against the champion."""

    BETTER = "better"
    NOT_WORSE = "not worse"
    """Not shown to be better, but shown to be less than the margin behind."""
    WORSE = "worse"
    UNDECIDED = "undecided"


class Preference(StrEnum):
    """What a rater prefers of two answers."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    TIE = "tie"


class PromotionAction(StrEnum):
    """What a person decided."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"
    REJECT = "reject"
    CANARY = "canary"
    """It answers for a share of the Builds, beside the Model in production."""
