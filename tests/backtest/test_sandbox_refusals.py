"""Why a machine refuses the walls is said by name, with the cure for that machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from qc_builder_lora.backtest.sandbox import bubblewrap, refusals, seccomp
from qc_builder_lora.backtest.sandbox.launch import Zygote
from qc_builder_lora.backtest.sandbox.root import minimal_root
from qc_builder_lora.errors import SandboxUnavailable


def machine(top: Path, **files: str) -> refusals.Machine:
    """One whose files under `/` are those; `__` in a name stands for `/`."""
    for name, text in files.items():
        path = top / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return refusals.read_machine(top)


def test_dockers_default_profile_is_named_with_its_option(tmp_path: Path) -> None:
    (tmp_path / ".dockerenv").touch()
    told = refusals.cure(
        machine(
            tmp_path,
            proc__self__status="Name:\tpython\nSeccomp:\t2\n",
            proc__self__attr__current="docker-default (enforce)\n",
        )
    )
    assert told.startswith(
        "This is a Docker container, and its filter of system calls, its AppArmor profile "
        "docker-default (enforce) forbids namespaces: start it with --security-opt "
        "seccomp=unconfined --security-opt apparmor=unconfined"
    )


def test_podman_without_a_profile_needs_only_the_filter_gone(tmp_path: Path) -> None:
    told = refusals.cure(
        machine(tmp_path, run__X="", proc__self__status="Seccomp:\t2", **{"run__.containerenv": ""})
    )
    assert "This is a Podman container" in told
    assert "start it with --security-opt seccomp=unconfined (as" in told


def test_ubuntus_restriction_is_named_with_its_cures(tmp_path: Path) -> None:
    name = "proc__sys__kernel__apparmor_restrict_unprivileged_userns"
    told = refusals.cure(machine(tmp_path, **{name: "1\n"}))
    assert told.startswith(
        "Ubuntu's AppArmor keeps user namespaces from programs without a profile"
    )
    assert "sudo apt-get install bubblewrap" in told
    assert "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0" in told


@pytest.mark.parametrize(
    ("file", "cure"),
    [
        ("proc__sys__kernel__unprivileged_userns_clone", "kernel.unprivileged_userns_clone=1"),
        ("proc__sys__user__max_user_namespaces", "user.max_user_namespaces=10000"),
        ("proc__sys__user__max_net_namespaces", "user.max_net_namespaces=10000"),
    ],
)
def test_a_switch_that_is_off_is_named(tmp_path: Path, file: str, cure: str) -> None:
    assert f"sudo sysctl -w {cure}" in refusals.cure(machine(tmp_path, **{file: "0\n"}))
    assert cure not in refusals.cure(machine(tmp_path, **{file: "9999\n"}))


def test_a_machine_that_hides_its_reason_is_told_where_to_look(tmp_path: Path) -> None:
    told = refusals.cure(machine(tmp_path))
    assert told.startswith("Let this user make user, mount, pid, net, ipc and uts namespaces")
    assert told.endswith(refusals.OPEN)


def test_what_the_hosts_kernel_killed_for_memory_is_counted(tmp_path: Path) -> None:
    machine(tmp_path, proc__vmstat="nr_free_pages 5\noom_kill 17\n")
    assert refusals.host_kills(tmp_path) == 17
    assert refusals.host_kills(tmp_path / "nowhere") == 0


def test_a_bubblewrap_that_fails_gives_way_to_our_own_walls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho bwrap: No permissions to create new namespace >&2; exit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(bubblewrap, "find", lambda: str(broken))
    probe = Path(refusals.__file__).with_name("probe")
    zygote = Zygote("probe", [probe], allow_open=True)
    assert zygote.by == "direct"
    assert "No permissions to create new namespace" in "; ".join(zygote.why)
    zygote.close()


def test_a_machine_whose_calls_are_not_known_has_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert seccomp.supported() == "no list of system calls for riscv64"


def test_an_error_lists_what_is_missing_why_and_the_cure() -> None:
    error = SandboxUnavailable(["mount", "seccomp"], "mount(/tmp): Permission denied", "Do this.")
    assert str(error) == (
        "The sandbox has no wall here (mount, seccomp missing): mount(/tmp): Permission denied. "
        "No strategy was run. Do this."
    )


def test_the_root_shows_named_packages_and_no_others(tmp_path: Path) -> None:
    for name in ("numpy", "numpy.libs", "numpy_secrets", "torch"):
        (tmp_path / name).mkdir()
    (tmp_path / "six.py").touch()
    (tmp_path / "bottleneck.cpython-311.so").touch()
    root = minimal_root([], [str(tmp_path)], ["numpy", "six", "bottleneck", "absent"], start=False)
    assert [Path(path).name for path in root.packages] == [
        "bottleneck.cpython-311.so", "numpy", "numpy.libs", "six.py",
    ]  # fmt: skip
    assert not any(path.startswith(("/home", "/proc", "/sys")) for path in root.shown)


def test_what_others_may_not_read_is_noticed(tmp_path: Path) -> None:
    shown = tmp_path / "mine"
    shown.mkdir(mode=0o700)
    tmp_path.chmod(0o755)
    assert not minimal_root([shown], [], [], start=False).open_to_nobody()
    shown.chmod(0o755)
    assert minimal_root([shown], [], [], start=False).open_to_nobody()
