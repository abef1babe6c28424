"""Source code that is an attack by itself, and modules that are not what they are called."""

from __future__ import annotations

from qc_builder_lora.backtest.protocol import Limits
from tests.backtest.hostile.case import HANGING, Case, refused

_LONG = Limits(wall_s=30, cpu_s=4, memory_mb=100)
_LIAR = """
class Liar(type):
    def __instancecheck__(cls, other): return True
    def __subclasscheck__(cls, other): return True
    def __getattribute__(cls, name):
        if name in ("__mro__", "__dict__"):
            raise SystemExit(0)
        return super().__getattribute__(name)
"""


def text(name: str, code: str, reason: str = "", **more: object) -> Case:
    """Source as it is."""
    return Case(name, code=code, reason=reason, **more)  # type: ignore[arg-type]


CASES = (
    text("has a null byte", "x = 1\0", "SyntaxError: source code string cannot contain null bytes"),
    text("has half a character", "x = '\ud800'", "UnicodeEncodeError"),
    text("has a byte order mark inside", "x = 1\n\ufeffy = 2", "SyntaxError: invalid non-pr"),
    text("claims to be encoded otherwise", "# -*- coding: rot13 -*-\ncevag('k')", "NameError"),
    text("claims an encoding nobody has", "# -*- coding: nonsense -*-\nx = 1", "BadStrategy: no"),
    text("writes names in wide letters", "import os\nｏｓ.fork()", "PermissionError: [Errno 1]"),
    text("has more than ten million characters", "#" * 10_485_760,
         "the source has 10485760 characters, more than 10000000"),
    text("has nearly ten million characters", "x = 1\n" * 1_650_000, limits=_LONG),
    text("has one line of ten million characters", "x = '" + "a" * 9_900_000 + "'",
         "BadStrategy: no class"),
    text("opens brackets without end", "(" * 100_000, "SyntaxError: too many nested parentheses"),
    text("negates without end", "x = " + "-" * 200_000 + "1", "MemoryError"),
    text("asks members of members", "x = a" + ".a" * 100_000, ""),
    text("adds without end", "x = " + "+".join(["1"] * 100_000), ""),
    text("indents without end", "\n".join(" " * n + "if 1:" for n in range(200)),
         "IndentationError: too many levels of indentation"),
    text("lets the compiler work", "x = ((1 << 9999999) ** 99)", "", limits=HANGING),
    text("is empty", "", "BadStrategy: no class derives from QCAlgorithm"),
    text("is not Python", "\x1b[2J<html>", "SyntaxError"),
    Case("is of a class that lies",
         head=_LIAR + "class Other(QCAlgorithm, metaclass=Liar): pass\n",
         status="completed"),
    Case("is the last class, and lies",
         head=_LIAR + "class Zealot(QCAlgorithm, metaclass=Liar): pass\n",
         reason=""),
    Case("makes an instance that is no algorithm",
         more="def __new__(cls): return object()", reason=""),
    Case("has members that raise",
         more="def __getattribute__(self, name): raise ValueError(name)", reason="ValueError"),
    Case("raises what cannot be shown",
         head="""
         class Odd(Exception):
             def __str__(self): raise RuntimeError("no")
             __repr__ = __str__
         """,
         on_data="raise Odd()", reason="Odd: (its message cannot be printed)"),
    Case("raises what is shown without end",
         head="class Long(Exception):\n    def __str__(self): return 'x' * 50_000_000",
         on_data="raise Long()", reason="Long: xxx"),
    Case("hangs while it is shown",
         head="class Slow(Exception):\n    def __str__(self):\n        while True: pass",
         on_data="raise Slow()", reason="did not finish within 0.4 s", limits=HANGING),
    Case("hooks imports",
         """
         import sys
         class Hook:
             def find_spec(self, name, path=None, target=None):
                 raise SystemExit(name)
         sys.meta_path.insert(0, Hook())
         import decimal
         """,
         reason="SystemExit: "),
    Case("brings a module called as one of ours",
         """
         import sys, types
         fake = types.ModuleType("json")
         fake.dumps = lambda *x: "[]"
         sys.modules["json"] = sys.modules["socket"] = sys.modules["struct"] = fake
         open("numpy.py", "w").write("raise SystemExit('mine')")
         sys.path.insert(0, "/tmp")
         """,
         status="completed"),
    Case("replaces what warns and what hears",
         """
         import sys, warnings, threading
         warnings.showwarning = sys.excepthook = sys.unraisablehook = threading.excepthook = None
         sys.stdout = sys.stderr = None
         warnings.warn("heard?")
         """,
         reason=""),
    refused("adds a hook that audits",
            "import sys\nsys.addaudithook(lambda *event: 1 / 0)\nopen('/dev/null')",
            ("ZeroDivisionError", "its process ended itself with exit code 70")),
    Case("switches collection off and makes circles",
         """
         import gc
         gc.disable()
         while True:
             x = [bytearray(10_000)]
             x.append(x)
         """,
         reason="MemoryError"),
)  # fmt: skip
