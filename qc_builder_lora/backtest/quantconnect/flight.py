"""One backtest in the cloud, from the code to LEAN's answer; taken up again where a crash left it.

The order matters: what is needed to find a backtest again is on the disk before it is asked for,
and the code is read back before and after the compilation, so that the text in between is known.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from qc_builder_lora.backtest.lean_series import number_of
from qc_builder_lora.backtest.quantconnect.account import MAIN, Account
from qc_builder_lora.backtest.quantconnect.ledger import Ledger, Ticket
from qc_builder_lora.backtest.quantconnect.patience import Cancelled, Overdue, Pace, Patience
from qc_builder_lora.backtest.quantconnect.rest import NAME, Refused, Unanswered
from qc_builder_lora.errors import EngineUnavailable
from qc_builder_lora.ids import text_hash
from qc_builder_lora.log import get_logger

_BUSY = ("no spare nodes", "no available nodes", "no nodes available", "node is busy")
_GONE = ("not found", "not exist", "doesn't exist", "no such")
_STOPPED = ("cancel", "abort", "deleted")
_UNREADY = 6
"""How often a completed backtest without figures is asked again: QuantConnect's own client."""
_STOP_S = 20.0

log = get_logger(__name__)


class NotCompiled(Exception):
    """The compiler said no; the text is what it said."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is wanted."""

    key: str
    code: str
    parameters: Mapping[str, str]


@dataclass
class Project:
    """The project in use; found once and kept."""

    name: str
    organization: str | None
    id: int | None = None
    version: str | None = None
    made: bool = False
    """Whether this process made it."""


class Flight:
    """One backtest; `take_off`, `watch`, then `land`, or `stop` at any time."""

    def __init__(
        self, account: Account, ledger: Ledger, project: Project, order: Order, patience: Patience
    ) -> None:
        self._account = account
        self._ledger = ledger
        self._project = project
        self._order = order
        self._patience = patience
        self._pace: Pace = account.rest.pace
        self.ticket: Ticket | None = None

    def take_off(self) -> None:
        """A backtest of this code runs, or ran, and `ticket` says which."""
        if self._resume():
            return
        with self._ledger.turn(self._patience):
            # Another process with the same order may have started it while we waited.
            if not self._resume():
                self._start()

    def watch(self) -> dict[str, Any]:
        """The backtest's object once it is over."""
        ticket, unready, polls = self._running(), 0, 0
        moved, progress = time.monotonic(), -1.0
        while True:
            found = self._account.backtest(ticket.project_id, ticket.id, self._patience)
            if found.get("error") or found.get("stacktrace") or _is_whole(found):
                return found
            status = str(found.get("status") or "")
            if any(word in status.lower() for word in _STOPPED):
                self._ledger.drop(ticket.ticket)
                raise EngineUnavailable(NAME, f"the backtest was ended by somebody: {status}")
            if found.get("completed"):
                unready += 1
                if unready > _UNREADY:
                    return found
            now = number_of(found.get("progress")) or 0.0
            if now != progress:
                moved, progress = time.monotonic(), now
            still = f"the backtest, at {now:.0%} for {time.monotonic() - moved:.0f} s ({status})"
            self._patience.wait(self._pace.between_polls(polls), still)
            polls += 1

    def land(self, *, clean: bool) -> None:
        """The result was read: nothing has to be remembered, and if asked nothing kept."""
        ticket = self._running()
        self._ledger.drop(ticket.ticket)
        if not clean:
            return
        try:
            self._account.delete_backtest(ticket.project_id, ticket.id, self._patience)
        except EngineUnavailable as error:
            log.warning("a backtest was read but not deleted", error=str(error))

    def stop(self) -> None:
        """End the backtest in the cloud, if one was started; nothing is left running."""
        ticket = self.ticket
        if ticket is None:
            return
        patience = Patience(_STOP_S)
        try:
            found = ticket.backtest_id or self._named(ticket, patience)
            if found is not None:
                self._account.delete_backtest(ticket.project_id, found, patience)
        except Refused as refusal:
            if not refusal.says(*_GONE):
                raise
        except (Overdue, Cancelled) as error:
            raise EngineUnavailable(
                NAME,
                f"backtest {ticket.backtest_id or ticket.name} may still run: it could not be "
                f"stopped within {_STOP_S:.0f} s.",
                "The same command picks it up again; or stop it on quantconnect.com.",
            ) from error
        self._ledger.drop(ticket)
        self.ticket = None

    # Starting ----------------------------------------------------------------------------------

    def _resume(self) -> bool:
        """Whether an earlier command left this very backtest behind."""
        ticket = self._ledger.find(self._order.key)
        if ticket is None:
            return False
        try:
            found = ticket.backtest_id or self._named(ticket, self._patience)
            if found is not None:
                self._account.backtest(ticket.project_id, found, self._patience)
        except Refused as refusal:
            if not refusal.says(*_GONE):
                raise
            found = None
        if found is None:
            self._ledger.drop(ticket)
            return False
        self.ticket = replace(ticket, backtest_id=found)
        self._ledger.keep(self.ticket)
        log.info("a backtest that was running is picked up again", backtest=found)
        return True

    def _start(self) -> None:
        project = self._find_project()
        self._account.write_main(project, self._order.code, self._patience)
        sent = self._read_back(project, "after the upload")
        compile_id = self._compile(project)
        self._read_back(project, "after the compilation")
        ticket = Ticket(
            key=self._order.key,
            code_sha256=sent,
            project_id=project,
            compile_id=compile_id,
            name=f"qc-lora {self._order.key[:8]} {uuid4().hex[:12]}",
        )
        # Before the request: a crash right after it must find the backtest by its name.
        self._ledger.keep(ticket)
        self.ticket = ticket
        self.ticket = replace(ticket, backtest_id=self._create(ticket))
        self._ledger.keep(self.ticket)

    def _find_project(self) -> int:
        project = self._project
        if project.id is None:
            found = self._account.project_named(project.name, self._patience)
            if found is None:
                found = self._make_project()
            project.id = int(found["projectId"])
            version = found.get("leanVersionId")
            project.version = None if version is None else str(version)
        return project.id

    def _make_project(self) -> dict[str, Any]:
        name = self._project.name
        try:
            found = self._account.create_project(name, self._project.organization, self._patience)
        except Unanswered:
            again = self._account.project_named(name, self._patience)
            if again is None:
                raise
            found = again
        self._project.made = True
        return found

    def _read_back(self, project: int, moment: str) -> str:
        """The hash of what is really there, which is that of what was sent."""
        found = self._account.read_main(project, self._patience)
        if found is None:
            raise EngineUnavailable(NAME, f"{MAIN} is not in project {project} {moment}.")
        if found != self._order.code:
            ends = found.splitlines() == self._order.code.splitlines()
            raise EngineUnavailable(
                NAME,
                f"{MAIN} read back {moment} has hash {text_hash(found)[:12]}, what was sent has "
                f"{text_hash(self._order.code)[:12]}"
                + (" (only line ends differ)" if ends else "")
                + ": other code would have been backtested.",
                f"Does somebody else use project {self._project.name!r}? Name another one with "
                "quantconnect_project.",
            )
        return text_hash(found)

    def _compile(self, project: int) -> str:
        answer, polls = self._account.compile(project, self._patience), 0
        compile_id = answer.get("compileId")
        if not compile_id:
            raise EngineUnavailable(NAME, "compile/create: the answer has no 'compileId'.")
        while answer.get("state") not in ("BuildSuccess", "BuildError"):
            self._patience.wait(self._pace.between_polls(polls), "the compilation")
            polls += 1
            answer = self._account.compilation(project, str(compile_id), self._patience)
        if answer["state"] == "BuildError":
            logs = answer.get("logs")
            lines = logs if isinstance(logs, list) else [logs] if logs else ["(no reason given)"]
            raise NotCompiled("\n".join(map(str, lines)))
        return str(compile_id)

    def _create(self, ticket: Ticket) -> str:
        """Start it as soon as a node is free; never twice."""
        tries = busy = 0
        while True:
            try:
                found = self._account.create_backtest(
                    ticket.project_id,
                    ticket.compile_id,
                    ticket.name,
                    self._order.parameters,
                    self._patience,
                )
                return str(found["backtestId"])  # a text: the account has looked
            except Refused as refusal:
                if not refusal.says(*_BUSY):
                    self._ledger.drop(ticket)
                    self.ticket = None
                    raise
                busy += 1
                words = f"a free backtest node: {refusal.errors[0]}"
                self._patience.wait(self._pace.between_nodes(busy), words)
            except Unanswered as lost:
                tries += 1
                adopted = self._named(ticket, self._patience)
                if adopted is not None:
                    return adopted
                if tries >= self._pace.tries:
                    raise
                self._patience.wait(self._pace.between_failures(tries), str(lost))

    def _named(self, ticket: Ticket, patience: Patience) -> str | None:
        """The backtest with this ticket's name, whose creation was not heard of."""
        listed = self._account.backtests(ticket.project_id, patience)
        found = (one["backtestId"] for one in listed if one.get("name") == ticket.name)
        return next(map(str, found), None)

    def _running(self) -> _Running:
        if self.ticket is None or self.ticket.backtest_id is None:
            raise AssertionError("take_off comes first")
        return _Running(self.ticket, self.ticket.project_id, self.ticket.backtest_id)

    # Reading -----------------------------------------------------------------------------------

    def orders(self) -> list[dict[str, Any]]:
        """All orders with their events."""
        ticket = self._running()
        return self._account.orders(ticket.project_id, ticket.id, self._patience)

    def equity_chart(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """The equity curve over the whole backtest."""
        ticket = self._running()
        bounds = None
        with contextlib.suppress(TypeError, ValueError):
            begin, end = (_unix(found[key]) for key in ("backtestStart", "backtestEnd"))
            # A sample at the end's midnight, and time zones: a day more on each side.
            bounds = (begin - 86_400, end + 2 * 86_400)
        return self._account.equity_chart(ticket.project_id, ticket.id, bounds, self._patience)


@dataclass(frozen=True)
class _Running:
    ticket: Ticket
    project_id: int
    id: str


def _is_whole(found: Mapping[str, Any]) -> bool:
    """Completed, with all its figures: they come a moment after the word."""
    return bool(
        found.get("completed")
        and found.get("runtimeStatistics")
        and isinstance(found.get("statistics"), dict)
        and found["statistics"]
        and found.get("totalPerformance")
    )


def _unix(text: Any) -> int:
    from qc_builder_lora.backtest.lean_series import seconds_of

    found = seconds_of(text)
    if found is None:
        raise ValueError(text)
    return int(found)
