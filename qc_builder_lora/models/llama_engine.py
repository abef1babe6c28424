"""One llama.cpp context and the one thread that uses it, through llama-cpp-python.

llama.cpp's objects have no lock and answer one request at a time. Runs inside the child only. LoRA
adapters are applied to the context between two requests, so they can be changed while it runs.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from qc_builder_lora.models.engine import Engine, Event, Job
from qc_builder_lora.models.openai_wire import Usage, WireError
from qc_builder_lora.models.text_tail import TextTail

# Half of the default: the output buffer is this many rows of the whole vocabulary.
_BATCH = 256
# As in ggml.h; the table in llama-cpp-python's own logger is of an older order.
_GGML_WARN, _GGML_ERROR, _GGML_CONTINUED = 3, 4, 5


class LlamaEngine(Engine):
    """See Engine. The prompt cache is the context itself: what the last request left in it."""

    def _load(self) -> None:
        import llama_cpp

        keep_only_warnings(llama_cpp)
        self._llama: Any = llama_cpp.Llama(
            str(self.artefact.path),
            n_ctx=self.window,
            n_batch=min(_BATCH, self.window),
            n_ubatch=min(_BATCH, self.window),
            n_threads=self.threads,
            n_threads_batch=self.threads,
            # Without the whole window in memory a model with sliding attention reads every
            # prompt anew, however much of it is cached.
            swa_full=True,
            verbose=False,
        )
        self.window = self._llama.n_ctx()
        ends = [self.tokenize(text) for text in self.template.stop]
        self._stop_tokens = frozenset(tokens[0] for tokens in ends if len(tokens) == 1)
        self._allow_cancelling(llama_cpp)
        self._handles: dict[str, Any] = {}
        self._applied: str | None = None
        for name, path in list(self.adapters.items()):
            self._read_adapter(name, path)

    def _allow_cancelling(self, llama_cpp: Any) -> None:
        """Let a running decode see the flag of the current Job.

        llama.cpp asks a C function between any two operations. A Python function there would take
        the interpreter's lock a thousand times a token; `strlen` of the flag answers the same
        question (0 for the empty string) without it.
        """
        strlen = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p).value
        self._abort: Any = llama_cpp.ggml_abort_callback(strlen)
        self._llama_cpp: Any = llama_cpp

    def tokenize(self, text: str) -> list[int]:
        """Token numbers of a text, control texts read as tokens, no BOS added."""
        tokens: list[int] = self._llama.tokenize(
            text.encode("utf-8", "replace"), add_bos=False, special=True
        )
        return tokens

    def add_adapter(self, name: str, path: Path) -> None:
        """Load it between two requests; the names it had before go on meanwhile."""
        self._between(lambda: self._read_adapter(name, path))

    def remove_adapter(self, name: str) -> None:
        """Requests for it that wait already are still answered."""
        self._between(lambda: self._forget_adapter(name))

    def _between(self, change: Callable[[], None]) -> None:
        """Run it on the engine's thread, and raise here what it raises."""
        done, failures = threading.Event(), []

        def work() -> None:
            try:
                change()
            except WireError as error:
                failures.append(error)
            finally:
                done.set()

        # Waits its turn however full the queue is: a swap is not to fail because there is traffic.
        self._jobs.put(work)
        done.wait()
        if failures:
            raise failures[0]

    def _read_adapter(self, name: str, path: Path) -> None:
        if name in self._handles or name == self.artefact.id:
            # Another file under a name that was served before would mix two models' answers.
            raise WireError(400, "name_taken", f"{name} is served already; give it a new name.")
        found = None
        if path.is_file():
            found = self._llama_cpp.llama_adapter_lora_init(
                self._llama._model.model, str(path).encode()
            )
        if not found:
            fact = f"{path} is no LoRA adapter in GGUF for {self.artefact.path.name}."
            raise WireError(400, "invalid_adapter", fact)
        self._handles[name] = found
        self._renew_context()
        self.adapters[name] = path

    def _renew_context(self) -> None:
        # llama.h: all adapters must be loaded before the context is made. The weights stay.
        from llama_cpp import _internals

        llama = self._llama
        llama._ctx.close()
        llama._ctx = _internals.LlamaContext(
            model=llama._model, params=llama.context_params, verbose=False
        )
        llama.reset()
        self._applied = None

    def _forget_adapter(self, name: str) -> None:
        self.adapters.pop(name, None)
        handle = self._handles.pop(name, None)
        if handle is None:
            return
        if self._applied == name:
            self._apply(None)
        self._llama_cpp.llama_adapter_lora_free(handle)

    def _apply(self, name: str | None) -> None:
        """Let this adapter, or none, decide from now on; what was computed before is forgotten."""
        if name == self._applied:
            return
        if name is not None and name not in self._handles:
            raise RuntimeError(f"the adapter {name} was taken away")
        chosen = [self._handles[name]] if name is not None else []
        handles = (self._llama_cpp.llama_adapter_lora_p_ctypes * len(chosen))(*chosen)
        scales = (ctypes.c_float * len(chosen))(*(1.0 for _ in chosen))
        if self._llama_cpp.llama_set_adapters_lora(self._llama.ctx, handles, len(chosen), scales):
            raise RuntimeError(f"llama.cpp does not take the adapter {name}")
        self._llama.reset()
        self._applied = name

    def _recover(self) -> None:
        self._llama.reset()

    def _bos(self) -> int:
        return int(self._llama.token_bos())

    def _vocabulary(self) -> int:
        return int(self._llama.n_vocab())

    def _generate(self, job: Job) -> None:
        self._apply(job.adapter)
        if not job.ask.cache_prompt:
            self._llama.reset()
        cached = self._cached(job.tokens)
        # The flag must outlive every decode that may look at it: the Job is held until the end.
        self._llama_cpp.llama_set_abort_callback(
            self._llama.ctx, self._abort, ctypes.addressof(job.flag)
        )
        limit = min(job.ask.max_tokens, self.window - len(job.tokens))
        written, finish = 0, "length"
        text = TextTail(job.stop)
        for token in self._sample(job):
            if job.cancelled:
                return
            written += 1
            self._wrote(1)
            if self._ends(token):
                finish = "stop"
                break
            piece = text.push(self._piece(token))
            if piece:
                job.report(Event(text=piece))
            if text.stopped:
                finish = "stop"
                break
            if written >= limit:
                break
        rest = text.rest()
        if rest:
            job.report(Event(text=rest))
        usage = Usage(prompt=len(job.tokens), completion=written, cached=cached)
        job.report(Event(finish_reason=finish, usage=usage))

    def _sample(self, job: Job) -> Iterator[int]:
        ask = job.ask
        self._llama.set_seed(ask.seed if ask.seed is not None else 0)
        tokens: Iterator[int] = self._llama.generate(
            job.tokens,
            temp=ask.temperature,
            top_p=ask.top_p,
            top_k=ask.top_k,
            min_p=0.0,
            repeat_penalty=1.0,
        )
        return tokens

    def _cached(self, tokens: Sequence[int]) -> int:
        """Tokens of the prompt that need not be read again; the last one always is."""
        known = self._llama.input_ids[: self._llama.n_tokens].tolist()
        same = 0
        for have, want in zip(known, tokens, strict=False):
            if have != want:
                break
            same += 1
        return min(same, len(tokens) - 1)

    def _ends(self, token: int) -> bool:
        # A base model does not count `<end_of_turn>` among its end tokens; the template does.
        vocabulary = self._llama._model.vocab
        return token in self._stop_tokens or bool(
            self._llama_cpp.llama_vocab_is_eog(vocabulary, token)
        )

    def _piece(self, token: int, size: int = 64) -> bytes:
        # Not the library's detokenize: it cuts a token of more than 32 bytes to a wrong text.
        buffer = ctypes.create_string_buffer(size)
        vocabulary = self._llama._model.vocab
        length = self._llama_cpp.llama_token_to_piece(vocabulary, token, buffer, size, 0, False)
        return self._piece(token, -length) if length < 0 else buffer.raw[:length]


def keep_only_warnings(llama_cpp: Any) -> None:
    """Send llama.cpp's warnings and errors to standard error, and nothing else.

    The copy of the descriptor is made here because the library closes the real one while it loads
    a model, which is just when the reason of a failure is written.
    """
    out = os.dup(2)
    kept = False

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
    def log(level: int, text: bytes, _: object) -> None:
        nonlocal kept
        if level != _GGML_CONTINUED:
            kept = level in (_GGML_WARN, _GGML_ERROR)
        if kept:
            os.write(out, text)

    llama_cpp.llama_log_set(log, ctypes.c_void_p(0))
    _KEPT.append(log)


# C holds only the address: a callback that Python collects would be called into freed memory.
_KEPT: list[object] = []
