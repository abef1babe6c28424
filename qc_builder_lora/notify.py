"""Tell a web address what happened: JSON by POST, signed, tried again, and never in anybody's way.

    {"event": "rollback", "id": …, "at": …, "text": "one sentence for people", …}

`text` is what Slack and its like show. With QC_LORA_NOTIFY_SECRET set, the header
`X-QC-Signature: sha256=HEX` is the HMAC-SHA256 of the body's bytes under that secret;
`X-QC-Delivery` is the event's id, the same at every attempt. Whatever is not answered with a 2xx
is tried again after 1, 4, 16 and 64 seconds, but for a 4xx other than 408 and 429, which no
waiting cures. Redirects are not followed. An event that cannot be delivered is logged, once.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import queue
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from qc_builder_lora.errors import SettingsError
from qc_builder_lora.log import get_logger
from qc_builder_lora.redact import Redactor, for_a_message

WAITS_S = (1.0, 4.0, 16.0, 64.0)
_TIMEOUT_S = 10.0
_MOST = 100
_AGAIN = (408, 429)
_HASH = re.compile("[0-9a-f]{64}")

log = get_logger(__name__)


class Webhook:
    """One address, one queue, one thread; `send` returns at once."""

    def __init__(
        self, url: str | None, secret: str | None = None, *, waits_s: tuple[float, ...] = WAITS_S
    ) -> None:
        """Without a URL nothing is ever sent. Raises SettingsError for one that is none."""
        self._url, self._secret, self._waits = url, secret, waits_s
        if url is not None:
            check_url(url)
        self._ending = threading.Event()
        self._queue: queue.Queue[Mapping[str, Any]] = queue.Queue(_MOST)
        self._thread: threading.Thread | None = None
        self.counts: Counter[str] = Counter()
        """`delivered`, `failed` and `dropped`, since the start."""

    def send(self, event: Mapping[str, Any]) -> None:
        """Tell, some time soon; never waits and never raises."""
        if self._url is None:
            return
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self.counts["dropped"] += 1
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)
            self._thread.start()

    def close(self, timeout_s: float = 5.0) -> None:
        """Send what waits, for so long; there is no waiting for another attempt any more."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not (self._ending.is_set() and self._queue.empty()):
            try:
                event = self._queue.get(timeout=0.1)
            except queue.Empty:
                continue
            self._deliver(event)

    def _deliver(self, event: Mapping[str, Any]) -> None:
        body = json.dumps(redacted(event), ensure_ascii=False, default=str).encode()
        fact = ""
        for wait in (*self._waits, None):
            fact, final = self._post(body, str(event.get("id", "")))
            if not fact:
                self.counts["delivered"] += 1
                return
            if final or wait is None or self._ending.wait(wait):
                break
        self.counts["failed"] += 1
        # Only the host: the path of a webhook is often its secret.
        host = urlsplit(self._url or "").hostname
        log.warning(
            "nobody could be notified", host=host, event_id=event.get("id"), why=for_a_message(fact)
        )

    def _post(self, body: bytes, delivery: str) -> tuple[str, bool]:
        """Why it was not taken, empty if it was; and whether no other attempt can help."""
        address = urlsplit(self._url or "")
        kind: Callable[..., http.client.HTTPConnection] = (
            http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        )
        try:
            connection = kind(address.hostname, address.port, timeout=_TIMEOUT_S)
            try:
                path = (address.path or "/") + (f"?{address.query}" if address.query else "")
                connection.request("POST", path, body, self._headers(body, delivery))
                status = connection.getresponse().status
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}", False
        if 200 <= status < 300:
            return "", True
        return f"HTTP {status}", 400 <= status < 500 and status not in _AGAIN

    def _headers(self, body: bytes, delivery: str) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "qc-builder-lora",
            "X-QC-Delivery": delivery,
        }
        if self._secret:
            digest = hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
            headers["X-QC-Signature"] = f"sha256={digest}"
        return headers


def check_url(url: str) -> None:
    """SettingsError for what is no address to POST to."""
    address = urlsplit(url)
    try:
        usable = address.scheme in ("http", "https") and bool(address.hostname)
        _ = address.port
    except ValueError:
        usable = False
    if not usable or any(character.isspace() for character in url):
        raise SettingsError(
            "notify_webhook must be an address like https://example.com/hook, got one that begins "
            f"with {url[:8]!r}."
        )


def redacted(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event with secrets taken out of all its texts; a hash is none."""
    redactor = Redactor()
    return {
        key: value
        if key == "id" or not isinstance(value, str) or _HASH.fullmatch(value)
        else redactor.text(value)
        for key, value in event.items()
    }
