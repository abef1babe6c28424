"""What a strategy must show at each gate: `harvest/gates.toml`, checked when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
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
THRESHOLDS: Mapping[str, tuple[str, ...]] = {
    "G0 provenance": ("writer_needed",),
    "G1 parse": ("ascii_only", "more_modules"),
    "G4 engine": ("run_cpu_s", "run_wall_s"),
    "G5 activity": ("minimum_filled_orders", "minimum_closed_trades"),
    "G6 uniqueness": ("identical_figures", "identical_codes"),
    "G7 sanity": (
        "maximum_sharpe", "minimum_drawdown", "drawdown_from_profit", "maximum_win_rate",
        "win_rate_from_trades", "win_rate_from_sharpe", "maximum_day",
    ),
    "G8 look-ahead": ("cut_share", "delay_from_sharpe", "delay_keeps"),
    "G9 fidelity": ("minimum_numbers_found",),
    "G10 statistics": (
        "performance_trades", "minimum_deflated_sharpe", "maximum_overfitting",
        "overfitting_blocks", "minimum_second_part",
    ),
}  # fmt: skip
"""Gate → the thresholds of the file that it holds against a strategy."""
_SHARES = ("minimum_numbers_found", "minimum_deflated_sharpe", "maximum_overfitting",
           "minimum_second_part", "cut_share", "delay_keeps")  # fmt: skip
_ABOVE_ZERO = ("run_cpu_s", "run_wall_s", "cut_share")
_MOST_BLOCKS = 20
"""Half of 20 blocks can be chosen in 184,756 ways; of 24 in 2.7 million, for every Build."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """`harvest/gates.toml`, where each is explained."""

    line: tuple[str, ...] = NAMES
    retry_s: int = 600
    writer_needed: bool = False
    ascii_only: bool = True
    more_modules: tuple[str, ...] = ()
    run_cpu_s: float = 60.0
    run_wall_s: float = 180.0
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
        self._check_line()
        for item in fields(self):
            if item.name != "line":
                _check_type(item.name, str(item.type), getattr(self, item.name))
        for name in _SHARES:
            if getattr(self, name) > 1:
                raise SettingsError(f"{name} is a share, at most 1, got {getattr(self, name)}.")
        for name in _ABOVE_ZERO:
            if not getattr(self, name):
                raise SettingsError(f"{name} must be above zero, got {getattr(self, name)}.")
        if not 2 <= self.overfitting_blocks <= _MOST_BLOCKS or self.overfitting_blocks % 2:
            raise SettingsError(
                "overfitting_blocks must be even and at least 2, at most "
                f"{_MOST_BLOCKS}, got {self.overfitting_blocks}."
            )

    def _check_line(self) -> None:
        for name in self.line:
            if name not in LADDER:
                close = get_close_matches(str(name), LADDER, n=1, cutoff=0.3)
                hint = f"; did you mean {close[0]!r}?" if close else ";"
                raise SettingsError(f"line names {name!r}{hint} known gates are "
                                    f"{', '.join(LADDER)}.")  # fmt: skip
        if not self.line:
            raise SettingsError("line is empty, so that everything would be harvested.")
        # The order of asking is the ladder's, whatever the order in the file.
        object.__setattr__(self, "line", tuple(name for name in LADDER if name in self.line))

    def of(self, gate: str) -> dict[str, Any]:
        """The thresholds that a gate holds against a strategy, as JSON values."""
        found = {name: getattr(self, name) for name in THRESHOLDS.get(gate, ())}
        return {name: list(one) if isinstance(one, tuple) else one for name, one in found.items()}

    def basis(self, engine: str, version: str, data: str | None, checker: str) -> str:
        """What answers rest on: another rule, engine, checker or market data makes another hash."""
        plain: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        # Neither changes an answer.
        del plain["retry_s"]
        for name in ("line", "more_modules"):
            plain[name] = list(plain[name])
        return json_hash({"rules": plain, "engine": [engine, version, data], "checker": checker})

    def ground(self, engine: str, version: str, data: str | None) -> str:
        """What a run of ours rests on: other thresholds do not change what it did."""
        limits = [self.run_cpu_s, self.run_wall_s]
        return json_hash({"engine": [engine, version, data], "limits": limits})


def _check_type(name: str, kind: str, value: Any) -> None:
    """`kind` is the type as it stands in the class: a TOML value is of it or refused."""
    if kind == "bool":
        if not isinstance(value, bool):
            raise SettingsError(f"{name} must be true or false, got {value!r}.")
        return
    if kind.startswith("tuple"):
        if not all(isinstance(one, str) for one in value):
            raise SettingsError(f"{name} must be a list of names, got {list(value)!r}.")
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SettingsError(f"{name} must be a number, got {value!r}.")
    if not value >= 0:
        raise SettingsError(f"{name} must not be negative, got {value}.")
    if kind == "int" and not float(value).is_integer():
        raise SettingsError(f"{name} must be a whole number, got {value}.")


def load_rules() -> Rules:
    """The user's thresholds, or the built-in ones. A mistake is told with the file it is in."""
    path, table = read_table()
    table.pop(SNAPSHOT, None)
    known = {item.name for item in fields(Rules)}
    for key in table:
        if key not in known:
            raise UnknownKey(path, key, known)
    for key in ("line", "more_modules"):
        if key in table:
            if not isinstance(table[key], list):
                raise SettingsError(f"{path}: {key} must be a list, got {table[key]!r}.")
            table[key] = tuple(table[key])
    try:
        return Rules(**table)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def read_table() -> tuple[Path, dict[str, Any]]:
    """`harvest/gates.toml` and where it is. Raises InputError for what is not TOML."""
    path = find_default("harvest/gates.toml")
    return path, read_toml(path)
