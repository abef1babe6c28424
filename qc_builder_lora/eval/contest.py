"""Champion and challenger on one suite: ask both as they are served, judge both, keep everything.

An arm's answers are kept in a journal named by the model, the suite and everything else that could
change them, so that the base model is asked once and a stopped evaluation goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.check import check_version
from qc_builder_lora.backtest.protocol import Backtester, BacktestResult, BacktestSettings
from qc_builder_lora.errors import InputError
from qc_builder_lora.eval.asking import ask_all
from qc_builder_lora.eval.compare import Contest, load_rule, pair_up
from qc_builder_lora.eval.costs import HostedPrice
from qc_builder_lora.eval.report import Material, write_report
from qc_builder_lora.eval.score import Judged, Scores, funnel, judge_all
from qc_builder_lora.eval.suite import Suite
from qc_builder_lora.files import write_json
from qc_builder_lora.ids import file_hash, json_hash, new_id, now, text_hash
from qc_builder_lora.models.artefact import check_gguf, describe
from qc_builder_lora.models.batch import Batch, batch_for
from qc_builder_lora.models.local import LocalWriter
from qc_builder_lora.models.local_server import LocalServer
from qc_builder_lora.models.writer import new_request
from qc_builder_lora.progress import Progress
from qc_builder_lora.records import (
    Comparison,
    Evaluation,
    Generation,
    Model,
    Role,
    Strategy,
    Verdict,
)
from qc_builder_lora.redact import Redactor
from qc_builder_lora.store import Store

Show = Callable[[str, float], AbstractContextManager[Progress]]
WINDOW = 2048
"""Tokens of a prompt of a suite and its answer together."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One side: a GGUF file and the words it wants to be asked in."""

    name: str
    sha256: str
    path: Path
    template: str


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """How arms are asked and judged."""

    suite: Suite
    engine: Backtester
    cache: Path
    max_tokens: int
    deadline_s: float
    threads: int
    jobs: int
    taught: frozenset[str] | None = None
    """Families of the examples that the challenger was trained on; None where nobody knows."""
    batch_engine: str = "llama-cpp-python"
    batch_slots: int = 8

    def batch(self, arm: Arm) -> Batch:
        """What asks this arm."""
        return batch_for(self.batch_engine, self.batch_slots, arm.path, WINDOW)

    def asking(self, arm: Arm) -> str:
        """What decides an answer besides the model and the suite."""
        return f"{self.batch(arm).described}, max_tokens {self.max_tokens}"

    @property
    def judging(self) -> str:
        """What decides the judgement of an answer."""
        engine = self.engine
        data = (engine.data_fingerprint or "unknown")[:12]
        return f"{engine.name} {engine.version}, data {data}, {check_version()}"


def score_arm(store: Store, arm: Arm, scoring: Scoring, show: Show) -> Scores:
    """Ask and judge one arm, and keep its Generations, Strategies, Backtests and Evaluation."""
    with show(f"Ask {arm.name}", len(scoring.suite.prompts)) as progress:
        answers = _answers(arm, scoring, progress)
    kept: dict[str, tuple[Judged, BacktestResult]] = {}

    def keep(judged: Judged, result: BacktestResult) -> None:
        kept[judged.answer.prompt_id] = (judged, result)

    with show(f"Judge {arm.name}", len(answers)) as progress:
        scores = judge_all(
            answers,
            scoring.suite,
            scoring.engine,
            model=arm.name,
            cache=scoring.cache,
            jobs=scoring.jobs,
            progress=progress,
            keep=keep,
            taught=scoring.taught,
        )
        progress.update(len(answers))
    _keep(store, arm, scoring, scores, kept)
    return scores


def _answers(arm: Arm, scoring: Scoring, progress: Progress) -> Any:
    _check(arm)
    batch = scoring.batch(arm)
    key = json_hash([arm.sha256, arm.template, scoring.suite.sha256, scoring.asking(arm)])
    journal = scoring.cache / "answers" / f"{key}.jsonl"
    artefact = describe(arm.path, arm.name, arm.template)
    server = LocalServer(
        artefact,
        context=WINDOW,
        threads=scoring.threads,
        engine=batch.engine,
        slots=batch.slots,
    )
    writer = LocalWriter(server=server, repeatable=True)
    try:
        return ask_all(
            writer,
            scoring.suite,
            journal,
            max_tokens=scoring.max_tokens,
            deadline_s=scoring.deadline_s,
            at_once=batch.slots,
            progress=progress,
        )
    finally:
        writer.close()


def _check(arm: Arm) -> None:
    """Nobody is scored by what is not the file it says; NotFound, CorruptFile, InputError."""
    check_gguf(arm.path)
    found = file_hash(arm.path)
    if found != arm.sha256:
        raise InputError(
            f"{arm.path}: its SHA-256 is {found}, {arm.name} was made with {arm.sha256}. Release "
            "the adapter again, or put the file back."
        )


def _keep(
    store: Store,
    arm: Arm,
    scoring: Scoring,
    scores: Scores,
    kept: dict[str, tuple[Judged, BacktestResult]],
) -> None:
    instructions = {prompt.id: prompt.instruction for prompt in scoring.suite.prompts}
    with store.transaction():
        for judged in scores.judged:
            _keep_answer(store, arm, judged, instructions[judged.answer.prompt_id])
        for judged, result in kept.values():
            if judged.strategy_id is not None:
                store.backtests.add(result.to_record(judged.strategy_id, BacktestSettings()))
        store.evaluations.add(
            Evaluation(
                id=new_id(),
                model=arm.name,
                model_sha256=arm.sha256,
                suite=scoring.suite.name,
                suite_sha256=scoring.suite.sha256,
                engine=f"{scoring.asking(arm)}; {scoring.judging}",
                results=scores.plain(),
                created_at=now(),
            )
        )


def _keep_answer(store: Store, arm: Arm, judged: Judged, instruction: str) -> None:
    answer = judged.answer
    request = store.requests.add(new_request(instruction))
    if judged.strategy_id is not None and not store.strategies.has(judged.strategy_id):
        store.strategies.add(
            Strategy(
                id=judged.strategy_id,
                code=answer.code,
                code_sha256=text_hash(answer.code),
                created_at=now(),
                source=f"evaluation/{arm.name}",
            )
        )
    generation = Generation(
        id=json_hash([arm.sha256, request.id, answer.code]),
        request_id=request.id,
        code=answer.code,
        role=Role.SHADOW,
        created_at=now(),
        model=arm.name,
        strategy_id=judged.strategy_id,
        error=Redactor().optional(answer.error or judged.reason),
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
        latency_s=answer.latency_s,
        finish_reason=answer.finish_reason,
    )
    if not store.generations.has(generation.id):
        store.generations.add(generation)


def evaluate_contest(
    store: Store, champion: Arm, challenger: Arm, scoring: Scoring, home: Path, show: Show
) -> dict[str, Any]:
    """Both arms scored, paired and compared; the scores lie in a file that the report reads."""
    arms = {"champion": champion, "challenger": challenger}
    scores = {side: score_arm(store, arm, scoring, show) for side, arm in arms.items()}
    contest = _contest(scores["champion"], scores["challenger"], scoring.suite)
    _keep_comparisons(store, champion, challenger, contest)
    path = scores_file(home, challenger.name, scoring.suite.name)
    saved = {side: {**scores[side].saved(), "sha256": arm.sha256} for side, arm in arms.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {**saved, "engine": f"{scoring.asking(challenger)}; {scoring.judging}"})
    plain = {side: scores[side].plain() for side in arms}
    return {
        "scores": str(path),
        "champion_id": champion.name,
        "challenger_id": challenger.name,
        **{side: {"id": arms[side].name, **plain[side]} for side in arms},
        "funnel": {side: funnel(plain[side]) for side in arms},
        "contest": contest.plain(),
    }


def scores_file(home: Path, model_id: str, suite: str) -> Path:
    """Where the judged answers of a Model's last evaluation on a suite are kept."""
    return home / "evaluations" / f"{model_id}-{suite}.json"


def _contest(champion: Scores, challenger: Scores, suite: Suite) -> Contest:
    instructions = {prompt.id: prompt.instruction for prompt in suite.prompts}
    return pair_up(champion, challenger, instructions, load_rule())


def _keep_comparisons(store: Store, champion: Arm, challenger: Arm, contest: Contest) -> None:
    with store.transaction():
        for pair in contest.pairs:
            request = new_request(pair.instruction)
            ids = [
                json_hash([arm.sha256, request.id, judged.answer.code])
                for arm, judged in ((champion, pair.champion), (challenger, pair.challenger))
            ]
            comparison = Comparison(
                id=json_hash(ids),
                request_id=request.id,
                champion_generation_id=ids[0],
                challenger_generation_id=ids[1],
                judged=pair.judged,
                created_at=now(),
            )
            if not store.comparisons.has(comparison.id):
                store.comparisons.add(comparison)


def build_report(
    store: Store,
    model: Model,
    scores_file: Path,
    suite: Suite,
    target: Path,
    *,
    data_note: str,
    training: dict[str, Any],
    prices: Sequence[HostedPrice],
    ratings: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the page from saved scores, and the Verdict that a promotion is checked against."""
    saved = json.loads(scores_file.read_text("utf-8"))
    champion, challenger = (Scores.restored(saved[s]) for s in ("champion", "challenger"))
    contest = _contest(champion, challenger, suite)
    digest = write_report(
        Material(
            model=model,
            champion=champion,
            challenger=challenger,
            contest=contest,
            suite_sha256=suite.sha256,
            champion_sha256=saved["champion"]["sha256"],
            engine=saved["engine"],
            data_note=data_note,
            made=now(),
            training=training,
            prices=prices,
            live=saved.get("live"),
            ratings=ratings,
            others=[Scores.restored(one) for one in saved.get("others", [])],
        ),
        target,
    )
    verdict = store.verdicts.add(
        Verdict(
            id=new_id(),
            champion=contest.champion,
            challenger=model.id,
            kind=contest.kind,
            evidence=contest.plain(),
            created_at=now(),
            report_path=str(target.absolute()),
            report_sha256=digest,
        )
    )
    return {
        "path": str(target.absolute()),
        "sha256": digest,
        "verdict": verdict.kind.value,
        "sentence": contest.sentence,
        "contest": contest.plain(),
    }
