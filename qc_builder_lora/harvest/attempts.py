"""One attempt of a build: what was asked, the code, and everything that was seen to come of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qc_builder_lora.harvest.answers import ToolCall
from qc_builder_lora.harvest.labels import Label, label_of, number
from qc_builder_lora.harvest.spool import Event
from qc_builder_lora.ids import text_hash
from qc_builder_lora.records import BacktestStatus

MAIN = "main.py"
STUB = "stub"
"""The project id that the host writes when it has no credentials."""


@dataclass
class Seen:
    """One backtest of an attempt, as far as the engine was heard."""

    id: str | None
    time_ns: int
    sequence: int
    project: str | None
    compile_id: str | None
    answer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def statistics(self) -> dict[str, str]:
        found = self.answer.get("statistics")
        if not isinstance(found, Mapping):
            return {}
        return {str(key): str(value) for key, value in found.items() if value is not None}

    @property
    def error(self) -> str | None:
        found = self.answer.get("error") or self.answer.get("stacktrace")
        return str(found) if found else None

    @property
    def total_orders(self) -> int | None:
        found = self.statistics.get("Total Orders", self.statistics.get("Total Trades"))
        orders = number(found)
        return None if orders is None else int(orders)

    @property
    def closed_trades(self) -> int | None:
        performance = self.answer.get("totalPerformance")
        statistics = (
            performance.get("tradeStatistics") if isinstance(performance, Mapping) else None
        )
        trades = statistics.get("totalNumberOfTrades") if isinstance(statistics, Mapping) else None
        found = number(trades)
        return None if found is None else int(found)

    @property
    def key(self) -> tuple[int, int]:
        """Time and number of the record that first spoke of it."""
        return self.time_ns, self.sequence

    @property
    def engine(self) -> str | None:
        """The engine's version, where the server states one."""
        found = self.answer.get("engine") or self.answer.get("leanVersion")
        return None if found is None else str(found)

    @property
    def data_fingerprint(self) -> str | None:
        """What the server says its market data is."""
        found = self.answer.get("dataFingerprint")
        return None if found is None else str(found)

    def phase(self, status: BacktestStatus) -> str | None:
        """The last phase reached, as far as the answer says."""
        if status is BacktestStatus.COMPLETED:
            return "done"
        if status is BacktestStatus.FAILED:
            return "initialize" if self.answer.get("hasInitializeError") else "run"
        return None

    def verdict(self) -> tuple[BacktestStatus, str | None]:
        """How it ended by the engine's own word, and why it is not `completed`."""
        if self.project == STUB:
            return BacktestStatus.UNKNOWN, "The project is a stub: the host had no credentials."
        if self.answer.get("status") == "Unknown":
            return BacktestStatus.UNKNOWN, self.error
        if self.error:
            return BacktestStatus.FAILED, self.error
        if not self.answer:
            return BacktestStatus.UNKNOWN, "No answer about the backtest was read back."
        if not self.statistics:
            return BacktestStatus.UNKNOWN, "The engine's answer has no statistics."
        if self.answer.get("completed") is False:
            return BacktestStatus.UNKNOWN, "The backtest had not ended when it was last read."
        return BacktestStatus.COMPLETED, None


@dataclass
class Attempt:
    """One answer of the coder on its way through the engine."""

    time_ns: int
    sequence: int
    """Of the record that began it; what its ids are made from."""
    iteration: int | None = None
    prompt: str | None = None
    model: str | None = None
    left: str | None = None
    """What the coder left in its file."""
    uploaded: str | None = None
    """What was uploaded as main.py."""
    elsewhere: tuple[str, str] | None = None
    """Name and content of what was uploaded under another name: not what the engine runs."""
    read_back: str | None = None
    compiled: bool | None = None
    compile_errors: str = ""
    backtests: dict[str, Seen] = field(default_factory=dict)
    version: str | None = None
    fitness: float | None = None
    claimed: bool = False
    """Whether the host said that there was a result."""
    error: str | None = None
    error_class: str | None = None
    records: list[int] = field(default_factory=list)

    @property
    def code(self) -> str:
        """What the engine was given; where nothing was, what the coder left."""
        if self.uploaded is not None:
            return self.uploaded
        return self.left or (self.elsewhere[1] if self.elsewhere else "")

    @property
    def empty(self) -> bool:
        """Whether no model was asked and no code seen: nothing to keep."""
        return self.prompt is None and not self.code

    @property
    def code_sha256(self) -> str:
        """Of the exact text that ran: read back from the engine where it was."""
        return text_hash(self.code if self.read_back is None else self.read_back)

    @property
    def read_back_state(self) -> str:
        """`equal`, `different` or `absent`."""
        if self.read_back is None:
            return "absent"
        return "equal" if self.read_back == self.uploaded else "different"

    def verdict(self, seen: Seen) -> tuple[BacktestStatus, str | None]:
        """How a backtest of this very code ended; unknown where another code may have run."""
        if self.uploaded is None:
            name = f" ({self.elsewhere[0]} was)" if self.elsewhere else ""
            return BacktestStatus.UNKNOWN, f"{MAIN} was not uploaded{name}: other code ran."
        if self.read_back_state == "different":
            return BacktestStatus.UNKNOWN, f"{MAIN} read back is not what was uploaded."
        return seen.verdict()

    def label(self) -> Label:
        """By the last backtest, else by the compiler, else by the parser."""
        last = next(reversed(self.backtests.values()), None)
        status = None if last is None else self.verdict(last)[0]
        statistics = last.statistics if last and status is BacktestStatus.COMPLETED else {}
        return label_of(self.code, compiled=self.compiled, status=status, statistics=statistics)

    def problem(self) -> str | None:
        """The error that the host worked on, else what the engine or the compiler said."""
        if self.error:
            return self.error
        for seen in reversed(self.backtests.values()):
            if seen.error:
                return seen.error
        return self.compile_errors or None

    def take_upload(self, name: str, code: str, call: ToolCall) -> None:
        """Code on its way to the engine; one that was refused is only known, not there."""
        if call.failed:
            self.left = code
            self.error = "\n".join(call.errors) or call.logs
        elif name == MAIN:
            self.uploaded = code
            # What was read before is what this has replaced.
            self.read_back = None
        else:
            self.elsewhere = (name, code)

    def take_fitness(self, body: Mapping[str, Any]) -> None:
        """What the host recorded: its claim, as it gave it."""
        version = body.get("version")
        self.version = None if version is None else str(version)
        found = number(body.get("sharpe"))
        self.fitness = found if found is not None and math.isfinite(found) else None
        self.claimed = True

    def take_error(self, body: Mapping[str, Any]) -> None:
        """A message that the host classified or recorded."""
        if body.get("message") is not None:
            self.error = str(body["message"])
        if isinstance(body.get("class"), str):
            self.error_class = body["class"]

    def take_compile(self, call: ToolCall) -> None:
        """The compiler's answer; one that is still queued says nothing."""
        if call.compile_state is not None:
            self.compiled = call.compile_state
            self.compile_errors = "" if call.compile_state else call.logs

    def take_backtest(self, call: ToolCall, event: Event) -> None:
        """An answer about a backtest; a later one about the same replaces it."""
        key = call.backtest_id or f"at {event.sequence}"
        seen = self.backtests.get(key)
        if seen is None:
            seen = Seen(
                call.backtest_id, event.time_ns, event.sequence, call.project, call.compile_id
            )
            self.backtests[key] = seen
        if call.backtest:
            seen.answer = call.backtest
        elif call.failed and not seen.answer:
            seen.answer = {"status": "Unknown", "error": "\n".join(call.errors) or call.logs}
