"""A verdict as Markdown, for a pull request: the sentence, the rates, what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def as_markdown(contest: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """`contest` is what `Contest.plain` gives, `report` the report's path and SHA-256."""
    rows = [_row(name, found) for name, found in contest["rates"].items()]
    return "\n".join(
        [
            f"**{_plain(contest['sentence'])}**",
            "",
            "| step | pairs | unknown | won | lost | difference | at every look | e-value |",
            "|---|--:|--:|--:|--:|--:|--:|--:|",
            *rows,
            "",
            f"Decided by `{contest['metric']}`: alpha {contest['alpha']:g}, margin "
            f"{100 * contest['margin']:g} points, at least {contest['minimum_pairs']} pairs. "
            "The machine proposes; a person decides.",
            "",
            f"Report `{report['path']}`, SHA-256 `{report['sha256']}`.",
            "",
        ]
    )


def _row(name: str, found: Mapping[str, Any]) -> str:
    gap = found["difference"]
    low, high = found["interval"]
    cells = [
        name,
        found["pairs"],
        found["unknown"],
        found["wins"],
        found["losses"],
        "unknown" if gap is None else f"{100 * gap:+.1f}",
        f"{100 * low:+.1f} to {100 * high:+.1f}",
        f"{found['e_value']:.3g}",
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def _plain(text: str) -> str:
    """Model names come from anywhere: none may become markup."""
    for mark in ("\\", "`", "*", "_", "[", "]", "<", ">", "|"):
        text = text.replace(mark, f"\\{mark}")
    return text
