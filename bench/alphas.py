"""How fast alphas are computed, and how many strategies of theirs fit the recipe's tokens: the
paper's 101, or N of our own, on ten years of 100 symbols.

    python bench/alphas.py [--paper FILE] [--own N] [--days 2520] [--symbols 100] [--runs 3]

Prints a table and writes bench/results/alphas.json. The peer is PyPI's alpha101v (pandas), on the
same panel in the same run, each the best of the runs; it has the paper's alphas alone. Without the
paper only our own are measured, and the table says so. Tokens are those of the prompt and the
strategy together, of the recipe gemma-3-270m; without the converted base they are not counted.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from qc_builder_lora.config import load_settings
from qc_builder_lora.errors import InputError
from qc_builder_lora.files import write_json
from qc_builder_lora.harvest.corpus.alphas.evaluate import evaluate
from qc_builder_lora.harvest.corpus.alphas.examples import Origin, candidates
from qc_builder_lora.harvest.corpus.alphas.language import LEVELS, VERSION
from qc_builder_lora.harvest.corpus.alphas.market import Market
from qc_builder_lora.harvest.corpus.alphas.panel import Panel, random_panel, read_listings
from qc_builder_lora.harvest.corpus.alphas.paper import read_paper
from qc_builder_lora.harvest.corpus.alphas.sieve import PANEL, own_formulas
from qc_builder_lora.harvest.corpus.alphas.tree import Expr
from qc_builder_lora.retrain.base import load_tokenizer
from qc_builder_lora.retrain.recipe import load_recipe
from qc_builder_lora.template import get_template

ROOT = Path(__file__).resolve().parents[1]
PAPER = ROOT.parent / "shared" / "data" / "worldquant" / "1601.00991.pdf"
RESULTS = ROOT / "bench" / "results" / "alphas.json"
RECIPE = "gemma-3-270m"
FITTED_BEFORE = {"of the paper": 0.178, "of our own": 0.273}
"""The share that fitted as version "alphas 1" wrote them, of 101 and of 300 with seed 1."""


def best_of(runs: int, work: Callable[[], object]) -> float:
    """Seconds of the fastest run."""
    found = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def measured(trees: Sequence[Expr], panel: Panel, runs: int) -> list[float]:
    """Seconds of each formula."""
    return [best_of(runs, lambda tree=tree: evaluate(tree, panel)) for tree in trees]  # type: ignore[misc]


def frames_of(panel: Panel) -> dict[str, Any]:
    """The panel as alpha101v takes it."""
    import pandas as pd  # type: ignore[import-untyped]

    symbols = list(panel.symbols)
    names = ("high", "low", "close", "volume", "vwap", "returns", "amount", "cap")
    found: dict[str, Any] = {n: pd.DataFrame(panel.input(n), columns=symbols) for n in names}
    found["Open"] = pd.DataFrame(panel.bars["open"], columns=symbols)
    for level in LEVELS:
        found[f"ind_{level}"] = pd.Series(panel.groups(level), index=symbols)
    return found


def peer(panel: Panel, runs: int) -> list[float] | None:
    """Seconds of each of alpha101v's 101; None where it is not installed."""
    try:
        from alpha101v import registry
    except ImportError:
        return None
    frames = frames_of(panel)

    def run(number: int) -> float:
        return best_of(
            runs, lambda: registry.run_factor(f"alpha{number}", frames, dtype=np.float64)
        )

    return [run(number) for number in range(1, 102)]


def fitting(trees: Sequence[Expr]) -> float | None:
    """The share whose prompt and strategy fit the recipe's tokens; None without its base."""
    recipe = load_recipe(RECIPE)
    folders = sorted((load_settings().cache_folder / "bases").glob(f"{recipe.base}-*/"))
    if not folders:
        return None
    tokenizer, template = load_tokenizer(folders[-1]), get_template(recipe.template)
    listings = read_listings(ROOT / "harvest" / "corpus" / "classification.csv")
    market = Market(tickers=sorted(listings), listings=listings)
    origin = Origin(source="alphas", licence="Apache-2.0", version=VERSION)
    texts = [
        (template.render(one.instruction), template.completion(one.code))
        for one in candidates(trees, market, origin)
        if not isinstance(one, InputError)
    ]
    long = [[len(ids) for ids in tokenizer(list(pair))["input_ids"]] for pair in texts]
    return sum(sum(pair) <= recipe.max_tokens for pair in long) / len(long)


def row(
    name: str, seconds: Sequence[float], theirs: Sequence[float] | None, fit: float | None
) -> dict[str, Any]:
    other = sum(theirs) if theirs else None
    return {
        "alphas": name,
        "count": len(seconds),
        "seconds": round(sum(seconds), 3),
        "slowest_ms": round(1000 * max(seconds), 1),
        "alpha101v_seconds": None if other is None else round(other, 3),
        "times_faster": None if other is None else round(other / sum(seconds), 2),
        "fitted_before": FITTED_BEFORE[name],
        "fit_recipe": None if fit is None else round(fit, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--paper", type=Path, default=PAPER)
    parser.add_argument("--own", type=int, default=101)
    parser.add_argument("--days", type=int, default=2520)
    parser.add_argument("--symbols", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    panel = random_panel(given.days, given.symbols, seed=7)
    rows = []
    if given.paper.exists():
        trees = [alpha.tree for alpha in read_paper(given.paper)]
        theirs = peer(panel, given.runs)
        rows.append(row("of the paper", measured(trees, panel, given.runs), theirs, fitting(trees)))
    else:
        print(f"the paper is not at {given.paper}: only our own are measured")
    began = time.perf_counter()
    own = list(islice(own_formulas(random_panel(*PANEL), 1, LEVELS), given.own))
    drawing = time.perf_counter() - began
    several = list(islice(own_formulas(random_panel(*PANEL), 1, LEVELS), max(given.own, 300)))
    rows.append(row("of our own", measured(own, panel, given.runs), None, fitting(several)))
    for key in rows[0]:
        print(
            f"{key:<20}"
            + "".join(f"{one[key] if one[key] is not None else '-':>16}" for one in rows)
        )
    shape = f"{given.days} days x {given.symbols} symbols"
    print(f"\n{given.own} of our own drawn in {drawing:.2f} s; {shape}")
    write_json(
        RESULTS,
        {
            "days": given.days, "symbols": given.symbols, "runs": given.runs,
            "python": platform.python_version(), "numpy": np.__version__,
            "drawing_seconds": round(drawing, 3), "rows": rows,
        },
    )  # fmt: skip
    print(f"written: {RESULTS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
