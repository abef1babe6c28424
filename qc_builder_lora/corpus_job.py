"""The starter corpus from end to end: bars, draws, compile check, backtests, store.

Part of what `loop.py` and the command line share; no stage imports it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from qc_builder_lora.config import Settings
from qc_builder_lora.progress import Progress
from qc_builder_lora.store import Store

Show = Callable[[str, float], AbstractContextManager[Progress]]


def build_starter(
    settings: Settings, store: Store, show: Show, *, jobs: int | None = None
) -> dict[str, Any]:
    """Draw, check, execute and keep the starter corpus; returns the report as JSON values."""
    from qc_builder_lora.backtest.check import compiles
    from qc_builder_lora.backtest.simulator import Simulator
    from qc_builder_lora.eval.suite import suite_paths
    from qc_builder_lora.harvest.corpus.bars import corpus_data
    from qc_builder_lora.harvest.corpus.starter import build, draws, held_out_keys, load_manifest

    manifest = load_manifest()
    drawn = list(draws(manifest, held_out_keys(suite_paths())))
    data = corpus_data(
        sample_bars(settings), settings.home / "corpus-data", manifest.synthetic_tickers
    )
    codes = [draw.code for draw in drawn]
    with show("Compile", 1) as progress:
        checks = compiles(codes, cache=settings.cache_folder)
        progress.update(1)
    with show("Backtest", len(drawn)) as progress:
        report = build(
            store,
            Simulator(data, allow_open_sandbox=settings.allow_open_sandbox),
            checks,
            drawn,
            manifest,
            jobs=jobs or settings.usable_jobs,
            progress=progress,
        )
    return report.plain()


def sample_bars(settings: Settings) -> Path:
    """The converted sample data, wherever `data` points: the corpus is made on public bars."""
    from qc_builder_lora.backtest.sample_data import convert

    folder = settings.home / "data"
    convert(folder)
    return folder
