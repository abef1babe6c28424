"""The corpus from end to end: bars, candidates, compile check, backtests, store.

Part of what `loop.py` and the command line share; no stage imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qc_builder_lora.config import Settings
from qc_builder_lora.progress import Progress
from qc_builder_lora.records import Example, Outcome
from qc_builder_lora.store import Store

if TYPE_CHECKING:
    from qc_builder_lora.backtest.protocol import BacktestResult
    from qc_builder_lora.harvest.corpus.alphas.examples import Origin
    from qc_builder_lora.harvest.corpus.alphas.tree import Expr
    from qc_builder_lora.harvest.corpus.candidate import Candidate, Execution, Funnel
    from qc_builder_lora.harvest.corpus.changes.funnel import ChangeFunnel
    from qc_builder_lora.harvest.corpus.fixes.funnel import FixFunnel
    from qc_builder_lora.harvest.corpus.starter import Manifest

Show = Callable[[str, float], AbstractContextManager[Progress]]


def build_starter(
    settings: Settings, store: Store, show: Show, *, jobs: int | None = None
) -> dict[str, Any]:
    """Draw, check, execute and keep the starter corpus; returns the report as JSON values."""
    return build_corpus(settings, store, show, jobs=jobs)[0].plain()


def build_corpus(
    settings: Settings, store: Store, show: Show, name: str = "starter", *, jobs: int | None = None
) -> list[Funnel | FixFunnel | ChangeFunnel]:
    """What a manifest says, of our own families, alphas, error-fix and change pairs; a funnel for
    each."""
    from qc_builder_lora.harvest.corpus.starter import load_manifest

    manifest = load_manifest(name)
    data = corpus_bars(settings)
    families = add_families(settings, store, show, manifest, jobs=jobs)
    funnels: list[Funnel | FixFunnel | ChangeFunnel] = [families]
    if manifest.alphas:
        options = AlphaOptions(data=data, jobs=jobs)
        funnels.append(add_own_alphas(settings, store, show, manifest.alphas, 1, options))
    if manifest.fixes:
        funnels += add_fixes(settings, store, show, manifest.fixes, 1, data=data, jobs=jobs)
    if manifest.changes:
        funnels.append(add_changes(settings, store, show, manifest.changes, 1, jobs=jobs))
    return funnels


def add_families(
    settings: Settings, store: Store, show: Show, manifest: Manifest, *, jobs: int | None = None
) -> Funnel:
    """Draws of the manifest's families, but what a suite asks for."""
    from qc_builder_lora.eval.suite import suite_paths
    from qc_builder_lora.harvest.corpus.starter import candidates, draws, held_out_keys

    drawn = list(candidates(draws(manifest, held_out_keys(suite_paths())), manifest))
    data = corpus_bars(settings)
    return keep_all(settings, store, show, drawn, data, manifest.name, jobs=jobs)


def add_fixes(
    settings: Settings,
    store: Store,
    show: Show,
    count: int,
    seed: int,
    *,
    data: Path | None = None,
    jobs: int | None = None,
) -> list[FixFunnel]:
    """Error-fix pairs: mended answers of the store's builds, and `count` examples broken with a
    seed, on the bars that the corpus was made on."""
    from qc_builder_lora.harvest.corpus.fixes.chains import add_chains
    from qc_builder_lora.harvest.corpus.fixes.pairs import add_pairs
    from qc_builder_lora.harvest.rules import load_rules

    funnels = []
    with show("Builds", max(1, store.builds.count())) as progress:
        funnels.append(add_chains(store, load_rules(), progress))
    if count:
        engine = _execution(settings, data or corpus_bars(settings), jobs)
        with show("Break", count) as progress:
            funnels.append(add_pairs(store, engine, count, seed, progress, _free(store)))
    return funnels


def add_changes(
    settings: Settings,
    store: Store,
    show: Show,
    count: int,
    seed: int,
    *,
    jobs: int | None = None,
) -> ChangeFunnel:
    """Change pairs: `count` examples of our families changed with a seed, on the bars that the
    corpus was made on."""
    from qc_builder_lora.harvest.corpus.changes.pairs import Ground
    from qc_builder_lora.harvest.corpus.changes.pairs import add_changes as add
    from qc_builder_lora.harvest.corpus.starter import load_manifest

    known = load_manifest()
    ground = Ground(
        taken=_free(store),
        pools=(known.tickers, known.synthetic_tickers),
        years=(known.first_year, known.last_year),
    )
    execution = _execution(settings, corpus_bars(settings), jobs)
    with show("Change", count) as progress:
        return add(store, execution, _Checks(), ground, count, seed, progress)


class _Checks:
    """What `eval` says of an answer, for the corpus, which does not import it."""

    def read(self, instruction: str) -> list[tuple[str, Any]]:
        """The constraints that can be read from the words."""
        from qc_builder_lora.eval.asked import constraints_of

        return [(one.kind, one.value) for one in constraints_of(instruction)]

    def judge(
        self, demands: Sequence[tuple[str, Any]], code: str, result: BacktestResult
    ) -> Outcome:
        """Whether all of them are met."""
        from qc_builder_lora.eval.faithful import Constraint, judge, verdict

        asked = [Constraint(kind, value) for kind, value in demands]
        return verdict(judge(asked, code, result))


def _free(store: Store) -> Callable[[Example], bool]:
    """Whether something may be made of an example: nobody has rights to it, no suite asks it, and
    its words are today's."""
    from qc_builder_lora.eval.suite import suite_paths
    from qc_builder_lora.harvest.choice import is_reserved
    from qc_builder_lora.harvest.corpus.starter import held_out_keys, key_of
    from qc_builder_lora.harvest.corpus.wording import EarlierWordings

    held_out, earlier = held_out_keys(suite_paths()), EarlierWordings(store)

    def taken(example: Example) -> bool:
        key = key_of(example.family, example.parameters)
        free = not is_reserved(example.licence) and not earlier.has(example)
        return free and key not in held_out

    return taken


@dataclass(frozen=True, kw_only=True)
class AlphaOptions:
    """What a user may decide of the alphas' strategies; None and empty leave it to the data."""

    data: Path | None = None
    tickers: Sequence[str] = ()
    classification: Path | None = None
    weighting: str | None = None
    adv: str = "dollars"
    jobs: int | None = None


def add_worldquant(
    settings: Settings,
    store: Store,
    show: Show,
    paper: Path | None,
    options: AlphaOptions,
    *,
    partial: bool = False,
) -> Funnel:
    """The 101 alphas of the paper, each traded on what the data folder has.

    With `partial` those that a PDF has, where it has not all; the others are in `lacking`.
    """
    from qc_builder_lora.harvest.corpus.alphas.examples import Origin
    from qc_builder_lora.harvest.corpus.alphas.paper import LICENCE, VERSION, download, look_through

    path = paper or download(settings.cache_folder / "papers" / "1601.00991.pdf")
    reading = look_through(path)
    if not reading.is_whole and not (partial and reading.found):
        raise reading.refused()
    trees = [alpha.tree for alpha in reading.found]
    origin = Origin(source="worldquant", licence=LICENCE, version=VERSION)
    # Ranks of a few symbols by their price alone never change: #4 needs more to say anything.
    funnel = _add_alphas(settings, store, show, trees, origin, options, symbols=(6, 8))
    funnel.lacking = reading.lacking
    return funnel


def add_own_alphas(
    settings: Settings, store: Store, show: Show, count: int, seed: int, options: AlphaOptions
) -> Funnel:
    """Alphas of our own, drawn with a seed: the same each time, and more for a larger count."""
    from itertools import islice

    from qc_builder_lora.harvest.corpus.alphas.examples import Origin
    from qc_builder_lora.harvest.corpus.alphas.language import LEVELS, VERSION
    from qc_builder_lora.harvest.corpus.alphas.panel import random_panel
    from qc_builder_lora.harvest.corpus.alphas.sieve import PANEL, own_formulas

    trees = []
    with show("Draw", count) as progress:
        for tree in islice(own_formulas(random_panel(*PANEL), seed, LEVELS), count):
            trees.append(tree)
            progress.update(len(trees))
    origin = Origin(source="alphas", licence="Apache-2.0", version=VERSION)
    # Three years of daily trades show that it runs; seven take three times as long.
    return _add_alphas(settings, store, show, trees, origin, options, most_orders=4000)


def _add_alphas(
    settings: Settings,
    store: Store,
    show: Show,
    trees: Sequence[Expr],
    origin: Origin,
    options: AlphaOptions,
    symbols: tuple[int, int] = (4, 5),
    **limits: int,
) -> Funnel:
    from qc_builder_lora.errors import InputError
    from qc_builder_lora.eval.suite import suite_paths
    from qc_builder_lora.files import find_default
    from qc_builder_lora.harvest.corpus.alphas.evaluate import Conventions
    from qc_builder_lora.harvest.corpus.alphas.examples import candidates
    from qc_builder_lora.harvest.corpus.alphas.market import market_of
    from qc_builder_lora.harvest.corpus.alphas.panel import read_listings
    from qc_builder_lora.harvest.corpus.candidate import Funnel, LeftOut
    from qc_builder_lora.harvest.corpus.starter import held_out_keys, key_of

    def leave_out(tree: Expr, reason: str) -> None:
        funnel.leave_out(LeftOut(key=str(tree), reason=reason, **vars(origin)))

    data = options.data or settings.data or corpus_bars(settings)
    table = options.classification or find_default("harvest/corpus/classification.csv")
    market = market_of(
        data,
        options.tickers,
        read_listings(table),
        weighting=options.weighting,
        symbols=symbols,
        **limits,
        conventions=Conventions(adv=options.adv),
    )
    funnel, found = Funnel(origin.source), []
    held_out = held_out_keys(suite_paths())
    for tree, made in zip(trees, candidates(trees, market, origin), strict=True):
        if isinstance(made, InputError):
            leave_out(tree, "not on these tickers: " + str(made).partition(".")[0])
        elif key_of(made.family, made.parameters) in held_out:
            leave_out(tree, "held out by a suite")
        else:
            found.append(made)
    return keep_all(
        settings, store, show, found, data, origin.source, jobs=options.jobs, funnel=funnel
    )


def corpus_bars(settings: Settings) -> Path:
    """The sample data with random walks under further tickers; made once."""
    from qc_builder_lora.harvest.corpus.bars import corpus_data
    from qc_builder_lora.harvest.corpus.starter import load_manifest

    tickers = load_manifest().synthetic_tickers
    return corpus_data(sample_bars(settings), settings.home / "corpus-data", tickers)


def keep_all(
    settings: Settings,
    store: Store,
    show: Show,
    found: Sequence[Candidate],
    data: Path,
    source: str,
    *,
    jobs: int | None = None,
    funnel: Funnel | None = None,
    again: bool = False,
) -> Funnel:
    """Execute candidates on a data folder and keep those that compile, run and trade.

    `again` executes also what was refused before by the same checker and engine on the same data.
    """
    from qc_builder_lora.harvest.corpus.candidate import Funnel, keep

    execution = _execution(settings, data, jobs, again=again)
    with show("Execute", len(found)) as progress:
        return keep(store, found, execution, funnel or Funnel(source), progress)


def _execution(
    settings: Settings, data: Path, jobs: int | None, *, again: bool = False
) -> Execution:
    from qc_builder_lora.backtest.check import compiles
    from qc_builder_lora.backtest.simulator import Simulator
    from qc_builder_lora.harvest.corpus.candidate import Execution

    engine = Simulator(data, allow_open_sandbox=settings.allow_open_sandbox)
    # Before the work: without it every answer would be unknown.
    engine.check_sandbox()
    return Execution(
        engine,
        lambda codes: compiles(codes, cache=settings.cache_folder),
        jobs or settings.usable_jobs,
        again=again,
    )


def sample_bars(settings: Settings) -> Path:
    """The converted sample data, wherever `data` points: the corpus is made on public bars."""
    from qc_builder_lora.backtest.sample_data import convert

    folder = settings.home / "data"
    convert(folder)
    return folder
