"""What a strategy sees of the file system: a list of paths, read-only, and a small /tmp.

The interpreter and its standard library without the site-packages, the system's shared libraries,
the libraries that a strategy may import one by one, our surface, time zones, five device nodes.
No /home, no /etc but the linker's cache, no /proc, no /sys.
"""

from __future__ import annotations

import os
import stat
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

TMP_MB = 64
"""Size of /tmp; memory that a strategy has besides its limit."""
TMP_FILES = 4096
_DEVICES = ("null", "zero", "full", "random", "urandom")
_BUNDLED = ("{}.libs", "scikit_learn.libs")
"""Where wheels keep the shared libraries that they bring along."""


@dataclass(frozen=True)
class Root:
    """Paths bound read-only, each to its own place, and folders beneath them that are emptied."""

    shown: tuple[str, ...]
    emptied: tuple[str, ...]
    packages: tuple[str, ...]
    """Shown as well, and after the emptying: they may lie in what is emptied."""

    def plain(self) -> dict[str, Any]:
        """As JSON values: (where it lies, where it is shown), for symbolic links are followed."""
        return {
            "shown": [(os.path.realpath(path), path) for path in self.shown],
            "emptied": list(self.emptied),
            "packages": [(os.path.realpath(path), path) for path in self.packages],
            "scratch": self.scratch,
            "devices": [f"/dev/{name}" for name in _DEVICES],
            "tmp_mb": TMP_MB,
            "tmp_files": TMP_FILES,
        }

    @property
    def scratch(self) -> str:
        """Where a strategy works: /tmp, but where something that is shown lies in that."""
        hidden = any(_lies_in(path, "/tmp") for path in (*self.shown, *self.packages))
        return "/scratch" if hidden else "/tmp"

    def open_to_nobody(self) -> bool:
        """Whether a user who owns nothing may read it all, going by the modes of its paths."""
        return all(map(_open_to_others, (*self.shown, *self.packages)))


def minimal_root(
    shown: Sequence[Path], folders: Sequence[str], packages: Iterable[str], *, start: bool
) -> Root:
    """`shown` and those `packages` that lie in `folders`, on top of the interpreter.

    With `start` an interpreter can be started in it; else one that runs already can go on.
    """
    bare = [*_interpreter(), *_existing(_SYSTEM), *map(str, shown)]
    if start:
        bare.append(os.path.realpath(sys.executable))
    chosen = _outermost(bare)
    return Root(
        shown=chosen,
        emptied=tuple(
            path for path in _site_packages()
            if Path(path).is_dir() and any(_lies_in(path, one) for one in chosen)
        ),
        packages=tuple(_packages(tuple(folders), tuple(sorted(packages)))),
    )  # fmt: skip


_SYSTEM = ("/usr/share/zoneinfo", "/etc/ld.so.cache")
_STORES = ("/nix/store", "/gnu/store")
"""Where some systems keep every library in a folder of its own."""


@cache
def _interpreter() -> tuple[str, ...]:
    """The standard library, and the shared libraries that it and others are linked with."""
    paths = sysconfig.get_paths()
    prefix = Path(sys.base_prefix)
    found = [paths["stdlib"], paths["platstdlib"]]
    if str(prefix) in ("/usr", "/usr/local"):
        # Others live there too: no more of it than the interpreter's own library.
        found += map(str, prefix.glob("lib*/libpython3*.so*"))
    else:
        found.append(str(prefix / "lib"))
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    for base in ("/lib", "/usr/lib"):
        own = f"{base}/{multiarch}"
        found.append(own if multiarch and Path(own).is_dir() else base)
    found += [store for store in _STORES if str(prefix).startswith(store)]
    return (*_existing(found), *_existing(("/lib64", "/usr/lib64")))


def _site_packages() -> list[str]:
    stdlib = {sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib")}
    names = ("site-packages", "dist-packages")
    found = [f"{folder}/{name}" for folder in sorted(stdlib) for name in names]
    # Of Debian's own interpreter, and of others that share a folder that is shown.
    shared = [str(path) for base in ("/usr/lib", "/usr/lib64") for path in
              Path(base).glob("python3*/*-packages")]  # fmt: skip
    return list(dict.fromkeys([*found, *shared]))


@cache
def _packages(folders: tuple[str, ...], names: tuple[str, ...]) -> list[str]:
    found = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            continue
        present = {path.name: path for path in folder.iterdir()}
        for name in names:
            forms = (name, f"{name}.py", *(form.format(name) for form in _BUNDLED))
            found += [present[form] for form in forms if form in present]
            found += [path for form, path in present.items()
                      if form.startswith(f"{name}.") and form.endswith(".so")]  # fmt: skip
    return [str(path) for path in dict.fromkeys(found)]


def _existing(paths: Iterable[str]) -> list[str]:
    return [path for path in paths if Path(path).exists()]


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """Without those that lie in another one."""
    wanted = list(dict.fromkeys(os.path.normpath(path) for path in paths))
    return tuple(
        path for path in wanted
        if not any(path != other and _lies_in(path, other) for other in wanted)
    )  # fmt: skip


def _open_to_others(path: str) -> bool:
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return False
    needed = 0o005 if stat.S_ISDIR(mode) else 0o004
    return mode & needed == needed
