"""The offline backtest engine."""

from __future__ import annotations

from qc_builder_lora.backtest.simulator.simulator import Simulator

__all__ = ["Simulator"]
