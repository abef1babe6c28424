"""The simulator's version: changes with every change of the code that makes its results."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from qc_builder_lora import __version__

_HERE = Path(__file__).parent


@cache
def engine_version() -> str:
    """`0.1.0+1f2e3d4c`: the package's version and a hash of simulator and surface."""
    digest = hashlib.sha256()
    for folder in (_HERE, _HERE.parent / "surface"):
        for path in sorted((*folder.rglob("*.py"), *folder.rglob("*.txt"))):
            digest.update(path.relative_to(_HERE.parent).as_posix().encode())
            digest.update(path.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:8]}"
