"""Several requests at once with llama.cpp's own server, through xllamacpp. In the child only.

That server runs inside this process: it batches what its slots have to compute, and is asked for
completions of token numbers by a call, for the rest on a loopback port with a key that nobody else
knows. What it does not do: take a LoRA adapter that was not there when it started.
"""

from __future__ import annotations

import http.client
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qc_builder_lora.models.artefact import Artefact
from qc_builder_lora.models.engine import Engine, Event, Job
from qc_builder_lora.models.openai_wire import Usage, WireError

_BATCH = 512
_PREFIX_CACHE_MB = 32
"""Prompts of former requests that are kept beside the slots. The library's own limit is 8 GB."""
_WARNINGS = 2


class SlotsEngine(Engine):
    """See Engine. Each slot has a window of its own, so the memory for it is `slots` times that."""

    def __init__(
        self,
        artefact: Artefact,
        *,
        context: int,
        threads: int,
        adapters: Mapping[str, Path] | None = None,
        waiting: int = 64,
        slots: int = 8,
    ) -> None:
        super().__init__(
            artefact, context=context, threads=threads, adapters=adapters, waiting=waiting
        )
        self.slots = slots
        self._key = secrets.token_urlsafe(16)
        self._order = list(self.adapters)
        """The server knows adapters by their place in this list."""

    def _load(self) -> None:
        import xllamacpp

        self._server = xllamacpp.Server(self._parameters(xllamacpp))
        self._port = int(self._server.listening_address.rpartition(":")[2])
        self._first = self._post("/tokenize", {"content": "", "add_special": True})["tokens"]
        self._size = int(self._get("/v1/models")["data"][0]["meta"]["n_vocab"])

    def _parameters(self, library: Any) -> Any:
        chosen = library.CommonParams()
        chosen.model.path = str(self.artefact.path)
        chosen.n_ctx, chosen.n_parallel = self.window * self.slots, self.slots
        chosen.n_batch = chosen.n_ubatch = min(_BATCH, self.window)
        chosen.cpuparams.n_threads = chosen.cpuparams_batch.n_threads = self.threads
        # Threads that spin while they wait take the CPU from whoever else is there.
        chosen.cpuparams.poll = chosen.cpuparams_batch.poll = 0
        chosen.kv_unified = False
        # Without the whole window in memory a model with sliding attention reads every prompt
        # anew, however much of it is cached.
        chosen.swa_full = True
        chosen.cache_ram_mib = _PREFIX_CACHE_MB
        chosen.hostnames, chosen.port, chosen.api_keys = ["127.0.0.1"], 0, [self._key]
        chosen.n_threads_http = self.slots + 1
        chosen.verbosity, chosen.warmup, chosen.ui = _WARNINGS, False, False
        chosen.lora_adapters = [
            library.CommonAdapterLoraInfo(str(self.adapters[name]), 1.0) for name in self._order
        ]
        return chosen

    def tokenize(self, text: str) -> list[int]:
        """Token numbers of a text, control texts read as tokens, no BOS added."""
        asked = {"content": text, "add_special": False, "parse_special": True}
        tokens: list[int] = self._post("/tokenize", asked)["tokens"]
        return tokens

    def add_adapter(self, name: str, path: Path) -> None:
        """Always a WireError: this server takes adapters only when it starts."""
        raise WireError(
            400,
            "unsupported",
            f"xllamacpp cannot load {path.name} while it runs; start it with the adapter, or use "
            "llama-cpp-python.",
        )

    def remove_adapter(self, name: str) -> None:
        """Its memory stays taken until the process ends."""
        self.adapters.pop(name, None)

    def _bos(self) -> int:
        return self._first[0] if self._first else -1

    def _vocabulary(self) -> int:
        return self._size

    def _generate(self, job: Job) -> None:
        reply = _Reply(self, job)
        self._server.handle_completions(self._body(job), reply)
        if job.cancelled:
            return
        if reply.failure is not None:
            job.report(Event(error=reply.failure))
        elif reply.usage is None:
            raise RuntimeError("the answer ended without its usage")
        else:
            job.report(Event(finish_reason=reply.finish, usage=reply.usage))

    def _body(self, job: Job) -> dict[str, Any]:
        ask = job.ask
        # Every one is named: an adapter that a request is silent about would have a say in it.
        adapters = [
            {"id": number, "scale": float(name == job.adapter)}
            for number, name in enumerate(self._order)
        ]
        return {
            "prompt": job.tokens,
            "max_tokens": min(ask.max_tokens, self.window - len(job.tokens)),
            "stream": True,
            "stream_options": {"include_usage": True},
            # So that a client that goes away while a long prompt is read is noticed.
            "return_progress": True,
            "temperature": ask.temperature,
            "top_p": ask.top_p,
            "top_k": ask.top_k,
            "min_p": 0.0,
            "seed": ask.seed if ask.seed is not None else 0,
            "stop": list(job.stop),
            # Or they would be left out of the text, and never be seen as a stop.
            "preserved_tokens": list(job.stop),
            # With adapters a prefix that another adapter has computed could be taken for ours.
            "cache_prompt": ask.cache_prompt and not self._order,
            **({"lora": adapters} if adapters else {}),
        }

    def _get(self, path: str) -> Any:
        return self._call("GET", path, None)

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._call("POST", path, json.dumps(body))

    def _call(self, method: str, path: str, body: str | None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
            if response.status != 200:
                raise RuntimeError(f"{path}: {content[:200]!r}")
            return json.loads(content)
        finally:
            connection.close()


class _Reply:
    """Takes the events of one completion; True tells the server to stop."""

    def __init__(self, engine: SlotsEngine, job: Job) -> None:
        self._engine, self._job = engine, job
        self._counted = 0
        self.finish = "length"
        self.usage: Usage | None = None
        self.failure: WireError | None = None

    def __call__(self, event: dict[str, Any]) -> bool:
        if self._job.cancelled:
            return True
        if "error" in event or "choices" not in event:
            told = event.get("error", event)
            fact = f"llama.cpp failed: {told.get('message', told)}"
            self.failure = WireError(500, "engine_error", fact)
            return True
        for choice in event["choices"]:
            self.finish = choice.get("finish_reason") or self.finish
            if choice.get("text"):
                self._count(self._counted + 1)
                self._job.report(Event(text=choice["text"]))
        if event.get("usage"):
            used = event["usage"]
            self._count(used["completion_tokens"])
            details = used.get("prompt_tokens_details") or {}
            self.usage = Usage(
                prompt=used["prompt_tokens"],
                completion=used["completion_tokens"],
                cached=details.get("cached_tokens", 0),
            )
        return False

    def _count(self, written: int) -> None:
        self._engine._wrote(max(0, written - self._counted))
        self._counted = max(self._counted, written)
