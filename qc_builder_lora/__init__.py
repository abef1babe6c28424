"""qc_builder_lora: turns an autonomous QuantConnect builder's own work into a cheaper local model.

Importing this loads none of the heavy libraries; each name below is fetched when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["StrategyProvider", "__version__", "generate_strategy", "install"]

if TYPE_CHECKING:
    from qc_builder_lora.models.drop_in import generate_strategy
    from qc_builder_lora.models.provider import StrategyProvider
    from qc_builder_lora.plugin import install

_HOMES = {
    "install": "qc_builder_lora.plugin",
    "StrategyProvider": "qc_builder_lora.models.provider",
    "generate_strategy": "qc_builder_lora.models.drop_in",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
