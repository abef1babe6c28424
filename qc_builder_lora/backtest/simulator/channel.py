"""The simulator's end of the channel: never trusts what arrives, never waits for ever.

Frames are a length and plain JSON. Their size, their form and the time they take are bounded; a
strategy that breaks the rules has failed, it cannot break us.
"""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import threading
import time
from typing import Any

from qc_builder_lora.backtest.sandbox.launch import Child
from qc_builder_lora.backtest.surface.wire import LENGTH, pack, take_soon

MAX_FRAME = 1 << 20
"""Longest frame taken from a strategy, in bytes."""
_TICK = struct.pack("@ll", 0, 200_000)
"""Seconds and microseconds after which a blocked call looks at the deadline again."""
_DONE = b'["done"]'
# All but tab and line feed; the halves that UTF-16 makes of one character; marks that turn the
# direction of what follows.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


class Gone(Exception):
    """The strategy's process closed its end."""


class Overdue(Exception):
    """The strategy has used its wall time up."""


class Forged(Exception):
    """The strategy's process sent what the surface never sends."""


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not allowed")


class Channel:
    """Messages to and from one child."""

    def __init__(self, child: Child, wall_s: float) -> None:
        # Blocking calls with the kernel's own time-out: one system call a message, not three.
        self._socket = child.channel
        self._socket.setblocking(True)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._socket.setsockopt(socket.SOL_SOCKET, option, _TICK)
        self._deadline = time.monotonic() + wall_s
        self._buffer = b""

    def send(self, frame: bytes) -> None:
        """Send a packed frame; a strategy that does not read runs into its wall time."""
        view = memoryview(frame)
        while view:
            self._look_at_the_time()
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise Gone from error

    def send_message(self, message: object) -> None:
        """Pack and send."""
        self.send(pack(message))

    def receive(self) -> list[Any]:
        """The next message: a list that begins with a word."""
        while True:
            frame = self._take_frame()
            if frame is not None:
                return _decode(frame)
            self._look_at_the_time()
            try:
                data = take_soon(self._socket, 1 << 16)
            except BlockingIOError:
                continue
            except OSError as error:
                raise Gone from error
            if not data:
                raise Gone
            self._buffer += data

    def _look_at_the_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise Overdue

    def _take_frame(self) -> bytes | None:
        buffer = self._buffer
        if len(buffer) < 4:
            return None
        end = 4 + LENGTH.unpack_from(buffer)[0]
        if end - 4 > MAX_FRAME:
            raise Forged(f"a frame of {end - 4} bytes")
        if len(buffer) < end:
            return None
        self._buffer = buffer[end:]
        return buffer[4:end]


def _decode(frame: bytes) -> list[Any]:
    if frame == _DONE:
        return ["done"]
    try:
        # As UTF-8, which json would else guess: other encodings hide signs from the test below.
        message = json.loads(frame.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Forged(f"not JSON: {error}") from error
    if not isinstance(message, list) or not message or not isinstance(message[0], str):
        raise Forged("a message that is not a list with a word in front")
    # Only an escape, DEL or a byte beyond ASCII can bring in what is not plain text.
    odd = b"\\" in frame or b"\x7f" in frame or not frame.isascii()
    return list(map(_plain, message)) if odd else message


def plain_text(text: str) -> str:
    """Text as a terminal and a database can take it: no control characters, no half characters."""
    return _CONTROL.sub("\ufffd", text)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, list):
        return list(map(_plain, value))
    if isinstance(value, dict):
        return {plain_text(key): _plain(item) for key, item in value.items()}
    return value


class Output:
    """What a strategy prints and logs, up to a number of bytes; more is thrown away, and flagged.

    A thread of its own reads the pipe, so that a strategy that prints never waits for us, nor we
    for it.
    """

    def __init__(self, descriptor: int, limit: int) -> None:
        self.truncated = False
        self._room = limit
        self._kept: list[bytes] = []
        self._descriptor = descriptor
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        while True:
            try:
                data = os.read(self._descriptor, 1 << 16)
            except OSError:
                return
            if not data:
                return
            kept = data[: max(self._room, 0)]
            self.truncated = self.truncated or len(kept) < len(data)
            self._room -= len(kept)
            if kept:
                self._kept.append(kept)

    def spend(self, size: int) -> bool:
        """Count log text against the same limit; whether there is room for it."""
        if size > self._room:
            self.truncated = True
            return False
        self._room -= size
        return True

    def text(self) -> str:
        """All that was printed; call it once the process has ended."""
        self._thread.join(timeout=5)
        text = b"".join(self._kept).decode("utf-8", "replace")
        return plain_text(text.replace("\r\n", "\n"))
