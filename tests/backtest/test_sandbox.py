"""The wall around a strategy: what it cannot reach, and that nothing of it is left."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from qc_builder_lora.backtest.protocol import BacktestResult, Limits
from qc_builder_lora.backtest.sandbox import bubblewrap
from qc_builder_lora.backtest.sandbox.launch import Zygote
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.backtest.surface.libraries import LIBRARIES, SUPPORT
from qc_builder_lora.errors import BacktestError
from qc_builder_lora.records import BacktestStatus
from tests.backtest.conftest import strategy

Run = Callable[..., BacktestResult]
NEEDS_NAMESPACES = "this machine does not allow user namespaces"


@pytest.fixture(scope="module")
def isolated(sample_folder: Path) -> bool:
    simulator = Simulator(sample_folder, allow_open_sandbox=True)
    found = not simulator.run("x = 1").missing_walls
    simulator.close()
    return found


def logged(result: BacktestResult) -> str:
    assert result.status is BacktestStatus.COMPLETED, result.reason
    return "\n".join(result.logs)


def test_other_processes_cannot_be_seen_or_signalled(run: Run, isolated: bool) -> None:
    if not isolated:
        pytest.skip(NEEDS_NAMESPACES)
    text = logged(
        run(
            f"""
            import os
            self.log(f"parent {{os.getppid()}}")
            for pid in ({os.getpid()}, 1):
                try:
                    os.kill(pid, 15)
                    self.log(f"signalled {{pid}}")
                except (OSError, OverflowError) as error:
                    self.log(f"not {{pid}}: {{error}}")
            """
        )
    )
    # Process 1 of its own namespace is the zygote: the signal is sent, and has no effect.
    assert "parent 1" in text
    assert f"not {os.getpid()}: [Errno 3] No such process" in text
    assert logged(run("pass")) is not None


def test_the_environment_is_empty_and_the_folder_its_own(run: Run, isolated: bool) -> None:
    if not isolated:
        pytest.skip(NEEDS_NAMESPACES)
    code = "import os\nself.log(f'{dict(os.environ)} {os.getcwd()} {os.listdir()}')"
    for _ in range(2):
        # Nothing of the first is there for the second.
        result = run(code + "\nopen('left', 'w').write('x')\nos.makedirs('deep/er')")
        # Not /tmp where the checkout, which a strategy may read, lies in it.
        assert any(line in result.logs for line in ("{} /tmp []", "{} /scratch []"))


def test_files_larger_than_the_limit_cannot_be_written(run: Run) -> None:
    result = run(
        """
        import signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            with open("big", "wb") as file:
                file.write(bytes(20_000_000))
        except OSError as error:
            self.log(f"refused: {error}")
        """
    )
    assert "refused: [Errno 27] File too large" in logged(result)


def test_descriptors_are_few(run: Run) -> None:
    result = run("import os\nfor _ in range(100): os.dup(1)")
    assert result.status is BacktestStatus.FAILED
    assert result.reason is not None
    assert result.reason.startswith("OSError: [Errno 24] Too many open files")


def test_limits_cannot_be_raised_again(run: Run) -> None:
    # As root too: capabilities of a user namespace do not reach the machine's limits.
    result = run("import resource\nresource.setrlimit(resource.RLIMIT_CPU, (9999, 9999))")
    assert result.status is BacktestStatus.FAILED
    assert result.reason is not None
    assert "not allowed to raise maximum limit" in result.reason


FORK = """
import os, time
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(300)
        os._exit(0)
"""


@pytest.mark.parametrize("after", ["", "os._exit(1)", "while True: pass", "self.add_option('X')"])
def test_processes_that_a_strategy_leaves_behind_are_killed(
    sample: Simulator, run: Run, isolated: bool, after: str
) -> None:
    if not isolated:
        pytest.skip(NEEDS_NAMESPACES)
    run(FORK + after, limits=Limits(wall_s=2))
    zygote = sample._zygotes[False]
    children = psutil.Process(zygote._process.pid).children(recursive=True)
    # Only process 1 of the namespace is there; the next strategy is forked from it.
    assert len(children) == 1


def test_a_strategy_that_speaks_the_channel_itself_only_fails(run: Run) -> None:
    for frame in (
        b'["nonsense"]',
        b'["submit",0]',
        b'["submit",99,0,1,null,null,null,"","gtc"]',
        b'["set","cash",1e999]',
        b"[" * 5000,
        b'{"done":1}',
        b'["log","debug","' + b"x" * 30_000 + b'"]',
    ):
        result = run(
            f"""
            import os, struct
            body = {frame!r}
            os.write(3, struct.pack("<I", len(body)) + body)
            """
        )
        assert result.status is BacktestStatus.FAILED, frame
        assert result.reason is not None
        assert result.reason.startswith("broke the simulator's protocol: "), result.reason


def test_a_frame_without_end_is_refused_by_its_length(run: Run) -> None:
    result = run("import os, struct\nos.write(3, struct.pack('<I', 1 << 31) + b'x' * 100)")
    assert result.reason == "broke the simulator's protocol: a frame of 2147483648 bytes"


def test_a_strategy_cannot_raise_its_own_equity(run: Run) -> None:
    result = run(
        on_data="""
        self._desk.portfolio.cash = 1e9
        self._desk.take_account([1e9, 0, 0, 1e9])
        self.portfolio[self.aapl].quantity = 1000
        """
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert result.statistics["End Equity"] == "100000"
    assert result.trades == ()


def test_a_strategy_holds_no_bar_later_than_its_clock(run: Run) -> None:
    result = run(
        on_data="""
        import gc
        if self.time.date() == date(2010, 1, 8):
            latest = max(bar.end_time for bar in gc.get_objects() if isinstance(bar, TradeBar))
            self.log(f"latest {latest}")
            frame = self.history(self.aapl, datetime(2010, 1, 4), datetime(2012, 1, 1))
            self.log(f"asked {frame.index[-1][1]}")
        """
    )
    text = logged(result)
    assert "latest 2010-01-08 16:00:00" in text
    assert "asked 2010-01-08 16:00:00" in text


def test_the_next_strategy_sees_nothing_of_the_last(run: Run) -> None:
    run("import builtins, sys\nbuiltins.leak = 1\nQCAlgorithm.leak = 2\nsys.modules['leak'] = 3")
    result = run(
        "import builtins, sys\n"
        "self.log(f\"{hasattr(builtins, 'leak')} {'leak' in vars(QCAlgorithm)}\")\n"
        "self.log('leak' in sys.modules)"
    )
    assert "False False" in logged(result)


def test_what_is_left_in_the_folder_is_removed_however_deep(run: Run, isolated: bool) -> None:
    if not isolated:
        pytest.skip(NEEDS_NAMESPACES)
    code = """
    import os
    for number in range(3000):
        os.mkdir("d")
        open("f", "w").close()
        os.chdir("d")
    os.chmod("/tmp/d", 0)
    """
    assert run(code).status is BacktestStatus.FAILED
    assert "[]" in logged(run("import os\nself.log(str(os.listdir()))"))


def test_a_killed_zygote_is_replaced(sample: Simulator, run: Run) -> None:
    run()
    sample._zygotes[False]._process.kill()
    sample._zygotes[False]._process.wait()
    assert run().status is BacktestStatus.COMPLETED


def test_an_interpreter_that_cannot_start_is_our_failure_not_the_strategys(
    tmp_path: Path,
) -> None:
    with pytest.raises(BacktestError, match="No module named 'no_such_module'"):
        Zygote("no_such_module", [tmp_path])


def test_letting_go_of_a_simulator_ends_its_processes(sample_folder: Path) -> None:
    simulator = Simulator(sample_folder, allow_open_sandbox=True)
    simulator.run("x = 1")
    pid = simulator._zygotes[False]._process.pid
    simulator.close()
    assert not psutil.pid_exists(pid)


def test_a_parent_that_dies_takes_its_strategies_along(sample_folder: Path) -> None:
    code = (
        "import sys, os\nfrom pathlib import Path\n"
        "from qc_builder_lora.backtest.simulator import Simulator\n"
        f"simulator = Simulator(Path({str(sample_folder)!r}), allow_open_sandbox=True)\n"
        "simulator.run('x = 1')\nprint(simulator._zygotes[False]._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    for _ in range(100):
        if not psutil.pid_exists(pid):
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still there")


def test_sets_have_the_same_order_in_every_process(sample_folder: Path) -> None:
    # A strategy that goes through a set of tickers gives the same figures each time.
    code = strategy("self.log(' '.join({f'T{n}' for n in range(50)}))")
    told = set()
    for _ in range(3):
        simulator = Simulator(sample_folder, allow_open_sandbox=True)
        told.add(simulator.run(code).logs[0])
        simulator.close()
    assert len(told) == 1


def test_the_libraries_that_lean_has_work_inside(run: Run) -> None:
    result = run(
        """
        import json, decimal, sqlite3, zoneinfo, dateutil, numpy, pandas
        frame = self.history(self.aapl, 20, Resolution.DAILY)
        slope = numpy.linalg.lstsq(numpy.vander(range(3), 2), [1, 2, 3], rcond=None)[0][0]
        zone = pandas.Timestamp(2010, 1, 4, tz="America/New_York").utcoffset()
        self.log(f"{slope:.3f} {zone} {zoneinfo.ZoneInfo('Europe/Berlin')} {len(frame) >= 0}")
        """
    )
    assert "1.000 -1 day, 19:00:00 Europe/Berlin True" in logged(result)


def test_the_root_shows_no_library_that_a_strategy_may_not_import(run: Run, isolated: bool) -> None:
    if not isolated:
        pytest.skip(NEEDS_NAMESPACES)
    result = run(
        """
        import os
        found = set()
        for folder, folders, files in os.walk("/"):
            if folder.endswith(("site-packages", "dist-packages")):
                found.update(name.split(".")[0] for name in (*folders, *files))
        self.log(f"packages {sorted(found)}")
        """
    )
    line = next(line for line in result.logs if line.startswith("packages "))
    shown = set(ast.literal_eval(line.removeprefix("packages ")))
    assert shown <= LIBRARIES | SUPPORT | {"scikit_learn"}
    assert "numpy" in shown


LIBRARY = """
import threading, time, os
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
from six_part import PART
"""


@pytest.mark.parametrize("made_by", ["bubblewrap", "direct"])
def test_a_library_may_lie_in_tmp_and_start_threads(
    monkeypatch: pytest.MonkeyPatch, isolated: bool, made_by: str
) -> None:
    if not isolated:
        pytest.skip(NEEDS_NAMESPACES)
    # Neither is hidden by the strategy's own /tmp, nor is in the way of its namespaces.
    if made_by == "bubblewrap" and bubblewrap.find() is None:
        pytest.skip("bubblewrap is not installed")
    if made_by == "direct":
        monkeypatch.setattr(bubblewrap, "find", lambda: None)
    surface = Path(bubblewrap.__file__).parents[1] / "surface"
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "six.py").write_text(LIBRARY)
        (folder / "six_part.py").write_text("PART = 1\n")
        (folder / "secret.txt").write_text("x")
        zygote = Zygote(
            "surface.strategy", [surface], libraries=["six"], folders=[name],
            packages=["six", "six_part"], allow_open=True,
        )  # fmt: skip
        assert zygote.missing_walls == ()
        assert zygote.by == made_by
        child = zygote.fork(Limits())
        assert child.channel.recv(100)[4:] == b'["up"]'
        child.end()
        child.close_output()
        zygote.close()
