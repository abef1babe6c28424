"""QuantConnect's REST API v2: authenticated requests, and what becomes of one that fails.

Knows how to ask, to wait when asked to slow down, and to say in words what went wrong. Knows
nothing of projects and backtests. The token is hashed into each request and written nowhere.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from qc_builder_lora.backtest.quantconnect.patience import Pace, Patience
from qc_builder_lora.errors import EngineUnavailable, MissingExtra

if TYPE_CHECKING:
    import httpx2

NAME = "quantconnect"
URL = "https://www.quantconnect.com/api/v2/"
_TIMEOUT_S = 60.0
_SKEW_S = 60.0
"""From here on a clock is taken to be wrong, and not the token."""
_LIMITED = ("too many requests", "rate limit", "slow down")


class Refused(EngineUnavailable):
    """QuantConnect understood the request and said no; `errors` are its words."""

    def __init__(self, endpoint: str, errors: list[str]) -> None:
        super().__init__(NAME, f"{endpoint} was refused: {'; '.join(errors) or 'no reason given'}.")
        self.errors = errors

    def says(self, *words: str) -> bool:
        """Whether any of these words is in what it said, whatever the capitals."""
        text = " ".join(self.errors).lower()
        return any(word in text for word in words)


class Unanswered(EngineUnavailable):
    """Nobody knows whether the request arrived: it must not simply be sent again."""


class _Failed(Exception):
    """No usable answer; worth another try."""


class _Limited(Exception):
    """We ask too often."""

    def __init__(self, pause_s: float | None) -> None:
        super().__init__()
        self.pause_s = pause_s


class Rest:
    """One account's connection; may be used by several threads."""

    def __init__(
        self, user: str, token: str, *, url: str | None = None, pace: Pace | None = None
    ) -> None:
        self.url = (url or URL).rstrip("/") + "/"
        self.pace = pace or Pace()
        self._user, self._token = user, token
        self._lock = threading.Lock()
        self._opened: httpx2.Client | None = None
        self._quiet_until = 0.0
        self._limits = 0

    def close(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def post(
        self, endpoint: str, body: Mapping[str, Any], patience: Patience, *, once: bool = False
    ) -> dict[str, Any]:
        """The answer to a request that was accepted.

        Raises Refused, EngineUnavailable when tries are used up, and what `patience` raises. With
        `once`, a request that may have arrived raises Unanswered in place of another try.
        """
        failures = 0
        while True:
            quiet = self._quiet_s()
            words = "QuantConnect's rate limit" if quiet else f"an answer to {endpoint}"
            patience.wait(quiet, words)
            try:
                return self._send(endpoint, body)
            except _Limited as limit:
                self._be_quiet(limit.pause_s)
            except _Failed as failure:
                failures += 1
                if once:
                    raise Unanswered(NAME, f"{endpoint}: {failure}.") from failure
                if failures >= self.pace.tries:
                    raise EngineUnavailable(
                        NAME, f"{endpoint}: {failure}, {failures} times.", self._cure(str(failure))
                    ) from failure
                patience.wait(self.pace.between_failures(failures), str(failure))

    def _send(self, endpoint: str, body: Mapping[str, Any]) -> dict[str, Any]:
        client = self._client()
        import httpx2

        stamp = str(int(time.time()))
        secret = sha256(f"{self._token}:{stamp}".encode()).hexdigest()
        try:
            response = client.post(
                self.url + endpoint,
                json=dict(body),
                headers={"Timestamp": stamp},
                auth=(self._user, secret),
            )
        except httpx2.HTTPError as error:
            raise _Failed(f"no answer ({type(error).__name__}: {error})") from error
        return self._read(endpoint, response)

    def _client(self) -> httpx2.Client:
        with self._lock:
            if self._opened is None:
                try:
                    import httpx2
                except ModuleNotFoundError as error:
                    raise MissingExtra("cloud", "httpx2") from error
                # A redirect would carry the account's hash to another host.
                self._opened = httpx2.Client(timeout=_TIMEOUT_S, follow_redirects=False)
            return self._opened

    def _read(self, endpoint: str, response: httpx2.Response) -> dict[str, Any]:
        if response.status_code == 429:
            raise _Limited(_retry_after(response.headers.get("retry-after")))
        answer = _json(response)
        if answer is None or response.status_code >= 500:
            raise _Failed(_odd(response))
        if answer.get("success") is True:
            self._limits = 0
            return answer
        errors = _errors(answer)
        text = " ".join(errors).lower()
        if "hash doesn't match" in text or "userid not valid" in text:
            raise self._not_let_in(response, errors)
        if any(word in text for word in _LIMITED):
            raise _Limited(None)
        if response.status_code in (401, 403):
            raise self._not_let_in(response, errors)
        raise Refused(endpoint, errors)

    def _not_let_in(self, response: httpx2.Response, errors: list[str]) -> EngineUnavailable:
        said = errors[0] if errors else f"HTTP {response.status_code}"
        skew = _skew_s(response)
        if skew is not None and abs(skew) > _SKEW_S and "hash" in said.lower():
            word = "ahead of" if skew > 0 else "behind"
            return EngineUnavailable(
                NAME,
                f"the credentials were refused ({said}) because this machine's clock is "
                f"{abs(skew):.0f} s {word} QuantConnect's.",
                "Set the clock (for example: timedatectl set-ntp true) and run it again.",
            )
        return EngineUnavailable(
            NAME,
            f"the credentials were refused ({said}); this machine's clock is right.",
            "Look at QC_USER_ID and QC_API_TOKEN: both are under Account, Security, on "
            "quantconnect.com.",
        )

    def _cure(self, failure: str) -> str:
        if failure.startswith("HTTP 500"):
            # So its own client reads it.
            return "QuantConnect also answers so to a wrong QC_USER_ID or QC_API_TOKEN."
        if self.url == URL:
            return "Look at status.quantconnect.com, and for a proxy in between."
        return f"Is {self.url} the right address (quantconnect_url)?"

    def _quiet_s(self) -> float:
        return max(0.0, self._quiet_until - time.monotonic())

    def _be_quiet(self, pause_s: float | None) -> None:
        """For all threads: the limit is the account's."""
        with self._lock:
            self._limits += 1
            if pause_s is None:
                pause_s = self.pace.between_failures(self._limits)
            pause_s = min(pause_s, self.pace.longest_retry_after_s)
            self._quiet_until = max(self._quiet_until, time.monotonic() + pause_s)


def _json(response: httpx2.Response) -> dict[str, Any] | None:
    try:
        # NaN is no JSON, and no figure either.
        found = response.json(parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _odd(response: httpx2.Response) -> str:
    kind = response.headers.get("content-type", "").partition(";")[0] or "no content type"
    begins = " ".join(response.text[:200].split())[:80]
    return f"HTTP {response.status_code} with {kind}, not an answer of the API ({begins!r})"


def _errors(answer: Mapping[str, Any]) -> list[str]:
    for key in ("errors", "messages", "error", "message", "Message"):
        found = answer.get(key)
        if isinstance(found, list) and found:
            return [str(one) for one in found]
        if isinstance(found, str) and found:
            return [found]
    return []


def _retry_after(text: str | None) -> float | None:
    """Seconds, from a number of them or a date."""
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        moment = _date(text)
        return None if moment is None else max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _skew_s(response: httpx2.Response) -> float | None:
    """How far this machine's clock is ahead of the server's, in seconds."""
    moment = _date(response.headers.get("date", ""))
    return None if moment is None else (datetime.now(UTC) - moment).total_seconds()


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
