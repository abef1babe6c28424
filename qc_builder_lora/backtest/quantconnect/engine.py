"""QuantConnect Cloud as a Backtester: LEAN itself, on QuantConnect's machines and data.

Dates and cash are the code's own: the API has no way to set others, so a backtest that asks for
them is unknown. Results depend on the account's data and on the LEAN of that day, which is
recorded with each.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.as_written import unfit_as_written
from qc_builder_lora.backtest.lean_result import LeanResult, read_equity, read_orders, read_result
from qc_builder_lora.backtest.protocol import BacktestResult, BacktestSettings
from qc_builder_lora.backtest.quantconnect.account import Account
from qc_builder_lora.backtest.quantconnect.flight import Flight, NotCompiled, Order, Project
from qc_builder_lora.backtest.quantconnect.ledger import Ledger
from qc_builder_lora.backtest.quantconnect.patience import Cancelled, Overdue, Pace, Patience
from qc_builder_lora.backtest.quantconnect.rest import NAME, Rest
from qc_builder_lora.errors import EngineUnavailable
from qc_builder_lora.ids import json_hash, text_hash
from qc_builder_lora.log import get_logger
from qc_builder_lora.records import BacktestStatus

_VERSION = "rest-v2"

log = get_logger(__name__)


class QuantConnect:
    """Backtests strategies in one project of a QuantConnect account.

    `home` keeps the ids of what runs, so that the same backtest asked for again after a crash is
    picked up and not repeated. Ctrl-C, `cancel` and a deadline stop what runs in the cloud.
    """

    name = NAME

    def __init__(
        self,
        user: str | None,
        token: str | None,
        home: Path,
        *,
        project: str = "qc-lora",
        organization: str | None = None,
        clean: bool = False,
        url: str | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._pace = pace or Pace()
        self._let_in = bool(user and token)
        self.account = Account(Rest(user or "", token or "", url=url, pace=self._pace))
        self._ledger = Ledger(home)
        self._project = Project(project, organization)
        self._clean = clean
        self._lock = threading.Lock()
        self._stops: set[threading.Event] = set()
        self._cancelled = False
        self._version = _VERSION

    @property
    def version(self) -> str:
        """Of the protocol, and after `check` of the LEAN that the project is set to; each result
        names the LEAN that made it."""
        return self._version

    @property
    def data_fingerprint(self) -> str | None:
        """QuantConnect does not say which data a backtest read."""
        return None

    def check(self) -> None:
        """Raise EngineUnavailable now, and not at the first strategy."""
        if not self._let_in:
            raise _no_credentials()
        try:
            patience = Patience(self._pace.deadline_s)
            self.account.authenticate(patience)
            found = self.account.project_named(self._project.name, patience) or {}
            if found.get("leanVersionId") is not None:
                self._version = f"{_VERSION}.lean{found['leanVersionId']}"
        except Overdue as error:
            raise EngineUnavailable(NAME, f"did not answer: waited for {error}.") from error

    def cancel(self) -> None:
        """Stop all backtests of this engine, here and in the cloud; it starts no others."""
        with self._lock:
            self._cancelled = True
            for stop in self._stops:
                stop.set()

    def close(self) -> None:
        """Let go of the connections; delete the project if it is ours alone and not to be kept."""
        project = self._project
        if self._clean and project.made and project.id is not None:
            self.account.delete_project(project.id, Patience(self._pace.deadline_s))
            project.id, project.made = None, False
        self.account.rest.close()

    def run(self, code: str, settings: BacktestSettings | None = None) -> BacktestResult:
        """Backtest one piece of code; see the Backtester protocol."""
        stop = self._new_stop()
        try:
            return self._run(code, settings or BacktestSettings(), stop)
        finally:
            self._stops.discard(stop)

    def run_many(
        self,
        codes: Sequence[str],
        settings: BacktestSettings | None = None,
        *,
        jobs: int = 1,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[BacktestResult]:
        """Backtest many, `jobs` of them in the cloud at a time; in order."""
        chosen = settings or BacktestSettings()
        stop = self._new_stop()
        pool = ThreadPoolExecutor(max(1, jobs), thread_name_prefix=NAME)
        futures = [pool.submit(self._run, code, chosen, stop) for code in codes]
        try:
            for done, future in enumerate(futures, 1):
                yield future.result()
                if progress is not None:
                    progress(done)
        except BaseException:
            # Ctrl-C, or the caller wants no more: what runs is stopped, what waits never starts.
            stop.set()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            self._stops.discard(stop)

    def _new_stop(self) -> threading.Event:
        stop = threading.Event()
        with self._lock:
            self._stops.add(stop)
            if self._cancelled:
                stop.set()
        return stop

    def _run(self, code: str, settings: BacktestSettings, stop: threading.Event) -> BacktestResult:
        began = time.monotonic()
        unfit = unfit_as_written("QuantConnect", code, settings)
        if unfit is not None:
            return self._result(code, began, unfit[0], unfit[1])
        if not self._let_in:
            return self._result(code, began, BacktestStatus.UNKNOWN, str(_no_credentials()))
        patience = Patience(self._pace.deadline_s, stop)
        order = Order(key=self._key(code, settings), code=code, parameters=settings.parameters)
        flight = Flight(self.account, self._ledger, self._project, order, patience)
        try:
            return self._fly(flight, code, began)
        except NotCompiled as refusal:
            reason = f"does not compile:\n{refusal}"
            return self._result(code, began, BacktestStatus.FAILED, reason)
        except Overdue as wait:
            self._stop(flight)
            reason = (
                f"did not finish within {self._pace.deadline_s:g} s (waited for {wait}); stopped."
            )
            return self._result(code, began, BacktestStatus.UNKNOWN, reason)
        except Cancelled:
            self._stop(flight)
            return self._result(code, began, BacktestStatus.UNKNOWN, "cancelled")
        except EngineUnavailable as error:
            return self._result(code, began, BacktestStatus.UNKNOWN, str(error))
        except BaseException:
            self._stop(flight)
            raise

    def _fly(self, flight: Flight, code: str, began: float) -> BacktestResult:
        flight.take_off()
        found = flight.watch()
        lean = read_result(found)
        status, reason, phase = lean.verdict()
        more: dict[str, Any] = {}
        if status is BacktestStatus.COMPLETED:
            more = {
                "statistics": dict(lean.statistics),
                "trade_statistics": dict(lean.trade_statistics),
                "total_orders": lean.total_orders,
                "closed_trades": lean.closed_trades,
                "trades": lean.trades,
                "orders": read_orders(flight.orders()),
                "equity": read_equity(flight.equity_chart(found)),
            }
            if len(more["orders"]) < (lean.total_orders or 0):
                raise EngineUnavailable(
                    NAME,
                    f"gave {len(more['orders'])} orders, and its statistics say "
                    f"{lean.total_orders}.",
                )
        ticket = flight.ticket
        flight.land(clean=self._clean)
        return self._result(
            code,
            began,
            status,
            reason,
            phase=phase,
            engine_version=self._lean_version(lean),
            code_sha256=ticket.code_sha256 if ticket else text_hash(code),
            **more,
        )

    def _lean_version(self, lean: LeanResult) -> str:
        if lean.version:
            return f"LEAN {lean.version}"
        if self._project.version:
            return f"LEAN version id {self._project.version}"
        return self._version

    def _stop(self, flight: Flight) -> None:
        try:
            flight.stop()
        except EngineUnavailable as error:
            log.warning("a backtest could not be stopped", error=str(error))

    def _key(self, code: str, settings: BacktestSettings) -> str:
        wanted = {
            "code": text_hash(code),
            "settings": settings.plain(),
            "project": self._project.name,
            "url": self.account.rest.url,
        }
        return json_hash(wanted)

    def _result(
        self,
        code: str,
        began: float,
        status: BacktestStatus,
        reason: str | None,
        *,
        phase: str = "load",
        **more: Any,
    ) -> BacktestResult:
        base: dict[str, Any] = {"engine_version": self._version, "code_sha256": text_hash(code)}
        return BacktestResult(
            status=status,
            engine=NAME,
            data_fingerprint=None,
            phase=phase,
            reason=reason,
            wall_s=time.monotonic() - began,
            **{**base, **more},
        )


def _no_credentials() -> EngineUnavailable:
    return EngineUnavailable(
        NAME,
        "no credentials.",
        "Set QC_USER_ID and QC_API_TOKEN (or QUANTCONNECT_USER_ID and QUANTCONNECT_API_TOKEN); "
        "both are under Account, Security, on quantconnect.com.",
    )
