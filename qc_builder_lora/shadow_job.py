"""Shadow comparisons from end to end: ask what was stored, judge the pairs, keep the outcome.

Knows models, backtests and evaluation, as `stages.py` does, and is called by `qc-lora shadow`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from qc_builder_lora.config import Settings
from qc_builder_lora.errors import InputError, QcLoraError, SettingsError
from qc_builder_lora.ids import now
from qc_builder_lora.progress import Progress
from qc_builder_lora.records import Example, Generation, Model, Role, Split
from qc_builder_lora.store import Store

Show = Callable[[str, float], AbstractContextManager[Progress]]
ARMS = ("base", "few-shot")
"""What a Model is compared with besides what was served: its base as it comes, or with examples."""
_GIVE_UP = 5
"""Failures in a row, none of them the model's own, after which a replay stops."""


def replay_requests(
    settings: Settings,
    store: Store,
    model: Model | None,
    *,
    hosted: str | None,
    since: datetime,
    limit: int,
    show: Show,
    arm: str | None = None,
) -> dict[str, Any]:
    """Ask a Model, or a hosted provider, the stored Requests that it has no shadow answer to.

    With an `arm` of ARMS the Model's base is asked in its place. Returns counts. Raises InputError
    when there is nothing to ask, SettingsError without a key.
    """
    from qc_builder_lora.models.chain import Answered, Chain
    from qc_builder_lora.models.dialogue import restored
    from qc_builder_lora.models.shadow import Shadow, ShadowRule

    served = _served(store, since)
    opened = _asked(settings, model, hosted) if arm is None else _base(settings, store, model, arm)
    with opened as (writer, budget, at_once):
        unanswered = _unanswered(store, served, writer.model)
        todo = [(store.requests.get(key), one) for key, one in unanswered[:limit]]
        chain = Chain([writer], budget=budget, attempts=2)
        rule = ShadowRule(queue=max(1, len(todo)), errors=_GIVE_UP, deadline_s=settings.deadline_s)
        counts: Counter[str] = Counter(
            requests=len(served),
            answered_before=len(served) - len(unanswered),
            beyond_limit=len(unanswered) - len(todo),
        )
        with show(f"Ask {writer.model}", max(1, len(todo))) as progress:
            asker = Shadow(
                chain, rule, lambda: store, busy=lambda: False, start=False, timed=at_once == 1
            )
            wanted = (
                Answered(restored(one), _draft(other, hosted), "", settings.max_tokens)
                for one, other in todo
            )
            for number, reason in enumerate(_each(asker.ask, wanted, at_once)):
                counts[reason] += 1
                progress.update(number + 1)
                if asker.paused:
                    raise QcLoraError(
                        f"The replay has stopped: {asker.paused}. {counts['answered']} answers "
                        "were kept; the same command goes on with the rest."
                    )
            progress.update(max(1, len(todo)))
    return {"model": writer.model, **counts}


def judge_pairs(
    settings: Settings,
    store: Store,
    model: Model,
    against: str | None,
    since: datetime,
    show: Show,
) -> dict[str, Any]:
    """Both answers of every pair through the funnel; Comparisons, scores file, verdict."""
    from qc_builder_lora.backtest.engines import ready_engine
    from qc_builder_lora.eval import live

    traffic = live.find_traffic(store, model.id, against, since)
    judging = live.Judging(
        engine=ready_engine(settings), cache=settings.cache_folder, jobs=settings.usable_jobs
    )
    with show("Judge", 2 * len(traffic.pairs)) as progress:
        judged = live.judge_traffic(traffic, judging, progress)
    ceiling = _ceiling(store, traffic.champion, since, judging, show)
    others = _others(store, traffic, judging, show)
    new = live.keep_comparisons(store, traffic, judged[2])
    own = store.models.has(traffic.champion)
    path = live.save_live(
        settings.home, traffic, judging, judged, challenger_sha256=model.sha256, ceiling=ceiling,
        others=others, champion_sha256=store.models.get(traffic.champion).sha256 if own else None,
    )  # fmt: skip
    return {
        "champion": traffic.champion,
        "challenger": model.id,
        "pairs": len(traffic.pairs),
        "new_comparisons": new,
        "dropped": dict(traffic.dropped),
        "ceiling": ceiling,
        "arms": {one.model: one.plain() for one in others},
        "saving": live.monthly_saving(traffic),
        "contest": judged[2].plain(),
        "scores": str(path),
    }


def _ceiling(
    store: Store, champion: str, since: datetime, judging: Any, show: Show
) -> dict[str, Any] | None:
    """How often the champion agrees with itself, where it was asked twice; None where not."""
    from qc_builder_lora.eval import live

    try:
        twice = live.find_traffic(store, champion, champion, since)
    except InputError:
        return None
    with show(f"Judge {champion} twice", 2 * len(twice.pairs)) as progress:
        first, second, _, _ = live.judge_traffic(twice, judging, progress)
    return live.agreement((first, second))


def _each(ask: Callable[[Any], str], wanted: Iterator[Any], at_once: int) -> Iterator[str]:
    """The reasons as they come, in order; what is under way when it ends is not waited for."""
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="replay")
    try:
        yield from pool.map(ask, wanted)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _others(store: Store, traffic: Any, judging: Any, show: Show) -> list[Any]:
    """The base's answers to the same Requests, alone and with examples, where it was asked."""
    from qc_builder_lora.eval import live

    found = live.other_arms(store, traffic)
    if not found:
        return []
    with show("Judge the base", sum(len(answers) for answers in found.values())) as progress:
        return [
            live.judge_arm(traffic, name, answers, judging, progress)
            for name, answers in sorted(found.items())
        ]


def ask_judge(
    settings: Settings, store: Store, model: Model, name: str, limit: int, show: Show
) -> dict[str, Any]:
    """Let a hosted model rate a Model's Comparisons as a blind rater would; counts, agreement.

    A pair it has rated is not asked again. An answer that is no ruling is counted and not kept.
    Raises InputError for a judge of either arm's family, SettingsError without a key.
    """
    from qc_builder_lora.eval import llm_judge
    from qc_builder_lora.models.chain import Chain
    from qc_builder_lora.models.dialogue import new_dialogue
    from qc_builder_lora.web.blind import MACHINE, Blind

    blind = Blind(store, model.id)
    with _asked(settings, None, name) as (writer, budget, _):
        llm_judge.must_be_neutral(writer.model, _arms(store, model))
        rater = f"{MACHINE}{writer.model}"
        chain = Chain([writer], budget=budget, attempts=2, max_tokens=settings.max_tokens)
        todo = [pair for pair in blind.unrated(rater) if pair.a.code and pair.b.code][:limit]
        counts: Counter[str] = Counter(pairs=len(blind), rated_before=len(blind.rated(rater)))
        with show(f"Ask {writer.model}", max(1, len(todo))) as progress:
            for number, pair in enumerate(todo):
                progress.update(number)
                asked = llm_judge.question(pair.request.instruction, pair.a.code, pair.b.code)
                draft = chain.write(
                    new_dialogue(asked),
                    deadline_s=settings.deadline_s,
                    build_id=f"shadow:{now():%Y-%m-%d}",
                )
                try:
                    ruling = llm_judge.read_ruling(draft.text)
                except InputError:
                    counts["no_ruling"] += 1
                    continue
                blind.rate(pair.number, rater, ruling.choice, "", ruling.reason)
                counts["rated"] += 1
            progress.update(max(1, len(todo)))
    return {"judge": rater, **counts, **blind.summary()}


def _arms(store: Store, model: Model) -> dict[str, str]:
    """Both sides of a Model's Comparisons → the model that is behind each name."""
    arms = {model.id: _base_of(model)}
    for one in store.comparisons.find(challenger=model.id):
        name = store.generations.get(one.champion_generation_id).model
        if name is not None and name not in arms:
            own = store.models.has(name)
            arms[name] = _base_of(store.models.get(name)) if own else name
    return arms


def _base_of(model: Model) -> str:
    base = model.manifest.get("base")
    return str(base["name"]) if base else model.id


def _served(store: Store, since: datetime) -> dict[str, Generation]:
    """The newest served answer to each Request."""
    found: dict[str, Generation] = {}
    for one in store.generations.find(role=Role.SERVED, since=since):
        found.setdefault(one.request_id, one)
    if not found:
        raise InputError(
            f"No request has been served since {since:%Y-%m-%d %H:%M} UTC. Serve some with: "
            "qc-lora serve; or harvest a builder with: qc-lora run SCRIPT"
        )
    return found


def _unanswered(
    store: Store, served: dict[str, Generation], model: str
) -> list[tuple[str, Generation]]:
    """Request ids with what was served for them, where the model has no shadow answer yet."""
    answered = {one.request_id for one in store.generations.find(role=Role.SHADOW, model=model)}
    return [(key, generation) for key, generation in served.items() if key not in answered]


def _draft(generation: Generation, hosted: str | None) -> Any:
    from qc_builder_lora.models.writer import Draft

    # The name is left out: a hosted model may be asked again what it was served for.
    return Draft(text="", code=generation.code, provider=hosted or "", model="")


@contextmanager
def _asked(settings: Settings, model: Model | None, hosted: str | None) -> Iterator[Any]:
    """The Writer to ask, its Budget, and how many may ask at once; closed at the end."""
    from qc_builder_lora.models.budget import Budget
    from qc_builder_lora.models.ledger import StoreLedger
    from qc_builder_lora.models.prices import load_prices
    from qc_builder_lora.models.writers import hosted_writer, open_store

    ledger = StoreLedger(lambda: open_store(settings))
    writer: Any
    at_once = 1
    if hosted is not None:
        writer = hosted_writer(settings, hosted)
        if writer is None:
            raise SettingsError(f"No key of {hosted} is set, so it cannot be asked.")
    else:
        assert model is not None
        writer, at_once = _own(settings, Path(model.path), model.id)
    try:
        yield writer, Budget(load_prices(), settings.shadow_daily_usd, ledger), at_once
    finally:
        close = getattr(writer, "close", None)
        if close is not None:
            close()
        ledger.close()


@contextmanager
def _base(settings: Settings, store: Store, model: Model | None, arm: str) -> Iterator[Any]:
    """As `_asked`, for a Model's base, alone or with examples."""
    from qc_builder_lora.eval.few_shot import FewShotWriter
    from qc_builder_lora.models.artefact import BASE
    from qc_builder_lora.retrain.base import base_gguf
    from qc_builder_lora.retrain.recipe import load_base

    if model is None:
        raise InputError(f"--arm {arm} asks the base of a model of ours: leave --hosted out.")
    base = load_base(_base_of(model))
    writer, at_once = _own(settings, base_gguf(base, settings.cache_folder), BASE + base.name)
    if arm == "few-shot":
        writer = FewShotWriter(writer, _shots(store, model))
    try:
        yield writer, None, at_once
    finally:
        writer.close()


def _own(settings: Settings, path: Path, name: str) -> tuple[Any, int]:
    """A Writer of a file of ours, and how many may ask it at once."""
    from qc_builder_lora.models.batch import batch_for
    from qc_builder_lora.models.writers import own_writer

    batch = batch_for(settings.batch_engine, settings.batch_slots, path, settings.local_context)
    return own_writer(settings, path, name, batch=batch), batch.slots


def _shots(store: Store, model: Model) -> list[Example]:
    """The train split of the snapshot that the Model was trained on, or else of the newest."""
    known = model.manifest.get("snapshot")
    newest = [one.id for one in store.snapshots.find(limit=1)]
    chosen = known if known and store.snapshots.has(known) else next(iter(newest), None)
    examples = store.examples.of_snapshot(chosen, Split.TRAIN) if chosen else []
    if not examples:
        raise InputError("No snapshot has examples to show. Make one with: qc-lora snapshot build")
    return examples
