"""The daemon's part of the watch over who is on trial: answers judged by what they do.

Whoever serves sees errors, times and whether code parses; here the served answers of both models
go through checks and backtests, some at each look, and the rate that decides a promotion (`metric`
in eval/promotion.toml) is compared by `eval/rollback.toml`. Which answers are looked at is picked
by when they were given; nothing else depends on a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from qc_builder_lora.config import Settings
from qc_builder_lora.errors import PromotionRefused
from qc_builder_lora.log import get_logger
from qc_builder_lora.models.evidence import Seen
from qc_builder_lora.models.guard import (
    ALONE,
    HOSTED,
    Finding,
    Trialled,
    doubt_of,
    judged,
    trialled,
)
from qc_builder_lora.models.rollback_rule import RollbackRule, load_rollback_rule
from qc_builder_lora.models.tally import Tally
from qc_builder_lora.models.watch import event_of, take_back
from qc_builder_lora.records import Generation, Role
from qc_builder_lora.store import Store

MOST = 200
"""Answers of each model that are looked at, the latest."""
AT_ONCE = 10
"""Answers of each model that are judged at one look: a backtest takes seconds."""

Judge = Callable[[list[Generation]], Mapping[str, bool | None]]
"""Generation id → whether it passes, None where that cannot be said."""

log = get_logger(__name__)


class JudgedWatch:
    """Remembers what was judged, for as long as the process lives."""

    def __init__(self, settings: Settings, judge: Judge, notify: Callable[[Any], object]) -> None:
        self._settings, self._judge, self._notify = settings, judge, notify
        self._passes: dict[str, bool | None] = {}

    def look(self, store: Store) -> Finding | None:
        """Judge some more, and take back who is shown to be worse; that finding, if any."""
        rule, course = load_rollback_rule(), store.promotions.course()
        trial = trialled(course)
        if trial is None or not rule.enabled:
            return None
        fresh = course.canary is None
        if fresh and self._is_old(store, trial, rule):
            return None
        doubted = store.tallies.began(doubt_of(trial.decision.id)) if fresh else None
        finding = self._compared(store, trial, rule, doubted)
        if finding is None:
            return None
        if fresh and rule.holdback and doubted is None:
            self._doubt(store, finding)
            return None
        self._take_back(store, finding)
        return finding

    def _compared(
        self, store: Store, trial: Trialled, rule: RollbackRule, doubted: datetime | None
    ) -> Finding | None:
        """By what both served since the promotion was doubted, where both did; see `Guard.find`."""
        mine = served(store, trial, trial.model, doubted)
        theirs = served(store, trial, trial.other, doubted)
        if doubted is not None and not theirs and len(mine) >= ALONE * rule.minimum:
            theirs = served(store, trial, trial.other)  # Nobody could let it answer again.
        figures = {"pass rate": (self._seen(mine), self._seen(theirs), rule.pass_margin)}
        return judged(trial, figures, rule)

    def _doubt(self, store: Store, finding: Finding) -> None:
        """Whoever serves reads it, and lets the model before answer beside it."""
        trial = finding.trialled
        phase = doubt_of(trial.decision.id)
        store.tallies.put("daemon", {(phase, trial.model): Tally().plain()})
        log.warning("a fresh promotion looks worse; the model before answers beside it until that "
                    "is sure", model=trial.model, beside=trial.other,
                    figures=finding.sentence)  # fmt: skip

    def _is_old(self, store: Store, trial: Trialled, rule: RollbackRule) -> bool:
        since = trial.decision.created_at
        found = store.generations.find(
            role=Role.SERVED, model=trial.model, since=since, limit=rule.watch + 1
        )
        return len(found) > rule.watch

    def _seen(self, answers: list[Generation]) -> Seen:
        new = [one for one in answers if one.id not in self._passes][:AT_ONCE]
        if new:
            self._passes.update(self._judge(new))
        known = [self._passes[one.id] for one in answers if one.id in self._passes]
        told = [passes for passes in known if passes is not None]
        return Seen(sum(not passes for passes in told), len(told))

    def _take_back(self, store: Store, finding: Finding) -> None:
        try:
            made = take_back(store, self._settings, finding, "daemon")
        except PromotionRefused as error:
            log.warning("a model that does worse was not taken back", why=str(error))
            return
        log.warning("a model was taken back by itself", model=finding.trialled.model,
                    reason=finding.sentence)  # fmt: skip
        self._notify(event_of(made, finding))


def served(
    store: Store, trial: Trialled, model: str, doubted: datetime | None = None
) -> list[Generation]:
    """The latest served answers of a Model, or of hosted ones; of the one on trial, and of those
    that answer beside a canary, since the decision, or since the promotion was `doubted`."""
    beside = trial.decision.share is not None
    since = trial.decision.created_at if model == trial.model or beside else None
    since = doubted or since
    if model != HOSTED:
        return store.generations.find(role=Role.SERVED, model=model, since=since, limit=MOST)
    local = {one.id for one in store.models.find()}
    found = store.generations.find(role=Role.SERVED, since=since, limit=5 * MOST)
    return [one for one in found if one.model and one.model not in local][:MOST]


def funnel_judge(settings: Settings) -> Judge:
    """By checks and backtests, as an evaluation judges."""

    def judge(answers: list[Generation]) -> Mapping[str, bool | None]:
        from qc_builder_lora.backtest.engines import ready_engine
        from qc_builder_lora.eval.compare import load_rule
        from qc_builder_lora.eval.score import Answer, judge_all
        from qc_builder_lora.eval.suite import Prompt, Suite

        prompts = tuple(Prompt(id=one.id, instruction="", family="live") for one in answers)
        asked = [
            Answer(prompt_id=one.id, code=one.code, finish_reason=one.finish_reason,
                   prompt_tokens=None, completion_tokens=None, latency_s=one.latency_s)
            for one in answers
        ]  # fmt: skip
        scores = judge_all(
            asked,
            Suite(name="served", sha256="", prompts=prompts),
            ready_engine(settings),
            model="served",
            cache=settings.cache_folder,
            jobs=settings.usable_jobs,
        )
        metric = load_rule().metric
        return {one.answer.prompt_id: getattr(one, metric) for one in scores.judged}

    return judge
