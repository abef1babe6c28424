"""The socket that a server of ours listens on. Standard library only."""

from __future__ import annotations

import socket


def listening(host: str, port: int) -> socket.socket:
    """A listening socket whose connections send every piece at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    # Connections inherit it. asyncio sets it only on sockets it made itself; without it the end of
    # an answer waits 40 ms for the client's acknowledgement of the beginning.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
