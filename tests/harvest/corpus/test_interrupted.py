"""A corpus that is stopped in the middle: what was answered is kept, the rest is gone on with."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from qc_builder_lora.backtest.protocol import BacktestResult, BacktestSettings
from qc_builder_lora.backtest.sample_data import convert
from qc_builder_lora.harvest.corpus.candidate import Execution, Funnel, keep
from qc_builder_lora.records import BacktestStatus
from qc_builder_lora.store import Store

from ..conftest import DEFAULTS, Engine
from .test_candidate import candidate, passes

MANY = 9
STOPPED = """
import os, signal, sys
from pathlib import Path
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.harvest.corpus.candidate import Execution, Funnel, keep
from qc_builder_lora.store import Store
from qc_builder_lora.store.entries import Entries
from tests.harvest.corpus.test_candidate import candidate, passes

data, url, which, after, many = sys.argv[1:]
# A test run in the background hands on that SIGINT is to be ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
put, told = Entries.put, []

def put_and_stop(self, entries):
    given = list(entries)
    changed = put(self, given)
    told.extend(given)
    if len(told) == int(after) + 1:
        # Inside the transaction of this one, which is lost with it.
        os.kill(os.getpid(), getattr(signal, which))
    return changed

Entries.put = put_and_stop
engine = Simulator(Path(data), allow_open_sandbox=True)
with Store.open(url) as store:
    given = [candidate(day) for day in range(1, int(many) + 1)]
    keep(store, given, Execution(engine, passes, 2), Funnel("test"))
"""


@pytest.mark.parametrize(("which", "after"), [("SIGINT", 2), ("SIGTERM", 5), ("SIGKILL", 7)])
def test_what_was_answered_before_a_signal_is_kept_and_not_executed_again(
    tmp_path: Path, which: str, after: int
) -> None:
    pytest.importorskip("bokeh_sampledata", reason="the sample data is an extra")
    data = tmp_path / "data"
    convert(data)
    url = f"sqlite:///{tmp_path}/store.db"
    with Store.open(url):
        pass
    command = [sys.executable, "-c", STOPPED, str(data), url, which, str(after), str(MANY)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == -getattr(signal, which), done.stderr
    engine = Engine()
    with Store.open(url) as store:
        assert store.examples.count() == len(store.entries.find(source="test")) == after
        given = [candidate(day) for day in range(1, MANY + 1)]
        funnel = keep(store, given, Execution(engine, passes), Funnel("test"))
        assert engine.asked == funnel.counts["new"] == MANY - after
        assert funnel.counts["kept"] == store.examples.count() == MANY


class Backwards(Engine):
    """Ends the first code last, and is stopped before that."""

    def run_each(
        self,
        codes: Sequence[str],
        settings: BacktestSettings = DEFAULTS,
        *,
        jobs: int = 1,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[tuple[int, BacktestResult]]:
        for number in range(len(codes) - 1, 0, -1):
            yield number, self.run(codes[number], settings)
        raise KeyboardInterrupt


def test_a_slow_one_holds_back_no_answer_of_those_after_it(kept: Store) -> None:
    given = [candidate(day) for day in range(1, 9)]
    fails = {given[-1].code: {"status": BacktestStatus.FAILED, "phase": "run"}}
    with pytest.raises(KeyboardInterrupt):
        keep(kept, given, Execution(Backwards(fails), passes), Funnel("test"))
    assert kept.examples.count() == 6
    assert not kept.examples.has(given[0].id)
    engine = Engine(fails)
    keep(kept, given, Execution(engine, passes), Funnel("test"))
    assert engine.asked == 1
