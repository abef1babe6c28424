"""The places of our own llama.cpp children in a chain, and whoever sits on them.

Three: the champion, the canary beside it, and the one before the champion, kept loaded for a while
so that going back takes no time. A child that leaves its place ends what it has begun; it is
closed with its last request.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from contextlib import aclosing, closing, contextmanager
from dataclasses import replace
from typing import cast

from qc_builder_lora.errors import ProviderError
from qc_builder_lora.models.faults import Kind
from qc_builder_lora.models.local import LocalWriter
from qc_builder_lora.models.local_server import Child
from qc_builder_lora.models.writer import Chunk, Draft, new_request
from qc_builder_lora.records import Request

_PROBE_S = 180.0


class Arm:
    """One place as a Writer; see the Writer protocol."""

    name = "local"

    def __init__(self, seat: LocalSeat, seated: Callable[[], LocalWriter | None]) -> None:
        self._seat, self._seated = seat, seated

    @property
    def model(self) -> str:
        """Whose place it is now; empty while it is nobody's."""
        writer = self._seated()
        return writer.model if writer else ""

    def write(self, request: Request, *, max_tokens: int, deadline_s: float) -> Draft:
        """As LocalWriter.write, by who is seated when it begins."""
        with self._seat.begun(self._seated) as writer:
            return writer.write(request, max_tokens=max_tokens, deadline_s=deadline_s)

    def stream(self, request: Request, *, max_tokens: int, deadline_s: float) -> Iterator[Chunk]:
        """As LocalWriter.stream; who began it also ends it."""
        with self._seat.begun(self._seated) as writer:
            chunks = writer.stream(request, max_tokens=max_tokens, deadline_s=deadline_s)
            with closing(cast("Generator[Chunk]", chunks)):
                for chunk in chunks:
                    yield replace(chunk, model=writer.model)

    async def write_async(self, request: Request, *, max_tokens: int, deadline_s: float) -> Draft:
        """As LocalWriter.write_async, in the same way."""
        with self._seat.begun(self._seated, here=False) as writer:
            return await writer.write_async(request, max_tokens=max_tokens, deadline_s=deadline_s)

    async def stream_async(
        self, request: Request, *, max_tokens: int, deadline_s: float
    ) -> AsyncGenerator[Chunk, None]:
        """As LocalWriter.stream_async, in the same way."""
        with self._seat.begun(self._seated, here=False) as writer:
            chunks = writer.stream_async(request, max_tokens=max_tokens, deadline_s=deadline_s)
            async with aclosing(chunks):
                async for chunk in chunks:
                    yield replace(chunk, model=writer.model)


class LocalSeat(Arm):
    """The champion's place, and through it the other two."""

    def __init__(self, first: LocalWriter | None = None) -> None:
        super().__init__(self, lambda: self._champion)
        self._lock = threading.Lock()
        self._champion = first
        self._canary: LocalWriter | None = None
        self._before: LocalWriter | None = None
        self._asked: Counter[LocalWriter] = Counter()
        """Requests that each writer has begun and not ended."""
        self._closed = False
        self.canary = Arm(self, lambda: self._canary)
        """The canary's place."""

    @property
    def server(self) -> Child | None:
        """The llama.cpp child behind the champion."""
        writer = self._champion
        return writer.server if writer else None

    @property
    def waiting(self) -> int:
        """Requests that were begun and not ended: a child answers one at a time."""
        return self._asked.total()

    def seat(self, writer: LocalWriter | None, *, keep: bool = False) -> None:
        """Let `writer` answer as champion from now on, or nobody.

        The one before ends with its last request; with `keep` it stays loaded: see `loaded`.
        """
        with self._lock:
            if self._closed:
                left = [writer]
            else:
                left = [self._champion, self._before]
                self._before = self._champion if keep and self._champion is not writer else None
                if writer is self._canary:
                    self._canary = None
                self._champion = writer
        self._close_idle(left)

    def try_out(self, writer: LocalWriter | None) -> None:
        """Let `writer` answer as canary from now on, or nobody."""
        with self._lock:
            left = [writer] if self._closed else [self._canary]
            if not self._closed:
                self._canary = writer
        self._close_idle(left)

    def forget_before(self) -> None:
        """Keep the one before the champion no longer."""
        with self._lock:
            left, self._before = self._before, None
        self._close_idle([left])

    def loaded(self, model: str) -> LocalWriter | None:
        """The canary or the one before the champion, where it is that Model and is alive."""
        with self._lock:
            found = [one for one in (self._canary, self._before) if one and one.model == model]
        return next((one for one in found if one.server and one.server.healthy()), None)

    def close(self) -> None:
        """Close every writer, those that still answer too; none is seated after this."""
        with self._lock:
            self._closed = True
            writers = {self._champion, self._canary, self._before, *self._asked} - {None}
        for writer in writers:
            assert writer is not None
            writer.close()

    @contextmanager
    def begun(
        self, seated: Callable[[], LocalWriter | None], *, here: bool = True
    ) -> Iterator[LocalWriter]:
        """Who sits there, held for one request; ProviderError where nobody does any more.

        One that left its place ends with its last request: in this thread if `here`, for a child
        may take its time.
        """
        with self._lock:
            writer = None if self._closed else seated()
            if writer is None:
                raise ProviderError("local", Kind.REFUSED, "the model was taken back.")
            self._asked[writer] += 1
        try:
            yield writer
        finally:
            with self._lock:
                self._asked[writer] -= 1
                if not self._asked[writer]:
                    del self._asked[writer]
            if here:
                self._close_idle([writer])
            elif idle := self._idle([writer]):
                threading.Thread(target=self._close_idle, args=(idle,), daemon=True).start()

    def _close_idle(self, writers: Sequence[LocalWriter | None]) -> None:
        for writer in self._idle(writers):
            writer.close()

    def _idle(self, writers: Sequence[LocalWriter | None]) -> list[LocalWriter]:
        with self._lock:
            # A closed seat has no places: everything that is left over is to end.
            held = set() if self._closed else {self._champion, self._canary, self._before}
            return [one for one in writers if one and one not in held and not self._asked[one]]


def probe(writer: LocalWriter) -> None:
    """Start the writer's server and have one word written; ProviderError if that fails."""
    try:
        writer.write(new_request("Hold SPY."), max_tokens=1, deadline_s=_PROBE_S)
    except ProviderError as error:
        # It answered: its first word may be white space.
        if error.kind != Kind.EMPTY:
            raise
