"""Frames on the channel: a length, then plain JSON. No pickle, no marshal, no code.

Both ends use `pack`; this end trusts its peer, the simulator's (`simulator/channel.py`) does not.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from typing import Any

LENGTH = struct.Struct("<I")
MAX_FRAME = 64 * 1024 * 1024
"""Longest frame this end accepts; a long `history` is the largest."""


def pack(message: object) -> bytes:
    """One frame: four bytes of length, little endian, then the message as JSON."""
    body = json.dumps(message, separators=(",", ":"), allow_nan=True).encode()
    return LENGTH.pack(len(body)) + body


_YIELDS = 20
"""How often an end looks for the answer before it sleeps. To wake a sleeper costs the sender more
than to look; between looks the core is given to whoever wants it."""


def take_soon(connection: socket.socket, size: int) -> bytes:
    """What has arrived; waits as the socket does, once it has looked for it for a while."""
    for _ in range(_YIELDS):
        try:
            return connection.recv(size, socket.MSG_DONTWAIT)
        except BlockingIOError:
            os.sched_yield()
    return connection.recv(size)


class HungUp(BaseException):
    """The simulator has gone: nothing that a strategy may catch or be blamed for."""


_DONE = pack(["done"])
_decode = json.JSONDecoder().decode


class Wire:
    """The strategy's end: blocking, one message at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""

    def send(self, message: object) -> None:
        """Send without waiting for an answer."""
        self._send(pack(message))

    def done(self, wake_at: int | None = None) -> None:
        """Say that nothing is left to do at this moment, before `wake_at` in New York."""
        self._send(_DONE if wake_at is None else pack(["done", wake_at]))

    def _send(self, frame: bytes) -> None:
        try:
            self._connection.sendall(frame)
        except OSError as error:
            raise HungUp from error

    def receive(self) -> Any:
        """The next message; HungUp when the simulator has gone."""
        buffer = self._buffer
        while len(buffer) < 4:
            buffer += self._read()
        end = 4 + LENGTH.unpack_from(buffer)[0]
        if end > MAX_FRAME:
            raise HungUp
        while len(buffer) < end:
            buffer += self._read()
        self._buffer = buffer[end:]
        return _decode(buffer[4:end].decode())

    def ask(self, message: object) -> Any:
        """Send a request and give its answer."""
        self.send(message)
        return self.receive()

    def _read(self) -> bytes:
        try:
            data = take_soon(self._connection, 1 << 18)
        except OSError as error:
            raise HungUp from error
        if not data:
            raise HungUp
        return data
