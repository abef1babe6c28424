"""QuantConnect Cloud as a backtest engine, over its REST API v2."""

from __future__ import annotations

from qc_builder_lora.backtest.quantconnect.engine import QuantConnect

__all__ = ["QuantConnect"]
