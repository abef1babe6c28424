"""Run the gateway: its key, its socket, the local model loaded before the first request and
changed, between requests, when a person promotes another."""

from __future__ import annotations

import gc
import os
import secrets
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from qc_builder_lora.errors import MissingExtra, QcLoraError, SettingsError
from qc_builder_lora.log import get_logger
from qc_builder_lora.models.listener import listening
from qc_builder_lora.models.provider import StrategyProvider
from qc_builder_lora.models.side import Side
from qc_builder_lora.models.succession import following

_SWITCH_S = 0.0001

log = get_logger(__name__)


def read_key(path: Path) -> tuple[str, bool]:
    """The key in a file, and whether it was made now; only its owner can read a new one."""
    if path.exists():
        key = path.read_text("utf-8").strip()
        if not key:
            raise SettingsError(f"{path} is empty. Delete it to have a key made, or put one in.")
        return key, False
    path.parent.mkdir(parents=True, exist_ok=True)
    key = new_key()
    # The mode is given when it is made: after a chmod it would have been readable for a moment.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key + "\n")
    return key, True


def new_key() -> str:
    """A key nobody can guess."""
    return f"qcl-{secrets.token_urlsafe(32)}"


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; SettingsError says which address is taken or not ours."""
    try:
        return listening(host, port)
    except OSError as error:
        raise SettingsError(
            f"Cannot listen on {host} port {port}: {error.strerror or error}. Choose another with "
            "--host and --port (0 takes a free one)."
        ) from error


def serve(
    provider: StrategyProvider, key: str | Callable[[], str], listener: socket.socket
) -> None:
    """Answer until the process is told to stop (SIGINT or SIGTERM)."""
    try:
        import uvicorn

        from qc_builder_lora.gateway.app import build_app
    except ModuleNotFoundError as error:
        raise MissingExtra("serve", error.name or "uvicorn") from error
    # The threads that keep the books share one lock with the one that answers; by default they may
    # hold it for 5 ms, which is several times as long as all that the gateway has to do.
    sys.setswitchinterval(_SWITCH_S)
    side = Side(provider)
    app = build_app(provider, key, side)
    threading.Thread(target=_load, args=(provider,), daemon=True).start()
    # What was loaded stays for good. Looking through all of it for garbage now and then would hold
    # up whoever is served: a third of a second, measured on a busy machine with the SDKs loaded.
    gc.collect()
    gc.freeze()
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", proxy_headers=False
    )
    try:
        with following(provider, watch=side.watch):
            uvicorn.Server(config).run(sockets=[listener])
    finally:
        side.close()
        provider.close()


def _load(provider: StrategyProvider) -> None:
    if provider.local_server is None:
        return
    try:
        provider.local_server.ensure()
    except QcLoraError as error:
        # Not the end: it is tried again with the first request, and others may answer.
        log.warning("the local model cannot be loaded", why=str(error))
