"""Comparisons on the builder's own requests: what was served, beside what the shadow answered.

Both answers go through the same funnel as on a suite, and into the same kind of file, so that the
report is the same page. Whatever cannot be paired is counted with its reason, for both sides alike.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.check import check_version
from qc_builder_lora.backtest.protocol import Backtester
from qc_builder_lora.errors import InputError
from qc_builder_lora.eval.compare import Contest, count_pairs, load_rule, pair_up
from qc_builder_lora.eval.score import Answer, Scores, judge_all
from qc_builder_lora.eval.suite import Prompt, Suite
from qc_builder_lora.files import write_json, write_text
from qc_builder_lora.ids import json_hash, now
from qc_builder_lora.kinds import SHOWN
from qc_builder_lora.models.artefact import BASE
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import Comparison, Generation, Request, Role
from qc_builder_lora.store import Store

NEVER = "never served, as the prompts of a suite are"
"""Why an answer has nothing to be paired with."""
_A_MONTH_S = 30 * 86400


@dataclass(frozen=True, kw_only=True)
class LivePair:
    """One Request with the answer that was served and the one that was not."""

    request: Request
    champion: Generation
    challenger: Generation


@dataclass(kw_only=True)
class Traffic:
    """The pairs there are of two models, and why the others are none."""

    champion: str
    challenger: str
    pairs: list[LivePair]
    dropped: Counter[str] = field(default_factory=Counter)
    served: int = 0
    """Requests that the champion answered in the same time, paired or not."""
    span_s: float = 0.0
    """From the first of those to the last, seconds."""


@dataclass(frozen=True, kw_only=True)
class Judging:
    """By what means both sides are judged."""

    engine: Backtester
    cache: Path
    jobs: int = 1

    @property
    def name(self) -> str:
        """Everything that could change a judgement."""
        engine = self.engine
        data = (engine.data_fingerprint or "unknown")[:12]
        return f"{engine.name} {engine.version}, data {data}, {check_version()}"


def find_traffic(
    store: Store, challenger: str, champion: str | None = None, since: datetime | None = None
) -> Traffic:
    """Pair the challenger's shadow answers with what was served; InputError when there are none.

    Without `champion` it is the model that was served most often on those Requests.
    """
    shadows = store.generations.find(role=Role.SHADOW, model=challenger, since=since)
    newest: dict[str, Generation] = {}
    for one in shadows:
        newest.setdefault(one.request_id, one)
    # One query each, whatever the number of pairs.
    asked = {one.id: one for one in store.requests.find(answered_by=(Role.SHADOW, challenger))}
    served: dict[str, list[Generation]] = {key: [] for key in newest}
    for one in store.generations.find(role=Role.SERVED, beside=(Role.SHADOW, challenger)):
        if one.request_id in served:
            served[one.request_id].append(one)
    names = Counter(one.model for found in served.values() for one in found if one.model)
    if champion is None:
        if not names:
            raise InputError(_no_pairs(store, challenger, since))
        champion = names.most_common(1)[0][0]
    traffic = Traffic(champion=champion, challenger=challenger, pairs=[])
    for key, shadow in newest.items():
        answer = next((one for one in served[key] if one.model == champion), None)
        if answer is None:
            traffic.dropped["another model was served" if served[key] else NEVER] += 1
            continue
        traffic.pairs.append(LivePair(request=asked[key], champion=answer, challenger=shadow))
    traffic.pairs.sort(key=lambda pair: (pair.challenger.created_at, pair.request.id))
    if not traffic.pairs:
        raise InputError(_no_pairs(store, challenger, since))
    first = min(pair.champion.created_at for pair in traffic.pairs)
    times = [
        one.created_at
        for one in store.generations.find(role=Role.SERVED, model=champion, since=since or first)
    ]
    traffic.served = len(times)
    traffic.span_s = (max(times) - min(times)).total_seconds() if times else 0.0
    return traffic


def _no_pairs(store: Store, challenger: str, since: datetime | None) -> str:
    when = f" since {since:%Y-%m-%d %H:%M} UTC" if since else ""
    known = sorted({one.model for one in store.generations.find(role=Role.SHADOW) if one.model})
    return (
        f"No request was answered both by {challenger!r} in the shadow and by a served model{when}."
        f" Models with shadow answers: {', '.join(known) or 'none'}. Make some with: qc-lora "
        "shadow replay, or serve with QC_LORA_SHADOW_SHARE above 0."
    )


def judge_traffic(
    traffic: Traffic, judging: Judging, progress: Progress = SILENT
) -> tuple[Scores, Scores, Contest, Suite]:
    """Both sides through the funnel, and the Contest between them."""
    suite = live_suite(traffic)
    arms = []
    for side, name in (("champion", traffic.champion), ("challenger", traffic.challenger)):
        answers = {pair.request.id: getattr(pair, side) for pair in traffic.pairs}
        arms.append(_judged(suite, name, answers, judging, progress))
    instructions = {prompt.id: prompt.instruction for prompt in suite.prompts}
    return arms[0], arms[1], pair_up(arms[0], arms[1], instructions, load_rule()), suite


def other_arms(store: Store, traffic: Traffic) -> dict[str, dict[str, Generation]]:
    """Answers of a base model to the paired Requests: model → request id → the newest answer."""
    paired = {pair.request.id for pair in traffic.pairs}
    found: dict[str, dict[str, Generation]] = {}
    answers = store.generations.find(
        role=Role.SHADOW, model_begins=BASE, beside=(Role.SHADOW, traffic.challenger)
    )
    for one in answers:
        # A database's `like` may not tell capitals from small letters.
        if one.model and one.model.startswith(BASE) and one.request_id in paired:
            found.setdefault(one.model, {}).setdefault(one.request_id, one)
    return found


def judge_arm(
    traffic: Traffic,
    name: str,
    answers: dict[str, Generation],
    judging: Judging,
    progress: Progress = SILENT,
) -> Scores:
    """A further arm through the same funnel, on those of the Requests that it has answered."""
    return _judged(live_suite(traffic), name, answers, judging, progress)


def _judged(
    suite: Suite,
    name: str,
    answers: dict[str, Generation],
    judging: Judging,
    progress: Progress,
) -> Scores:
    return judge_all(
        [_answer(key, one) for key, one in answers.items()],
        suite,
        judging.engine,
        model=name,
        cache=judging.cache,
        jobs=judging.jobs,
        progress=progress,
    )


def live_suite(traffic: Traffic) -> Suite:
    """The Requests as a suite; its hash is that of their ids."""
    prompts = tuple(
        Prompt(id=pair.request.id, instruction=pair.request.instruction, family="live")
        for pair in traffic.pairs
    )
    return Suite(name="live", sha256=json_hash([one.id for one in prompts]), prompts=prompts)


def _answer(request_id: str, one: Generation) -> Answer:
    return Answer(
        prompt_id=request_id,
        code=one.code,
        finish_reason=one.finish_reason,
        prompt_tokens=one.prompt_tokens,
        completion_tokens=one.completion_tokens,
        latency_s=one.latency_s,
        error=one.error if not one.code else None,
        cost_usd=None if one.cost_usd is None else str(one.cost_usd),
    )


def keep_comparisons(store: Store, traffic: Traffic, contest: Contest) -> int:
    """One Comparison a pair; returns how many are new. One judged before stays as it was."""
    judged = {pair.prompt_id: pair for pair in contest.pairs}
    made = [
        Comparison(
            id=json_hash([pair.champion.id, pair.challenger.id]),
            request_id=pair.request.id,
            champion_generation_id=pair.champion.id,
            challenger_generation_id=pair.challenger.id,
            judged=judged[pair.request.id].judged,
            created_at=now(),
        )
        for pair in traffic.pairs
    ]
    with store.transaction():
        known = {one.id for one in store.comparisons.find(challenger=traffic.challenger)}
        return store.comparisons.add_all(one for one in made if one.id not in known)


def agreement(scores: Sequence[Scores]) -> dict[str, dict[str, Any]]:
    """How often two answers to the same requests end alike, by rate: a model's with itself is the
    most that any other can be expected to reach."""
    first, second = scores
    found = {}
    for rate in SHOWN:
        pairs = [
            (getattr(one, rate), getattr(two, rate))
            for one, two in zip(first.judged, second.judged, strict=True)
        ]
        counts, unknown = count_pairs(pairs)
        share = counts.ties / counts.pairs if counts.pairs else None
        found[rate] = {"pairs": int(counts.pairs), "unknown": unknown, "agree": share}
    return found


def monthly_saving(traffic: Traffic) -> dict[str, Any]:
    """What the champion's answers cost, and would a month at the traffic seen; None if unknown."""
    costs = [pair.champion.cost_usd for pair in traffic.pairs]
    known = [cost for cost in costs if cost is not None]
    span = traffic.span_s
    each = sum(known, Decimal(0)) / len(known) if known else None
    a_month = None
    if each is not None and span > 0:
        a_month = each * Decimal(traffic.served * _A_MONTH_S / span)
    return {
        "answers_of_known_cost": len(known),
        "answers": len(costs),
        "usd_an_answer": None if each is None else str(round(each, 6)),
        "served": traffic.served,
        "days_observed": round(span / 86400, 3),
        "usd_a_month": None if a_month is None else str(round(a_month, 2)),
    }


def live_files(home: Path, model_id: str) -> tuple[Path, Path]:
    """Where the requests and the judged answers of a Model's live comparison are kept."""
    folder = home / "evaluations" / "live"
    return folder / f"{model_id}.jsonl", folder / f"{model_id}.json"


def save_live(
    home: Path, traffic: Traffic, judging: Judging, judged: tuple[Scores, Scores, Contest, Suite],
    *, challenger_sha256: str, ceiling: dict[str, Any] | None, others: Sequence[Scores] = (),
    champion_sha256: str | None = None,
) -> Path:  # fmt: skip
    """The files that `qc-lora report build --live` makes its page from; gives the second one.

    `champion_sha256` is None for a hosted model, of which there is no file.
    """
    champion, challenger, _, suite = judged
    prompts, path = live_files(home, traffic.challenger)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps({"id": one.id, "instruction": one.instruction, "family": one.family})
        for one in suite.prompts
    ]
    write_text(prompts, "\n".join(lines) + "\n")
    sides = {
        "champion": {**champion.saved(), "sha256": champion_sha256},
        "challenger": {**challenger.saved(), "sha256": challenger_sha256},
    }
    about = {
        "pairs": len(traffic.pairs),
        "served": traffic.served,
        "dropped": dict(traffic.dropped),
        "ceiling": ceiling,
        "saving": monthly_saving(traffic),
    }
    arms = [one.saved() for one in others]
    write_json(path, {**sides, "engine": judging.name, "others": arms, "live": about})
    return path
