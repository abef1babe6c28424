"""Every hostile strategy is contained, gets the right verdict, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from qc_builder_lora.backtest.protocol import BacktestResult, BacktestSettings
from qc_builder_lora.backtest.sandbox import bubblewrap
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.backtest.simulator.channel import plain_text
from qc_builder_lora.records import BacktestStatus
from tests.backtest.conftest import strategy
from tests.backtest.hostile import ALL, OF_WALLS
from tests.backtest.hostile.case import Case, short

ROOT = Path(__file__).parents[2]
LOOK = short(strategy("import os\nself.log(f'left: {os.listdir()}')"))


@contextmanager
def walls(made_by: str, data: Path) -> Iterator[Simulator]:
    """A simulator behind walls that one of the two makes."""
    with pytest.MonkeyPatch.context() as patch:
        if made_by == "direct":
            patch.setattr(bubblewrap, "find", lambda: None)
        simulator = Simulator(data, allow_open_sandbox=True)
        try:
            if simulator.run("x = 1").missing_walls:
                pytest.skip("this machine does not allow namespaces")
            assert {one.by for one in simulator._zygotes.values()} == {made_by}
            yield simulator
        finally:
            simulator.close()


@pytest.fixture(scope="module")
def walled(sample_folder: Path) -> Iterator[Simulator]:
    """As root the walls that a user would get; as nobody our own: so both are tried in full."""
    found = os.geteuid() == 0 and bubblewrap.find() is not None
    with walls("bubblewrap" if found else "direct", sample_folder) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def on_our_own(sample_folder: Path) -> Iterator[Simulator]:
    """Our own walls as root, where `walled` has bubblewrap's."""
    if os.geteuid() != 0 or bubblewrap.find() is None:
        pytest.skip("our own walls are those of the test before")
    with walls("direct", sample_folder) as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def nothing_is_left(machine: Path) -> Iterator[None]:
    """Not a file of the machine's, not a piece of shared memory."""
    before = _traces(machine)
    yield
    assert _traces(machine) == before


@pytest.fixture(scope="module", autouse=True)
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder for temporary files, for this module alone."""
    folder = tmp_path_factory.mktemp("machine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        yield folder


def _traces(machine: Path) -> tuple[list[str], ...]:
    shared = Path("/dev/shm")
    return (
        # What was left by a strategy that has got out, and what we have made for it.
        sorted(path.name for path in machine.iterdir()),
        sorted(path.name for path in shared.glob("psm_*")) if shared.is_dir() else [],
        # The key that the attack uses; a database on this machine has others.
        [
            line
            for line in Path("/proc/sysvipc/shm").read_text().splitlines()
            if line.split()[0] == "42"
        ],
        sorted(path.name for path in Path.cwd().iterdir()),
    )


def children_of(simulator: Simulator) -> int:
    """Processes below the warm ones: each has one that outside waits, and process 1 inside."""
    return sum(
        len(psutil.Process(zygote._process.pid).children(recursive=True)) - 1
        for zygote in simulator._zygotes.values()
        if zygote.alive
    )


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_it_is_contained(walled: Simulator, case: Case) -> None:
    attack(walled, case)


@pytest.mark.parametrize("case", OF_WALLS, ids=lambda case: case.name)
def test_our_own_walls_contain_it_too(on_our_own: Simulator, case: Case) -> None:
    attack(on_our_own, case)


def attack(simulator: Simulator, case: Case) -> None:
    result = simulator.run(case.source, BacktestSettings(limits=case.limits))
    wanted = [case.status] if case.status else ["completed", "failed"]
    assert str(result.status) in wanted, result.reason
    assert str(result.reason or "").startswith(case.reason), result.reason
    assert not [line for line in result.logs if "REACHED" in line]
    for line in case.says:
        assert any(said.endswith(line) for said in result.logs), result.logs
    check_honest(result, case)
    assert children_of(simulator) == 0
    if case not in OF_WALLS:
        return
    after = simulator.run(LOOK)
    assert after.logs[0] == "left: []"
    assert after.statistics["End Equity"] == "100000"


def check_honest(result: BacktestResult, case: Case) -> None:
    """Figures of what really happened, as plain text, of bounded size, or none."""
    texts = (*result.logs, result.reason or "")
    assert all(text == plain_text(text) for text in texts)
    assert sum(map(len, texts)) < 1_200_000
    if result.status is not BacktestStatus.COMPLETED:
        assert not result.statistics
        assert not result.equity
        return
    assert result.statistics["End Equity"] == case.equity
    assert result.total_orders == case.orders
    assert not result.trades


def test_there_are_sixty_and_more() -> None:
    assert len({case.name for case in ALL}) == len(ALL) >= 60


def become_ordinary(keep: Path) -> list[str]:
    """A command line that runs another as nobody, who can reach the interpreter.

    That may lie in root's own home: there a folder with nothing else in it takes the home's place,
    for this command alone.
    """
    hidden = next(
        (path for path in reversed(Path(sys.base_prefix).parents) if not path.stat().st_mode & 1),
        None,
    )
    prefix = sys.base_prefix
    steps = [] if hidden is None else [
        f"mount --bind {hidden} {keep}", f"mount -t tmpfs -o mode=755 none {hidden}",
        f"mkdir -p {prefix}", f"mount --bind {keep}/{Path(prefix).relative_to(hidden)} {prefix}",
    ]  # fmt: skip
    steps.append(
        "exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "
        '--bounding-set=-all "$@"'
    )
    return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", "\n".join(steps), "sh"]


@pytest.fixture(scope="module", autouse=True)
def ordinary(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[subprocess.Popen[str], Path] | None]:
    """All of this file's tests, run as nobody while they run here."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("setpriv", "unshare", "mount"))):
        yield None
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        keep = Path(name) / "keep"
        keep.mkdir()
        Path(name).chmod(0o777)
        with Path(name, "out").open("w+") as out:
            running = subprocess.Popen(
                [*become_ordinary(keep), sys.executable, "-m", "pytest", "-q", "-x", __file__,
                 "-p", "no:cacheprovider", "--rootdir", str(ROOT),
                 "--basetemp", f"{name}/ordinary"],
                stdout=out, stderr=out, text=True, cwd="/",
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": name,
                     "PYTHONDONTWRITEBYTECODE": "1"},
            )  # fmt: skip
            yield running, Path(name, "out")
            running.kill()
            running.wait()


def test_all_of_it_holds_for_an_ordinary_user_too(
    ordinary: tuple[subprocess.Popen[str], Path] | None,
) -> None:
    if ordinary is None:
        pytest.skip("only root can become another user, with setpriv, unshare and mount")
    running, out = ordinary
    code, said = running.wait(), out.read_text()
    assert code == 0, said[-3000:]
    assert "[100%]" in said
