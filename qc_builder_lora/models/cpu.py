"""How many threads llama.cpp may use: what the CPU affinity and the cgroup's quota both allow.

One thread too many is not a little slower: threads spin at a barrier for the one that the kernel
does not run, and a quota of 4 CPUs with 8 threads was measured at a fortieth of the speed.
"""

from __future__ import annotations

import os
from pathlib import Path


def usable_threads(
    wanted: int = 0,
    root: Path = Path("/sys/fs/cgroup"),
    membership: Path = Path("/proc/self/cgroup"),
) -> int:
    """Threads to use: all that are allowed, or `wanted` if that is fewer and above zero."""
    allowed = len(os.sched_getaffinity(0))
    quota = cgroup_quota(root, membership)
    if quota is not None:
        allowed = min(allowed, max(1, int(quota)))
    return min(allowed, wanted) if wanted > 0 else allowed


def cgroup_quota(root: Path, membership: Path) -> float | None:
    """CPUs of the tightest quota between this process and the root, None without one."""
    quotas = [
        quota
        for folder in _folders(root, membership)
        for quota in (_quota_v2(folder), _quota_v1(folder))
        if quota is not None
    ]
    return min(quotas, default=None)


def _folders(root: Path, membership: Path) -> list[Path]:
    folders = {root, root / "cpu"}
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        # `0::/user.slice/x` in version 2, `4:cpu,cpuacct:/docker/x` in version 1.
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        base = root / "cpu" if controllers else root
        inside = base / path.strip("/")
        folders.update(p for p in (inside, *inside.parents) if p.is_relative_to(base))
    return sorted(folders)


def _quota_v2(folder: Path) -> float | None:
    try:
        limit, period = (folder / "cpu.max").read_text().split()
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _quota_v1(folder: Path) -> float | None:
    try:
        limit = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
        return limit / period if limit > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
