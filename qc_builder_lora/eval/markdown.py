"""A verdict as Markdown, for a pull request: the sentence, the rates, what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qc_builder_lora.eval.earnings import sharpe_sentence

HEADINGS = (
    "step", "pairs", "unknown", "won", "lost", "points", "at every look", "e-value",
)  # fmt: skip
"""Columns of a contest's rates."""


def as_markdown(contest: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """`contest` is what `Contest.plain` gives, `report` the report's path and SHA-256."""
    rows = [_line(cells(name, found)) for name, found in contest["rates"].items()]
    return "\n".join(
        [
            f"**{_plain(contest['sentence'])}**",
            "",
            _line(HEADINGS),
            "|---|--:|--:|--:|--:|--:|--:|--:|",
            *rows,
            "",
            f"Decided by `{contest['metric']}`: alpha {contest['alpha']:g}, margin "
            f"{100 * contest['margin']:g} points, at least {contest['minimum_pairs']} pairs. "
            "The machine proposes; a person decides.",
            "",
            sharpe_sentence(contest["sharpe"]),
            "",
            f"Report `{report['path']}`, SHA-256 `{report['sha256']}`.",
            "",
        ]
    )


def cells(name: str, found: Mapping[str, Any]) -> tuple[object, ...]:
    """One rate of a contest under `HEADINGS`, as text and counts."""
    gap = found["difference"]
    low, high = found["interval"]
    return (
        name,
        found["pairs"],
        found["unknown"],
        found["wins"],
        found["losses"],
        "unknown" if gap is None else f"{100 * gap:+.1f}",
        f"{100 * low:+.1f} to {100 * high:+.1f}",
        f"{found['e_value']:.3g}",
    )


def _line(values: Sequence[object]) -> str:
    return "| " + " | ".join(map(str, values)) + " |"


def _plain(text: str) -> str:
    """Model names come from anywhere: none may become markup."""
    for mark in ("\\", "`", "*", "_", "[", "]", "<", ">", "|"):
        text = text.replace(mark, f"\\{mark}")
    return text
