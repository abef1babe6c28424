"""A fake QuantConnect on loopback, an engine that talks to it, and one that answers at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qc_builder_lora.backtest.protocol import BacktestResult, BacktestSettings
from qc_builder_lora.backtest.quantconnect import QuantConnect
from qc_builder_lora.backtest.quantconnect.patience import Pace
from qc_builder_lora.ids import text_hash
from qc_builder_lora.records import BacktestStatus
from tests.backtest.engines.fake_quantconnect import TOKEN, USER, Account, Server

CODE = "from AlgorithmImports import *\n\nclass A(QCAlgorithm):\n    pass\n"
STATISTICS = {
    "Total Orders": "2", "Average Win": "1.50%", "Average Loss": "0%",
    "Compounding Annual Return": "8.123%", "Drawdown": "2.200%", "Expectancy": "0",
    "Start Equity": "100000", "End Equity": "101500.00", "Net Profit": "1.500%",
    "Sharpe Ratio": "0.812", "Sortino Ratio": "0.9", "Probabilistic Sharpe Ratio": "45.000%",
    "Loss Rate": "0%", "Win Rate": "100%", "Profit-Loss Ratio": "0", "Total Fees": "$2.00",
}  # fmt: skip
TIMES = ("2010-01-05T14:31:00Z", "2010-01-07T14:31:00Z")


def order(number: int, quantity: float, price: float, time: str) -> dict[str, object]:
    return {
        "id": number, "symbol": "IBM", "type": "market_on_open", "quantity": quantity,
        "limit_price": None, "stop_price": None, "status": "filled", "time": time, "tag": "",
        "message": "",
        "fills": [{"time": time, "quantity": quantity, "price": price, "fee": 1.0}],
    }  # fmt: skip


def completed(code: str = CODE, orders: int = 2) -> BacktestResult:
    """A result as a good strategy has it."""
    found = [
        order(number, 100.0 if number % 2 else -100.0, 130.0 + number, TIMES[(number + 1) % 2])
        for number in range(1, orders + 1)
    ]
    return BacktestResult(
        status=BacktestStatus.COMPLETED, engine="canned", engine_version="1",
        data_fingerprint=None, code_sha256=text_hash(code), phase="done",
        statistics={**STATISTICS, "Total Orders": str(orders)},
        total_orders=orders, closed_trades=1, orders=tuple(found),
        trades=(
            {
                "symbol": "IBM", "direction": "long", "quantity": 100.0, "entry_time": TIMES[0],
                "entry_price": 131.0, "exit_time": TIMES[1], "exit_price": 132.0, "profit": 100.0,
                "fees": 2.0,
            },
        ),
        trade_statistics={"totalNumberOfTrades": 1, "numberOfWinningTrades": 1},
        equity=(("2010-01-04", 100000.0), ("2010-01-05", 100400.0), ("2010-01-07", 101500.0)),
        logs=("hello",),
    )  # fmt: skip


class Canned:
    """An engine that has its answers ready; a code that says `raise` fails with its text."""

    name, version, data_fingerprint = "canned", "1", None

    def __init__(self) -> None:
        self.orders = 2
        self.seen: list[tuple[str, BacktestSettings]] = []
        self.lock = threading.Lock()

    def run(self, code: str, settings: BacktestSettings | None = None) -> BacktestResult:
        with self.lock:
            self.seen.append((code, settings or BacktestSettings()))
        if "raise" not in code:
            return completed(code, self.orders)
        phase = "initialize" if "initialize" in code else "run"
        return BacktestResult(
            status=BacktestStatus.FAILED, engine="canned", engine_version="1",
            data_fingerprint=None, code_sha256=text_hash(code), phase=phase,
            reason="ZeroDivisionError: division by zero\n  at on_data in main.py: line 12",
        )  # fmt: skip


@pytest.fixture
def canned() -> Canned:
    return Canned()


@pytest.fixture
def cloud(canned: Canned) -> Iterator[Account]:
    """The account behind a running fake server; its address is `cloud.url`."""
    account = Account(canned)
    with Server(account) as server:
        account.url = server.url
        yield account


FAST = Pace(
    deadline_s=20, poll_s=0.01, poll_most_s=0.02, retry_s=0.01, retry_most_s=0.02, node_s=0.01,
    node_most_s=0.02, loading_s=0.01, loading_tries=5, tries=3,
)  # fmt: skip
Make = Callable[..., QuantConnect]


@pytest.fixture
def make(cloud: Account, tmp_path: Path) -> Iterator[Make]:
    made: list[QuantConnect] = []

    def body(**changes: object) -> QuantConnect:
        options = {"user": USER, "token": TOKEN, "url": cloud.url, "pace": FAST, **changes}
        user, token = options.pop("user"), options.pop("token")
        made.append(QuantConnect(user, token, tmp_path / "home", **options))
        return made[-1]

    yield body
    for engine in made:
        engine.close()


@pytest.fixture
def engine(make: Make) -> QuantConnect:
    return make()
