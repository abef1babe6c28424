"""Other processes, other programs, the kernel."""

from __future__ import annotations

import platform

from tests.backtest.hostile.case import HANGING, PATIENT, Case, refused, tries

# Every system call by its number, with arguments of nothing; those on the list are left out.
_ALL_CALLS = f"""
import ctypes, errno
from collections import Counter
libc = ctypes.CDLL(None, use_errno=True)
machine, allowed, found = "{platform.machine()}", {{ALLOWED}}, Counter()
for number in range(600):
    # The kernel's own uprobes (335, 336) pass every filter, and end who calls them from elsewhere.
    if number in allowed or number in (335, 336):
        continue
    ctypes.set_errno(0)
    if libc.syscall(number, 0, 0, 0, 0, 0, 0) != -1:
        self.log(f"REACHED system call {{number}}")
    found[errno.errorcode.get(ctypes.get_errno(), "?")] += 1
self.log(f"refused with {{sorted(found)}}")
"""


def _all_calls() -> str:
    from qc_builder_lora.backtest.sandbox import syscalls

    tables = (syscalls.free(platform.machine()), syscalls.conditional(platform.machine()))
    allowed = sorted(number for table in tables for number in table.values())
    return _ALL_CALLS.replace("{ALLOWED}", repr(allowed))


_LIBC = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
_INT80 = """
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=7)
page.write(bytes([0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3]))
at = ctypes.addressof(ctypes.c_char.from_buffer(page))
self.log(f"REACHED {ctypes.CFUNCTYPE(ctypes.c_long)(at)()}")
"""
_ONLY_X86 = (
    Case("calls the kernel as 32-bit code", _INT80, reason="its process was killed by SIG"),
    Case(
        "calls the kernel as x32 code",
        _LIBC + "libc.syscall(0x40000000 | 39)",
        reason="its process was killed by SIGSYS",
    ),
)

CASES = (
    refused("forks", "import os\nos.fork()"),
    Case("is a fork bomb", "import os\nwhile True: os.fork()", reason="PermissionError: [Errno 1]"),
    refused("starts a program", "import subprocess\nsubprocess.run(['/bin/sh', '-c', 'id'])"),
    refused("replaces itself", "import os, sys\nos.execv('/bin/sh', ['sh'])"),
    refused("spawns", "import os\nos.posix_spawn('/bin/sh', ['sh'], {})"),
    Case(
        "runs a shell",
        "import os\nself.log(f'status {os.system(\"id > /tmp/id\")}')\nopen('/tmp/id')",
        reason="FileNotFoundError: [Errno 2]",
        says=("status 32512",),
    ),
    refused(
        "starts a pool of processes",
        "import multiprocessing\nmultiprocessing.Pool(4).map(abs, [1])",
        "PermissionError: [Errno 1]",
    ),
    Case(
        "starts threads without end",
        """
        import threading, time
        threading.stack_size(65536)
        while True:
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        """,
        reason="RuntimeError: can't start new thread",
    ),
    Case(
        "goes on in a thread after the end",
        """
        import threading
        def spin():
            while True: pass
        threading.Thread(target=spin).start()
        """,
        status="completed",
        limits=PATIENT,
    ),
    tries(
        "signals others",
        """
        import os, signal
        attempt_("kill all", lambda: os.kill(-1, signal.SIGKILL))
        attempt_("kill the first", lambda: os.kill(1, signal.SIGKILL))
        attempt_("kill the group of its parent", lambda: os.killpg(1, signal.SIGTERM))
        attempt_("kill a stranger", lambda: os.kill(2, signal.SIGTERM))
        os.kill(1, signal.SIGTERM)
        os.kill(1, signal.SIGSTOP)
        os.kill(1, signal.SIGCHLD)
        """,
        "kill all: PermissionError", "kill the first: PermissionError",
        "kill a stranger: ProcessLookupError",
    ),
    refused("kills itself", "import os\nos.kill(os.getpid(), 9)"),
    Case(
        "kills itself by a timer of the kernel",
        _LIBC + "import struct\n"
        "event = struct.pack('QiiQQQQQQ', 0, 9, 0, 0, 0, 0, 0, 0, 0)\n"
        "if libc.timer_create(0, event, ctypes.byref(ctypes.c_void_p())): "
        "raise OSError(ctypes.get_errno(), 'timer_create')",
        reason="PermissionError: [Errno 1]",
    ),
    refused("kills itself by a signal of its channel", "import fcntl\nfcntl.fcntl(3, 10, 9)"),
    Case("stops itself", "import os\nos.kill(os.getpid(), 19)",
         reason="did not finish within 0.4 s", limits=HANGING),
    Case("aborts", "import os\nos.abort()", reason="its process was killed by SIGABRT"),
    Case("is woken by a clock", "import signal\nsignal.setitimer(0, 0.01)\nwhile True: pass",
         reason="its process was killed by SIGALRM"),
    Case("crashes the interpreter", "import ctypes\nctypes.string_at(1)",
         reason="its process was killed by SIGSEGV"),
    Case("ends itself quietly", "import os\nos._exit(0)",
         reason="its process ended itself with exit code 0"),
    Case("ends itself as the sandbox would", "import os\nos._exit(70)",
         reason="its process ended itself with exit code 70"),
    Case("leaves by SystemExit", "raise SystemExit(0)", reason="SystemExit: 0 (line 10"),
    Case("leaves by KeyboardInterrupt", on_data="raise KeyboardInterrupt",
         reason="KeyboardInterrupt (line"),
    refused("becomes root", "import os\nos.setuid(0)"),
    refused("joins a group", "import os\nos.setgroups([0])"),
    refused("traces its parent", _LIBC +
            "if libc.ptrace(16, 1, 0, 0): raise OSError(ctypes.get_errno(), 'ptrace')"),
    refused("lets itself be traced", _LIBC +
            "if libc.prctl(4, 1, 0, 0, 0): raise OSError(ctypes.get_errno(), 'prctl')"),
    refused("reads another's memory", _LIBC +
            "if libc.process_vm_readv(1, 0, 0, 0, 0, 0) < 0: "
            "raise OSError(ctypes.get_errno(), 'process_vm_readv')"),
    refused("makes namespaces", _LIBC +
            "if libc.unshare(0x10020000): raise OSError(ctypes.get_errno(), 'unshare')"),
    refused("is cloned into namespaces", _LIBC +
            "if libc.syscall({'x86_64': 56, 'aarch64': 220}[__import__('os').uname().machine], "
            "0x10000011, 0, 0, 0, 0) < 0: raise OSError(ctypes.get_errno(), 'clone')"),
    refused("changes its parent's limits", "import resource\nresource.prlimit(1, 0, (1, 1))"),
    refused("raises its limits", "import resource\nresource.setrlimit(0, (9999, 9999))",
            "ValueError: not allowed to raise maximum limit"),
    refused("moves to another CPU", "import os\nos.sched_setaffinity(0, {0})"),
    refused("takes priority", "import os\nos.setpriority(0, 0, -20)"),
    Case("asks for each system call there is", _all_calls(), status="completed",
         says=("refused with ['ENOSYS', 'EPERM']",)),
    Case(
        "preloads a library",
        """
        import os
        os.environ["LD_PRELOAD"] = "/tmp/mine.so"
        os.execve("/bin/true", ["true"], os.environ)
        """,
        reason="PermissionError: [Errno 1]",
    ),
    Case("runs what it has written",
         "import ctypes\nopen('mine.so', 'wb').write(b'\\x7fELF')\nctypes.CDLL('/tmp/mine.so')",
         reason="OSError: /tmp/mine.so"),
    *(_ONLY_X86 if platform.machine() == "x86_64" else ()),
)  # fmt: skip
