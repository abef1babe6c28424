"""Equity and drawdown of one strategy: a picture for a person, or a page with the figures."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.compare import compare
from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.errors import InputError, MissingExtra
from qc_builder_lora.files import atomic_write, write_text

_STYLES = ("-", "--", ":")
_KINDS = (".html", ".png", ".svg")
# In the dark the picture's light and dark change places, and its colours stay.
_STYLE = (
    "<style>:root{color-scheme:light dark}"
    "body{font:15px system-ui;margin:2em auto;padding:0 1em;max-width:60em;background:#fff;"
    "color:#111}svg{width:100%;height:auto}h1{overflow-wrap:anywhere}"
    "td,th{padding:.15em 1em;text-align:right}td:first-child{text-align:left}"
    "@media(prefers-color-scheme:dark){body{background:#000;color:#eee}"
    "svg{filter:invert(1) hue-rotate(180deg)}}</style>"
)


def kind_of(path: Path) -> str:
    """The kind of picture that a file name asks for; InputError where it is none."""
    kind = path.suffix.lower()
    if kind not in _KINDS:
        raise InputError(f"{path}: cannot be drawn as {kind!r}. Use {', '.join(_KINDS)}.")
    return kind


def draw(path: Path, title: str, results: Sequence[BacktestResult]) -> None:
    """One picture of all results; InputError where there is nothing to draw."""
    kind = kind_of(path)
    title = "".join(letter if letter.isprintable() else " " for letter in title)
    drawn = [result for result in results if result.equity]
    if not drawn:
        reasons = "; ".join(f"{one.engine}: {one.reason or one.status}" for one in results)
        raise InputError(f"{path}: there is no equity to draw ({reasons}).")
    if kind == ".html":
        write_text(path, _page(title, results, _picture(title, drawn, "svg").decode()))
        return
    with atomic_write(path) as file:
        file.write(_picture(title, drawn, kind[1:]))


def drawdown(values: Sequence[float]) -> list[float]:
    """Percent below the highest value so far, zero or negative."""
    top, found = float("-inf"), []
    for value in values:
        top = max(top, value)
        found.append(100.0 * (value / top - 1.0) if top > 0 else 0.0)
    return found


def _picture(title: str, results: Sequence[BacktestResult], kind: str) -> bytes:
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import StrMethodFormatter
    except ModuleNotFoundError as error:
        raise MissingExtra("report", "matplotlib") from error

    figure = Figure(figsize=(10, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for index, result in enumerate(results):
        # Equal curves lie on one another: dashes let the one below be seen.
        style = _STYLES[index % len(_STYLES)]
        days = [date.fromisoformat(day) for day, _ in result.equity]
        values = [value for _, value in result.equity]
        upper.plot(days, values, style, linewidth=1.2, label=result.engine)
        lower.fill_between(days, drawdown(values), alpha=0.4)
    upper.set_title(title, parse_math=False)  # a file's name is no formula
    upper.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    upper.set_ylabel("equity, USD")
    lower.set_ylabel("drawdown, %")
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    if len(results) > 1:
        upper.legend()
    buffer = io.BytesIO()
    metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {}
    figure.savefig(buffer, format=kind, metadata=metadata, dpi=120)
    return buffer.getvalue()


def _page(title: str, results: Sequence[BacktestResult], picture: str) -> str:
    found = compare(results)
    heads = "".join(f"<th>{html.escape(engine)}</th>" for engine in found.engines)
    rows = "".join(
        f"<tr><td>{html.escape(row.name)}</td>"
        + "".join(f"<td>{html.escape(value or '-')}</td>" for value in row.values)
        + "</tr>"
        for row in found.rows
    )
    engines = "".join(
        f"<li>{html.escape(one.engine)} {html.escape(one.engine_version or '')}, data "
        f"{html.escape((one.data_fingerprint or 'unknown')[:12])}: {html.escape(str(one.status))}"
        f" {html.escape(one.reason or '')}</li>"
        for one in results
    )
    svg = picture[picture.index("<svg") :]
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{html.escape(title)}</title>{_STYLE}"
        f"<h1>{html.escape(title)}</h1>{svg}"
        f"<table><tr><th></th>{heads}</tr>{rows}</table><ul>{engines}</ul>\n"
    )
