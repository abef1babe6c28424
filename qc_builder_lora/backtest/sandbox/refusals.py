"""Why a machine refuses a wall, and what its owner can do; and what its kernel has killed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

OPEN = (
    "Or, on a machine where strategies may read every file that you can, run them without: "
    "--unsafe, or QC_LORA_ALLOW_OPEN_SANDBOX=1; every result says so."
)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What decides about namespaces here; None where the kernel has no such switch."""

    container: str | None = None
    """`docker`, `podman` or another, None outside of one."""
    seccomp: bool = False
    """Whether somebody has put a filter of system calls on us."""
    apparmor: str | None = None
    """The profile that confines us."""
    userns_clone: int | None = None
    """Debian's kernel.unprivileged_userns_clone."""
    apparmor_userns: int | None = None
    """Ubuntu's kernel.apparmor_restrict_unprivileged_userns."""
    most_user: int | None = None
    most_net: int | None = None
    """user.max_user_namespaces and user.max_net_namespaces."""


def read_machine(top: Path = Path("/")) -> Machine:
    """The switches of this machine, or of a copy of their files under `top`."""
    return Machine(
        container=_container(top),
        seccomp=_field(top / "proc/self/status", "Seccomp:") not in (None, "0"),
        apparmor=_profile(top),
        userns_clone=_number(top / "proc/sys/kernel/unprivileged_userns_clone"),
        apparmor_userns=_number(top / "proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        most_user=_number(top / "proc/sys/user/max_user_namespaces"),
        most_net=_number(top / "proc/sys/user/max_net_namespaces"),
    )


def cure(machine: Machine) -> str:
    """Sentences that name what refuses here, and the command against it."""
    found = [*_container_cures(machine), *_switch_cures(machine)]
    if not found:
        found.append(
            "Let this user make user, mount, pid, net, ipc and uts namespaces: look at sysctl "
            "user.max_user_namespaces, at the container's security options, and whether this "
            "process is in a chroot."
        )
    return " ".join([*found, OPEN])


def _container_cures(machine: Machine) -> list[str]:
    if machine.container is None:
        return []
    options = ["--security-opt seccomp=unconfined"] if machine.seccomp else []
    if machine.apparmor is not None or not machine.seccomp:
        options.append("--security-opt apparmor=unconfined")
    profile = f", its AppArmor profile {machine.apparmor}" if machine.apparmor else ""
    which = f"its filter of system calls{profile}" if machine.seccomp else f"its security{profile}"
    return [
        f"This is a {machine.container} container, and {which} forbids namespaces: start it with "
        f"{' '.join(options)} (as docker run or podman run takes them; security_opt in a compose "
        "file), or with --cap-add SYS_ADMIN --security-opt apparmor=unconfined."
    ]


def _switch_cures(machine: Machine) -> list[str]:
    found = []
    if machine.userns_clone == 0:
        found.append(
            "This kernel keeps user namespaces from ordinary users: sudo sysctl -w "
            "kernel.unprivileged_userns_clone=1"
        )
    if machine.apparmor_userns == 1:
        found.append(
            "Ubuntu's AppArmor keeps user namespaces from programs without a profile: sudo apt-get "
            "install bubblewrap (with its profile bwrap-userns-restrict of apparmor-profiles), or "
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0."
        )
    for name, value in (("user", machine.most_user), ("net", machine.most_net)):
        if value == 0:
            found.append(
                f"This machine allows no {name} namespace: sudo sysctl -w "
                f"user.max_{name}_namespaces=10000"
            )
    return found


def _container(top: Path) -> str | None:
    if (top / ".dockerenv").exists():
        return "Docker"
    if (top / "run/.containerenv").exists():
        return "Podman"
    for line in _text(top / "proc/1/environ").split("\0"):
        if line.startswith("container="):
            return line.removeprefix("container=") or None
    return "Kubernetes" if "kubepods" in _text(top / "proc/self/cgroup") else None


def _profile(top: Path) -> str | None:
    name = _text(top / "proc/self/attr/current").strip().strip("\0")
    return None if not name or name.startswith("unconfined") else name


def _field(path: Path, name: str) -> str | None:
    for line in _text(path).splitlines():
        if line.startswith(name):
            return line.removeprefix(name).strip()
    return None


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def host_kills(top: Path = Path("/")) -> int:
    """Processes that this host's kernel has killed for want of memory, since it started."""
    return int(_field(top / "proc/vmstat", "oom_kill ") or 0)
