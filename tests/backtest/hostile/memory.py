"""Memory and descriptors."""

from __future__ import annotations

from qc_builder_lora.backtest.protocol import Limits
from tests.backtest.hostile.case import Case, refused

_MUCH = "MemoryError"
_SMALL = Limits(wall_s=30, cpu_s=5, memory_mb=60)

CASES = (
    Case("grows a list", "x = []\nwhile True: x.append('x' * 100_000)", reason=_MUCH,
         limits=_SMALL),
    Case("asks for much at once", "x = bytearray(1 << 40)", reason=_MUCH),
    Case("maps memory", "import mmap\nx = mmap.mmap(-1, 8 << 30)", reason="OSError: [Errno 12]"),
    Case("asks numpy for much", "import numpy\nx = numpy.ones((1 << 17, 1 << 17))",
         reason="MemoryError"),
    Case("asks numpy for what it does not touch", "import numpy\nx = numpy.empty(8 << 30)",
         reason="MemoryError"),
    Case("unpacks a bomb",
         "import zlib\nbomb = zlib.compress(bytes(20 << 20))\nx = zlib.decompress(bomb) * 9",
         reason=_MUCH, limits=_SMALL),
    Case("has more than its limit when it catches the error",
         """
         kept = []
         while True:
             try:
                 kept.append(bytearray(1 << 20))
             except MemoryError:
                 break
         self.log(f"less than 500: {len(kept) < 500}")
         """,
         status="completed", says=("less than 500: True",)),
    refused("makes memory that is no file", "import os\nos.memfd_create('x')"),
    Case("shares memory",
         "from multiprocessing import shared_memory as memory\n"
         "memory.SharedMemory(create=True, size=9)",
         reason="PermissionError: [Errno 1]"),
    Case("keeps memory beyond its life",
         "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
         "if libc.shmget(42, 4096, 0o1666) < 0: raise OSError(ctypes.get_errno(), 'shmget')",
         reason="PermissionError: [Errno 1]"),
    refused("opens descriptors without end", "import os\nwhile True: os.dup(1)",
            "OSError: [Errno 24] Too many open files"),
    Case("fills pipes",
         "import os\nwhile True:\n    _, to = os.pipe()\n    os.set_blocking(to, False)\n"
         "    os.write(to, bytes(1 << 20))",
         reason="OSError: [Errno 24] Too many open files"),
    Case("runs out of stack",
         "import sys\nsys.setrecursionlimit(10**9)\n"
         "def f(x): sorted([x], key=f)\nf(1)",
         reason="its process was killed by SIGSEGV"),
    Case("recurses in C", "x = []\nfor n in range(10**6): x = [x]\nrepr(x)",
         reason="RecursionError"),
)  # fmt: skip
