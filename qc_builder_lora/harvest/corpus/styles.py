"""Ways in which a suite asks: a line, a paragraph, a specification, an error, a change.

Every style says in words of the family what the strategy is to do; `fix` and `change` show code
besides, made from the answer: with a mistake in it, or with other parameters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import yaml

from qc_builder_lora.harvest.corpus.family import Draw, Family
from qc_builder_lora.ids import text_hash

STYLES = ("line", "paragraph", "yaml", "fix", "change")
SHOWING_CODE = frozenset({"fix", "change"})
"""Styles whose code says the dates and the cash."""
_MISTAKES: tuple[tuple[str, str, str], ...] = (
    ("self.set_holdings(", "self.set_holding(", "'{name}' object has no attribute 'set_holding'"),
    ("self.liquidate(", "self.close_all(", "'{name}' object has no attribute 'close_all'"),
    ("self.market_order(", "self.place_order(",
     "'{name}' object has no attribute 'place_order'"),
    ("Resolution.DAILY", "Resolution.DAY", "type object 'Resolution' has no attribute 'DAY'"),
    ("self.add_equity(", "self.add_stock(", "'{name}' object has no attribute 'add_stock'"),
    (".bars.contains_key(", ".bars.has_key(", "'DataDictionary' object has no attribute 'has_key'"),
)  # fmt: skip
"""What stands in good code, what a model writes for it, and the message it leads to."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What our own answer to a prompt did in a backtest: facts that the prompt may state."""

    long_only: bool
    most_positions: int
    orders: int
    order_days: Mapping[str, int]
    """Most days with orders in one week, month or quarter."""

    def plain(self) -> dict[str, Any]:
        return {**asdict(self), "order_days": dict(self.order_days)}


def broken(draw: Draw) -> tuple[str, str]:
    """The answer with one mistake in it, and the message of the run that it ends."""
    code = draw.code
    fitting = [one for one in _MISTAKES if one[0] in code]
    good, bad, message = fitting[_number(draw.key) % len(fitting)]
    return code.replace(good, bad), message.format(name=draw.family.class_name)


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What is to be asked, and how; `before` is the strategy to change, for that style alone."""

    draw: Draw
    style: str
    before: Draw | None = None


def worded(drawn: Drawn, reference: Reference) -> str:
    """The prompt."""
    draw, style = drawn.draw, drawn.style
    if drawn.before is not None:
        return _change(draw, drawn.before)
    makers: Mapping[str, Callable[[Draw, Reference], str]] = {
        "line": _line,
        "paragraph": _paragraph,
        "yaml": _specification,
        "fix": _fix,
    }
    return makers[style](draw, reference)


def _sentences(family: Family) -> list[int]:
    """Phrasings that are prose."""
    return [number for number, text in enumerate(family.phrasings) if "\n" not in text]


def _said(draw: Draw, number: int) -> str:
    return replace(draw, phrasing=number).instruction


def _chosen(draw: Draw) -> str:
    """One of the sentences, by hash; without dates and cash."""
    numbers = _sentences(draw.family)
    silent = replace(draw, frame=replace(draw.frame, wording=0))
    return _said(silent, numbers[_number(draw.key) % len(numbers)])


def _line(draw: Draw, _reference: Reference) -> str:
    return min((_said(draw, number) for number in _sentences(draw.family)), key=len)


def _paragraph(draw: Draw, reference: Reference) -> str:
    most = reference.most_positions
    parts = [
        max((_said(draw, number) for number in _sentences(draw.family)), key=len),
        "Daily bars are enough.",
        f"Hold at most {most} position{'s' if most > 1 else ''} at a time"
        + (", long only." if reference.long_only else "; short positions are part of it."),
        "Do nothing before there is enough history for every rule, and check that a bar is there "
        "before you read it.",
        "Give one complete file with a class derived from QCAlgorithm.",
    ]
    return " ".join(parts)


def _specification(draw: Draw, reference: Reference) -> str:
    """As the builder's specifications are laid out."""
    frame = draw.frame
    numbers = {k: v for k, v in draw.parameters.items() if k not in ("tickers", "signal")}
    risk: dict[str, Any] = {"max_positions": reference.most_positions, "leverage": 1.0}
    if reference.long_only:
        risk["direction"] = "long only"
    table: dict[str, Any] = {
        "metadata": {
            "name": draw.family.name.replace("_", " ").title(),
            "trading_style": "swing",
            "version": "1.0.0",
        },
        "capital": {"allocation_usd": frame.cash},
        "data": {
            "instruments": list(draw.parameters["tickers"]),
            "resolution": "daily",
            "start_date": frame.start.isoformat(),
            "end_date": frame.end.isoformat(),
        },
        "signals": {"rule": _chosen(draw)},
        "parameters": numbers,
        "risk_management": risk,
        "acceptance_criteria": {"min_trades": 1},
    }
    if not numbers:
        del table["parameters"]
    return yaml.safe_dump(table, sort_keys=False, width=90).strip()


def _fix(draw: Draw, _reference: Reference) -> str:
    code, message = broken(draw)
    return (
        "This strategy ends with an error. Mend it, change nothing else, and give the whole file.\n"
        f"\n```python\n{code.strip()}\n```\n\nRuntime Error: {message}\n\n"
        f"What it is meant to do: {_chosen(draw)}"
    )


def _change(draw: Draw, before: Draw) -> str:
    changes = "; ".join(
        f"{key.replace('_', ' ')} {_shown(value)} instead of {_shown(before.parameters[key])}"
        for key, value in draw.parameters.items()
        if value != before.parameters[key]
    )
    return (
        f"Change this strategy and leave the rest of it as it is: {changes}. Give the whole file.\n"
        f"\n```python\n{before.code.strip()}\n```\n\nWhat it shall do afterwards: {_chosen(draw)}"
    )


def _shown(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list | tuple) else str(value)


def _number(key: str) -> int:
    return int(text_hash(re.sub(r"\s", "", key))[:8], 16)
