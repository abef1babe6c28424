"""What an engine that takes the code as it stands cannot be asked for, found before it is asked."""

from __future__ import annotations

from qc_builder_lora.backtest.protocol import BacktestSettings
from qc_builder_lora.records import BacktestStatus


def unfit_as_written(
    engine: str, code: str, settings: BacktestSettings
) -> tuple[BacktestStatus, str] | None:
    """Status and reason of an order that LEAN outside of our process cannot carry out."""
    for name in ("start", "end", "cash"):
        if getattr(settings, name) is not None:
            return BacktestStatus.UNKNOWN, (
                f"{name} cannot be set from outside on {engine}: dates and cash are the code's "
                "own. Write them in initialize(), or read them there with get_parameter."
            )
    if settings.files:
        names = ", ".join(f"{name}.py" for name in sorted(settings.files))
        return BacktestStatus.UNKNOWN, (
            f"the strategy imports {names} beside it; {engine} is given one file. Put all of it "
            "into that file."
        )
    try:
        code.encode("utf-8")
    except UnicodeEncodeError as error:
        return BacktestStatus.FAILED, f"the source is not UTF-8 text: {error}"
    return None
