"""The offline backtester: LEAN's Python surface on daily bars of US equities."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.protocol import BacktestResult, BacktestSettings, in_order
from qc_builder_lora.backtest.sandbox.launch import Child, Zygote
from qc_builder_lora.backtest.simulator.calendar import date_of, day_of, load_hours
from qc_builder_lora.backtest.simulator.canaries import sing, write_bars
from qc_builder_lora.backtest.simulator.channel import Channel, Forged, Gone, Output, Overdue
from qc_builder_lora.backtest.simulator.clock import Clock
from qc_builder_lora.backtest.simulator.desk import Desk, Failed, NotModelled
from qc_builder_lora.backtest.simulator.endings import GRACE_S, died, with_patience
from qc_builder_lora.backtest.simulator.engine import Engine
from qc_builder_lora.backtest.simulator.feed import NoData
from qc_builder_lora.backtest.simulator.libraries import library_folders, wants_frames
from qc_builder_lora.backtest.simulator.outcome import plain, runtime
from qc_builder_lora.backtest.simulator.reality import Dishonest
from qc_builder_lora.backtest.simulator.shelf import Shelf
from qc_builder_lora.backtest.simulator.trade_statistics import trade_statistics
from qc_builder_lora.backtest.simulator.version import engine_version
from qc_builder_lora.backtest.surface.libraries import LIBRARIES, SUPPORT
from qc_builder_lora.errors import BacktestError
from qc_builder_lora.ids import text_hash
from qc_builder_lora.log import get_logger
from qc_builder_lora.records import BacktestStatus

_SURFACE = Path(__file__).parents[1] / "surface"
_SOURCE_LIMIT = 10_000_000
"""Characters of strategy code; LEAN's cloud allows 256,000."""

log = get_logger(__name__)


class Simulator:
    """Backtests strategies on a LEAN data folder, each in a walled-in process of its own.

    Keeps a warm process or two; let go of the Simulator, or call `close`, and it is gone. Where
    the wall cannot be had, every backtest raises SandboxUnavailable, unless `allow_open_sandbox`.
    """

    name = "simulator"

    def __init__(self, data: Path, *, allow_open_sandbox: bool = False) -> None:
        self.data = data
        self._allow_open = allow_open_sandbox
        self._shelf = Shelf(data)
        self._zygotes: dict[bool, Zygote] = {}
        """Warm processes, without pandas and with."""

    @property
    def version(self) -> str:
        """The engine's version; it ends in `.open` where strategies run without the wall.

        So wherever a result is kept, or looked up again, what it was made without is kept too.
        """
        return engine_version() + (".open" if self._missing_walls else "")

    @property
    def _missing_walls(self) -> tuple[str, ...]:
        # Without the waiver a warm process that lacks one cannot be had, so none need be started.
        return self._zygote(frames=False).missing_walls if self._allow_open else ()

    def check_sandbox(self) -> None:
        """Raise SandboxUnavailable now, and not at the first strategy."""
        self._zygote(frames=False)

    @property
    def data_fingerprint(self) -> str | None:
        """Hash of the data folder's files that a backtest may read."""
        return self._shelf.fingerprint()

    def close(self) -> None:
        """End the warm processes."""
        for zygote in self._zygotes.values():
            zygote.close()
        self._zygotes.clear()

    def run(self, code: str, settings: BacktestSettings | None = None) -> BacktestResult:
        """Backtest one piece of code; see the Backtester protocol."""
        settings = settings or BacktestSettings()
        size = len(code) + sum(map(len, settings.files.values()))
        if size > _SOURCE_LIMIT:
            return self._result(
                code, BacktestStatus.FAILED, "load",
                f"the source has {size} characters, more than {_SOURCE_LIMIT}", 0.0,
            )  # fmt: skip
        frames = any(map(wants_frames, (code, *settings.files.values())))
        return self._run(code, settings, frames)

    def _run(self, code: str, settings: BacktestSettings, frames: bool) -> BacktestResult:
        began = time.monotonic()

        def attempt() -> BacktestResult:
            child = self._zygote(frames=frames).fork(settings.limits)
            return _Backtest(self, child, code, settings, began).run()

        return with_patience(attempt, lambda reason: self._unknown(code, reason))

    def _unknown(self, code: str, reason: str) -> BacktestResult:
        return self._result(code, BacktestStatus.UNKNOWN, "load", reason, 0.0)

    def let_canaries_sing(self, code: str) -> str:
        """Run the canaries where `code` would run; empty, or why nothing after them counts."""
        with tempfile.TemporaryDirectory(prefix="qc-lora-canaries-") as name:
            write_bars(Path(name))
            cage = Simulator(Path(name), allow_open_sandbox=self._allow_open)
            # The same warm processes: it is them that are tried.
            cage._zygotes = self._zygotes
            frames = wants_frames(code)
            return sing(lambda canary: cage._run(canary, BacktestSettings(), frames))

    def run_many(
        self,
        codes: Sequence[str],
        settings: BacktestSettings | None = None,
        *,
        jobs: int = 1,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[BacktestResult]:
        """Backtest many, `jobs` at a time, each worker with a warm process; in order.

        Three canaries are run before: where one answers wrongly, every result is unknown.
        """
        yield from in_order(self.run_each(codes, settings, jobs=jobs, progress=progress))

    def run_each(
        self,
        codes: Sequence[str],
        settings: BacktestSettings | None = None,
        *,
        jobs: int = 1,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[tuple[int, BacktestResult]]:
        """The same in the order in which they end, each with its code's place."""
        from qc_builder_lora.backtest.simulator.workers import run_in_workers

        settings = settings or BacktestSettings()
        if jobs > 1 and len(codes) > 1:
            yield from run_in_workers(
                self.data, codes, settings, jobs, progress, self._unknown,
                allow_open_sandbox=self._allow_open,
            )  # fmt: skip
            return
        void = self.let_canaries_sing(codes[0]) if len(codes) > 1 else ""
        for number, code in enumerate(codes):
            yield number, self._unknown(code, void) if void else self.run(code, settings)
            if progress is not None:
                progress(number + 1)

    def _zygote(self, *, frames: bool) -> Zygote:
        """A warm process, with pandas or without."""
        zygote = self._zygotes.get(frames)
        if zygote is not None and zygote.alive:
            return zygote
        zygote = Zygote(
            "surface.strategy",
            [_SURFACE],
            libraries=("numpy", "pandas") if frames else (),
            folders=library_folders(),
            packages=LIBRARIES | SUPPORT,
            allow_open=self._allow_open,
        )
        if zygote.missing_walls and not self._zygotes:
            log.warning(
                "strategies run without a wall around them",
                missing=", ".join(zygote.missing_walls),
                allowed_by="QC_LORA_ALLOW_OPEN_SANDBOX",
            )
        self._zygotes[frames] = zygote
        return zygote

    def _result(
        self, code: str, status: BacktestStatus, phase: str, reason: str | None, wall_s: float,
        **more: Any,
    ) -> BacktestResult:  # fmt: skip
        return BacktestResult(
            status=status,
            engine=self.name,
            engine_version=self.version,
            data_fingerprint=self.data_fingerprint,
            code_sha256=text_hash(code),
            phase=phase,
            reason=reason,
            wall_s=wall_s,
            missing_walls=self._missing_walls,
            **more,
        )


class _Backtest:
    """One run, from the order to the result; whatever happens, the child is gone after it."""

    def __init__(
        self, simulator: Simulator, child: Child, code: str, settings: BacktestSettings,
        began: float,
    ) -> None:  # fmt: skip
        self._simulator = simulator
        self._child = child
        self._code = code
        self._settings = settings
        self._began = began
        limits = settings.limits
        self._channel = Channel(child, limits.wall_s)
        self._output = Output(child.output, limits.output_bytes)
        self._engine = Engine(load_hours(simulator.data))
        self._desk = Desk(
            self._engine, self._channel, self._output, simulator._shelf, limits.memory_mb
        )
        self._clock = Clock(self._desk)
        self._statistics: dict[str, str] = {}
        self._printed = ""

    def run(self) -> BacktestResult:
        """The result; BacktestError where the sandbox itself is broken."""
        try:
            status, reason = self._attempt()
            if reason is None and status is BacktestStatus.FAILED:
                reason = died(self._child, self._child.end(grace_s=GRACE_S), self._settings.limits)
        finally:
            # Whatever it still does, the verdict is out.
            with suppress(BacktestError):
                self._child.end()
            self._printed = self._output.text()
            self._child.close_output()
        return self._simulator._result(
            self._code, status, self._desk.phase, reason, time.monotonic() - self._began,
            **self._yield(status),
        )  # fmt: skip

    def _attempt(self) -> tuple[BacktestStatus, str | None]:
        desk = self._desk
        self._await_start()
        try:
            self._order()
            ready = desk.serve_until("ready")
            self._engine.plan.flags = ready[1]
            desk.phase = "run"
            self._clock.run()
            self._statistics = self._clock.samples.statistics()
            desk.phase = "done"
        except Failed as failure:
            return BacktestStatus.FAILED, str(failure)
        except NotModelled as gap:
            return BacktestStatus.UNKNOWN, f"not modelled: {gap}"
        except Dishonest as claim:
            return BacktestStatus.UNKNOWN, f"not modelled: {claim}"
        except NoData as gap:
            return BacktestStatus.UNKNOWN, str(gap)
        except Overdue:
            limit = self._settings.limits.wall_s
            return BacktestStatus.FAILED, f"did not finish within {limit:g} s"
        except Forged as breach:
            return BacktestStatus.FAILED, f"broke the simulator's protocol: {breach}"
        except Gone:
            return BacktestStatus.FAILED, None
        except Exception as error:
            log.exception("the simulator broke on a strategy", code_sha256=text_hash(self._code))
            return BacktestStatus.UNKNOWN, f"the simulator broke on it: {error!r}"[:1000]
        return BacktestStatus.COMPLETED, None

    def _await_start(self) -> None:
        """Up to here no code of the strategy has run: what fails until then is not its failure."""
        try:
            said = self._channel.receive()
        except (Gone, Overdue) as error:
            self._child.end()
            self._printed = self._output.text()
            last = (self._printed.strip().splitlines() or ["it said nothing"])[-1]
            raise BacktestError(
                f"The sandbox could not start a strategy's process: {last[:500]}."
            ) from error
        if said != ["up"]:
            raise BacktestError(f"The sandbox's process began with {said!r:.200}.")

    def _order(self) -> None:
        settings, plan = self._settings, self._engine.plan
        start = None if settings.start is None else day_of(settings.start)
        end = None if settings.end is None else day_of(settings.end)
        plan.start, plan.end = start, end
        if settings.cash is not None:
            self._engine.account.cash = settings.cash
        self._channel.send_message(
            {
                "code": self._code,
                "files": dict(settings.files),
                "start": start,
                "end": end,
                "cash": settings.cash,
                "parameters": dict(settings.parameters),
                "folders": library_folders(),
            }
        )

    def _runtime(self) -> dict[str, str]:
        start = self._clock.samples.record.start_cash
        return runtime(self._engine, start, self._statistics) | self._desk.runtime

    def _dropped(self) -> list[str]:
        count = self._desk.charts.dropped
        return [f"Note: {count} plotted points were over the bounds of a chart"] if count else []

    def _yield(self, status: BacktestStatus) -> dict[str, Any]:
        """Everything but the verdict; figures only of a completed backtest."""
        engine = self._engine
        done = status is BacktestStatus.COMPLETED
        trades = engine.book.trades.trades
        orders = tuple(plain(order, engine) for order in engine.book.orders)
        return {
            "statistics": self._statistics if done else {},
            "total_orders": len(orders) if done else None,
            "closed_trades": len(trades) if done else None,
            "orders": orders if done else (),
            "trades": tuple(trade.plain() for trade in trades) if done else (),
            "trade_statistics": trade_statistics(trades) if done else {},
            "runtime_statistics": self._runtime() if done else {},
            "charts": self._desk.charts.plain() if done else {},
            "equity": _daily(self._clock.samples.record.equity, engine) if done else (),
            "logs": (*self._desk.logs, *self._dropped(), *self._printed.splitlines()),
            "truncated": self._output.truncated,
        }


def _daily(equity: dict[int, float], engine: Engine) -> tuple[tuple[str, float], ...]:
    """The last sample of each trading day."""
    found: dict[int, float] = {}
    for utc in sorted(equity):
        # A sample at midnight belongs to the day that has just ended.
        found[engine.exchange.local(utc - 1) // 86400] = equity[utc]
    days = engine.hours.is_open_day
    return tuple((date_of(day).isoformat(), round(value, 4)) for day, value in found.items()
                 if days(day))  # fmt: skip
