"""What the evaluation's tests are made of: answers already judged, a model, a writer, an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from qc_builder_lora.backtest.protocol import BacktestResult, BacktestSettings
from qc_builder_lora.errors import ProviderError
from qc_builder_lora.eval.compare import Contest, Rule, pair_up
from qc_builder_lora.eval.report import Material
from qc_builder_lora.eval.score import Answer, Judged, Scores
from qc_builder_lora.eval.suite import Prompt, Suite
from qc_builder_lora.ids import text_hash
from qc_builder_lora.kinds import RATES
from qc_builder_lora.models.writer import Draft
from qc_builder_lora.records import BacktestStatus, Model, Request, Stage

DEFAULTS = BacktestSettings()
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
CODE = """from AlgorithmImports import *


class Hold(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2010, 1, 4)
        self.set_end_date(2010, 3, 31)
        self.aapl = self.add_equity("AAPL", Resolution.DAILY).symbol

    def on_data(self, data):
        if not self.portfolio.invested:
            self.set_holdings(self.aapl, 1)
"""


def suite(*ids: str, name: str = "few") -> Suite:
    prompts = tuple(Prompt(id=one, instruction=f"Do {one}.", family=f"of_{one}") for one in ids)
    return Suite(name=name, sha256="5" * 64, prompts=prompts)


def answer(prompt_id: str = "a", **changed: Any) -> Answer:
    given = {
        "prompt_id": prompt_id,
        "code": CODE,
        "finish_reason": "stop",
        "prompt_tokens": 20,
        "completion_tokens": 100,
        "latency_s": 2.0,
    }
    return Answer(**{**given, **changed})


def judged(prompt_id: str = "a", reached: str | None = "trades", **changed: Any) -> Judged:
    """An answer that got as far as `reached` and no further; None did not even parse."""
    depth = RATES.index(reached) + 1 if reached else 0
    steps = {rate: index < depth for index, rate in enumerate(RATES)}
    code = changed.pop("code", CODE)
    given = {"answer": answer(prompt_id, code=code), "family": f"of_{prompt_id}", **steps}
    return Judged(**{**given, **changed})


def unknown(prompt_id: str = "a", **changed: Any) -> Judged:
    """An answer that parses, on which the engine could not say more."""
    open_ = {"compiles": None, "runs": None, "trades": None, "reason": "no bars for SPY"}
    return judged(prompt_id, "parses", **{**open_, **changed})


def scores(*ones: Judged, model: str = "base:tiny") -> Scores:
    return Scores(model, "few", list(ones))


def contest(champion: Scores, challenger: Scores, **rule: Any) -> Contest:
    instructions = {one.answer.prompt_id: f"Do {one.answer.prompt_id}." for one in champion.judged}
    return pair_up(champion, challenger, instructions, Rule(**rule))


def model(**changed: Any) -> Model:
    attempts = [
        {
            "quantization": "Q4_K_M",
            "gguf_mb": 1.0,
            "nll": 2.0,
            "prompts_equal": "2/2",
            "passes": False,
            "reason": "91 % of the way back to the base (NLL 2.0000)",
        },
        {
            "quantization": "Q8_0",
            "gguf_mb": 2.0,
            "nll": 0.5,
            "prompts_equal": "2/2",
            "passes": True,
            "reason": None,
        },
    ]
    manifest = {
        "adapter": {"sha256": "a" * 64, "rank": 8, "alpha": 32},
        "base": {"name": "tiny", "sha256": "b" * 64},
        "snapshot": "c" * 64,
        "recipe": {"sha256": "d" * 64, "text": "name: tiny"},
        "llama_cpp": "llama-cpp-python 0",
        "parity": {
            "nll_hf": 0.5,
            "nll_gguf": 0.5,
            "nll_base": 2.1,
            "tokens": 40,
            "attempts": attempts,
        },
    }
    given = {
        "id": "tiny-0123456789ab",
        "adapter_id": "a" * 64,
        "path": "/nowhere.gguf",
        "sha256": "e" * 64,
        "quantization": "Q8_0",
        "manifest": manifest,
        "stage": Stage.CANDIDATE,
        "created_at": NOON,
    }
    return Model(**{**given, **changed})


def material(champion: Scores, challenger: Scores, **changed: Any) -> Material:
    challenger.model = model().id
    given = {
        "model": model(),
        "champion": champion,
        "challenger": challenger,
        "contest": contest(champion, challenger),
        "suite_sha256": "5" * 64,
        "champion_sha256": "f" * 64,
        "engine": "simulator 1, data 0123",
        "data_note": "the sample data",
        "made": NOON,
    }
    return Material(**{**given, **changed})


class Parrot:
    """A Writer that answers each instruction from a table; an error in it is raised."""

    name, model = "local", "parrot"

    def __init__(self, table: Mapping[str, str | ProviderError]) -> None:
        self.table, self.asked = dict(table), []

    def write(self, request: Request, *, max_tokens: int, deadline_s: float) -> Draft:
        self.asked.append(request.instruction)
        said = self.table[request.instruction]
        if isinstance(said, ProviderError):
            raise said
        return Draft(
            text=said,
            code=said,
            provider=self.name,
            model=self.model,
            finish_reason="stop",
            prompt_tokens=20,
            completion_tokens=10,
            latency_s=0.5,
        )

    def stream(self, request: Request, *, max_tokens: int, deadline_s: float) -> Any:
        raise NotImplementedError


class Oracle:
    """A Backtester that says the same of everything."""

    name, version, data_fingerprint = "oracle", "1", "0"

    def __init__(self, status: BacktestStatus, phase: str = "done", *, filled: bool = True) -> None:
        self.status, self.phase = status, phase
        self.orders = ({"id": 1, "fills": [1] if filled else []},)

    def run(self, code: str, settings: BacktestSettings = DEFAULTS) -> BacktestResult:
        return BacktestResult(
            status=self.status,
            engine=self.name,
            engine_version=self.version,
            data_fingerprint=self.data_fingerprint,
            code_sha256=text_hash(code),
            phase=self.phase,
            reason=None if self.status is BacktestStatus.COMPLETED else "because",
            orders=self.orders if self.status is BacktestStatus.COMPLETED else (),
            closed_trades=1 if self.status is BacktestStatus.COMPLETED else None,
        )

    def run_many(
        self,
        codes: Sequence[str],
        settings: BacktestSettings = DEFAULTS,
        *,
        jobs: int = 1,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[BacktestResult]:
        yield from (self.run(code, settings) for code in codes)
