"""The stages of a turn, one method each: what `loop.py` runs, in its order.

Part of `loop.py`, kept apart for its length: these two files are the only ones that know all
stages. Every method returns plain JSON values, takes up what an earlier call left, and may be
called again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qc_builder_lora.config import Settings
from qc_builder_lora.errors import NotFound
from qc_builder_lora.isolate import in_child
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import Model, Split, Turn
from qc_builder_lora.store import Store

if TYPE_CHECKING:
    from qc_builder_lora.eval.contest import Arm
    from qc_builder_lora.eval.costs import HostedPrice
    from qc_builder_lora.eval.suite import Suite

STAGES = ("ingest", "gates", "snapshot", "retrain", "release", "evaluate", "report")

Show = Callable[[str, float], AbstractContextManager[Progress]]


class Stages:
    """The stages of one Turn; results of earlier ones are read from it."""

    def __init__(self, settings: Settings, store: Store, turn: Turn) -> None:
        self.settings, self.store, self.turn = settings, store, turn

    def run(self, name: str, show: Show) -> dict[str, Any]:
        """One stage by name."""
        result: dict[str, Any] = getattr(self, name)(show)
        return result

    @cached_property
    def engine(self) -> Any:
        """The configured backtest engine, one for the whole turn."""
        from qc_builder_lora.backtest.engines import ready_engine

        return ready_engine(self.settings)

    def harvest(self) -> None:
        """Ingest and gates outside a turn: what the daemon does whenever it looks."""
        self.ingest(_quietly)
        self.gates(_quietly, everything=False)

    def ingest(self, show: Show) -> dict[str, Any]:
        """Spool → store."""
        from qc_builder_lora.harvest.ingest import ingest

        with show("Harvest", 1) as progress:
            report = ingest(self.store, self.settings.home)
            progress.update(1)
        return report.plain()

    def gates(self, show: Show, *, everything: bool = True) -> dict[str, Any]:
        """Undecided strategies through the gates; the accepted ones become Examples. Without
        `everything` only those with a new answer are looked at for that."""
        from qc_builder_lora.harvest.accept import make_examples
        from qc_builder_lora.harvest.gates import load_rules, run_gates

        rules = load_rules()
        with show("Gates", max(1, self.store.strategies.count())) as progress:
            report = run_gates(
                self.store,
                self.engine,
                rules,
                cache=self.settings.cache_folder,
                jobs=self.settings.usable_jobs,
                progress=progress,
            )
        among = None if everything else report.touched
        return {**report.plain(), "examples": make_examples(self.store, rules, among)}

    def snapshot(self, show: Show) -> dict[str, Any]:
        """Freeze what there is to learn from."""
        from qc_builder_lora.eval.suite import suite_paths
        from qc_builder_lora.harvest.choice import load_choice
        from qc_builder_lora.harvest.corpus.fixes.chains import add_chains
        from qc_builder_lora.harvest.gates import load_rules
        from qc_builder_lora.harvest.snapshot import build_snapshot

        choice = load_choice()
        if choice.fixes_of_builders:
            add_chains(self.store, load_rules())
        with show("Snapshot", 1) as progress:
            _, report = build_snapshot(self.store, suite_paths(), choice, progress)
        return report.plain()

    def retrain(self, show: Show) -> dict[str, Any]:
        """Train the recipe on the snapshot, in a process of its own."""
        from qc_builder_lora.retrain.recipe import load_recipe

        with show("Retrain", 1) as progress:
            made = in_child(
                "qc_builder_lora.retrain.run:train_in_child",
                {
                    "url": self.settings.database_url,
                    "home": str(self.settings.home.absolute()),
                    "cache": str(self.settings.cache_folder.absolute()),
                    "recipe_text": load_recipe(self.settings.recipe).text,
                    "snapshot_id": self.turn.stages["snapshot"]["id"],
                },
                progress,
            )
        run = self.store.runs.get(made["run_id"])
        metrics = {key: value for key, value in run.metrics.items() if key != "losses"}
        return {**made, **metrics}

    def release(self, show: Show) -> dict[str, Any]:
        """Merge, quantise, parity gate; the Model is a candidate."""
        from qc_builder_lora.release.publish import LADDER

        with show("Release", 3 + len(LADDER)) as progress:
            made = release_adapter(
                self.settings, self.store, self.turn.stages["retrain"]["adapter_id"], progress
            )
        model = self.store.models.get(made)
        parity = model.manifest["parity"]
        return {
            "model_id": model.id,
            "sha256": model.sha256,
            "quantization": model.quantization,
            "gguf_mb": round(model.manifest["bytes"] / 1e6, 1),
            **{key: parity[key] for key in ("nll_hf", "nll_gguf", "nll_base")},
        }

    def evaluate(self, show: Show) -> dict[str, Any]:
        """Champion (production, else the base model) and challenger on the suite, as served."""
        model = self.store.models.get(self.turn.stages["release"]["model_id"])
        return evaluate_model(self.settings, self.store, model, show, engine=self.engine)

    def report(self, show: Show) -> dict[str, Any]:
        """The page a person reads."""
        model = self.store.models.get(self.turn.stages["release"]["model_id"])
        with show("Report", 1) as progress:
            made = report_on(self.settings, self.store, model)
            progress.update(1)
        return made


def newest_model(store: Store) -> Model:
    """The Model made last; NotFound when there is none."""
    found = store.models.find(limit=1)
    if not found:
        raise NotFound("model", "(newest)", "Make one with: qc-lora turn")
    return found[0]


def evaluate_model(
    settings: Settings,
    store: Store,
    model: Model,
    show: Show,
    *,
    suite: str | None = None,
    engine: Any = None,
) -> dict[str, Any]:
    """A Model and the champion on a suite, both as served; what `report_on` will show."""
    from qc_builder_lora.backtest.engines import ready_engine
    from qc_builder_lora.eval.contest import Scoring, evaluate_contest
    from qc_builder_lora.eval.suite import load_suite
    from qc_builder_lora.models.cpu import usable_threads

    scoring = Scoring(
        suite=load_suite(suite or settings.suite),
        engine=engine or ready_engine(settings),
        cache=settings.cache_folder,
        max_tokens=settings.eval_max_tokens,
        deadline_s=settings.deadline_s,
        threads=usable_threads(settings.local_threads),
        jobs=settings.usable_jobs,
        taught=_taught(store, model),
        batch_engine="xllamacpp" if settings.batch_engine == "xllamacpp" else "llama-cpp-python",
        batch_slots=settings.batch_slots,
    )
    challenger = model_arm(model)
    champion = champion_arm(settings, store, challenger)
    return evaluate_contest(store, champion, challenger, scoring, settings.home, show)


def _taught(store: Store, model: Model) -> frozenset[str] | None:
    """The families of the examples that a Model was trained on; None where that is not known."""
    if model.adapter_id is None:
        return None
    from qc_builder_lora.retrain.parent import snapshots_of

    snapshots = snapshots_of(store.runs.get(store.adapters.get(model.adapter_id).run_id))
    examples = [
        example
        for snapshot in snapshots or ()
        for example in store.examples.of_snapshot(snapshot, Split.TRAIN)
    ]
    return frozenset(example.family for example in examples) or None


def report_on(
    settings: Settings,
    store: Store,
    model: Model,
    *,
    suite: str | None = None,
    live: bool = False,
) -> dict[str, Any]:
    """The report about a Model's last evaluation on a suite, or on the builder's own requests
    (`live`); NotFound when there is none."""
    from qc_builder_lora.eval.contest import build_report

    chosen, scores = _evaluated(settings, model, suite, live)
    metrics: dict[str, Any] = {}
    if model.adapter_id is not None:
        metrics = dict(store.runs.get(store.adapters.get(model.adapter_id).run_id).metrics)
    return build_report(
        store,
        model,
        scores,
        chosen,
        report_path(settings.home, model),
        data_note=data_note(settings),
        training=metrics,
        prices=hosted_prices(settings),
        ratings=_ratings(store, model),
    )


def _ratings(store: Store, model: Model) -> dict[str, Any] | None:
    """What blind raters have said so far; None where there is nothing to rate."""
    from qc_builder_lora.web.blind import Blind

    try:
        return Blind(store, model.id).summary()
    except NotFound:
        return None


def _evaluated(
    settings: Settings, model: Model, suite: str | None, live: bool
) -> tuple[Suite, Path]:
    from qc_builder_lora.eval.contest import scores_file
    from qc_builder_lora.eval.live import live_files
    from qc_builder_lora.eval.suite import load_suite

    if live:
        prompts, scores = live_files(settings.home, model.id)
        if not scores.exists():
            raise NotFound("live comparison", model.id, f"Run: qc-lora shadow judge {model.id}")
        return replace(load_suite(str(prompts)), name="live"), scores
    chosen = load_suite(suite or settings.suite)
    scores = scores_file(settings.home, model.id, chosen.name)
    if not scores.exists():
        raise NotFound(
            "evaluation", f"{model.id} on {chosen.name}", f"Run: qc-lora eval {model.id}"
        )
    return chosen, scores


def simulator(settings: Settings) -> Any:
    """The offline engine on the data in force."""
    from qc_builder_lora.backtest.engines import make_engine

    return make_engine(settings, "simulator")


@contextmanager
def _quietly(_title: str, _total: float) -> Iterator[Progress]:
    yield SILENT


def model_arm(model: Model) -> Arm:
    """A Model as one side of a contest."""
    from qc_builder_lora.eval.contest import Arm

    return Arm(
        name=model.id,
        sha256=model.sha256,
        path=Path(model.path),
        template=str(model.manifest["template"]),
    )


def champion_arm(settings: Settings, store: Store, challenger: Arm) -> Arm:
    """What answers now: the Model in production, or else the base model, as it comes."""
    from qc_builder_lora.eval.contest import Arm
    from qc_builder_lora.models.artefact import BASE
    from qc_builder_lora.retrain.base import base_gguf
    from qc_builder_lora.retrain.recipe import load_base

    production = store.models.production()
    if production is not None and production.id != challenger.name:
        return model_arm(production)
    manifest = store.models.get(challenger.name).manifest
    base = load_base(manifest["base"]["name"])
    return Arm(
        name=BASE + base.name,
        sha256=str(manifest["base"]["sha256"]),
        path=base_gguf(base, settings.cache_folder),
        template=challenger.template,
    )


def report_path(home: Path, model: Model) -> Path:
    """A file name that no report has yet: a report is written once and never again."""
    folder = home / "reports"
    number = 1
    while (path := folder / f"{model.id}-{number}.html").exists():
        number += 1
    return path


def data_note(settings: Settings) -> str:
    """What the bars are, in words."""
    if settings.engine == "quantconnect":
        return "QuantConnect's own data"
    if settings.data is None:
        return "the sample data: AAPL, GOOG, IBM and MSFT, daily, 2000 to 2013"
    return f"the bars in {settings.data.name}"


def hosted_prices(settings: Settings) -> list[HostedPrice]:
    """The configured hosted models' prices, for those that the table knows."""
    from qc_builder_lora.errors import UnknownPrice
    from qc_builder_lora.eval.costs import HostedPrice
    from qc_builder_lora.models.prices import load_prices

    table, found = load_prices(), []
    for provider in ("anthropic", "openai", "gemini"):
        name = str(getattr(settings, f"{provider}_model"))
        try:
            price = table.price_of(provider, name)
        except UnknownPrice:
            continue
        found.append(HostedPrice(name=name, input_usd=price.input, output_usd=price.output))
    return found


def release_adapter(settings: Settings, store: Store, adapter_id: str, progress: Progress) -> str:
    """Release an Adapter in a process of its own; returns the id of the Model."""
    from qc_builder_lora.models.cpu import usable_threads
    from qc_builder_lora.retrain.base import base_folder, base_gguf
    from qc_builder_lora.retrain.recipe import load_base, parse_recipe

    adapter = store.adapters.get(adapter_id)
    recipe = parse_recipe(store.runs.get(adapter.run_id).recipe_text, adapter.run_id)
    base = load_base(adapter.base)
    cache = settings.cache_folder.absolute()
    made = in_child(
        "qc_builder_lora.release.register:release_in_child",
        {
            "url": settings.database_url,
            "home": str(settings.home.absolute()),
            "adapter_id": adapter_id,
            "base_gguf": str(base_gguf(base, cache)),
            "base_folder": str(base_folder(base, cache)),
            "template": recipe.template,
            "threads": usable_threads(settings.local_threads),
        },
        progress,
    )
    return str(made["model_id"])
