"""What every backtest engine is to us: code in, one result out, UNKNOWN where it cannot say.

Engines: `simulator` (offline, the default), `quantconnect` (cloud, REST v2), `lean` (LEAN CLI).
One test suite runs over all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol, runtime_checkable

from qc_builder_lora.errors import SettingsError
from qc_builder_lora.ids import new_id, now, text_hash
from qc_builder_lora.records import Backtest, BacktestStatus

PHASES = ("load", "initialize", "run", "done")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one backtest may use before it is ended and called failed."""

    wall_s: float = 60.0
    cpu_s: float = 60.0
    memory_mb: int = 1024
    output_bytes: int = 1_000_000
    """Log and print output kept; more is cut and flagged, the strategy goes on."""

    def __post_init__(self) -> None:
        for name in ("wall_s", "cpu_s", "memory_mb", "output_bytes"):
            if getattr(self, name) <= 0:
                raise SettingsError(f"{name} must be above zero, got {getattr(self, name)}.")


@dataclass(frozen=True, kw_only=True)
class BacktestSettings:
    """What the caller decides; None leaves it to the strategy."""

    start: date | None = None
    end: date | None = None
    cash: float | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    """What `get_parameter` answers."""
    limits: Limits = Limits()
    files: Mapping[str, str] = field(default_factory=dict)
    """Sources of the modules beside the strategy that it imports, by module name."""

    def plain(self) -> dict[str, Any]:
        """As JSON values, for the store."""
        found: dict[str, Any] = {
            "start": self.start.isoformat() if self.start else None,
            "end": self.end.isoformat() if self.end else None,
            "cash": self.cash,
            "parameters": dict(self.parameters),
        }
        return found | ({"files": dict(self.files)} if self.files else {})


MOVED_MONEY = "Note: models of the strategy's own have moved money"
"""The log's first line where a settlement or margin interest model of the strategy's own paid."""


@dataclass(frozen=True, kw_only=True)
class BacktestResult:
    """What one engine says of one piece of code."""

    status: BacktestStatus
    engine: str
    engine_version: str | None
    data_fingerprint: str | None
    code_sha256: str
    phase: str
    """The last of PHASES that was reached; `done` only when status is completed."""
    reason: str | None = None
    """Why it is not completed: for `unknown`, the API or the file that is missing."""
    statistics: Mapping[str, str] = field(default_factory=dict)
    """LEAN's own keys and rounding; empty unless completed."""
    total_orders: int | None = None
    closed_trades: int | None = None
    orders: tuple[Mapping[str, Any], ...] = ()
    """One mapping an order: id, symbol, type, quantity, status, time, fills with price and fee."""
    trades: tuple[Mapping[str, Any], ...] = ()
    """Closed trades: symbol, entry and exit time and price, quantity, profit, fees."""
    runtime_statistics: Mapping[str, str] = field(default_factory=dict)
    """LEAN's runtime statistics at the end, and those a strategy has set; empty where none."""
    trade_statistics: Mapping[str, Any] = field(default_factory=dict)
    """Figures over the closed trades under LEAN's own keys (`totalNumberOfTrades`, …); empty where
    the engine gives none."""
    charts: Mapping[str, Mapping[str, Sequence[Sequence[float]]]] = field(default_factory=dict)
    """What the strategy plotted: chart → series → [UTC seconds, value]; empty where none."""
    equity: tuple[tuple[str, float], ...] = ()
    """Daily equity: ISO date, US dollars at the close."""
    logs: tuple[str, ...] = ()
    truncated: bool = False
    """Whether output was cut at its limit."""
    missing_walls: tuple[str, ...] = ()
    """What of the sandbox was not there, because the owner runs strategies without it."""
    wall_s: float = 0.0

    @property
    def initialises(self) -> bool:
        """Whether `initialize` returned without an error."""
        return self.phase in ("run", "done")

    @property
    def runs(self) -> bool:
        """Whether it went through to the end."""
        return self.status is BacktestStatus.COMPLETED

    @property
    def trades_at_all(self) -> bool:
        """Whether it ran and at least one order was filled."""
        return self.runs and any(order.get("fills") for order in self.orders)

    def plain(self) -> dict[str, Any]:
        """As JSON values, the names of LEAN's figures as LEAN has them."""
        trades = dict(self.trade_statistics)
        if not trades and self.closed_trades is not None:
            trades = {"totalNumberOfTrades": self.closed_trades}
        return {
            "status": str(self.status),
            "reason": self.reason,
            "phase": self.phase,
            "engine": {
                "name": self.engine,
                "version": self.engine_version,
                "data": self.data_fingerprint,
                "data_fingerprint": self.data_fingerprint,
            },
            "code_sha256": self.code_sha256,
            "statistics": dict(self.statistics),
            "tradeStatistics": trades,
            "runtimeStatistics": dict(self.runtime_statistics),
            "charts": {name: dict(series) for name, series in self.charts.items()},
            "total_orders": self.total_orders,
            "closed_trades": self.closed_trades,
            "orders": [dict(order) for order in self.orders],
            "trades": [dict(trade) for trade in self.trades],
            "equity": [list(point) for point in self.equity],
            "logs": list(self.logs),
            "truncated": self.truncated,
            "missing_walls": list(self.missing_walls),
            "wall_s": round(self.wall_s, 3),
        }

    def to_record(
        self, strategy_id: str, settings: BacktestSettings, build_id: str | None = None
    ) -> Backtest:
        """As the row the store keeps."""
        return Backtest(
            id=new_id(),
            strategy_id=strategy_id,
            status=self.status,
            engine=self.engine,
            engine_version=self.engine_version,
            data_fingerprint=self.data_fingerprint,
            created_at=now(),
            code_sha256=self.code_sha256,
            reason=self.reason,
            phase=self.phase,
            settings=settings.plain(),
            statistics=dict(self.statistics),
            total_orders=self.total_orders,
            closed_trades=self.closed_trades,
            equity=self.equity,
            wall_s=self.wall_s,
            build_id=build_id,
        )


class Backtester(Protocol):
    """Runs strategy code on bars.

    `run` never raises for anything the strategy does: a syntax error, an exception, a time-out
    are `failed` with the reason; what the engine does not model or has no data for is `unknown`,
    naming it. It raises BacktestError when the engine itself is broken, which says nothing about
    the strategy.
    """

    name: str

    @property
    def version(self) -> str:
        """Changes with everything of the engine that may change a result."""
        ...

    @property
    def data_fingerprint(self) -> str | None:
        """Hash of the market data it runs on; None where the engine does not say."""
        ...

    def run(self, code: str, settings: BacktestSettings = ...) -> BacktestResult:
        """Backtest one piece of code."""
        ...

    def run_many(
        self,
        codes: Sequence[str],
        settings: BacktestSettings = ...,
        *,
        jobs: int = 1,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[BacktestResult]:
        """Backtest many, `jobs` at a time; results come in the order of `codes`.

        `progress` is called with the number finished so far.
        """
        ...


@runtime_checkable
class Unordered(Protocol):
    """A Backtester that need not hold back a result until those before it are there."""

    def run_each(
        self,
        codes: Sequence[str],
        settings: BacktestSettings = ...,
        *,
        jobs: int = 1,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[tuple[int, BacktestResult]]:
        """As `run_many`; each result as soon as there is one, with its code's place in `codes`."""
        ...


def in_order(
    numbered: Iterator[tuple[int, BacktestResult]],
) -> Iterator[BacktestResult]:
    """Numbered results, each held back until those before it are there."""
    waiting: dict[int, BacktestResult] = {}
    following = 0
    for number, result in numbered:
        waiting[number] = result
        while following in waiting:
            yield waiting.pop(following)
            following += 1


def unknown(engine: Backtester, code: str, reason: str, phase: str = "load") -> BacktestResult:
    """The result for what an engine cannot say."""
    return BacktestResult(
        status=BacktestStatus.UNKNOWN,
        engine=engine.name,
        engine_version=engine.version,
        data_fingerprint=engine.data_fingerprint,
        code_sha256=text_hash(code),
        phase=phase,
        reason=reason,
    )
