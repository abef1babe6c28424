"""Three strategies whose results are known, run before each batch: if one answers wrongly, nothing
else that the machine says counts.

One earns what can be worked out on paper, one raises, one does nothing. They run on ten bars of
their own, in the same warm process, with the same walls and limits as the batch.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.records import BacktestStatus

_HEAD = """from AlgorithmImports import *

class Canary(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2015, 1, 5)
        self.set_end_date(2015, 1, 16)
        self.set_cash(100000)
        self._canary = self.add_equity("CANARY", Resolution.DAILY).symbol

    def on_data(self, data):
"""
GOOD = _HEAD + "        if not self.portfolio.invested: self.market_order(self._canary, 100)\n"
BAD = _HEAD + '        raise RuntimeError("the canary that sings wrongly")\n'
IDLE = _HEAD + "        pass\n"
_DAYS = ("05", "06", "07", "08", "09", "12", "13", "14", "15", "16")
# 100 shares at the second day's open of 101, one dollar of fees, worth 109.5 each at the end.
_EARNED = "100849"


def write_bars(folder: Path) -> None:
    """A LEAN data folder with their bars: day n opens at 100 + n, closes half a dollar up."""
    rows = []
    for number, day in enumerate(_DAYS):
        prices = (100 + number, 101 + number, 99 + number, 100.5 + number)
        cents = ",".join(str(int(price * 10_000)) for price in prices)
        rows.append(f"201501{day} 00:00,{cents},1000000")
    path = folder / "equity" / "usa" / "daily" / "canary.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("canary.csv", "\n".join(rows))


def sing(run: Callable[[str], BacktestResult]) -> str:
    """Run the three; empty where all answer rightly, else why nothing that follows may count."""
    for name, code, is_right in (
        ("the one that trades", GOOD, _earned), ("the one that raises", BAD, _raised),
        ("the one that does nothing", IDLE, _idled),
    ):  # fmt: skip
        result = run(code)
        if result.reason is not None and result.reason.startswith("no sandbox"):
            return result.reason
        if not is_right(result):
            return (
                f"void batch: of the canaries {name} answered wrongly: {_told(result)}. No result "
                "of this batch counts. Look at the machine with: qc-lora doctor"
            )
    return ""


def _earned(result: BacktestResult) -> bool:
    return (
        result.status is BacktestStatus.COMPLETED
        and result.total_orders == 1
        and result.statistics.get("End Equity") == _EARNED
    )


def _raised(result: BacktestResult) -> bool:
    return (
        result.status is BacktestStatus.FAILED
        and result.phase == "run"
        and str(result.reason).startswith("RuntimeError: the canary that sings wrongly")
    )


def _idled(result: BacktestResult) -> bool:
    return (
        result.status is BacktestStatus.COMPLETED
        and result.total_orders == 0
        and result.statistics.get("End Equity") == "100000"
    )


def _told(result: BacktestResult) -> str:
    if result.status is not BacktestStatus.COMPLETED:
        return f"{result.status}, {result.reason}"
    equity = result.statistics.get("End Equity")
    return f"completed with {result.total_orders} orders and an end equity of {equity}"
