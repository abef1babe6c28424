"""Frames that almost are the surface's own: lengths, numbers and texts that lie."""

from __future__ import annotations

from textwrap import dedent

from tests.backtest.hostile.case import BUSY, HANGING, Case

_FORGED = "broke the simulator's protocol: "
_FIELD = _FORGED + "a 'submit' message whose field {} "
_SEND = """
import json, os, struct
def raw(data):
    while data:
        data = data[os.write(3, data):]
def send(body):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    raw(struct.pack("<I", len(body)) + body)
"""


def forges(name: str, line: str, reason: object = _FORGED, **more: object) -> Case:
    """Speaks on the channel in initialize."""
    return Case(name, _SEND + dedent(line), reason=reason, **more)  # type: ignore[arg-type]


_ORDER = '["submit",{},0,{},null,null,null,null,false,"","gtc",false,false,false,null]'

CASES = (
    forges("says a length that is too short",
           "raw(struct.pack('<I', 3) + b'[\"log\",\"a\",\"b\"]')"),
    forges("says a length that is too long by one",
           "import time\nbody = b'[\"done\"]'\nraw(struct.pack('<I', len(body) + 1) + body)\n"
           "time.sleep(60)", "did not finish within 0.4 s", limits=HANGING),
    forges("says a length of everything", "raw(b'\\xff\\xff\\xff\\xff')",
           _FORGED + "a frame of 4294967295 bytes"),
    forges("says the longest frame and then nothing",
           "import time\nraw(struct.pack('<I', 1 << 20) + b' ' * 1000)\ntime.sleep(60)",
           "did not finish within 0.4 s", limits=HANGING),
    forges("says the longest frame of spaces", "send(b' ' * (1 << 20))"),
    forges("says the other byte order", "raw(struct.pack('>I', 8) + b'[\"done\"]')"),
    forges("says objects in objects without end", "send(b'{\"a\":' * 100_000)"),
    forges("says lists and objects in turns",
           "send(b'[\"ready\",' + b'[{\"a\":' * 400 + b'1' + b'}]' * 400 + b']')"),
    forges("counts in halves", f"send(b'{_ORDER.format('0.0', '1.0')}')",
           _FIELD.format(0)),
    forges("counts in truths", f"send(b'{_ORDER.format('true', '1')}')",
           _FIELD.format(0)),
    forges("counts beyond the machine's words", f"send(b'{_ORDER.format(2**63, '1')}')",
           _FIELD.format(0)),
    forges("counts below the machine's words", f"send(b'{_ORDER.format(-(2**63), '1')}')",
           _FIELD.format(0)),
    forges("orders minus infinity", f"send(b'{_ORDER.format('0', '-1e999')}')",
           _FIELD.format(2)),
    forges("orders a number as text", "send(b'" + _ORDER.format("0", '"1"') + "')",
           _FIELD.format(2)),
    forges("orders under the same key twice",
           "send(b'[\"ready\",{\"a\":true,\"a\":1e400}]')"),
    forges("says flags without end",
           "send(['ready', {f'k{n}': True for n in range(60_000)}])"),
    forges("says a name that is not UTF-8",
           "send(b'[\"log\",\"x\",\"\\xc0\\x80\\xed\\xa0\\x80\"]')"),
    forges("says a byte order mark first", "send(b'\\xef\\xbb\\xbf[\"done\",0]')"),
    forges("hides a sign that turns the line in UTF-16",
           "send('[\"log\",\"debug\",\"\u202e\"]'.encode('utf-16-le'))"),
    forges("hides a sign that moves the cursor in UTF-32",
           "send('[\"log\",\"debug\",\"\\x9b2J\"]'.encode('utf-32-be'))"),
    forges("sends half a character", "send(b'[\"log\",\"debug\",\"\\xed\\xa0\\x80\"]')"),
    forges("sends what deletes", "send(b'[\"log\",\"debug\",\"\\x7f\\x7f\"]')", "",
           status="completed"),
    forges("says a kind with a null in it", "send(['lo\\0g', 'a', 'b'])"),
    forges("says a kind of a megabyte", "send(['x' * 1_000_000])"),
    forges("says two frames in one", "send(b'[\"figures\"][\"figures\"]')"),
    forges("says what follows a frame", "send(b'[\"figures\"] garbage')"),
    forges("says a comment", "send(b'[\"figures\"/* */]')"),
    forges("says a trailing comma", "send(b'[\"figures\",]')"),
    forges("says the end in the year 10000", "send(['set', 'end', 2_932_897])"),
    forges("begins before there were dates", "send(['set', 'start', -10**14])"),
    forges("asks for the hours of another time", "send(['hours', 'next_open', 10**15])"),
    forges("asks for a rule made of lists",
           "send(['dates', ['dates', [[['2010-01-04']]]], 0])"),
    forges("asks for dates that are none",
           "send(['schedule', 0, ['dates', ['2010-99-99']], ['at', 0], 0])", ""),
    forges("schedules at no time", "send(['schedule', 0, ['every_day'], ['at', 10**14], 0])", ""),
    forges("asks for a time zone of dots", "send(['zone', '../../etc/passwd'])", ""),
    forges("adds a ticker of dots",
           "send(['security', '../../../etc/passwd', 0, 1, 86400, True, False])", "",
           status="unknown"),
    forges("adds a ticker with a null",
           "send(['security', 'A\\0', 0, 1, 86400, True, False])", "", status="unknown"),
    forges("adds a security of a kind that is none",
           "send(['security', 'AAPL', 99, 1, 86400, True, False])", ""),
    forges("answers what nobody asked", "send(['answer', 1.0])"),
    forges("seeds a price before there is one",
           "send(['seed', 0, 1e14, False])", "not modelled: ", status="unknown"),
    forges("takes back what it never had", "send(['unsubscribe', 7])", ""),
    forges("cancels what it never ordered", "send(['cancel', 7, None])", ""),
    forges("updates what it never ordered",
           "send(['update', 2**53, None, None, None, None, None, None])", ""),
    forges("asks for the order before the first", "send(['order', -1])", ""),
    forges("fills what it never ordered", "send(['default_fill', 0, 'market'])", ""),
    forges("draws without end",
           "n = 0\nwhile True:\n    send(['plot', 'c' * 200, str(n), 1.0])\n    n += 1",
           ("did not finish within 0.4 s", "used more than"), limits=HANGING),
    forges("keeps figures without end",
           "n = 0\nwhile True:\n    send(['runtime', f'{n}' * 20, 'x' * 200])\n    n += 1",
           ("did not finish within 0.4 s", "used more than"), limits=HANGING),
    Case("goes on sending in a thread after the end",
         _SEND + """
import threading
def flood():
    while True:
        send(["log", "x", "late"])
threading.Thread(target=flood, daemon=True).start()
""", status="", limits=BUSY),
    Case("says done for the day from a thread",
         _SEND + """
import threading, time
def early():
    time.sleep(0.05)
    while True:
        send(["done", 1262563200])
threading.Thread(target=early, daemon=True).start()
""", on_data="import time\ntime.sleep(0.03)", status="", limits=BUSY),
    Case("prints into the channel", "import os\nos.dup2(3, 1)\nprint('hello', flush=True)",
         reason=_FORGED),
    Case("puts its output in the channel's place", "import os\nos.dup2(1, 3)\nself.log('x')",
         reason=""),
    Case("closes its output", "import os\nos.close(1)\nos.close(2)\nself.log('x')",
         status="completed"),
)  # fmt: skip
