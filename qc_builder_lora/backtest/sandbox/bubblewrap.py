"""The same walls made by bubblewrap, which some systems let do what they refuse to others."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.sandbox.kernel import NOBODY

_SCRATCH_CAPABILITY = "CAP_SYS_ADMIN"
CGROUPS = Path("/proc/self/ns/cgroup")
"""There where the kernel has namespaces of control groups."""


def find() -> str | None:
    """The program, where it is installed."""
    return shutil.which("bwrap")


def is_set_uid(program: str) -> bool:
    """Whether it is of the older kind, that becomes root to do its work."""
    return bool(os.stat(program).st_mode & stat.S_ISUID)  # noqa: PTH116


def command(program: str, root: dict[str, Any], *, as_root: bool) -> list[str]:
    """The command line that the interpreter's own is put behind.

    `as_root` is for a root that needs no user namespace to make the others; the jailed process
    then becomes nobody by itself, outside as well.
    """
    found = [
        program, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts",
        *(["--unshare-cgroup"] if CGROUPS.exists() else []),
        "--hostname", "sandbox", "--die-with-parent", "--as-pid-1",
    ]  # fmt: skip
    if not as_root:
        found += ["--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)]
        if not is_set_uid(program):
            # Inside, to bound the number of files in /tmp, which bwrap has no option for; then
            # it is given up.
            found += ["--cap-add", _SCRATCH_CAPABILITY]
    for folder in _parents(path for _, path in (*root["shown"], *root["packages"])):
        # bwrap would make them for root alone.
        found += ["--perms", "0755", "--dir", folder]
    for source, target in root["shown"]:
        found += ["--ro-bind", source, target]
    for folder in root["emptied"]:
        found += ["--size", str(1 << 20), "--tmpfs", folder]
    for source, target in root["packages"]:
        found += ["--ro-bind", source, target]
    for folder in root["emptied"]:
        found += ["--remount-ro", folder]
    for path in root["devices"]:
        found += ["--dev-bind", path, path]
    found += [
        "--symlink", root["scratch"], "/dev/shm",
        "--perms", "1777", "--size", str(root["tmp_mb"] << 20), "--tmpfs", root["scratch"],
        "--remount-ro", "/", "--chdir", "/", "--",
    ]  # fmt: skip
    return found


def _parents(paths: Iterable[str]) -> list[str]:
    every = {str(parent) for path in (*paths, "/dev/null") for parent in Path(path).parents}
    return sorted(every - {"/"})
