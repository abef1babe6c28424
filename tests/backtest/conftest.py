"""What the backtest tests share: a simulator on LEAN's data, one on the sample data.

Both run without a wall where none can be had: their strategies are ours. What becomes of the wall
is the business of test_sandbox.py and test_open_sandbox.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from qc_builder_lora.backtest.protocol import BacktestResult, BacktestSettings, Limits
from qc_builder_lora.backtest.sample_data import convert
from qc_builder_lora.backtest.simulator import Simulator

LEAN_DATA = Path(__file__).parents[3] / "shared" / "data" / "lean"


@pytest.fixture(scope="session")
def lean_data() -> Path:
    if not LEAN_DATA.is_dir():
        pytest.skip(f"LEAN's data folder is not at {LEAN_DATA}")
    return LEAN_DATA


@pytest.fixture(scope="session")
def lean(lean_data: Path) -> Iterator[Simulator]:
    simulator = Simulator(lean_data, allow_open_sandbox=True)
    yield simulator
    simulator.close()


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "data"
    convert(folder)
    return folder


@pytest.fixture(scope="session")
def sample(sample_folder: Path) -> Iterator[Simulator]:
    simulator = Simulator(sample_folder, allow_open_sandbox=True)
    yield simulator
    simulator.close()


Run = Callable[..., BacktestResult]


@pytest.fixture
def run(sample: Simulator) -> Run:
    """Run a strategy given by the bodies of its methods, on AAPL over some months of 2010."""

    def body(
        initialize: str = "",
        on_data: str = "pass",
        more: str = "",
        *,
        head: str = "",
        limits: Limits | None = None,
    ) -> BacktestResult:
        return sample.run(
            strategy(initialize, on_data, more, head), BacktestSettings(limits=limits or Limits())
        )

    return body


def strategy(initialize: str = "", on_data: str = "pass", more: str = "", head: str = "") -> str:
    """Code of a strategy on AAPL, 2010-01-04 to 2010-06-30, out of pieces."""

    def indented(text: str, depth: int) -> str:
        return "\n".join(" " * depth + line for line in dedent(text).strip("\n").splitlines())

    return (
        "from AlgorithmImports import *\n\n"
        + dedent(head)
        + "\n\nclass Tested(QCAlgorithm):\n"
        + "    def initialize(self):\n"
        + "        self.set_start_date(2010, 1, 4)\n"
        + "        self.set_end_date(2010, 6, 30)\n"
        + '        self.aapl = self.add_equity("AAPL", Resolution.DAILY).symbol\n'
        + indented(initialize, 8)
        + "\n\n    def on_data(self, data):\n"
        + indented(on_data, 8)
        + "\n\n"
        + indented(more, 4)
        + "\n"
    )
