"""What a strategy must show at each gate: `harvest/gates.toml`, checked when it is read."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import SettingsError, UnknownKey
from qc_builder_lora.files import find_default, read_toml
from qc_builder_lora.ids import json_hash

LADDER = (
    "G0 provenance",
    "G1 parse",
    "G2 static",
    "G3 substance",
    "G4 engine",
    "G5 activity",
    "G6 uniqueness",
    "G7 sanity",
    "G8 look-ahead",
    "G9 fidelity",
    "G10 statistics",
)
"""All gates, in the order in which they are asked."""
NAMES = LADDER[:-1]
"""The built-in line: what must be passed to teach. G10 is a label, never a condition."""
SNAPSHOT = "snapshot"
"""The table of the file that `harvest/snapshot.py` reads."""
_SHARES = ("minimum_numbers_found", "minimum_deflated_sharpe", "maximum_overfitting",
           "minimum_second_part", "cut_share", "delay_keeps")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Rules:
    """`harvest/gates.toml`, where each is explained."""

    line: tuple[str, ...] = NAMES
    retry_s: int = 600
    minimum_filled_orders: int = 2
    minimum_closed_trades: int = 1
    identical_figures: int = 1
    identical_codes: int = 3
    maximum_sharpe: float = 3.0
    minimum_drawdown: float = 1.0
    drawdown_from_profit: float = 20.0
    maximum_win_rate: float = 80.0
    win_rate_from_trades: int = 20
    win_rate_from_sharpe: float = 1.5
    maximum_day: float = 100.0
    cut_share: float = 0.6
    delay_from_sharpe: float = 2.0
    delay_keeps: float = 0.25
    minimum_numbers_found: float = 0.5
    performance_trades: int = 100
    minimum_deflated_sharpe: float = 0.95
    maximum_overfitting: float = 0.5
    minimum_second_part: float = 0.7
    overfitting_blocks: int = 16

    def __post_init__(self) -> None:
        for name in self.line:
            if name not in LADDER:
                raise SettingsError(f"line names {name!r}; known gates are {', '.join(LADDER)}.")
        if not self.line:
            raise SettingsError("line is empty, so that everything would be harvested.")
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name != "line" and (
                isinstance(value, bool) or not isinstance(value, int | float)
            ):
                raise SettingsError(f"{item.name} must be a number, got {value!r}.")
            if item.name != "line" and not value >= 0:
                raise SettingsError(f"{item.name} must not be negative, got {value}.")
        for name in _SHARES:
            if getattr(self, name) > 1:
                raise SettingsError(f"{name} is a share, at most 1, got {getattr(self, name)}.")
        if self.overfitting_blocks < 2 or self.overfitting_blocks % 2:
            raise SettingsError(
                f"overfitting_blocks must be even and at least 2, got {self.overfitting_blocks}."
            )

    def basis(self, engine: str, version: str, data: str | None, checker: str) -> str:
        """What answers rest on: another rule, engine, checker or market data makes another hash."""
        plain: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        # Neither changes an answer.
        del plain["retry_s"]
        plain["line"] = list(self.line)
        return json_hash({"rules": plain, "engine": [engine, version, data], "checker": checker})


def load_rules() -> Rules:
    """The user's thresholds, or the built-in ones."""
    path, table = read_table()
    table.pop(SNAPSHOT, None)
    known = {item.name for item in fields(Rules)}
    for key in table:
        if key not in known:
            raise UnknownKey(path, key, known)
    if "line" in table:
        table["line"] = tuple(table["line"])
    return Rules(**table)


def read_table() -> tuple[Path, dict[str, Any]]:
    """`harvest/gates.toml` and where it is. Raises InputError for what is not TOML."""
    path = find_default("harvest/gates.toml")
    return path, read_toml(path)
