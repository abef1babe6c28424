"""Writers as the settings want them, and the store for one who answers: made, not started yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qc_builder_lora.config import Settings
from qc_builder_lora.models.adapter_host import AdapterHost
from qc_builder_lora.models.artefact import describe
from qc_builder_lora.models.batch import ONE, Batch
from qc_builder_lora.models.http_exchange import HttpExchange
from qc_builder_lora.models.ledger import BUSY_S
from qc_builder_lora.models.local import LocalWriter
from qc_builder_lora.models.local_server import LocalServer
from qc_builder_lora.models.rotating import RotatingKey
from qc_builder_lora.models.writer import Writer

if TYPE_CHECKING:
    from qc_builder_lora.store import Store


def own_writer(
    settings: Settings,
    path: Path,
    model_id: str | None,
    *,
    niceness: int = 0,
    batch: Batch = ONE,
) -> LocalWriter:
    """A Writer with a llama.cpp child of ours, not started yet."""
    server = LocalServer(
        describe(path, model_id),
        context=settings.local_context,
        threads=settings.local_threads,
        memory_mb=settings.local_memory_mb,
        niceness=niceness,
        engine=batch.engine,
        slots=batch.slots,
    )
    return LocalWriter(server=server)


def adapter_host(settings: Settings) -> AdapterHost | None:
    """Where Models are served as adapters of one base, if the settings say so."""
    if settings.local_base is None:
        return None
    return AdapterHost(
        settings.local_base,
        context=settings.local_context,
        threads=settings.local_threads,
        memory_mb=settings.local_memory_mb,
    )


def open_store(settings: Settings) -> Store:
    """The store, made if need be, for one who will not wait long for it."""
    from qc_builder_lora.store import Store

    return Store.open(settings.database_url, busy_s=BUSY_S)


def hosted_writer(settings: Settings, name: str) -> Writer | None:
    """The Writer of a hosted provider, None where no key of it is set."""
    key: str | None = getattr(settings, f"{name}_key")
    if not key:
        return None
    make: Callable[..., HttpExchange] = _hosted_class(name)
    writer = make(key, getattr(settings, f"{name}_model"), url=getattr(settings, f"{name}_url"))
    file: Path | None = getattr(settings, f"{name}_key_file")
    writer.rotating = RotatingKey(key, file) if file else None
    return writer


def _hosted_class(name: str) -> Any:
    if name == "anthropic":
        from qc_builder_lora.models.anthropic import AnthropicWriter

        return AnthropicWriter
    if name == "openai":
        from qc_builder_lora.models.openai import OpenAIWriter

        return OpenAIWriter
    from qc_builder_lora.models.gemini import GeminiWriter

    return GeminiWriter
