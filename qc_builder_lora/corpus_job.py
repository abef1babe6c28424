"""The corpus from end to end: bars, candidates, compile check, backtests, store.

Part of what `loop.py` and the command line share; no stage imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qc_builder_lora.config import Settings
from qc_builder_lora.progress import Progress
from qc_builder_lora.store import Store

if TYPE_CHECKING:
    from qc_builder_lora.harvest.corpus.candidate import Candidate, Funnel

Show = Callable[[str, float], AbstractContextManager[Progress]]


def build_starter(
    settings: Settings, store: Store, show: Show, *, jobs: int | None = None
) -> dict[str, Any]:
    """Draw, check, execute and keep the starter corpus; returns the report as JSON values."""
    from qc_builder_lora.eval.suite import suite_paths
    from qc_builder_lora.harvest.corpus.bars import corpus_data
    from qc_builder_lora.harvest.corpus.starter import (
        SOURCE,
        candidates,
        draws,
        held_out_keys,
        load_manifest,
    )

    manifest = load_manifest()
    drawn = candidates(draws(manifest, held_out_keys(suite_paths())), manifest)
    data = corpus_data(
        sample_bars(settings), settings.home / "corpus-data", manifest.synthetic_tickers
    )
    return keep_all(settings, store, show, list(drawn), data, SOURCE, jobs=jobs).plain()


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
) -> Funnel:
    """Execute candidates on a data folder and keep those that compile, run and trade."""
    from qc_builder_lora.backtest.check import compiles
    from qc_builder_lora.backtest.simulator import Simulator
    from qc_builder_lora.harvest.corpus.candidate import Execution, Funnel, keep

    engine = Simulator(data, allow_open_sandbox=settings.allow_open_sandbox)
    # Before the work: without it every answer would be unknown.
    engine.check_sandbox()
    execution = Execution(
        engine,
        lambda codes: compiles(codes, cache=settings.cache_folder),
        jobs or settings.usable_jobs,
    )
    with show("Execute", len(found)) as progress:
        return keep(store, found, execution, funnel or Funnel(source), progress)


def sample_bars(settings: Settings) -> Path:
    """The converted sample data, wherever `data` points: the corpus is made on public bars."""
    from qc_builder_lora.backtest.sample_data import convert

    folder = settings.home / "data"
    convert(folder)
    return folder
