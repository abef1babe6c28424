"""Runs kept from an earlier look: other thresholds are held against them without running again.

Of a run its Backtest is kept, and in the evidence of G4 what the gates need of its orders. What
the orders themselves would be needed for (the cut of G8, where it was not asked before) is run
again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.harvest.ladder import Answer, Run, failed, passed
from qc_builder_lora.harvest.rules import Rules
from qc_builder_lora.records import Backtest, Gate, Outcome
from qc_builder_lora.store import Store

_G4, _G8 = "G4 engine", "G8 look-ahead"


def kept_run(store: Store, before: Mapping[str, Gate], ground: str) -> tuple[Run, str] | None:
    """The run that the last answer of G4 rests on and its Backtest, where it was a clear answer on
    the same ground."""
    gate = before.get(_G4)
    if gate is None or gate.backtest_id is None or gate.outcome is Outcome.UNKNOWN:
        return None
    told = gate.evidence
    if told.get("ground") != ground or "filled_orders" not in told:
        return None
    if not store.backtests.has(gate.backtest_id):
        return None
    result = _result(store.backtests.get(gate.backtest_id))
    return (
        Run(result, told["filled_orders"], told.get("behaviour"), bool(told.get("moved_money"))),
        gate.backtest_id,
    )


def _result(kept: Backtest) -> BacktestResult:
    return BacktestResult(
        status=kept.status,
        engine=kept.engine,
        engine_version=kept.engine_version,
        data_fingerprint=kept.data_fingerprint,
        code_sha256=kept.code_sha256,
        phase=kept.phase or "load",
        reason=kept.reason,
        statistics=kept.statistics,
        total_orders=kept.total_orders,
        closed_trades=kept.closed_trades,
        equity=kept.equity,
    )


def kept_cut(before: Mapping[str, Gate], backtest_id: str, rules: Rules) -> Answer | None:
    """What the shorter run said, where it was one of the same run with the same cut."""
    told = _told(before, backtest_id)
    if told is None or told.get("thresholds", {}).get("cut_share") != rules.cut_share:
        return None
    evidence = {key: told[key] for key in ("cut", "orders", "differs_at", "whole", "shorter")
                if key in told}  # fmt: skip
    if "differs_at" in told and not told.get("final"):
        return failed("its orders depend on what comes later", **evidence)
    # The second question is asked only where the first was passed.
    return passed(**evidence) if "delay" in told else None


def kept_delay(before: Mapping[str, Gate], backtest_id: str | None) -> float | None:
    """The Sharpe ratio of the delayed run, where there was one of the same run."""
    told = _told(before, backtest_id)
    delay = None if told is None else told.get("delay")
    return delay.get("delayed_sharpe") if isinstance(delay, Mapping) else None


def _told(before: Mapping[str, Gate], backtest_id: str | None) -> Mapping[str, Any] | None:
    gate = before.get(_G8)
    if gate is None or backtest_id is None or gate.backtest_id != backtest_id:
        return None
    return gate.evidence
