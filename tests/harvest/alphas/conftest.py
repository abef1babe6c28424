"""The paper where it is, a panel, and formulas of our own that use every word of the language."""

from __future__ import annotations

from pathlib import Path

import pytest

from qc_builder_lora.harvest.corpus.alphas.panel import Panel, random_panel
from qc_builder_lora.harvest.corpus.alphas.paper import PaperAlpha, read_paper

PAPER = Path(__file__).parents[4] / "shared" / "data" / "worldquant" / "1601.00991.pdf"

FORMULAS = (
    "-1 * correlation(rank(open), rank(volume), 10)",
    "rank(close - ts_min(low, 9.9)) * sign(delta(volume, 3))",
    "decay_linear(rank(delta(vwap, 4)), 7) - ts_rank(abs(returns), 6)",
    "stddev(returns, 12) / stddev(returns, 30)",
    "covariance(rank(close), rank(adv10), 5)",
    "(high - close) / (high - low) < 0.3 ? scale(log(volume)) : -scale(delay(close, 2))",
    "ts_argmax(high, 15) - ts_argmin(low, 15) + product(1 + returns, 4)",
    "(delta(close, 5) / close)^3 + signedpower(returns, 0.5) - rank(open)^rank(close)",
    "max(rank(high), ts_rank(volume, 8)) - min(rank(low), ts_rank(close, 8))",
    "sum(volume, 3) / adv20 > 1.2 || returns < -0.02 ? ts_max(close, 6) - close : 0 - open",
    "indneutralize(delta(close, 3) / close, IndClass.sector) * rank(cap)",
    "indneutralize(rank(vwap), IndClass.subindustry) + indneutralize(volume, IndClass.industry)",
    "(close > open) + (low >= delay(low, 1)) + (high == ts_max(high, 5)) + (open <= vwap)",
)


@pytest.fixture(scope="session")
def paper() -> list[PaperAlpha]:
    if not PAPER.exists():
        pytest.skip(f"the paper is not at {PAPER}; its text is not ours to keep here")
    return read_paper(PAPER)


@pytest.fixture(scope="session")
def panel() -> Panel:
    return random_panel(400, 40, seed=3)


@pytest.fixture(scope="session")
def broken_panel() -> Panel:
    """With a tenth of the bars missing."""
    return random_panel(150, 12, seed=4, missing=0.1)
