"""structlog over the standard library's logging: quiet by default, one line an event.

A library must not decide where a host's output goes. Without `configure` an event goes to the
logger of its module, where the host's own settings apply; Python's default shows warnings on
standard error and nothing on standard output.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

_format = "console"


def get_logger(name: str) -> BoundLogger:
    """A logger whose calls take an event and keys: `log.warning("breaker opened", provider=…)`."""
    import structlog

    bound: BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _line,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        context_class=dict,
    )
    return bound


def configure(log_format: str = "console", level: int = logging.INFO) -> None:
    """Show our events on standard error, as `console` lines or as `json`, one object a line."""
    global _format  # noqa: PLW0603 - one process, one standard error
    _format = log_format
    logger = logging.getLogger("qc_builder_lora")
    logger.setLevel(level)
    logger.propagate = False
    logger.handlers[:] = [logging.StreamHandler(sys.stderr)]


def _shown(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    if _format == "json":
        return json.dumps(event, default=str, ensure_ascii=False)
    moment, level = event.pop("timestamp"), event.pop("level")
    text, trace = event.pop("event"), event.pop("exception", None)
    keys = "".join(f" {key}={value!s}" for key, value in event.items())
    return f"{moment[:19]} {level:<7} {text}{keys}" + (f"\n{trace}" if trace else "")


def _line(logger: Any, name: str, event: MutableMapping[str, Any]) -> str:
    # An answer of a provider may repeat the key that it refuses.
    from qc_builder_lora.redact import for_a_message

    return for_a_message(_shown(logger, name, event))
