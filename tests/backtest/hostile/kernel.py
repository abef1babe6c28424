"""System calls by their names, asked for directly: each is refused, and nothing comes of it."""

from __future__ import annotations

import platform

from tests.backtest.hostile.case import HANGING, Case, refused, tries

_CALL = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    found = libc.syscall(number, *arguments)
    if found < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return found
"""
# name, number on x86-64 and aarch64, arguments
_CALLS = (
    ("makes a ring of io_uring", 425, 425, "8, ctypes.create_string_buffer(200)"),
    ("registers with io_uring", 427, 427, "3, 0, 0, 0"),
    ("handles its own page faults", 323, 282, "1"),
    ("runs a program out of memory", 322, 281, "3, b'', 0, 0, 0x1000"),
    ("makes secret memory", 447, 447, "0"),
    ("opens a process as a file", 434, 434, "1, 0"),
    ("takes a file of another process", 438, 438, "3, 0, 0"),
    ("signals through a process's file", 424, 424, "3, 9, 0, 0"),
    ("compares what two processes hold", 312, 272, "1, 2, 0, 0, 0"),
    ("floods with timers", 283, 85, "1, 0"),
    ("watches files", 294, 26, "0"),
    ("watches all files", 300, 262, "0, 0"),
    ("reads signals from a file", 289, 74, "-1, ctypes.create_string_buffer(8), 8, 0"),
    ("opens a queue of messages", 240, 180, "b'q', 0o102, 0o600, 0"),
    ("keeps a key", 248, 217, "b'user', b'x', b'y', 1, -3"),
    ("loads a program into the kernel", 321, 280, "0, ctypes.create_string_buffer(64), 64"),
    ("counts the machine's events", 298, 241, "ctypes.create_string_buffer(128), 0, -1, -1, 0"),
    ("advises another's memory", 440, 440, "3, 0, 0, 4, 0"),
    ("splices", 275, 76, "0, 0, 1, 0, 1, 0"),
    ("opens a file by its handle", 304, 265, "-100, ctypes.create_string_buffer(64), 0"),
    ("opens a file system", 430, 430, "b'tmpfs', 0"),
    ("moves a mount", 429, 429, "-100, b'/', -100, b'/tmp', 0"),
    ("makes a ruleset of its own", 444, 444, "ctypes.create_string_buffer(8), 8, 0"),
    ("puts on a filter with a listener", 317, 277, "1, 8, ctypes.create_string_buffer(16)"),
    ("changes its personality", 135, 92, "0x0040000"),
    ("joins another's namespace", 308, 268, "3, 0"),
    ("names the machine", 170, 161, "b'owned', 5"),
    ("reads the kernel's log", 103, 116, "3, ctypes.create_string_buffer(64), 64"),
    ("locks memory", 151, 230, "3"),
    ("asks for real time", 144, 119, "0, 1, ctypes.create_string_buffer(8)"),
    ("takes the disk's priority", 251, 30, "1, 0, 0x2000"),
    ("switches accounting on", 163, 89, "b'/tmp/a'"),
    ("makes a node of a device", 259, 33, "-100, b'/tmp/d', 0o20666, 0x103"),
    ("changes the root", 161, 51, "b'/tmp'"),
    ("sets the clock", 227, 112, "0, ctypes.create_string_buffer(16)"),
    ("makes a socket of the kernel", 41, 198, "16, 3, 0"),
    ("makes a socket of a virtual machine", 41, 198, "40, 1, 0"),
)


def _called(name: str, x86: int, arm: int, arguments: str) -> Case:
    number = arm if platform.machine() == "aarch64" else x86
    return refused(name, f"{_CALL}call({number}, {arguments})",
                   ("PermissionError: [Errno 1]", "OSError: [Errno 38]"))  # fmt: skip


CASES = (
    *(_called(*one) for one in _CALLS),
    tries(
        "asks the kernel about itself",
        _CALL + """
for what, *rest in ((1, 9), (8, 1), (9, 1), (22, 0), (23, 7), (24, 7), (28, 0), (29, 1),
                    (35, 8, 4096), (36, 1), (38, 1), (41, 1), (47, 2, 0, 0, 0),
                    (59, 1, 0, 0, 0), (62, 0, 0, 0, 0), (0x59616D61, -1)):
    attempt_(f"prctl {what}", lambda: call(
        {"x86_64": 157, "aarch64": 167}[os.uname().machine], what, *rest))
""",
        *(f"prctl {what}: PermissionError" for what in (1, 8, 22, 23, 35, 36, 0x59616D61)),
    ),
    refused(
        "starts a program with an environment of megabytes",
        "import os\nos.execve('/bin/true', ['true'], {f'k{n}': 'x' * 9999 for n in range(200)})",
    ),
    tries(
        "signals the first process and its own group",
        """
        import os, signal
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT,
                       signal.SIGSEGV, signal.SIGABRT, signal.SIGUSR1, signal.SIGPIPE,
                       signal.SIGCONT, signal.SIGRTMAX):
            os.kill(1, number)
        self.log("still here")
        """,
        "still here",
    ),
    Case("ends its own group", "import os, signal\nos.kill(0, signal.SIGTERM)\n"
         "import time\ntime.sleep(60)", reason="its process was killed by SIGTERM"),
    Case("counts events without end",
         "import ctypes, os\nkept = []\nwhile True:\n    kept.append(os.eventfd(1))",
         reason="OSError: [Errno 24] Too many open files"),
)  # fmt: skip
OF_FILES = (
    tries(
        "leaves something in every folder",
        """
        import os
        left = []
        for folder, _, _ in os.walk("/"):
            try:
                open(os.path.join(folder, "left"), "w").close()
                left.append(folder)
            except OSError:
                pass
        self.log(f"left in {left}")
        """,
        "left in ['/tmp']",
    ),
    Case("fills its folder with empty files",
         "n = 0\nwhile True:\n    open(f'f{n}', 'w').close()\n    n += 1",
         reason=("OSError: [Errno 28]", "used more than", "did not finish")),
    Case("fills its folder with one file that is mostly holes",
         "import os\nfile = os.open('hole', os.O_CREAT | os.O_RDWR)\nos.truncate(file, 1 << 62)",
         reason=("OSError: [Errno 27]", "its process was killed by SIGXFSZ")),
    Case("nests folders without end",
         "import os\nwhile True:\n    os.mkdir('d')\n    os.chdir('d')",
         reason=("OSError: [Errno", "used more than", "did not finish"), limits=HANGING),
    Case("hides a folder, and a file with a name that no terminal should see",
         "import os\nos.mkdir('d')\nopen('d/\\n\\x1b[2J', 'w').close()\nos.chmod('d', 0)",
         status="completed"),
)  # fmt: skip
