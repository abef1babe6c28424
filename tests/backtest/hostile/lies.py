"""Python turned against its own process: hooks, finalisers, and values that are not what they say.

Whatever a strategy makes itself believe, the figures are counted outside.
"""

from __future__ import annotations

from tests.backtest.hostile.case import BUSY, Case

_ONCE = "if not self.portfolio.invested and self.time.day == 5:\n"


def believes(name: str, initialize: str, on_data: str = "pass", **more: object) -> Case:
    """Does something to itself, and completes with the figures of having done nothing."""
    return Case(name, initialize, on_data, status="completed", **more)  # type: ignore[arg-type]


_TAG = """
class Tag(str):
    def __len__(self): return 0
    def __str__(self): return "x" * 10**6
    def __eq__(self, other): return True
    def __hash__(self): return 0
    def encode(self, *_): return b"]]]]"
"""
_WHOLE = """
class Whole(int):
    def __int__(self): return 10**9
    def __index__(self): return 10**9
    def __float__(self): return 1e9
    def __repr__(self): return "1e9"
    def __abs__(self): return Whole(0)
    def __lt__(self, other): return True
    def __gt__(self, other): return False
"""
_FLOAT = """
class Float(float):
    def __repr__(self): return "NaN"
    def __float__(self): return 1e300
    def __mul__(self, other): return Float(0)
    def __eq__(self, other): return True
    def __hash__(self): return 0
"""

CASES = (
    believes("turns all clocks back",
             """
             import time, datetime as dates
             for name in ("time", "monotonic", "perf_counter", "process_time", "time_ns"):
                 setattr(time, name, lambda *_: 0)
             class Never(dates.datetime):
                 @classmethod
                 def now(cls, tz=None): return cls(2040, 1, 1)
                 def timestamp(self): return 0.0
             dates.datetime = Never
             """),
    believes("makes chance sure",
             "import random, os\nrandom.random = lambda: 0.5\nos.urandom = lambda n: b'0' * n"),
    Case("hooks the collector of garbage",
         "import gc\ndef spin(phase, found):\n    while True: pass\ngc.callbacks.append(spin)\n"
         "gc.collect()", reason="used more than 1 s of CPU time", limits=BUSY),
    believes("raises in the collector of garbage",
             "import gc\ndef no(phase, found): raise SystemExit(3)\ngc.callbacks.append(no)\n"
             "gc.set_threshold(1, 1, 1)"),
    Case("profiles every step",
         "import sys\ndef spy(*event): raise RuntimeError('spied')\nsys.setprofile(spy)",
         reason="RuntimeError: spied"),
    Case("watches all threads",
         "import threading, sys\ndef spy(*event):\n    while True: pass\n"
         "threading.settrace(spy)\nsys.settrace(spy)",
         on_data="self.log('x')", reason="used more than 1 s of CPU time", limits=BUSY),
    believes("hangs at exit in a thread that cannot be joined",
             """
             import atexit, threading
             def endless():
                 while True: pass
             def late():
                 worker = threading.Thread(target=endless)
                 worker.start()
                 worker.join()
             atexit.register(late)
             """),
    believes("hangs when what it keeps is finalised",
             "import time, weakref\nself.kept = type('K', (), {})()\n"
             "weakref.finalize(self.kept, time.sleep, 60)\nweakref.finalize(self, time.sleep, 60)"),
    believes("comes back to life when it is deleted",
             more="def __del__(self):\n    import builtins\n    builtins.alive = self\n"
                  "    self.liquidate()", initialize="pass"),
    Case("takes exceptions' names away",
         "import builtins\nfor name in ('Exception', 'BaseException', 'ValueError'):\n"
         "    setattr(builtins, name, None)\nraise RuntimeError('no')", reason=""),
    Case("fails with an error that lies about itself",
         """
         class Quiet(BaseException):
             def __str__(self): raise RuntimeError("twice")
             def __repr__(self): return "x" * 10**7
         Quiet.__name__ = "\\x1b[2J" + "N" * 10**6
         raise Quiet()
         """, reason=""),
    Case("fails with an error whose text never comes",
         "class Slow(Exception):\n    def __str__(self):\n        while True: pass\nraise Slow()",
         reason=("did not finish", "used more than 1 s of CPU time"), limits=BUSY),
    Case("fails with a group of errors in each other",
         "e = ValueError('in')\nfor n in range(3000): e = ExceptionGroup('g', [e])\nraise e",
         reason=""),
    Case("fails because of itself",
         "a, b = ValueError('a'), ValueError('b')\na.__cause__, b.__cause__ = b, a\nraise a",
         reason="ValueError: a"),
    believes("takes the output away", "import sys\nsys.stdout = sys.stderr = None\nself.log('x')"),
    believes("makes itself another class",
             "class Other(QCAlgorithm):\n    def initialize(self): pass\nself.__class__ = Other"),
    believes("fills by a dictionary that lies",
             """
             kind = type(self.portfolio)
             kind.__getitem__ = lambda self, key: type('H', (), {'quantity': 1e9, 'invested': True})
             kind.invested = property(lambda self: True)
             kind.cash = property(lambda self: 1e12)
             """),
    believes("makes every number greater",
             """
             import decimal, operator
             for name in ("add", "sub", "mul", "truediv", "lt", "gt"):
                 setattr(operator, name, lambda *_: 10**9)
             decimal.getcontext().prec = 1
             """),
    believes("replaces the surface's own modules",
             "import sys, types\nfor name in [n for n in sys.modules if n.startswith('surface')]:\n"
             "    sys.modules[name] = types.ModuleType(name)"),
    believes("finds the modules of others first",
             "import sys\nsys.path.insert(0, '/tmp')\nopen('/tmp/json.py', 'w').write('1/0')\n"
             "sys.modules.pop('json', None)\nsys.meta_path.clear()"),
    Case("tags an order with what is no text",
         on_data=_ONCE + "    self.market_order(self.aapl, 10, tag=Tag('mine'))", head=_TAG,
         status="completed", equity="99988.14", orders=1),
    Case("orders a whole number that lies",
         on_data=_ONCE + "    self.market_order(self.aapl, Whole(10))", head=_WHOLE,
         status="completed", orders=1),
    Case("orders a fraction that lies",
         on_data=_ONCE + "    self.market_order(self.aapl, Float(10.0))", head=_FLOAT,
         reason="broke the simulator's protocol: "),
    Case("holds a weight that lies",
         on_data=_ONCE + "    self.set_holdings(self.aapl, Float(0.5))", head=_FLOAT,
         status="completed"),
)  # fmt: skip
