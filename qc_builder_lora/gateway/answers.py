"""From the chain, which blocks, to the event loop, which must not; and its errors as HTTP ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Executor

from qc_builder_lora.errors import BudgetExhausted, NoProvider, ProviderError, QcLoraError
from qc_builder_lora.models.cancel import Cancel, cancellable
from qc_builder_lora.models.faults import Kind
from qc_builder_lora.models.openai_wire import WireError
from qc_builder_lora.models.writer import Chunk

_COME_BACK_S = 5.0
_WAITING = (Kind.OVERLOADED, Kind.RATE_LIMIT)


async def chunks_of(
    work: Callable[[], Iterator[Chunk]], pool: Executor, cancel: Cancel
) -> AsyncGenerator[Chunk, None]:
    """The chunks of a blocking iterator, which runs in a thread until it ends or is cancelled."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[Chunk | Exception | None] = asyncio.Queue()

    def put(item: Chunk | Exception | None) -> None:
        loop.call_soon_threadsafe(arrived.put_nowait, item)

    def pump() -> None:
        try:
            with cancellable(cancel):
                for chunk in work():
                    put(chunk)
            put(None)
        except Exception as error:  # noqa: BLE001 - raised again on the other side
            put(error)

    pool.submit(pump)
    try:
        while (item := await arrived.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        cancel.cancel()


def wire_error(error: QcLoraError) -> WireError:
    """What a client is told. Only what may pass by itself gets a status that clients retry."""
    if isinstance(error, BudgetExhausted):
        return WireError(402, "budget_exhausted", str(error))
    if isinstance(error, NoProvider):
        return _nobody(error)
    if isinstance(error, ProviderError):
        status = 499 if error.kind == Kind.CANCELLED else 502
        return WireError(status, str(error.kind), str(error))
    return WireError(500, "internal_error", str(error))


def _nobody(error: NoProvider) -> WireError:
    kinds = {failure.kind for failure in error.failures}
    if Kind.CONTEXT_OVERFLOW in kinds and kinds <= {Kind.CONTEXT_OVERFLOW, Kind.REFUSED}:
        return WireError(400, "context_length_exceeded", str(error))
    if kinds & set(_WAITING):
        asked = [failure.retry_after_s for failure in error.failures if failure.retry_after_s]
        return WireError(503, "overloaded", str(error), min(asked, default=_COME_BACK_S))
    if kinds == {Kind.TIMEOUT}:
        return WireError(504, "timeout", str(error))
    return WireError(502, "no_provider", str(error))
