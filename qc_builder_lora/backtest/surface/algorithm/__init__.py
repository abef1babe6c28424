"""QCAlgorithm, in parts: settings, trading, indicators, history."""

from __future__ import annotations

from .core import QCAlgorithm

__all__ = ["QCAlgorithm"]
