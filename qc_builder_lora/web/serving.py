"""Run the review page on a socket until it is told to stop."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from qc_builder_lora.errors import MissingExtra
from qc_builder_lora.store import Store
from qc_builder_lora.web.decisions import Promote

if TYPE_CHECKING:
    from qc_builder_lora.web.views import Shown

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def new_token() -> str:
    """A token nobody can guess; one a start."""
    return secrets.token_urlsafe(32)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def link(host: str, listener: socket.socket, token: str) -> str:
    """The address that opens the page on this machine."""
    name = _EVERYWHERE.get(host, host)
    shown = f"[{name}]" if ":" in name else name
    return f"http://{shown}:{listener.getsockname()[1]}/?{urlencode({'token': token})}"


def serve(
    store: Store,
    promote: Promote,
    listener: socket.socket,
    host: str,
    token: str,
    shown: Callable[[], Shown] | None = None,
) -> None:
    """Answer until the process is told to stop (SIGINT or SIGTERM); MissingExtra before that."""
    try:
        import jinja2  # noqa: F401 - the pages need it; its absence has an extra of its own
    except ModuleNotFoundError as error:
        raise MissingExtra("report", "jinja2") from error
    try:
        import uvicorn

        from qc_builder_lora.web.app import build_app
    except ModuleNotFoundError as error:
        raise MissingExtra("serve", error.name or "uvicorn") from error
    app = build_app(store, promote, token=token, host=host, shown=shown() if shown else None)
    # No access log: the token is in the addresses.
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")
    uvicorn.Server(config).run(sockets=[listener])
