"""The filter of system calls, judged by an interpreter of its own: both machines, whatever runs."""

from __future__ import annotations

import errno
import re
import subprocess

import pytest

from qc_builder_lora.backtest.sandbox import seccomp, syscalls

ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
KILL, ALLOW = "kill", "allow"
# Numbers as the kernel's headers have them.
FORBIDDEN = {
    "execve": (59, 221), "execveat": (322, 281), "ptrace": (101, 117), "mount": (165, 40),
    "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97),
    "setns": (308, 268), "socket": (41, 198), "connect": (42, 203), "bind": (49, 200),
    "listen": (50, 201), "accept4": (288, 242), "sendmsg": (46, 211), "setsockopt": (54, 208),
    "bpf": (321, 280), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "keyctl": (250, 219), "add_key": (248, 217), "perf_event_open": (298, 241),
    "kexec_load": (246, 104), "init_module": (175, 105), "finit_module": (313, 273),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "memfd_create": (319, 279),
    "userfaultfd": (323, 282), "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424),
    "open_by_handle_at": (304, 265), "setuid": (105, 146), "setgid": (106, 144),
    "setgroups": (116, 159), "capset": (126, 91), "personality": (135, 92), "seccomp": (317, 277),
    "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "timer_create": (222, 107),
    "rt_sigqueueinfo": (129, 138), "sched_setaffinity": (203, 122), "setpriority": (140, 141),
    "mlockall": (151, 230), "reboot": (169, 142), "swapon": (167, 224), "quotactl": (179, 60),
    "syslog": (103, 116), "sethostname": (170, 161), "mknodat": (259, 33), "fchownat": (260, 54),
    "name_to_handle_at": (303, 264), "fanotify_init": (300, 262), "move_mount": (429, 429),
    "fsopen": (430, 430), "open_tree": (428, 428), "mount_setattr": (442, 442),
    "landlock_create_ruleset": (444, 444), "clock_settime": (227, 112), "settimeofday": (164, 170),
}  # fmt: skip


def judge(machine: str, number: int, *arguments: int, architecture: int | None = None) -> str:
    """What the filter answers to a call: kill, allow, or an error's name."""
    words = {0: number, 4: ARCHITECTURE[machine] if architecture is None else architecture}
    for index in range(6):
        words[16 + 8 * index] = arguments[index] if index < len(arguments) else 0
    steps, at, value = seccomp.program(machine), 0, 0
    while True:
        code, if_true, if_false, k = steps[at]
        at += 1
        if code == 0x20:
            value = words[k] & 0xFFFFFFFF
        elif code == 0x54:
            value &= k
        elif code == 0x15:
            at += if_true if value == k else if_false
        elif code == 0x35:
            at += if_true if value >= k else if_false
        else:
            assert code == 0x06
            if k == 0x7FFF0000:
                return ALLOW
            return KILL if k == 0x80000000 else errno.errorcode[k & 0xFFFF]


@pytest.fixture(params=syscalls.MACHINES)
def machine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_what_is_on_the_list_is_let_through(machine: str) -> None:
    assert {judge(machine, number) for number in syscalls.free(machine).values()} == {ALLOW}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_reaches_out_is_refused(machine: str, name: str) -> None:
    assert judge(machine, FORBIDDEN[name][syscalls.MACHINES.index(machine)]) == "EPERM"


def test_everything_that_is_not_on_the_list_is_refused(machine: str) -> None:
    known = {**syscalls.free(machine), **syscalls.conditional(machine)}.values()
    answers = {judge(machine, number) for number in range(470) if number not in known}
    assert answers == {"EPERM"}


def test_a_call_that_nobody_knows_yet_looks_like_an_older_kernel(machine: str) -> None:
    assert {judge(machine, number) for number in range(470, 1000)} == {"ENOSYS"}


@pytest.mark.parametrize("flags", [0x11, 0x4111, 0, 0x3D0F00 | 0x10000000, 0x00020000 | 0x11])
def test_neither_a_process_nor_a_namespace_can_be_cloned(machine: str, flags: int) -> None:
    assert judge(machine, syscalls.conditional(machine)["clone"], flags) == "EPERM"


def test_a_thread_can_be_cloned(machine: str) -> None:
    # What the C library asks of the kernel for pthread_create.
    assert judge(machine, syscalls.conditional(machine)["clone"], 0x3D0F00) == ALLOW


def test_clone3_sends_the_c_library_back_to_clone(machine: str) -> None:
    assert judge(machine, syscalls.conditional(machine)["clone3"]) == "ENOSYS"


@pytest.mark.parametrize(
    ("name", "arguments", "answer"),
    [
        ("kill", (1, 9), "EPERM"), ("kill", (1, 15), ALLOW), ("tgkill", (1, 1, 9), "EPERM"),
        ("tgkill", (1, 1, 6), ALLOW), ("tkill", (1, 9), "EPERM"),
        ("fcntl", (3, 1), ALLOW), ("fcntl", (3, 10), "EPERM"), ("fcntl", (3, 8), "EPERM"),
        ("fcntl", (3, 1031), "EPERM"), ("ioctl", (1, 0x5401), ALLOW),
        ("ioctl", (0, 0x5412), "EPERM"), ("prctl", (15,), ALLOW), ("prctl", (4, 1), "EPERM"),
        ("prctl", (1, 9), "EPERM"), ("prctl", (22, 2), "EPERM"), ("prlimit64", (0, 7), ALLOW),
        ("prlimit64", (1, 7), "EPERM"), ("socketpair", (1, 1), ALLOW),
        ("socketpair", (16, 3), "EPERM"),
    ],
)  # fmt: skip
def test_arguments_decide_where_they_must(
    machine: str, name: str, arguments: tuple[int, ...], answer: str
) -> None:
    assert judge(machine, syscalls.conditional(machine)[name], *arguments) == answer


def test_calls_by_another_architectures_table_kill(machine: str) -> None:
    for other in (0x40000003, 0x40000028, *(ARCHITECTURE.values())):
        expected = ALLOW if other == ARCHITECTURE[machine] else KILL
        read = syscalls.free(machine)["read"]
        assert judge(machine, read, architecture=other) == expected


def test_calls_of_the_x32_kind_kill() -> None:
    assert judge("x86_64", 0x40000000 | 39) == KILL


def test_a_program_stays_within_what_the_kernel_takes(machine: str) -> None:
    steps = seccomp.program(machine)
    assert len(steps) <= 4096
    assert all(0 <= jump < 256 for step in steps for jump in step[1:3])


@pytest.mark.parametrize(
    ("machine_", "headers"),
    [
        ("x86_64", ["#include <asm/unistd_64.h>"]),
        ("aarch64", [f"#define __ARCH_WANT_{name}" for name in
                     ("RENAMEAT", "NEW_STAT", "SET_GET_RLIMIT", "SYS_CLONE3")]
         + ["#include <asm-generic/unistd.h>"]),
    ],
)  # fmt: skip
def test_the_numbers_are_those_of_the_kernels_headers(machine_: str, headers: list[str]) -> None:
    ours = {**syscalls.free(machine_), **syscalls.conditional(machine_)}
    text = "\n".join([*headers, *(f"@{name}=__NR_{name}" for name in ours)])
    try:
        done = subprocess.run(
            ["cc", "-E", "-P", "-"], input=text, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("no C compiler is installed")
    if done.returncode:
        pytest.skip(f"no headers of {machine_} are installed")
    found = {name: int(number) for name, number in re.findall(r"@(\w+)=(\d+)", done.stdout)}
    assert len(found) > 100
    assert {name: ours[name] for name in found} == found
