import os

import pytest

from qc_builder_lora.models.cpu import cgroup_quota, usable_threads


@pytest.fixture
def one_core():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_no_quota_leaves_the_affinity(tmp_path):
    write(tmp_path / "member", "0::/app\n")
    write(tmp_path / "fs/app/cpu.max", "max 100000\n")
    allowed = usable_threads(root=tmp_path / "fs", membership=tmp_path / "member")
    assert allowed == len(os.sched_getaffinity(0))


def test_quota_of_version_2_counts_on_every_level(tmp_path):
    write(tmp_path / "member", "0::/outer/inner\n")
    write(tmp_path / "fs/outer/cpu.max", "150000 100000\n")
    write(tmp_path / "fs/outer/inner/cpu.max", "400000 100000\n")
    assert cgroup_quota(tmp_path / "fs", tmp_path / "member") == 1.5
    assert usable_threads(root=tmp_path / "fs", membership=tmp_path / "member") == 1


def test_quota_of_version_1_is_read_where_the_controller_is(tmp_path):
    write(tmp_path / "member", "3:memory:/x\n2:cpu,cpuacct:/docker/a\n")
    write(tmp_path / "fs/cpu/docker/a/cpu.cfs_quota_us", "50000")
    write(tmp_path / "fs/cpu/docker/a/cpu.cfs_period_us", "100000")
    assert cgroup_quota(tmp_path / "fs", tmp_path / "member") == 0.5


def test_quota_below_one_still_gives_one_thread(tmp_path):
    write(tmp_path / "member", "0::/\n")
    write(tmp_path / "fs/cpu.max", "20000 100000\n")
    assert usable_threads(root=tmp_path / "fs", membership=tmp_path / "member") == 1


def test_nonsense_in_the_files_is_no_quota(tmp_path):
    write(tmp_path / "member", "0::/\n")
    write(tmp_path / "fs/cpu.max", "twelve 0\n")
    assert cgroup_quota(tmp_path / "fs", tmp_path / "member") is None
    assert cgroup_quota(tmp_path / "fs", tmp_path / "absent") is None


def test_wish_for_more_threads_than_allowed_is_not_granted(one_core):
    assert usable_threads(wanted=64) == 1
    assert usable_threads(wanted=1) == 1
