"""A store in a file, and records for it that a test changes where it matters."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.backtest.check import strategy_hash
from qc_builder_lora.backtest.protocol import BacktestResult, BacktestSettings
from qc_builder_lora.files import find_default
from qc_builder_lora.harvest.delay import delayed
from qc_builder_lora.ids import new_id, text_hash
from qc_builder_lora.records import (
    Backtest,
    BacktestStatus,
    Build,
    Example,
    Generation,
    Role,
    Strategy,
)
from qc_builder_lora.requests import new_request
from qc_builder_lora.store import Store

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
DEFAULTS = BacktestSettings()
SOUND = {"Sharpe Ratio": "0.7", "Drawdown": "9.000%", "Net Profit": "4.000%", "Win Rate": "55%"}
GOOD = """from AlgorithmImports import *


class Trend(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2010, 1, 4)
        self.set_end_date(2010, 6, 30)
        self.aapl = self.add_equity("AAPL", Resolution.DAILY).symbol

    def on_data(self, data):
        if self.time.day > {day}:
            self.set_holdings(self.aapl, 1)
        else:
            self.liquidate()
"""


def code(day: int = 15) -> str:
    """A strategy that compiles and trades; another for each day."""
    return GOOD.replace("{day}", str(day))


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/store.db") as opened:
        yield opened


class Told:
    """What a builder did, put into a store as the harvest would."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._ticks = itertools.count()

    def build(self, title: str = "Trend of AAPL") -> str:
        build = Build(id=new_id(), title=title, host="host.py", started_at=self._later())
        return self.store.builds.add(build).id

    def served(
        self,
        text: str,
        asked: str = "Follow the trend of AAPL.",
        *,
        build_id: str | None = None,
        context: str = "",
        role: Role = Role.SERVED,
        source: str = "builder",
        iteration: int = 1,
    ) -> Strategy:
        """A Generation with its Strategy."""
        request = self.store.requests.add(new_request(asked, context))
        key = strategy_hash(text)
        if not self.store.strategies.has(key):
            strategy = Strategy(
                id=key,
                code=text,
                code_sha256=text_hash(text),
                created_at=self._later(),
                source=source,
            )
            self.store.strategies.add(strategy)
        self.store.generations.add(
            Generation(
                id=new_id(),
                request_id=request.id,
                code=text,
                role=role,
                created_at=self._later(),
                build_id=build_id or self.build(),
                iteration=iteration,
                strategy_id=key,
            )
        )
        return self.store.strategies.get(key)

    def reported(self, strategy: Strategy, build_id: str, **figures: str) -> None:
        """What the builder's own engine said."""
        self.store.backtests.add(
            Backtest(
                id=new_id(),
                strategy_id=strategy.id,
                status=BacktestStatus.COMPLETED,
                engine="quantconnect-mcp",
                engine_version=None,
                data_fingerprint=None,
                created_at=self._later(),
                code_sha256=strategy.code_sha256,
                statistics={"Net Profit": "4%", **figures},
                total_orders=12,
                build_id=build_id,
            )
        )

    def example(self, number: int = 0, **changed: Any) -> Example:
        """A corpus-like Example; each number is another family member."""
        given = {
            "id": new_id(),
            "instruction": f"Buy AAPL after {number} days of gains in a row.",
            "code": f"class A{number}: days = {number}",
            "family": "trend",
            "source": "starter",
            "licence": "Apache-2.0",
            "created_at": self._later(),
            "parameters": {"days": number},
        }
        return self.store.examples.add(Example(**{**given, **changed}))

    def _later(self) -> datetime:
        return NOON + timedelta(seconds=next(self._ticks))


@pytest.fixture
def told(kept: Store) -> Told:
    return Told(kept)


class Engine:
    """A Backtester that says of each code what the table says, else that it ran and traded."""

    name, version, data_fingerprint = "table", "1", "0"

    def __init__(self, table: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        given = dict(table or {})
        # Good figures stay good when the orders come later, unless a test says otherwise.
        later = {delayed(key) or key: told for key, told in given.items()}
        self.table, self.asked = {**later, **given}, 0

    def run(self, code: str, settings: BacktestSettings = DEFAULTS) -> BacktestResult:
        self.asked += 1
        ran: dict[str, Any] = {
            "status": BacktestStatus.COMPLETED,
            "engine": self.name,
            "engine_version": self.version,
            "data_fingerprint": self.data_fingerprint,
            "code_sha256": text_hash(code),
            "phase": "done",
            "closed_trades": 3,
            "orders": tuple(
                {
                    "id": number,
                    "time": f"2010-0{number + 1}-11T15:00:00Z",
                    # Each code trades in its own way.
                    "quantity": int(text_hash(code)[:4], 16),
                    "fills": [{"time": f"2010-0{number + 1}-11T15:00:00Z", "quantity": 1}],
                }
                for number in range(6)
            ),
            "equity": tuple((f"2010-{month:02}-28", 1e5 + month) for month in range(1, 13)),
            "statistics": SOUND,
        }
        if settings.end is not None:
            ran["orders"] = tuple(
                one for one in ran["orders"] if str(one["time"]) < settings.end.isoformat()
            )
        told = self.table.get(code, {})
        return BacktestResult(**{**ran, **told})

    def run_many(
        self,
        codes: Sequence[str],
        settings: BacktestSettings = DEFAULTS,
        *,
        jobs: int = 1,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[BacktestResult]:
        yield from (self.run(code, settings) for code in codes)


@pytest.fixture(scope="session")
def check_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """mypy's cache, warm after the first test."""
    return tmp_path_factory.mktemp("check")


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with nothing in it but, where the test file has a TWO, the manifest `two`.

    TWO are the manifest's lines from `families` on, up to what is said of tickers.
    """
    pytest.importorskip("bokeh_sampledata", reason="the sample data is an extra")
    folder = tmp_path_factory.mktemp("home")
    two = getattr(request.module, "TWO", None)
    if two is not None:
        text = find_default("harvest/corpus/starter.yaml").read_text("utf-8")
        head, _, tail = text.partition("families:\n")
        _, _, rest = tail.partition("# Real bars")
        (folder / "harvest" / "corpus").mkdir(parents=True)
        manifest = folder / "harvest" / "corpus" / "two.yaml"
        manifest.write_text(f"{head}{two}\n# Real bars{rest}")
    return folder


@pytest.fixture
def run(home: Path, check_cache: Path) -> Run:
    """`qc-lora` in that home, as a user types it."""
    return typed(home, check_cache)


def typed(home: Path, check_cache: Path, **more: str) -> Run:
    """`qc-lora` in a home, with these settings too."""

    def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("QC_LORA_")}
        ours = {
            "QC_LORA_HOME": str(home),
            "QC_LORA_CACHE": str(check_cache),
            "QC_LORA_ALLOW_OPEN_SANDBOX": "1",
        }
        return subprocess.run(
            [sys.executable, "-m", "qc_builder_lora.cli", *map(str, arguments)],
            cwd=home, env={**kept, **ours, **more}, capture_output=True, text=True, check=False,
            timeout=300,
        )  # fmt: skip

    return call
