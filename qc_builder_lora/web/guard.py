"""Who may use the page: callers that name this machine and know the token of this start.

A page on the internet can make a browser send requests to loopback. It cannot know the token, which
is in the printed link only, and after a DNS rebinding it still sends its own name as the Host.
"""

from __future__ import annotations

import hmac
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qc_builder_lora.web.serving import is_loopback
from qc_builder_lora.web.views import Views

HOW = "Open the link that qc-lora report serve printed; it is another one after every start."


class Guard:
    """The application behind both checks; every answer carries the headers that keep it in."""

    def __init__(self, app: ASGIApp, views: Views, host: str, token: str) -> None:
        self._app = app
        self._views = views
        self._host = host
        self._token = token
        self._headers = {
            "content-security-policy": page_policy(views),
            "x-frame-options": "DENY",
            "x-content-type-options": "nosniff",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            # The token is in the address: it is not to be passed on or kept.
            "referrer-policy": "no-referrer",
            "cache-control": "no-store",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        app = self._refusal(request) or self._app
        await app(scope, receive, self._with_headers(send))

    def _refusal(self, request: Request) -> ASGIApp | None:
        name = request.headers.get("host", "")
        if not names_us(name, self._host):
            message = f"This page does not answer to the name {name!r}. {HOW}"
            return HTMLResponse(self._views.notice("Not here", message), 421)
        # A POST carries the token in its form, where no other site can put it; see `app`.
        reading = request.method in ("GET", "HEAD")
        if reading and not is_token(request.query_params.get("token", ""), self._token):
            return no_token(self._views)
        return None

    def _with_headers(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        return sending


def page_policy(views: Views, *, keys: bool = False) -> str:
    """What a page of ours may load: its style, and for the blind review its keys and its plot."""
    more = f"script-src {views.script_source}; img-src 'self'; " if keys else ""
    return (
        f"default-src 'none'; style-src {views.style_source}; {more}frame-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def no_token(views: Views) -> HTMLResponse:
    """403, and where the token is."""
    return HTMLResponse(views.notice("No entry", f"The token is missing or wrong. {HOW}"), 403)


def is_token(given: str, token: str) -> bool:
    """In constant time, so that nobody can guess it letter by letter."""
    return hmac.compare_digest(given.encode(), token.encode())


def names_us(header: str, bound: str) -> bool:
    """Whether a Host header names this machine. Rebinding needs a name, so addresses are safe."""
    try:
        name = urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return False
    if name in ("localhost", bound.lower()):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or not is_loopback(bound)
