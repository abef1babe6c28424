"""Leases: one holder at a time, whatever dies."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from qc_builder_lora.errors import StoreError
from qc_builder_lora.store import Lease, Store

Child = Callable[..., subprocess.Popen[str]]
LONG = 3600.0


def acquired(store: Store, name: str, holder: str, seconds: float) -> Lease:
    """The lease, once whoever has it is gone."""
    for _ in range(1200):
        lease = store.leases.acquire(name, holder, seconds)
        if lease is not None:
            return lease
        time.sleep(0.05)
    raise AssertionError("never free")


def test_one_holder_at_a_time(store: Store) -> None:
    lease = store.leases.acquire("loop", "a", LONG)
    assert lease is not None
    assert (lease.name, lease.holder, lease.token) == ("loop", "a", 1)
    assert store.leases.acquire("loop", "b", LONG) is None
    assert store.leases.acquire("loop", "a", LONG) is None
    other = store.leases.acquire("other", "b", LONG)
    assert other is not None
    assert store.leases.current("loop") == replace(lease, seconds=0.0)
    assert store.leases.current("nothing") is None


def test_a_released_lease_is_free_at_once_and_its_token_grows(store: Store) -> None:
    first = store.leases.acquire("loop", "a", LONG)
    assert first is not None
    assert store.leases.release(first)
    assert store.leases.current("loop") is None
    assert not store.leases.release(first)
    assert not store.leases.renew(first)
    second = store.leases.acquire("loop", "b", LONG)
    assert second is not None
    assert second.token == 2
    assert not store.leases.release(first)
    assert store.leases.holds(second)
    assert not store.leases.holds(first)


def test_renewing_moves_the_end(store: Store) -> None:
    lease = store.leases.acquire("loop", "a", LONG)
    assert lease is not None
    assert store.leases.renew(lease)
    now = store.leases.current("loop")
    assert now is not None
    assert now.expires_at > lease.expires_at
    assert now.token == lease.token


def test_a_holder_that_overslept_has_lost_it(store: Store) -> None:
    lease = store.leases.acquire("loop", "a", 0.05)
    assert lease is not None
    second = acquired(store, "loop", "b", LONG)
    assert second.token == lease.token + 1
    assert second.expires_at > lease.expires_at
    assert not store.leases.renew(lease)
    assert not store.leases.release(lease)
    with store.transaction():
        assert not store.leases.holds(lease)
        assert store.leases.holds(second)


@pytest.mark.parametrize(
    ("holder", "seconds", "fact"),
    [("", 1.0, "needs a holder's name"), ("a", 0.0, "longer than zero"), ("a", -1.0, "got -1.0")],
)
def test_a_lease_for_nobody_or_no_time_is_refused(
    lite: Store, holder: str, seconds: float, fact: str
) -> None:
    with pytest.raises(StoreError, match=fact):
        lite.leases.acquire("loop", holder, seconds)


# Each turn reads a number, works, and writes it one higher: two at once would lose a turn. The log
# has one line for each end of a turn, on a clock that all processes of the machine share.
HAMMER = """
import os, sys, time
from pathlib import Path
from qc_builder_lora.store import Store
url, folder, turns = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
log = os.open(folder / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
with Store.open(url) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    done = 0
    while done < turns:
        lease = store.leases.acquire("loop", str(os.getpid()), 30.0)
        if lease is None:
            time.sleep(0.001)
            continue
        os.write(log, f"{time.monotonic_ns()} {lease.token} in\\n".encode())
        number = int((folder / "number").read_text())
        time.sleep(0.002)
        (folder / "number").write_text(str(number + 1))
        os.write(log, f"{time.monotonic_ns()} {lease.token} out\\n".encode())
        assert store.leases.release(lease)
        done += 1
"""


def test_two_processes_hammering_never_hold_it_together(
    url: str, tmp_path: Path, child: Child
) -> None:
    (tmp_path / "number").write_text("0")
    turns = 60
    both = [child(HAMMER, url, str(tmp_path), str(turns)) for _ in range(2)]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in both:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert (tmp_path / "number").read_text() == str(2 * turns)
    lines = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    assert lines == sorted(lines, key=lambda line: int(line[0]))
    events = [(int(token), what) for _, token, what in lines]
    assert events == [(n, what) for n in range(1, 2 * turns + 1) for what in ("in", "out")]


HOLD = """
import sys, time
from qc_builder_lora.store import Store
store = Store.open(sys.argv[1])
lease = store.leases.acquire("loop", "child", 1.5)
print(lease.token, lease.expires_at.isoformat(), flush=True)
while store.leases.renew(lease):
    time.sleep(0.1)
"""


def test_a_killed_holder_is_followed_after_its_lease_has_run_out(url: str, child: Child) -> None:
    process = child(HOLD, url)
    assert process.stdout is not None
    token = int(process.stdout.readline().split()[0])
    with Store.open(url) as store:
        assert store.leases.acquire("loop", "parent", LONG) is None
        process.kill()
        process.wait()
        last = store.leases.current("loop")
        lease = acquired(store, "loop", "parent", LONG)
        assert lease.token == token + 1
        if last is not None:
            # Not a moment before: the new term began after the old one's end.
            assert (lease.expires_at - last.expires_at).total_seconds() >= LONG
