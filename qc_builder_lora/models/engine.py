"""One llama.cpp model and the one thread that uses it. Runs inside the child process only.

llama.cpp's objects have no lock and answer one request at a time, so requests wait in a bounded
queue: what does not fit is refused at once and not kept until its client is gone.
"""

from __future__ import annotations

import codecs
import ctypes
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from qc_builder_lora.models.artefact import Artefact
from qc_builder_lora.models.openai_wire import Ask, Usage, WireError, context_overflow
from qc_builder_lora.template import get_template

# Half of the default: the output buffer is this many rows of the whole vocabulary.
_BATCH = 256
# As in ggml.h; the table in llama-cpp-python's own logger is of an older order.
_GGML_WARN, _GGML_ERROR, _GGML_CONTINUED = 3, 4, 5


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to a Job: text, its end, or its failure."""

    text: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    error: WireError | None = None


@dataclass(eq=False)
class Job:
    """One request on its way through the engine."""

    ask: Ask
    tokens: list[int]
    stop: tuple[str, ...]
    report: Callable[[Event], None]
    # Two bytes that C reads as a string: empty means go on. See Engine._allow_cancelling.
    _flag: ctypes.Array[ctypes.c_char] = field(
        default_factory=lambda: ctypes.create_string_buffer(2)
    )

    def cancel(self) -> None:
        """Stop at the next token, or in the middle of reading the prompt."""
        self._flag[0] = b"\1"

    @property
    def cancelled(self) -> bool:
        """Whether its client is gone."""
        return self._flag[0] != b"\0"


class Engine:
    """Loads the model in a thread of its own, then answers one Job after another."""

    def __init__(
        self, artefact: Artefact, *, context: int, threads: int, waiting: int = 16
    ) -> None:
        self.artefact = artefact
        self.template = get_template(artefact.template)
        self.window = context
        self.threads = threads
        self.ready = False
        self.tokens_written = 0
        self._jobs: queue.Queue[Job] = queue.Queue(maxsize=waiting)
        self._llama: Any = None
        self._stop_tokens: frozenset[int] = frozenset()
        self._cancel_word = ctypes.c_void_p()
        self._abort: Any = None

    def start(self, failed: Callable[[BaseException], None]) -> None:
        """Load and serve in the background; `failed` is called if the model cannot be loaded."""

        def work() -> None:
            try:
                self._load()
            except BaseException as error:  # noqa: BLE001 - the process ends with it, in `failed`
                failed(error)
                return
            self.ready = True
            while True:
                self._answer(self._jobs.get())

        threading.Thread(target=work, name="llama", daemon=True).start()

    def _load(self) -> None:
        import llama_cpp

        keep_only_warnings(llama_cpp)
        self._llama = llama_cpp.Llama(
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

    def _allow_cancelling(self, llama_cpp: Any) -> None:
        """Let a running decode see the flag of the current Job.

        llama.cpp asks a C function between any two operations. A Python function there would take
        the interpreter's lock a thousand times a token; `strlen` of the flag answers the same
        question (0 for the empty string) without it.
        """
        strlen = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p).value
        self._abort = llama_cpp.ggml_abort_callback(strlen)
        self._llama_cpp = llama_cpp

    def tokenize(self, text: str) -> list[int]:
        """Token numbers of a text, control texts read as tokens, no BOS added."""
        tokens: list[int] = self._llama.tokenize(
            text.encode("utf-8", "replace"), add_bos=False, special=True
        )
        return tokens

    def prompt_tokens(self, ask: Ask) -> list[int]:
        """The tokens of a request's prompt with BOS exactly once; WireError if they do not fit."""
        if isinstance(ask.prompt, tuple):
            tokens = list(ask.prompt)
        elif isinstance(ask.prompt, str):
            tokens = self.tokenize(ask.prompt)
        else:
            tokens = self.tokenize(self.template.render_messages(ask.messages))
        bos = self._llama.token_bos()
        if self.template.bos and bos >= 0 and tokens[:1] != [bos]:
            tokens.insert(0, bos)
        if len(tokens) >= self.window:
            raise context_overflow(len(tokens), self.window)
        vocabulary = self._llama.n_vocab()
        if not all(0 <= token < vocabulary for token in tokens):
            raise WireError(400, "invalid_value", f"Token numbers go from 0 to {vocabulary - 1}.")
        return tokens

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return self._jobs.qsize()

    def submit(self, ask: Ask, report: Callable[[Event], None]) -> Job:
        """Queue a request; its events go to `report`, from the engine's thread."""
        stop = ask.stop + (self.template.stop if ask.chat else ())
        job = Job(ask, self.prompt_tokens(ask), stop, report)
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            raise WireError(
                503, "overloaded", f"{self._jobs.maxsize} requests are waiting already.", 5.0
            ) from None
        return job

    def _answer(self, job: Job) -> None:
        if job.cancelled:
            return
        try:
            self._generate(job)
        except Exception as error:  # noqa: BLE001 - reported to the client; the thread lives on
            self._llama.reset()
            if not job.cancelled:
                fact = f"llama.cpp failed: {error}"
                job.report(Event(error=WireError(500, "engine_error", fact)))

    def _generate(self, job: Job) -> None:
        if not job.ask.cache_prompt:
            self._llama.reset()
        cached = self._cached(job.tokens)
        # The flag must outlive every decode that may look at it: the Job is held until the end.
        self._llama_cpp.llama_set_abort_callback(
            self._llama.ctx, self._abort, ctypes.addressof(job._flag)
        )
        limit = min(job.ask.max_tokens, self.window - len(job.tokens))
        written, finish = 0, "length"
        text = TextTail(job.stop)
        for token in self._sample(job):
            if job.cancelled:
                return
            written += 1
            self.tokens_written += 1
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


class TextTail:
    """Turns tokens' bytes into text that can be sent: no half letter, no part of a stop text."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(stop)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.stopped = False

    def push(self, piece: bytes) -> str:
        """What can be sent now; after a stop text, nothing more ever."""
        if self.stopped:
            return ""
        self._held += self._decoder.decode(piece)
        found = [at for at in (self._held.find(text) for text in self._stop) if at >= 0]
        if found:
            self.stopped = True
            sent, self._held = self._held[: min(found)], ""
            return sent
        keep = self._might_become_stop()
        cut = len(self._held) - keep
        sent, self._held = self._held[:cut], self._held[cut:]
        return sent

    def rest(self) -> str:
        """What was held back, once the answer is over."""
        return "" if self.stopped else self._held + self._decoder.decode(b"", final=True)

    def _might_become_stop(self) -> int:
        longest = max((len(text) for text in self._stop), default=1) - 1
        for size in range(min(longest, len(self._held)), 0, -1):
            if any(text.startswith(self._held[-size:]) for text in self._stop):
                return size
        return 0


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
