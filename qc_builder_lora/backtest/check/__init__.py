"""Cheap checks of strategy code before anything runs: parse, rules, compile, identity."""

from __future__ import annotations

from qc_builder_lora.backtest.check.compiling import check_version, compiles
from qc_builder_lora.backtest.check.lint import lints, rules_version, substance
from qc_builder_lora.backtest.check.parsing import parses, strategy_hash
from qc_builder_lora.backtest.check.result import CheckResult

__all__ = [
    "CheckResult",
    "check_version",
    "compiles",
    "lints",
    "parses",
    "rules_version",
    "strategy_hash",
    "substance",
]
