"""Which Builds a canary answers for, and whether there is memory for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from qc_builder_lora.errors import InputError
from qc_builder_lora.models.memory import available_mb, refuse_without_room
from qc_builder_lora.models.routing import takes

BUILDS = [f"build-{number}" for number in range(4000)]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_canary_gets_its_share_of_the_builds(share: float) -> None:
    taken = sum(takes("m2", share, build) for build in BUILDS)
    assert abs(taken / len(BUILDS) - share) < 0.03


def test_another_process_picks_the_same_builds() -> None:
    code = (
        "from qc_builder_lora.models.routing import takes\n"
        "print(*[int(takes('m2', 0.3, f'build-{n}')) for n in range(200)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [int(word) for word in done.stdout.split()] == [
        takes("m2", 0.3, build) for build in BUILDS[:200]
    ]


def test_a_build_that_has_the_canary_keeps_it_when_the_share_grows() -> None:
    small = {build for build in BUILDS if takes("m2", 0.1, build)}
    large = {build for build in BUILDS if takes("m2", 0.4, build)}
    assert small < large


def test_the_next_canary_is_tried_on_other_builds() -> None:
    first = {build for build in BUILDS if takes("m2", 0.1, build)}
    second = {build for build in BUILDS if takes("m3", 0.1, build)}
    assert len(first & second) < 0.4 * len(first)


def test_a_model_without_room_is_refused_with_both_figures(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(bytes(3 << 20))
    with pytest.raises(InputError, match=r"about 303 MB more, and 120 MB are free\. End other"):
        refuse_without_room(file, 120)
    refuse_without_room(file, 2000)


def test_the_smaller_of_machine_and_control_group_counts(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemAvailable:  2097152 kB\n")
    assert available_mb(tmp_path) == 2048
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("1073741824\n")
    (group / "memory.current").write_text("524288000\n")
    assert available_mb(tmp_path) == 524
    assert available_mb(tmp_path / "nowhere") is None
