"""The one way out: the channel to the simulator."""

from __future__ import annotations

from textwrap import dedent

from tests.backtest.hostile.case import BUSY, HANGING, Case, tries

_FORGED = "broke the simulator's protocol: "
_SEND = """
import json, os, struct
def send(body):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    body = struct.pack("<I", len(body)) + body
    while body:
        body = body[os.write(3, body):]
"""


def forges(name: str, line: str, reason: str = _FORGED, **more: object) -> Case:
    """Speaks on the channel in initialize."""
    return Case(name, _SEND + dedent(line), reason=reason, **more)  # type: ignore[arg-type]


CASES = (
    forges("says nonsense", 'send(["nonsense"])'),
    forges("says what is no list", 'send({"done": 1})'),
    forges("says nothing", 'send(b"")'),
    forges("says what is no text", 'send(b"\\xff\\xfe[]")'),
    forges("sends a pickle", 'send(b"\\x80\\x04cos\\nsystem\\n(S\'id\'\\ntR.")'),
    forges("nests without end", 'send(b"[" * 200_000)'),
    forges("nests lists in a list", 'send(b\'["log",\' + b"[" * 5000 + b"]" * 5000 + b"]")'),
    forges("says a number that is none", 'send(b\'["submit",0,0,NaN,null,null,null,"","gtc"]\')'),
    forges("says infinity", 'send(b\'["set","cash",1e999]\')'),
    forges("says a number of many digits", 'send(b\'["set","cash",\' + b"9" * 900_000 + b"]")'),
    forges("says the same key twice", 'send(b\'{"a":1,"a":2}\')'),
    forges("begins a frame that never comes",
           "os.write(3, struct.pack('<I', 1 << 31) + b'x' * 100)",
           _FORGED + "a frame of 2147483648 bytes"),
    forges("begins a frame and waits",
           "import time\nos.write(3, struct.pack('<I', 500))\ntime.sleep(60)",
           "did not finish within 0.4 s", limits=HANGING),
    forges("sends a byte at a time",
           "import time\nwhile True:\n    os.write(3, b'\\0')\n    time.sleep(0.01)", _FORGED),
    forges("floods", "while True: send(['log', 'debug', 'x' * 15_000])",
           "did not finish within 0.4 s", limits=HANGING),
    forges("asks and never listens",
           "while True: send(['hours', 'next_open', 1262304000])", "", limits=HANGING),
    forges("says it is ready before it is", 'send(["ready", {}])\nself.x', ""),
    forges("says it is done before it is asked", 'send(["done"])'),
    forges("starts again", 'send(["up"])'),
    forges("sets what cannot be set", 'send(["set", "account", 1e9])'),
    forges("orders what it has not", 'send(["submit", 99, 0, 1, None, None, None, "", "gtc"])'),
    forges("orders before the first", 'send(["submit", -1, 0, 1, None, None, None, "", "gtc"])'),
    forges("schedules without end",
           """
           n = 0
           while True:
               send(["schedule", n, ["dates", ["2010-01-04"] * 15_000], ["at", 0]])
               os.read(3, 100)
               n += 1
           """,
           _FORGED),
    forges("says it has failed", 'send(["failed", "run", "Ruined", "by me", 1, "x"])',
           "Ruined: by me"),
    forges("says it is not modelled", 'send(["unknown", "run", "me", ""])', "not modelled: me",
           status="unknown"),
    Case("closes the channel", "import os\nos.close(3)",
         reason="its process ended itself with exit code 0"),
    Case("closes the channel and stays", "import os, time\nos.close(3)\ntime.sleep(60)",
         reason="closed its channel to the simulator", limits=BUSY),
    Case("shuts the channel", "import socket\nsocket.socket(fileno=3).shutdown(2)",
         reason="its process ended itself with exit code 0"),
    Case("puts another file in the channel's place",
         "import os\nos.dup2(os.open('/dev/zero', 0), 3)", reason=""),
    tries(
        "guesses descriptors",
        """
        import os
        found = []
        for number in range(1024):
            try:
                os.fstat(number)
                found.append(number)
            except OSError:
                pass
        self.log(f"open: {found}")
        """,
        "open: [0, 1, 2, 3]",
    ),
    Case("reads the channel itself",
         on_data="import os\nos.set_blocking(3, False)\nos.read(3, 1 << 20)",
         reason="BlockingIOError: [Errno 11]"),
)  # fmt: skip
