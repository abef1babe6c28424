"""The report's pictures, as SVG text that goes straight into the page.

One palette for all: the champion in grey-blue, the challenger in orange, told apart by shape as
well as by colour. Text takes the page's colour, so that a picture reads in light and dark.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import accumulate
from typing import Any

from qc_builder_lora.errors import MissingExtra
from qc_builder_lora.kinds import RATES

CHAMPION, CHALLENGER = "#5b7f9f", "#e07b39"
_INK = "#7f7f7f"


def _axes(width: float, height: float) -> tuple[Any, Any]:
    figure, (axes,) = _rows(width, height, (1.0,))
    return figure, axes


def _rows(width: float, height: float, heights: Sequence[float]) -> tuple[Any, list[Any]]:
    """A figure with axes one below the other, which share their x."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise MissingExtra("report", "matplotlib") from error
    mpl.use("svg")
    # A fixed salt, so that the same figures give the same file and the same report hash.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "qc-lora", "font.size": 10})
    from matplotlib import pyplot

    figure, found = pyplot.subplots(
        len(heights), 1, figsize=(width, height), layout="constrained", sharex=True, squeeze=False,
        height_ratios=heights,
    )  # fmt: skip
    rows = [row[0] for row in found]
    for axes in rows:
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axes.spines[side].set_color(_INK)
        axes.tick_params(colors=_INK)
        axes.grid(axis="x", color=_INK, alpha=0.2, linewidth=0.6)
    return figure, rows


def _svg(figure: Any, label: str) -> str:
    """The figure as an SVG element with a text for those who cannot see it."""
    from matplotlib import pyplot

    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    pyplot.close(figure)
    text = buffer.getvalue()
    svg = text[text.index("<svg") :]
    # Text without a colour of its own takes the page's.
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", svg, count=1)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


Share = float | None
"""A fraction; None where nothing could be judged, which is drawn as a word and never as a zero."""


def rates(rows: Sequence[tuple[str, Sequence[tuple[Share, float, float]]]]) -> str:
    """Rates with 95 % intervals: (name, [(rate, low, high) of champion, of challenger])."""
    figure, axes = _axes(7.2, 0.62 * len(rows) + 0.8)
    for index, (_, arms) in enumerate(rows):
        for offset, colour, marker, (rate, low, high) in zip(
            (0.14, -0.14), (CHAMPION, CHALLENGER), ("s", "o"), arms, strict=True
        ):
            at = len(rows) - 1 - index + offset
            if rate is None:
                _unknown(axes, at, colour)
                continue
            axes.plot([100 * low, 100 * high], [at, at], color=colour, linewidth=2.5, alpha=0.55)
            axes.plot([100 * rate], [at], marker, color=colour, markersize=8)
    axes.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)])
    axes.set_ylim(-0.5, len(rows) - 0.5)
    axes.set_xlim(-2, 102)
    axes.set_xlabel("percent of prompts, with 95 % Wilson intervals", color=_INK)
    return _svg(figure, "Rates of both models with intervals")


def effect(path: Sequence[tuple[int, float, float, float]], margin: float) -> str:
    """The difference of the rates over the pairs: (pairs, difference, low, high), fractions."""
    figure, axes = _axes(7.2, 2.6)
    if path:
        pairs = [step[0] for step in path]
        centre, low, high = ([100 * step[at] for step in path] for at in (1, 2, 3))
        axes.fill_between(pairs, low, high, color=CHALLENGER, alpha=0.2, linewidth=0, step="post")
        axes.step(pairs, centre, color=CHALLENGER, linewidth=1.8, where="post")
    else:
        axes.text(0.5, 0.5, "no pair could be judged", color=_INK, ha="center", va="center",
                  transform=axes.transAxes)  # fmt: skip
    axes.axhline(0, color=_INK, linewidth=1)
    axes.axhline(-100 * margin, color=_INK, linewidth=1, linestyle="--")
    axes.set_ylim(-102, 102)
    axes.set_xlabel("judged pairs", color=_INK)
    axes.set_ylabel("points", color=_INK)
    return _svg(figure, "Difference of the two models with its interval, pair by pair")


def families(table: Mapping[str, tuple[Share, Share]]) -> str:
    """Share of the funnel's four steps reached, a family a row: (champion, challenger)."""
    names = list(table)
    figure, axes = _axes(7.2, 0.3 * len(names) + 0.9)
    for index, name in enumerate(names):
        middle = len(names) - 1 - index
        for offset, colour, share in zip(
            (0.19, -0.19), (CHAMPION, CHALLENGER), table[name], strict=True
        ):
            if share is None:
                _unknown(axes, middle + offset, colour)
            else:
                axes.barh(middle + offset, 100 * share, height=0.34, color=colour)
    # A name is a suite's own text, in which matplotlib would read formulas between two dollars.
    labels = [name.replace("$", r"\$") for name in reversed(names)]
    axes.set_yticks(range(len(names)), labels)
    axes.set_xlim(0, 102)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlabel(f"percent of the steps {', '.join(RATES)}", color=_INK)
    return _svg(figure, "How far each family came")


def _unknown(axes: Any, at: float, colour: str) -> None:
    axes.text(1, at, "unknown", color=colour, va="center", fontsize=8)


Curve = Sequence[tuple[str, float]]


def equity(champion: Curve, challenger: Curve) -> str:
    """Both strategies' equity in US dollars; a curve without points is left out."""
    figure, axes = _axes(5.0, 2.2)
    for curve, colour, style in (
        (champion, CHAMPION, "--"),
        (challenger, CHALLENGER, "-"),
    ):
        if curve:
            days, values = _thinned(curve)
            axes.plot(days, values, style, color=colour, linewidth=1.3)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value / 1000:,.0f}k")
    axes.set_ylabel("equity, USD", color=_INK)
    _few_dates(axes)
    return _svg(figure, "Equity over time")


def _few_dates(axes: Any) -> None:
    """As many dates as have room beside each other."""
    from matplotlib import dates

    untyped: Any = dates
    places = untyped.AutoDateLocator(minticks=3, maxticks=6)
    axes.xaxis.set_major_locator(places)
    axes.xaxis.set_major_formatter(untyped.ConciseDateFormatter(places))
    axes.xaxis.get_offset_text().set_color(_INK)


FIRST, SECOND = "#2f7d6b", "#a05195"
"""For two answers of which nobody is to know whose they are: not the colours of the arms."""


def blind(first: Curve, second: Curve) -> str:
    """Equity above, drawdown below, of two unnamed answers; empty text without any points."""
    if not first and not second:
        return ""
    figure, (axes, under) = _rows(7.2, 3.4, (2.0, 1.0))
    for curve, colour, style in ((first, FIRST, "-"), (second, SECOND, "--")):
        if curve:
            days, values = _thinned(curve)
            axes.plot(days, values, style, color=colour, linewidth=1.3)
            under.plot(days, _drawdown(values), style, color=colour, linewidth=1.1)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value / 1000:,.0f}k")
    axes.set_ylabel("equity, USD", color=_INK)
    under.set_ylabel("drawdown, %", color=_INK)
    _few_dates(under)
    return _svg(figure, "Equity and drawdown of both answers")


def _drawdown(values: Sequence[float]) -> list[float]:
    """Percent below the highest value so far."""
    highest = accumulate(values, max)
    return [
        100 * (value / top - 1) if top > 0 else 0.0
        for value, top in zip(values, highest, strict=True)
    ]


def _thinned(curve: Curve, most: int = 400) -> tuple[list[date], list[float]]:
    """At most so many points, the last one always among them: a page of curves stays small."""
    step = max(1, -(-len(curve) // most))
    kept = [*curve[:-1:step], curve[-1]]
    return [date.fromisoformat(day) for day, _ in kept], [value for _, value in kept]


def losses(points: Sequence[tuple[int, float]]) -> str:
    """Training loss a step, in nats a token, on a logarithmic scale."""
    figure, axes = _axes(5.0, 2.2)
    axes.plot([step for step, _ in points], [loss for _, loss in points], color=CHALLENGER)
    axes.set_yscale("log")
    axes.set_xlabel("step", color=_INK)
    axes.set_ylabel("loss, nats a token", color=_INK)
    return _svg(figure, "Training loss")
