"""What a failed HTTP exchange means, whichever library wrapped it.

The SDKs wrap the HTTP library's errors in their own and those in one another; the innermost one
that says something counts.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from qc_builder_lora.errors import MissingExtra, ProviderError
from qc_builder_lora.models.background import submit
from qc_builder_lora.models.exchange import Exchange
from qc_builder_lora.models.faults import Kind, kind_of_status, kind_of_text, retry_after
from qc_builder_lora.models.plain_http import CONNECT_S
from qc_builder_lora.models.rotating import RotatingKey

if TYPE_CHECKING:
    import httpx2

    from qc_builder_lora.models.plain_http import Reply

JSON, EVENTS = "application/json", "text/event-stream"
_GOOGLE_DELAY = re.compile(r"retryDelay\W+(\d+(?:\.\d+)?)s")


class HttpExchange(Exchange):
    """A Writer over httpx2, alone or inside of an SDK."""

    extra = "hosted"
    """The extra that brings the library."""
    _open: tuple[int, Any] | None = None
    rotating: RotatingKey | None = None
    """Where the key comes from, if it may change."""

    def renewed(self) -> bool:
        """Whether the key has changed since it was last used: what was refused may be allowed."""
        return self.rotating is not None and self.rotating() != self._key

    def _make_client(self) -> Any:
        """A client of the library; ImportError if it is not installed."""
        raise NotImplementedError

    def _client(self) -> Any:
        """The client of this process and key: a fork must not share its parent's connections."""
        if self.renewed():
            assert self.rotating is not None
            self._former = (*self._former, str(self._key))
            # Not closed: what was asked with the old one is still being answered.
            self._key, self._open = self.rotating(), None
        if self._open is None or self._open[0] != os.getpid():
            self._open = os.getpid(), self._make_client()
        return self._open[1]

    def _at_hand(self) -> bool:
        opened = self._open
        return opened is not None and opened[0] == os.getpid() and not self.renewed()

    def _prepare(self, deadline_s: float) -> None:
        try:
            self._client()
        except ModuleNotFoundError as error:
            raise MissingExtra(self.extra, error.name or self.name) from error

    def close(self) -> None:
        """Close the connections."""
        opened, self._open = self._open, None
        if opened is None or opened[0] != os.getpid():
            return
        client = opened[1]
        submit(client.aclose() if hasattr(client, "aclose") else client.close()).result(timeout=5)

    def _http_client(self, **options: Any) -> httpx2.AsyncClient:
        """An HTTP client that looks at every answer's type before an SDK reads it."""
        import httpx2

        async def check(response: httpx2.Response) -> None:
            self._check_type(response, JSON, EVENTS)

        return httpx2.AsyncClient(event_hooks={"response": [check]}, **options)

    def _timeout(self, timeout_s: float) -> Any:
        """The library's own timeouts, behind ours: no single step longer than the whole."""
        import httpx2

        # A moment later than ours, so that it is ours that says what was too late.
        return httpx2.Timeout(timeout_s + 1.0, connect=min(CONNECT_S, timeout_s + 1.0))

    def _check_type(self, response: httpx2.Response | Reply, *wanted: str) -> None:
        # A proxy's login page comes with status 200; the SDKs would search it for an answer.
        kind = response.headers.get("content-type", "none").partition(";")[0].strip().lower()
        if response.status_code == 200 and kind not in wanted:
            fact = f"the answer's content type is {kind!r}, not {' or '.join(map(repr, wanted))}."
            raise self._error(Kind.MALFORMED, fact)

    def _refused(self, status: int, body: object, headers: Mapping[str, str]) -> ProviderError:
        """An HTTP status that is an error, or an error event in an answer with status 200."""
        text = _words_of(body)
        kind = kind_of_status(status, text) if status >= 400 else kind_of_text(text)
        return self._error(
            kind, f"HTTP {status}: {text}", _CURES.get(kind, ""), _wait_asked(text, headers)
        )

    def _fault(self, error: Exception) -> ProviderError:
        import httpx2

        for cause in _causes(error):
            status = getattr(cause, "status_code", None) or getattr(cause, "code", None)
            response = getattr(cause, "response", None)
            if isinstance(status, int) and response is not None:
                body = getattr(cause, "body", None) or getattr(cause, "details", None) or str(cause)
                return self._refused(status, body, getattr(response, "headers", {}))
            if isinstance(cause, httpx2.TimeoutException):
                return self._error(Kind.TIMEOUT, f"no answer in time ({type(cause).__name__}).")
            if isinstance(cause, httpx2.ConnectError):
                return self._error(Kind.REFUSED, f"nobody answers there: {cause}")
            if isinstance(cause, httpx2.NetworkError | httpx2.RemoteProtocolError):
                fact = str(cause) or type(cause).__name__
                return self._error(Kind.CONNECTION, f"the connection broke: {fact}")
        body = getattr(error, "body", None)
        if body is not None:
            return self._refused(200, body, {})
        return self._error(Kind.MALFORMED, f"{type(error).__name__}: {error}")


_CURES: dict[Kind, str] = {
    Kind.AUTH: "Check the key and the account. A process keeps the key it was started with; one "
    "in a file (ANTHROPIC_API_KEY_FILE and the like) is read again when it changes.",
    Kind.NOT_FOUND: "Check the model's name in the settings.",
}


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _words_of(body: object) -> str:
    """The code and the message in an error's body, or the body itself."""
    if isinstance(body, bytes | str):
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            return text.strip()
    if isinstance(body, list) and body:
        body = body[0]
    told = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(told, dict):
        return str(told)
    names = [told.get(name) for name in ("type", "code", "status", "message")]
    details = told.get("details")
    return " ".join(str(part) for part in [*names, details] if part)


def _wait_asked(text: str, headers: Mapping[str, str]) -> float | None:
    milliseconds = retry_after(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    seconds = retry_after(headers.get("retry-after"))
    if seconds is None and (found := _GOOGLE_DELAY.search(text)):
        seconds = float(found[1])
    return seconds
