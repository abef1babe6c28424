"""`eval/rollback.toml`: when a model is taken back by itself."""

from __future__ import annotations

from dataclasses import dataclass

from qc_builder_lora.errors import SettingsError
from qc_builder_lora.files import read_rule

FIGURES = 3
"""Errors, slow answers, answers that do not pass: alpha is shared by them."""


@dataclass(frozen=True, kw_only=True)
class RollbackRule:
    """What the file says; each field stands there with its meaning."""

    enabled: bool = True
    alpha: float = 0.01
    minimum: int = 20
    watch: int = 500
    holdback: float = 0.5
    error_margin: float = 0.05
    slow_factor: float = 2.0
    slow_margin: float = 0.2
    pass_margin: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise SettingsError(f"alpha must be in (0, 1), got {self.alpha}.")
        for name in ("minimum", "watch"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, got {getattr(self, name)}.")
        for name in ("error_margin", "slow_margin", "pass_margin"):
            if not 0 <= getattr(self, name) < 1:
                raise SettingsError(f"{name} must be in [0, 1), got {getattr(self, name)}.")
        if not 0 <= self.holdback < 1:
            raise SettingsError(f"holdback must be in [0, 1), got {self.holdback}.")
        if self.slow_factor < 1:
            raise SettingsError(f"slow_factor must be at least 1, got {self.slow_factor}.")


def load_rollback_rule() -> RollbackRule:
    """The user's rule, or the built-in one."""
    return read_rule(RollbackRule, "eval/rollback.toml")
