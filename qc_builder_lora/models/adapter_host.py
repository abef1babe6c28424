"""One llama.cpp child with a base model, and our Models served on it as LoRA adapters.

The alternative to a child a Model (`local_base` in the settings): champion, canary and the one
before share the base's weights, and a change of who answers loads some megabytes and no model.
What is served is the base with the adapter unmerged, not the merged file that was evaluated: the
same weights but for the merged file's own rounding.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import CorruptFile, InputError, NotFound
from qc_builder_lora.ids import file_hash
from qc_builder_lora.models.artefact import BASE, Artefact, describe, read_manifest
from qc_builder_lora.models.local_server import LocalServer

ADAPTER_FILE = "adapter-lora.gguf"
"""What a release leaves beside the merged file."""


class AdapterHost:
    """The child, and who uses it; it ends with the last one."""

    def __init__(
        self, base: Path, *, context: int = 4096, threads: int = 0, memory_mb: int = 0
    ) -> None:
        self._base = base
        self._options: dict[str, Any] = {
            "context": context,
            "threads": threads,
            "memory_mb": memory_mb,
        }
        self._lock = threading.RLock()
        self._server: LocalServer | None = None
        self._sha256 = ""
        self._leases: set[Lease] = set()

    def lease(self, path: Path, model_id: str) -> Lease:
        """A Model on this base, to be used like a child of its own; nothing is started yet.

        `path` is its merged file, beside which its adapter lies. Raises NotFound, CorruptFile or
        InputError where the adapter is missing, another's, or of another base.
        """
        artefact, adapter = describe(path, model_id), path.parent / ADAPTER_FILE
        with self._lock:
            self._check(artefact, adapter)
            if self._server is None or not self._leases:
                served = describe(self._base, BASE + self._base.stem, artefact.template)
                # Another's template would ask the models in words they were not trained on.
                served = replace(served, template=artefact.template)
                self._server = LocalServer(served, **self._options)
            elif self._server.artefact.template != artefact.template:
                raise InputError(
                    f"{model_id} wants the template {artefact.template!r}, the base is served with "
                    f"{self._server.artefact.template!r}. Unset local_base, or serve one of them."
                )
            lease = Lease(self, self._server, artefact, adapter)
            self._leases.add(lease)
            return lease

    def release(self, lease: Lease) -> None:
        """Take the adapter out; with the last one the child ends."""
        with self._lock:
            if lease not in self._leases:
                return
            self._leases.discard(lease)
            if not self._leases:
                lease.server.stop()
            elif lease.added:
                lease.server.remove_adapter(lease.artefact.id)

    def _check(self, artefact: Artefact, adapter: Path) -> None:
        manifest = read_manifest(artefact.path)
        if not adapter.is_file():
            raise NotFound("adapter", str(adapter), "Release the model again, or unset local_base.")
        wanted = (manifest.get("adapter") or {}).get("gguf_sha256")
        if wanted != file_hash(adapter):
            fact = f"is not the adapter {artefact.id} was released with"
            raise CorruptFile(adapter, fact, "Release the model again, or unset local_base.")
        self._sha256 = self._sha256 or file_hash(self._base)
        trained = (manifest.get("base") or {}).get("sha256")
        if trained != self._sha256:
            raise InputError(
                f"{artefact.id} is an adapter of another base than {self._base} (SHA-256 "
                f"{trained}, not {self._sha256}). Set local_base to its base, or unset it."
            )


class Lease:
    """One Model's use of the host's child; see `local_server.Child`."""

    def __init__(
        self, host: AdapterHost, server: LocalServer, artefact: Artefact, adapter: Path
    ) -> None:
        self.artefact, self.server = artefact, server
        self._host, self._adapter = host, adapter
        self._lock = threading.Lock()
        self.added = False
        """Whether the child knows the adapter, or will when it starts."""

    @property
    def key(self) -> str:
        """The child's key."""
        return self.server.key

    @property
    def url(self) -> str:
        """Where the child answers, to be asked for after `ensure`."""
        return self.server.url

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        return self.server.pid

    @property
    def loading(self) -> bool:
        """Whether a child runs that cannot answer yet."""
        return self.server.loading

    @property
    def ready(self) -> bool:
        """Whether `ensure` would return at once; never waits."""
        return self.added and self.server.ready

    def ensure(self, timeout_s: float = 180.0) -> None:
        """Return once this Model answers; raises as LocalServer.ensure."""
        with self._lock:
            if not self.added:
                if self.server.pid is not None:
                    self.server.ensure(timeout_s)
                self.server.add_adapter(self.artefact.id, self._adapter, timeout_s)
                self.added = True
        self.server.ensure(timeout_s)

    def healthy(self) -> bool:
        """Whether the child says that it can answer, and has this adapter."""
        return self.added and self.server.healthy()

    def stop(self) -> None:
        """Use it no longer."""
        self._host.release(self)
