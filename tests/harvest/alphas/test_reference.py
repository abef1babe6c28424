"""The paper's alphas against PyPI's alpha101v, another's work from the same text."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from alpha101v import factors, registry
from numpy.lib.stride_tricks import sliding_window_view

from qc_builder_lora.harvest.corpus.alphas.evaluate import bars_needed, evaluate
from qc_builder_lora.harvest.corpus.alphas.operators import Array
from qc_builder_lora.harvest.corpus.alphas.panel import Panel, random_panel
from qc_builder_lora.harvest.corpus.alphas.paper import PaperAlpha

Frame = pd.DataFrame
# In these a rank, a comparison or an argmax meets correlations or covariances that are equal.
# alpha101v's come from running sums, so that rounding noise decides which is the larger.
ORDERED_BY_NOISE = {13, 15, 16, 45, 50, 68, 75, 78, 79, 81, 85, 92, 94, 96, 97, 98}


@pytest.fixture(scope="session")
def frames(panel: Panel) -> dict[str, Frame | pd.Series]:
    return frames_of(panel)


def frames_of(panel: Panel) -> dict[str, Frame | pd.Series]:
    symbols = list(panel.symbols)
    names = ("high", "low", "close", "volume", "vwap", "returns", "amount", "cap")
    found: dict[str, Frame | pd.Series] = {
        name: Frame(panel.input(name), columns=symbols) for name in names
    }
    found["Open"] = Frame(panel.bars["open"], columns=symbols)
    for level in ("sector", "industry", "subindustry"):
        found[f"ind_{level}"] = pd.Series(panel.groups(level), index=symbols)
    return found


def theirs(number: int, frames: dict[str, Frame | pd.Series]) -> Array:
    return registry.run_factor(f"alpha{number}", frames, dtype=np.float64).to_numpy()


def same(left: Array, right: Array) -> bool:
    return np.array_equal(np.isnan(left), np.isnan(right)) and bool(
        np.allclose(left, right, rtol=1e-8, atol=1e-8, equal_nan=True)
    )


@pytest.mark.filterwarnings("ignore")
def test_values_are_those_of_alpha101v(
    paper: list[PaperAlpha], panel: Panel, frames: dict[str, Frame | pd.Series]
) -> None:
    verified = {n for n in range(1, 102) if registry.REGISTRY[f"alpha{n}"].status == "verified"}
    assert len(verified) == 82
    apart = {
        alpha.number
        for alpha in paper
        if not same(evaluate(alpha.tree, panel), theirs(alpha.number, frames))
    }
    assert apart <= ORDERED_BY_NOISE


def _both(x: Frame, y: Frame, window: float) -> tuple[Array, Array]:
    """Covariance and correlation of each window from that window alone, by numpy."""
    days = math.floor(window)
    head = np.full((days - 1, x.shape[1]), math.nan)
    a, b = (
        sliding_window_view(np.vstack([head, one.to_numpy(dtype=float)]), days, axis=0)
        for one in (x, y)
    )
    flat = (a.max(2) == a.min(2)) | (b.max(2) == b.min(2))
    away, other = a - a.mean(2, keepdims=True), b - b.mean(2, keepdims=True)
    covariance = np.where(flat, 0.0, (away * other).mean(2))
    covariance[np.isnan(a).any(2) | np.isnan(b).any(2)] = math.nan
    r = covariance / (np.sqrt((away * away).mean(2)) * np.sqrt((other * other).mean(2)))
    return covariance, np.where(flat, math.nan, r)


def _sum(x: Frame, window: float) -> Frame:
    """The sum of each window from that window alone."""
    days = math.floor(window)
    values = np.vstack([np.full((days - 1, x.shape[1]), math.nan), x.to_numpy(dtype=float)])
    return Frame(sliding_window_view(values, days, axis=0).sum(2), columns=x.columns)


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """alpha101v's sums, correlations and covariances without the noise of running sums."""

    def correlation(x: Frame, y: Frame, window: float) -> Frame:
        return Frame(np.round(_both(x, y, window)[1], 12), columns=x.columns)

    def covariance(x: Frame, y: Frame, window: float, ddof: int = 0) -> Frame:
        return Frame(np.round(_both(x, y, window)[0], 15), columns=x.columns)

    monkeypatch.setattr(factors, "correlation", correlation)
    monkeypatch.setattr(factors, "covariance", covariance)
    monkeypatch.setattr(factors, "ts_sum", _sum)


def differing(paper: list[PaperAlpha], panel: Panel) -> list[int]:
    frames = frames_of(panel)
    return [
        alpha.number
        for alpha in paper
        if not same(evaluate(alpha.tree, panel), theirs(alpha.number, frames))
    ]


@pytest.mark.usefixtures("exact")
@pytest.mark.filterwarnings("ignore")
def test_all_101_are_those_of_alpha101v_once_its_equal_correlations_are_equal(
    paper: list[PaperAlpha], panel: Panel
) -> None:
    assert differing(paper, panel) == []


def _odd(kind: str) -> Panel:
    if kind == "one symbol":
        return random_panel(280, 1, seed=15)
    if kind == "two symbols":
        return random_panel(280, 2, seed=16)
    if kind == "thirty days":
        return random_panel(30, 12, seed=14)
    panel = random_panel(150, 12, seed=13, missing=0.1 if kind == "bars missing" else 0.0)
    bars = {name: values.copy() for name, values in panel.bars.items()}
    if kind == "no volume":
        bars["volume"][50:60] = 0
        bars["volume"][:, 3] = 0
    if kind == "a price that never moves":
        for values in bars.values():
            values[:, 5] = values[0, 5]
    return replace(panel, bars=bars)


@pytest.mark.usefixtures("exact")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "kind",
    [
        "one symbol", "two symbols", "thirty days", "bars missing", "no volume",
        "a price that never moves",
    ],
)  # fmt: skip
def test_all_101_are_those_of_alpha101v_on_odd_panels_too(
    paper: list[PaperAlpha], kind: str
) -> None:
    assert differing(paper, _odd(kind)) == []


def test_no_alpha_of_the_paper_looks_ahead(paper: list[PaperAlpha], panel: Panel) -> None:
    for alpha in paper:
        whole = evaluate(alpha.tree, panel)
        for count in (60, 300, 399):
            cut = evaluate(alpha.tree, panel.until(count))
            np.testing.assert_array_equal(cut, whole[:count], err_msg=str(alpha.number))


def test_252_bars_are_enough_for_all_of_them(paper: list[PaperAlpha]) -> None:
    assert max(bars_needed(alpha.tree) for alpha in paper) == 252
