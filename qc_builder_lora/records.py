"""The project's words as frozen, typed records: what the stages hand to one another.

Nothing here reads or writes anything. A field that is not known is None, never zero. Times are
aware and in UTC, money is Decimal US dollars, ratios are fractions unless the field says percent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from qc_builder_lora.kinds import (
    BacktestStatus,
    Outcome,
    Preference,
    PromotionAction,
    Role,
    RunStatus,
    Split,
    Stage,
    Step,
    VerdictKind,
)

__all__ = [
    "Adapter",
    "Backtest",
    "BacktestStatus",
    "Build",
    "Comparison",
    "Entry",
    "Evaluation",
    "Example",
    "Gate",
    "Generation",
    "Json",
    "Model",
    "Outcome",
    "Preference",
    "Promotion",
    "PromotionAction",
    "Rating",
    "Request",
    "Role",
    "Run",
    "RunStatus",
    "Snapshot",
    "Spending",
    "Split",
    "Stage",
    "Step",
    "Strategy",
    "Turn",
    "Verdict",
    "VerdictKind",
]

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    """One run of the host builder on one specification."""

    id: str
    title: str
    host: str
    started_at: datetime
    spec: str | None = None
    finished_at: datetime | None = None
    status: str | None = None
    """The host's own words for how it ended; a claim, not a measurement."""
    cost_usd: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is asked of a model. `id` is the hash of the canonical text of the other fields."""

    id: str
    instruction: str
    context: str = ""
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Generation:
    """One answer of one model to one Request."""

    id: str
    request_id: str
    code: str
    role: Role
    created_at: datetime
    model: str | None = None
    """Provider's name of the model that answered, or the id of a local Model; None if unknown."""
    build_id: str | None = None
    iteration: int | None = None
    strategy_id: str | None = None
    """None when the code does not parse: a Strategy is a syntax tree."""
    version: str | None = None
    fitness: float | None = None
    """The Sharpe ratio the host recorded for this version: its claim."""
    label: str | None = None
    """What became of it: see `qc_builder_lora.harvest.labels`."""
    error: str | None = None
    error_class: str | None = None
    """The host's own ErrorClassifier verdict, where it gave one."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: Decimal | None = None
    latency_s: float | None = None
    finish_reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Strategy:
    """A unique piece of strategy code; `id` is the hash of its normalised syntax tree."""

    id: str
    code: str
    code_sha256: str
    created_at: datetime
    source: str
    family: str | None = None
    licence: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Backtest:
    """One execution of a Strategy by one engine."""

    id: str
    strategy_id: str
    status: BacktestStatus
    engine: str
    engine_version: str | None
    data_fingerprint: str | None
    created_at: datetime
    code_sha256: str
    """Hash of the exact text that ran, read back from the engine where it can be."""
    reason: str | None = None
    phase: str | None = None
    """The last phase reached: `load`, `initialize`, `run`, `done`."""
    settings: Json = field(default_factory=dict)
    statistics: Mapping[str, str] = field(default_factory=dict)
    """Under LEAN's own keys, as LEAN prints them."""
    total_orders: int | None = None
    closed_trades: int | None = None
    equity: tuple[tuple[str, float], ...] = ()
    """Daily equity: ISO date, US dollars at the close."""
    wall_s: float | None = None
    build_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """One check on the way to training, with its evidence."""

    id: str
    strategy_id: str
    name: str
    """`G1 parse` … `G10 statistics`: the ladder's names."""
    outcome: Outcome
    evidence: Json
    created_at: datetime
    backtest_id: str | None = None
    basis: str | None = None
    """Hash of the rules, the engine and the market data that the answer rests on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One instruction → code pair. `id` is the hash of both texts."""

    id: str
    instruction: str
    code: str
    family: str
    source: str
    licence: str
    created_at: datetime
    parameters: Json = field(default_factory=dict)
    style: str | None = None
    strategy_id: str | None = None
    backtest_id: str | None = None
    version: str | None = None
    """Of the source: of the paper, the package, or our own generator."""
    origin: Json | None = None
    """What an example was made from, where it does not simply answer a request: `kind`, and which
    example, how and with which seed."""

    @property
    def kind(self) -> str:
        """`write`, or what the origin says: `fix` for broken code to be mended."""
        return "write" if self.origin is None else str(self.origin.get("kind", "write"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One thing that a source of the corpus had, and what became of it, kept as Example or not."""

    id: str
    source: str
    version: str
    licence: str
    step: Step
    """The last one that it passed."""
    outcome: Outcome | None
    """PASS for what is kept; None for what a rule left out before anybody looked (C#, a copy)."""
    created_at: datetime
    reason: str | None = None
    """Why it is not kept."""
    detail: str | None = None
    """What the checker or the engine said."""
    place: str | None = None
    """The page or file it stands in."""
    basis: str | None = None
    """Hash of the checker, the engine and the market data that the outcome rests on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """A frozen, content-addressed set of Examples: example id → split."""

    id: str
    created_at: datetime
    members: Mapping[str, Split]
    settings: Json = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One training of one Recipe on one Snapshot."""

    id: str
    recipe: str
    recipe_sha256: str
    recipe_text: str
    snapshot_id: str
    status: RunStatus
    started_at: datetime
    path: str
    finished_at: datetime | None = None
    metrics: Json = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Adapter:
    """The LoRA a Run produced; `id` is the SHA-256 of its weights file."""

    id: str
    run_id: str
    path: str
    base: str
    base_sha256: str
    rank: int
    alpha: float
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A servable artefact made from an Adapter, with its manifest."""

    id: str
    adapter_id: str | None
    path: str
    sha256: str
    quantization: str
    manifest: Json
    stage: Stage
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """One model scored on one suite, as served. `model` is a Model id or `base:NAME`."""

    id: str
    model: str
    model_sha256: str
    suite: str
    suite_sha256: str
    engine: str
    """Everything that could change the figures: llama.cpp, simulator, checker versions, data."""
    results: Json
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Two Generations for the same Request, both judged by the same means."""

    id: str
    request_id: str
    champion_generation_id: str
    challenger_generation_id: str
    judged: Json
    """metric → [champion, challenger]; each true, false or null (unknown)."""
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the statistics say about two Models, with the evidence."""

    id: str
    champion: str
    challenger: str
    kind: VerdictKind
    evidence: Json
    created_at: datetime
    report_path: str | None = None
    report_sha256: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rating:
    """What a person who did not know which was which said of a Comparison; one a person.

    `id` is the hash of both.
    """

    id: str
    comparison_id: str
    rater: str
    preferred: Preference
    created_at: datetime
    first: Preference
    """Which of the two stood first on the page: `champion` or `challenger`."""
    score: int | None = None
    """How good the preferred one is, 1 to 5."""
    comment: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending:
    """Money set aside for one call of a hosted model, and what it cost in the end."""

    id: str
    build_id: str
    """The Build whose budget it is; any text, for a client may name its own."""
    provider: str
    model: str
    reserved_usd: Decimal
    created_at: datetime
    cost_usd: Decimal | None = None
    """None until the call has ended: then what was set aside counts as spent."""
    settled_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Promotion:
    """A person's decision, bound to the hash of the report they read and of the artefact."""

    id: str
    action: PromotionAction
    model_id: str
    model_sha256: str
    decided_by: str
    created_at: datetime
    report_sha256: str | None = None
    previous_model_id: str | None = None
    reason: str | None = None
    share: float | None = None
    """Of a canary: the part of the Builds for which it answers, a fraction."""

    @property
    def automatic(self) -> bool:
        """Whether nobody decided it: what serves took a Model back by its figures."""
        return self.decided_by.startswith(AUTOMATIC)


AUTOMATIC = "automatic"
"""What `decided_by` begins with where no person decided; no person may call themselves that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """One turn of the loop: which stages are done, and what each produced."""

    id: str
    trigger: str
    status: RunStatus
    started_at: datetime
    stages: Json = field(default_factory=dict)
    """stage name → its result; a stage that is not in it has not finished."""
    finished_at: datetime | None = None
    error: str | None = None
