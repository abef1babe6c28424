"""Not ending, and ending in odd ways."""

from __future__ import annotations

from tests.backtest.hostile.case import BUSY, HANGING, Case

_CPU = "used more than 1 s of CPU time"
_WALL = "did not finish within 0.4 s"

CASES = (
    Case("spins", on_data="while True: pass", reason=_CPU, limits=BUSY),
    Case("spins in its class", head="class Endless:\n    while True: pass", reason=_WALL,
         limits=HANGING),
    Case("spins and will not hear of it",
         "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
         reason=_CPU, limits=BUSY),
    Case("spins, and catches everything",
         """
         while True:
             try:
                 while True: pass
             except BaseException:
                 pass
         """,
         reason=_WALL, limits=HANGING),
    Case("matches for ever", "import re\nre.match('(a+)+$', 'a' * 60 + 'b')", reason=_WALL,
         limits=HANGING),
    Case("raises to a great power", "x = 10 ** 10 ** 9", reason=_WALL, limits=HANGING),
    Case("sleeps", "import time\ntime.sleep(10**6)", reason=_WALL, limits=HANGING),
    Case("waits for itself", "import threading\nlock = threading.Lock()\nlock.acquire()\n"
         "lock.acquire()", reason=_WALL, limits=HANGING),
    Case("reads what nobody writes", "import os\nos.read(os.pipe()[0], 1)", reason=_WALL,
         limits=HANGING),
    Case("ignores every signal and sleeps",
         """
         import signal, time
         for number in range(1, 65):
             try:
                 signal.signal(number, signal.SIG_IGN)
             except (OSError, ValueError):
                 pass
         time.sleep(60)
         """,
         reason=_WALL, limits=HANGING),
    Case("hangs at exit", "import atexit, time\natexit.register(time.sleep, 60)",
         status="completed"),
    Case("hangs when it is deleted", more="def __del__(self):\n    while True: pass",
         status="completed"),
    Case("hangs in finally",
         on_data="try:\n    raise RuntimeError('x')\nfinally:\n    while True: pass",
         reason=_WALL, limits=HANGING),
    Case("hangs at the end", more="def on_end_of_algorithm(self):\n    import time\n"
         "    time.sleep(60)", reason=_WALL, limits=HANGING),
    Case("goes on after its own failure",
         """
         import sys, time
         sys.excepthook = lambda *error: time.sleep(60)
         raise RuntimeError("no")
         """,
         reason="RuntimeError: no (line 12"),
    Case("goes on after an unknown",
         on_data="""
         try:
             self.add_option("AAPL")
         except BaseException:
             pass
         if not self.portfolio.invested: self.set_holdings(self.aapl, 1)
         """,
         status="unknown", reason="not modelled: QCAlgorithm.add_option"),
    Case("watches every step",
         "import sys\ndef spy(*event):\n    while True: pass\nsys.settrace(spy)\ndef f(): 1\nf()",
         reason=_WALL, limits=HANGING),
    Case("prints without end", "while True: print('x' * 10_000)", reason="", limits=HANGING),
    Case("logs without end", "while True: self.log('x' * 10_000)", reason=_WALL, limits=HANGING),
    Case("logs one line without end", "self.log('x' * 50_000_000)", status="completed"),
    Case("prints in every way",
         """
         import os, sys
         sys.stdout.write("to the terminal \\x1b]0;owned\\x07\\x9b2J\\u202e")
         print("and a null \\0 and a half \\ud800")
         os.write(2, b"\\xff\\xfe\\n")
         self.log("log \\x1b[31m \\0 \\ud800")
         """,
         status="completed"),
)  # fmt: skip
