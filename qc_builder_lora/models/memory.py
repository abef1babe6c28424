"""Memory that is free, and whether one more model fits beside what is loaded.

Two models at once (a canary beside the champion, or the moment of a change) cost the memory of
both: where it does not suffice the second is not started, for the kernel would end either of them.
"""

from __future__ import annotations

from pathlib import Path

from qc_builder_lora.errors import InputError

_MB = 1 << 20
_BESIDES_MB = 300
"""Context, output buffer and the interpreter of a llama.cpp child. Measured: 439 MB resident for
one with a file of 253 MB and a context of 4096 tokens; a larger model's context takes more."""
_KEPT_FREE_MB = 100


def available_mb(top: Path = Path("/")) -> float | None:
    """What the machine and the control group both leave; None where neither says."""
    found = []
    for line in _text(top / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            found.append(int(line.split()[1]) / 1024)
    group = top / "sys/fs/cgroup"
    for most, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        limit, now = _text(group / most).strip(), _text(group / used).strip()
        if limit.isdigit() and now.isdigit():
            found.append((int(limit) - int(now)) / _MB)
    return min(found, default=None)


def needed_mb(model: Path) -> float:
    """What a llama.cpp child with this file takes, roughly; the file alone where it is missing."""
    return (model.stat().st_size / _MB if model.exists() else 0.0) + _BESIDES_MB


def refuse_without_room(model: Path, free_mb: float | None = None) -> None:
    """InputError where a second model does not fit; silent where nobody knows."""
    free = available_mb() if free_mb is None else free_mb
    needed = needed_mb(model)
    if free is not None and free < needed + _KEPT_FREE_MB:
        raise InputError(
            f"{model}: beside the model that answers now it needs about {needed:.0f} MB more, and "
            f"{free:.0f} MB are free. End other programs, release a smaller quantisation, or let "
            "another machine serve it."
        )


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
