"""What answers in the child process: a bounded queue, and as many threads as it can serve at once.

Runs inside the child only. What does not fit the queue is refused at once and not kept until its
client is gone. How a model is loaded and asked is for the two kinds below: `llama_engine` (one
request at a time, its own compiled llama.cpp) and `slots_engine` (several at once).
"""

from __future__ import annotations

import ctypes
import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from qc_builder_lora.models.artefact import Artefact
from qc_builder_lora.models.openai_wire import Ask, Usage, WireError, context_overflow
from qc_builder_lora.template import get_template

_LETTERS_A_TOKEN, _CUT = 6, 64


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
    adapter: str | None = None
    """The LoRA adapter that answers, None for the model as it is."""
    # Two bytes that C reads as a string: empty means go on. See LlamaEngine._allow_cancelling.
    flag: ctypes.Array[ctypes.c_char] = field(
        default_factory=lambda: ctypes.create_string_buffer(2)
    )

    def cancel(self) -> None:
        """Stop at the next token, or in the middle of reading the prompt."""
        self.flag[0] = b"\1"

    @property
    def cancelled(self) -> bool:
        """Whether its client is gone."""
        return self.flag[0] != b"\0"


class Engine(ABC):
    """Loads the model in a thread of its own, then answers Jobs, `slots` at a time."""

    slots = 1

    def __init__(
        self,
        artefact: Artefact,
        *,
        context: int,
        threads: int,
        adapters: Mapping[str, Path] | None = None,
        waiting: int = 16,
    ) -> None:
        """`adapters` are GGUF LoRA files by the model name they answer to."""
        self.artefact = artefact
        self.template = get_template(artefact.template)
        self.window = context
        self.threads = threads
        self.adapters = dict(adapters or {})
        self.ready = False
        self.tokens_written = 0
        self._jobs: queue.Queue[Job | Callable[[], None]] = queue.Queue(maxsize=waiting)
        self._counting = threading.Lock()

    @property
    def names(self) -> list[str]:
        """Every model name that can be asked for: the file's own, then the adapters'."""
        return [self.artefact.id, *self.adapters]

    def start(self, failed: Callable[[BaseException], None]) -> None:
        """Load and serve in the background; `failed` is called if the model cannot be loaded."""

        def work() -> None:
            try:
                self._load()
            except BaseException as error:  # noqa: BLE001 - the process ends with it, in `failed`
                failed(error)
                return
            self.ready = True
            for number in range(1, self.slots):
                threading.Thread(target=self._serve, name=f"slot {number}", daemon=True).start()
            self._serve()

        threading.Thread(target=work, name="llama", daemon=True).start()

    def _fitting(self, text: str) -> list[int]:
        """The tokens of a text; WireError, after a part of it, where they are far too many.

        Megabytes take a minute and gigabytes to tokenise, only to be refused. A part has as many
        tokens as it has in the whole, but for the last few, where it is cut.
        """
        size = self.window * _LETTERS_A_TOKEN
        while size < len(text):
            count = len(self.tokenize(text[:size]))
            if count > self.window + _CUT:
                raise context_overflow(count - _CUT, self.window, at_least=True)
            size *= 4
        return self.tokenize(text)

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return self._jobs.qsize()

    def prompt_tokens(self, ask: Ask) -> list[int]:
        """The tokens of a request's prompt with BOS exactly once; WireError if they do not fit."""
        if isinstance(ask.prompt, tuple):
            tokens = list(ask.prompt)
        elif isinstance(ask.prompt, str):
            tokens = self._fitting(ask.prompt)
        else:
            tokens = self._fitting(self.template.render_messages(ask.messages))
        bos = self._bos()
        if self.template.bos and bos >= 0 and tokens[:1] != [bos]:
            tokens.insert(0, bos)
        if len(tokens) >= self.window:
            raise context_overflow(len(tokens), self.window)
        vocabulary = self._vocabulary()
        if not all(0 <= token < vocabulary for token in tokens):
            raise WireError(400, "invalid_value", f"Token numbers go from 0 to {vocabulary - 1}.")
        return tokens

    def submit(self, ask: Ask, report: Callable[[Event], None]) -> Job:
        """Queue a request; its events go to `report`, from a thread of the engine."""
        stop = ask.stop + (self.template.stop if ask.chat else ())
        adapter = ask.model if ask.model in self.adapters else None
        job = Job(ask, self.prompt_tokens(ask), stop, report, adapter)
        self._queue(job)
        return job

    @abstractmethod
    def tokenize(self, text: str) -> list[int]:
        """Token numbers of a text, control texts read as tokens, no BOS added."""

    @abstractmethod
    def add_adapter(self, name: str, path: Path) -> None:
        """Answer to one more model name, with this LoRA; WireError where that cannot be."""

    @abstractmethod
    def remove_adapter(self, name: str) -> None:
        """Answer to that name no more."""

    @abstractmethod
    def _load(self) -> None: ...

    @abstractmethod
    def _bos(self) -> int: ...

    @abstractmethod
    def _vocabulary(self) -> int: ...

    @abstractmethod
    def _generate(self, job: Job) -> None:
        """Report the Job's text, then its end."""

    def _recover(self) -> None:  # noqa: B027 - slots_engine has nothing to do
        """Make ready for the next Job after one that failed."""

    def _queue(self, work: Job | Callable[[], None]) -> None:
        try:
            self._jobs.put_nowait(work)
        except queue.Full:
            raise WireError(
                503, "overloaded", f"{self._jobs.maxsize} requests are waiting already.", 5.0
            ) from None

    def _wrote(self, tokens: int) -> None:
        with self._counting:
            self.tokens_written += tokens

    def _serve(self) -> None:
        while True:
            work = self._jobs.get()
            if isinstance(work, Job):
                self._answer(work)
            else:
                work()

    def _answer(self, job: Job) -> None:
        if job.cancelled:
            return
        try:
            self._generate(job)
        except Exception as error:  # noqa: BLE001 - reported to the client; the thread lives on
            self._recover()
            if not job.cancelled:
                fact = f"llama.cpp failed: {error}"
                job.report(Event(error=WireError(500, "engine_error", fact)))
