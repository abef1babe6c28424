"""A builder's own `generate_strategy`, answered by the chain: one provider for the process."""

from __future__ import annotations

import atexit
import threading

from qc_builder_lora.models.provider import StrategyProvider

_default_lock = threading.Lock()
_default: StrategyProvider | None = None


def generate_strategy(prompt: str) -> str:
    """The code of one strategy: a drop-in for a builder's own function of that name.

    The provider is made at the first call and kept until the process ends.
    """
    global _default  # noqa: PLW0603 - kept between calls, so that the model is loaded once
    with _default_lock:
        if _default is None:
            _default = StrategyProvider()
            atexit.register(_default.close)
        provider = _default
    return provider.generate(prompt).code
