"""Blue/green: the local model changes while requests go on, and none of them notices.

The new model's server is started and probed beside the old one's; only then it is asked. What the
old one has begun it finishes, then it ends. A new one that does not come up changes nothing. While
both are loaded, the machine holds both in memory.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from qc_builder_lora.errors import NotFound, ProviderError, QcLoraError
from qc_builder_lora.log import get_logger
from qc_builder_lora.models.faults import Kind
from qc_builder_lora.models.local import LocalWriter
from qc_builder_lora.models.local_server import LocalServer
from qc_builder_lora.models.standing import PRODUCTION
from qc_builder_lora.models.writer import Chunk, Draft, new_request
from qc_builder_lora.records import Model, Request

if TYPE_CHECKING:
    from qc_builder_lora.models.provider import StrategyProvider
    from qc_builder_lora.store import Store

_PROBE_S = 180.0
_AGAIN_S = 300.0
"""After a model that did not come up: how long until the same one is tried again."""

log = get_logger(__name__)


class LocalSeat:
    """The local Writer of a chain, whoever sits on it; see the Writer protocol."""

    name = "local"

    def __init__(self, first: LocalWriter) -> None:
        self.model = first.model
        self._lock = threading.Lock()
        self._seated: LocalWriter = first
        self._asked: Counter[LocalWriter] = Counter()
        """Requests that each writer has begun and not ended."""
        self._closed = False

    @property
    def server(self) -> LocalServer | None:
        """The llama.cpp child behind it."""
        return self._seated.server

    def write(self, request: Request, *, max_tokens: int, deadline_s: float) -> Draft:
        """As LocalWriter.write, by who is seated when it begins."""
        with self._begun() as writer:
            return writer.write(request, max_tokens=max_tokens, deadline_s=deadline_s)

    def stream(self, request: Request, *, max_tokens: int, deadline_s: float) -> Iterator[Chunk]:
        """As LocalWriter.stream; who began it also ends it."""
        with self._begun() as writer:
            chunks = writer.stream(request, max_tokens=max_tokens, deadline_s=deadline_s)
            with closing(cast("Generator[Chunk]", chunks)):
                for chunk in chunks:
                    yield replace(chunk, model=writer.model)

    def seat(self, writer: LocalWriter) -> None:
        """Let `writer` answer from now on; the one before ends with its last request."""
        with self._lock:
            old = writer
            if not self._closed:
                old, self._seated, self.model = self._seated, writer, writer.model
            busy = self._asked[old] > 0
        if not busy:
            old.close()

    def close(self) -> None:
        """Close every writer, those that still answer too; none is seated after this."""
        with self._lock:
            self._closed = True
            writers = {self._seated, *self._asked}
        for writer in writers:
            writer.close()

    @contextmanager
    def _begun(self) -> Iterator[LocalWriter]:
        with self._lock:
            writer = self._seated
            self._asked[writer] += 1
        try:
            yield writer
        finally:
            with self._lock:
                self._asked[writer] -= 1
                last = not self._asked[writer]
                if last:
                    del self._asked[writer]
                last = last and writer is not self._seated
            if last:
                writer.close()


def probe(writer: LocalWriter) -> None:
    """Start the writer's server and have one word written; ProviderError if that fails."""
    try:
        writer.write(new_request("Hold SPY."), max_tokens=1, deadline_s=_PROBE_S)
    except ProviderError as error:
        # It answered: its first word may be white space.
        if error.kind != Kind.EMPTY:
            raise


class Succession:
    """Looks now and then which Model is in production, and lets it answer in a provider."""

    def __init__(
        self, provider: StrategyProvider, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._provider, self._clock = provider, clock
        self._store: Store | None = None
        self._failed = ("", 0.0)
        self._said = ""

    def look(self) -> None:
        """Look once; returns when the Model in production answers, or cannot."""
        model = self._production()
        before = self._provider.local_model
        if model is None or model.id == before:
            return
        failed, moment = self._failed
        if model.id == failed and self._clock() - moment < _AGAIN_S:
            return
        try:
            self._provider.seat(Path(model.path), model.id)
        except QcLoraError as error:
            self._failed = model.id, self._clock()
            if model.id != failed:
                then = f"{before or 'hosted models'} as before"
                log.warning("the promoted model does not come up", answers=then, why=str(error))
            return
        self._failed = "", 0.0
        log.info("the promoted model answers", model=model.id, before=before)

    def follow(self, every_s: float, stop: threading.Event) -> None:
        """Look every so many seconds until told to stop."""
        while not stop.wait(every_s):
            self.look()
        if self._store is not None:
            self._store.close()

    def _production(self) -> Model | None:
        from qc_builder_lora.store import Store

        try:
            if self._store is None:
                url = self._provider.settings.database_url
                self._store = Store.open(url, upgrade=False)
            return self._store.models.production()
        except NotFound:
            return None  # No database yet, so nobody has promoted anything.
        except QcLoraError as error:
            if str(error) != self._said:
                self._said = str(error)
                log.warning("production cannot be looked up", why=self._said)
            return None


@contextmanager
def following(provider: StrategyProvider, every_s: float = 3.0) -> Iterator[None]:
    """Follow production in a thread, as long as the block lasts.

    Not where the settings name the local model, or another's server: those are the owner's word.
    """
    settings, stop = provider.settings, threading.Event()
    if (
        "local" in settings.providers
        and not settings.local_url
        and settings.local_model == PRODUCTION
    ):
        follow = Succession(provider).follow
        # Not waited for: it may be loading a model. Closing the provider ends that.
        threading.Thread(target=follow, args=(every_s, stop), daemon=True).start()
    try:
        yield
    finally:
        stop.set()
