"""Reading what is none of a strategy's business, and writing where it must not."""

from __future__ import annotations

from pathlib import Path

import qc_builder_lora
from qc_builder_lora.backtest.sample_data import __file__ as _OURS
from tests.backtest.hostile.case import Case, refused, tries

_GONE = "FileNotFoundError: [Errno 2]"
# The file is of another user, or its file system is read-only: which is said first depends.
_READ_ONLY = ("OSError: [Errno 30] Read-only", "PermissionError: [Errno 13]")
_PACKAGE = str(Path(qc_builder_lora.__file__).parent)
_HOME = str(Path.home())

CASES = (
    refused("reads /etc/passwd", "open('/etc/passwd').read()", _GONE),
    refused("reads /etc/shadow", "open('/etc/shadow').read()", _GONE),
    refused("reads an ssh key", f"open('{_HOME}/.ssh/id_rsa').read()", _GONE),
    refused("lists the user's home", "import os\nos.listdir('/home')", _GONE),
    refused("reads our source", f"open({_OURS!r}).read()", _GONE),
    refused("lists our package", f"import os\nos.listdir('{_PACKAGE}/store')", _GONE),
    refused("reads the working folder", f"open('{Path.cwd()}/pyproject.toml').read()", _GONE),
    refused("reads the store", f"open('{Path.cwd()}/.qc-lora/store.db', 'rb').read()", _GONE),
    refused("walks up from its folder", "open('../../../../../etc/hostname').read()", _GONE),
    refused("reads the host's processes", "import os\nos.listdir('/proc')", _GONE),
    refused("reads its parent's environment", "open('/proc/1/environ').read()", _GONE),
    refused("reads memory through /proc", "open('/proc/self/mem', 'rb+')", _GONE),
    refused("reads its own map", "open('/proc/self/maps').read()", _GONE),
    refused("writes a sysctl", "open('/proc/sys/kernel/core_pattern', 'w')", _GONE),
    refused("lists devices of the machine", "import os\nos.listdir('/sys/block')", _GONE),
    refused("reads a disk", "open('/dev/vda', 'rb')", _GONE),
    refused("reads the machine's memory", "open('/dev/mem', 'rb')", _GONE),
    refused("opens its terminal", "open('/dev/tty')", _GONE),
    refused("writes into the root", "open('/left', 'w')", _READ_ONLY),
    refused(
        "writes into the standard library",
        "import json\nopen(json.__file__, 'a')",
        _READ_ONLY,
    ),
    refused(
        "writes into the surface",
        "import inspect\nopen(inspect.getfile(QCAlgorithm), 'a')",
        _READ_ONLY,
    ),
    refused(
        "deletes the interpreter's files",
        "import os, shutil, json\nshutil.rmtree(os.path.dirname(json.__file__))",
        _READ_ONLY,
    ),
    Case(
        "follows a symbolic link out",
        "import os\nos.symlink('/etc', 'out')\nopen('out/passwd')",
        reason=_GONE,
    ),
    refused("makes a device", "import os\nos.mknod('disk', 0o60644, os.makedev(254, 0))"),
    refused("changes its root", "import os\nos.chroot('/tmp')"),
    refused("mounts", "import ctypes\n" + "libc = ctypes.CDLL(None, use_errno=True)\n"
            "if libc.mount(b'none', b'/tmp', b'proc', 0, None): "
            "raise OSError(ctypes.get_errno(), 'mount')"),
    Case(
        "makes a set-uid file in an open folder",
        """
        import os
        os.umask(0)
        with open("suid", "w") as file:
            file.write("x")
        os.chmod("suid", 0o6777)
        os.execv("/tmp/suid", ["suid"])
        """,
        reason="PermissionError: [Errno 1]",
    ),
    refused("fills the disk", "for n in range(99):\n    open(f'f{n}', 'wb').write(bytes(9 << 20))",
            "OSError: [Errno 28] No space left"),
    refused("makes files without end", "for n in range(99999):\n    open(f'f{n}', 'w').close()",
            "OSError: [Errno 28] No space left"),
    Case(
        "makes one file without end",
        "with open('f', 'wb') as file:\n    while True: file.write(bytes(1 << 20))",
        reason="OSError: [Errno 27] File too large",
    ),
    Case(
        "leaves files, pipes, links and folders nobody may enter",
        """
        import os
        os.makedirs("a/b/c")
        os.mkfifo("a/pipe") if False else open("a/b/c/file", "w").close()
        os.symlink("a", "loop")
        os.link("a/b/c/file", "hard")
        os.symlink("nowhere", "a/dangling")
        os.chmod("a/b", 0)
        """,
        status="completed",
    ),
    Case(
        "nests folders deeper than a path may be long",
        "import os\nfor n in range(1500):\n    os.mkdir('x' * 99)\n    os.chdir('x' * 99)",
        status="completed",
    ),
    tries(
        "looks through the environment",
        """
        import os, ctypes
        attempt_("environment", lambda: 1 / len(os.environ))
        attempt_("PATH", lambda: os.environb[b"PATH"])
        attempt_("user", lambda: os.getlogin())
        attempt_("names", lambda: __import__("pwd").getpwuid(0))
        self.log(f"I am {os.getuid()} {os.getgid()} on {os.uname().nodename}")
        """,
        "environment: ZeroDivisionError", "PATH: KeyError", "user: OSError", "names: KeyError",
        "I am 65534 65534 on sandbox",
    ),
)  # fmt: skip
