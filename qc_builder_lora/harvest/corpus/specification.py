"""A draw as the YAML specification that a builder is given: the same strategy, laid out by keys.

The rule itself is one of the family's sentences. Layouts differ as those of builders do: in what
stands first, in the name of the rule's key, and in the acceptance criteria, which are about the
report and change nothing of the code.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

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
    body: dict[str, Any] = {
        "capital": {"allocation_usd": cash},
        "data": _data(parameters["tickers"], period),
        "signals": {source.choice(_RULE_KEYS): rule},
    }
    if numbers:
        body["parameters"] = numbers
    if source.random() < 0.5:
        body = dict(sorted(body.items(), key=lambda item: item[0] != "signals"))
    metadata = {
        "name": name.replace("_", " ").title(),
        "category": theme,
        "trading_style": source.choice(_STYLES),
        "version": "1.0.0",
    }
    if source.random() < 0.5:
        del metadata["category"]
    table = {
        "metadata": metadata,
        **body,
        "risk_management": {"leverage": 1.0},
        "acceptance_criteria": dict(source.choice(_CRITERIA)),
    }
    text = yaml.safe_dump(table, sort_keys=False, width=90, allow_unicode=True).strip()
    return source.choice(_HEADS).format(name=name) + text


def _data(tickers: Sequence[str], period: tuple[date, date]) -> dict[str, Any]:
    return {
        "instruments": list(tickers),
        "resolution": "daily",
        "start_date": period[0].isoformat(),
        "end_date": period[1].isoformat(),
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
