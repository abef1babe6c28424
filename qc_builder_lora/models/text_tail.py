"""From the bytes of tokens to text that may be sent: no half letter, no part of a stop text."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class TextTail:
    """The end of an answer under way, which is not clear yet."""

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
