"""A draw as the YAML specification that a builder is given: the same strategy, laid out by keys.

The rule itself is one of the family's sentences. Two layouts, both a builder's: keys in sections
(metadata, capital, data, signals), or one flat list (title, description, symbols). Within them they
differ in what stands first, in the name of the rule's key, and in the criteria, which are about the
report and change nothing of the code.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import yaml

_HEADS = (
    "",
    "",
    "Build the strategy of this specification.\n\n",
    "Write main.py for this spec:\n\n",
    "# specs/{name}.yaml\n",
)
_RULE_KEYS = ("rule", "description", "logic")
_STYLES = ("swing", "position", "systematic")
_CRITERIA: tuple[Mapping[str, float], ...] = (
    {"min_trades": 1},
    {"min_sharpe_ratio": 0.5, "max_drawdown": 0.3},
    {"min_sharpe_ratio": 1.0, "max_drawdown": 0.25, "min_trades": 10},
)
_SHARPE = (1.0, 1.5, 2.0, 3.0)
_NOT_NUMBERS = ("tickers", "signal")


def specification(
    *,
    name: str,
    theme: str,
    rule: str,
    parameters: Mapping[str, Any],
    period: tuple[date, date],
    cash: int,
    key: str,
) -> str:
    """The text; `key` decides the layout, the same for the same key."""
    source = random.Random(f"specification/{key}")
    numbers = {k: _plain(v) for k, v in parameters.items() if k not in _NOT_NUMBERS}
    said = _Said(name, theme, rule, parameters["tickers"], numbers, period, cash)
    table = _flat(said, source) if source.random() < 0.4 else _sections(said, source)
    text = yaml.safe_dump(table, sort_keys=False, width=90, allow_unicode=True).strip()
    return source.choice(_HEADS).format(name=name) + text


class _Said(NamedTuple):
    name: str
    theme: str
    rule: str
    tickers: Sequence[str]
    numbers: Mapping[str, Any]
    period: tuple[date, date]
    cash: int


def _flat(said: _Said, source: random.Random) -> dict[str, Any]:
    """As the specifications are in `examples/specs`."""
    title = f"{said.name.replace('_', ' ').capitalize()} on {', '.join(said.tickers)}"
    table: dict[str, Any] = {
        "title": title,
        "description": said.rule,
        "symbols": list(said.tickers),
        "start": said.period[0],
        "end": said.period[1],
        "cash": said.cash,
        "parameters": dict(said.numbers),
        "target_sharpe": source.choice(_SHARPE),
        "iterations": source.choice((3, 5)),
    }
    if not said.numbers:
        del table["parameters"]
    return table


def _sections(said: _Said, source: random.Random) -> dict[str, Any]:
    body: dict[str, Any] = {
        "capital": {"allocation_usd": said.cash},
        "data": _data(said.tickers, said.period),
        "signals": {source.choice(_RULE_KEYS): said.rule},
    }
    if said.numbers:
        body["parameters"] = dict(said.numbers)
    if source.random() < 0.5:
        body = dict(sorted(body.items(), key=lambda item: item[0] != "signals"))
    metadata = {
        "name": said.name.replace("_", " ").title(),
        "category": said.theme,
        "trading_style": source.choice(_STYLES),
        "version": "1.0.0",
    }
    if source.random() < 0.5:
        del metadata["category"]
    return {
        "metadata": metadata,
        **body,
        "risk_management": {"leverage": 1.0},
        "acceptance_criteria": dict(source.choice(_CRITERIA)),
    }


def _data(tickers: Sequence[str], period: tuple[date, date]) -> dict[str, Any]:
    return {
        "instruments": list(tickers),
        "resolution": "daily",
        "start_date": period[0].isoformat(),
        "end_date": period[1].isoformat(),
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
