"""The root of root.py, made by ourselves in a mount namespace of our own; standard library only.

A small tmpfs becomes `/`, with the old root beneath it for as long as its parts are bound into the
new one. Then it is left for good: nothing in the jail has a name for it.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

from .kernel import failed

_LIBC = ctypes.CDLL(None, use_errno=True)
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC = 1, 2, 4, 8, 32, 4096, 16384
_PRIVATE, _RELATIME, _DETACH = 1 << 18, 1 << 21, 2
_KEPT = {2: _NOSUID, 4: _NODEV, 8: _NOEXEC, 1024: 1024, 2048: 2048, 4096: _RELATIME}
"""Flags of a mount, as statvfs tells them and as mount takes them: in a user namespace those that
are set must be said again."""
_BASES = ("/tmp", "/run", "/mnt", "/var")


def _mount(source: str, target: str, kind: str | None, flags: int, options: str | None) -> None:
    arguments = [text if text is None else text.encode() for text in (source, target, kind)]
    data = None if options is None else options.encode()
    if _LIBC.mount(*arguments, ctypes.c_ulong(flags), data) != 0:
        raise failed(f"mount({target})")


def _pivot(new: str, old: str) -> None:
    if _LIBC.syscall(_PIVOT_ROOT[os.uname().machine], new.encode(), old.encode()) != 0:
        raise failed(f"pivot_root({new})")


_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}


def tmpfs(target: str, size: str, files: int, mode: str, flags: int = 0) -> None:
    """A file system in memory, of bounded size, without devices and set-uid programs."""
    options = f"size={size},nr_inodes={files},mode={mode}"
    _mount("tmpfs", target, "tmpfs", _NOSUID | _NODEV | flags, options)


def scratch(root: dict[str, Any]) -> None:
    """A new working folder, that nothing can be run from."""
    tmpfs(root["scratch"], f"{root['tmp_mb']}m", root["tmp_files"], "1777", _NOEXEC)


def enter(root: dict[str, Any]) -> None:
    """Leave this root for one made as `root` says; OSError where the kernel refuses."""
    # What is made here is for the jail's user, who owns none of it.
    os.umask(0o022)
    # What is mounted here must not show outside, nor the other way round.
    _mount("none", "/", None, _REC | _PRIVATE, None)
    base = next(path for path in _BASES if os.path.isdir(path))  # noqa: PTH112
    tmpfs(base, "1m", 64, "0755")
    os.chdir(base)
    os.mkdir("old")  # noqa: PTH102
    os.mkdir("new")  # noqa: PTH102
    _pivot(".", "old")
    os.chdir("/")
    tmpfs("/new", "8m", 2048, "0755")
    _fill(root)
    os.chdir("/new")
    # Onto itself: the old root is then on top, and is taken off.
    _pivot(".", ".")
    if _LIBC.umount2(b".", _DETACH) != 0:
        raise failed("umount2(old root)")
    os.chdir("/")
    scratch(root)
    _mount("none", "/", None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV, None)
    os.umask(0o077)


def _fill(root: dict[str, Any]) -> None:
    for source, target in root["shown"]:
        _show(source, target)
    for folder in root["emptied"]:
        tmpfs(f"/new{folder}", "1m", 1024, "0755")
    for source, target in root["packages"]:
        _show(source, target)
    for folder in root["emptied"]:
        _seal(f"/new{folder}")
    for path in root["devices"]:
        _place(path, folder=False)
        _mount(f"/old{path}", f"/new{path}", None, _BIND, None)
    os.makedirs(f"/new{root['scratch']}", exist_ok=True)  # noqa: PTH103
    os.symlink(root["scratch"], "/new/dev/shm")  # noqa: PTH211


def _show(source: str, target: str) -> None:
    _place(target, folder=os.path.isdir(f"/old{source}"))  # noqa: PTH112
    _mount(f"/old{source}", f"/new{target}", None, _BIND, None)
    _seal(f"/new{target}")


def _seal(path: str) -> None:
    found = os.statvfs(path).f_flag
    kept = sum(flag for told, flag in _KEPT.items() if found & told)
    _mount("none", path, None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV | kept, None)


def _place(target: str, *, folder: bool) -> None:
    """Somewhere to mount on."""
    place = f"/new{target}"
    if folder:
        os.makedirs(place, exist_ok=True)  # noqa: PTH103
        return
    os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120
    with open(place, "a"):  # noqa: PTH123
        return
