"""A QuantConnect account: its Python projects, and the backtests of the code that is there now.

The API tells what a backtest gave, not which code it ran. So a backtest is taken for the project's
main.py only where that file was not changed since; older ones are counted and left. What is in the
store already is not fetched again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from qc_builder_lora.backtest.lean_result import read_equity, read_result
from qc_builder_lora.backtest.quantconnect.account import MAIN, Account
from qc_builder_lora.backtest.quantconnect.patience import Cancelled, Overdue, Patience
from qc_builder_lora.backtest.quantconnect.rest import NAME
from qc_builder_lora.errors import EngineUnavailable, NotFound
from qc_builder_lora.harvest.sources.piece import Measured, Piece, Skipped, parsed_time, refusal
from qc_builder_lora.ids import json_hash, text_hash
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import BacktestStatus

SOURCE = "quantconnect"
_FOR_ONE_S = 600.0
"""Time for one project's or one backtest's requests."""


def pieces(
    account: Account,
    known: Callable[[Measured], bool],
    *,
    projects: Sequence[str] = (),
    progress: Progress = SILENT,
) -> Iterator[Piece | Skipped]:
    """Every project, or those named. NotFound for a name the account does not have,
    EngineUnavailable when QuantConnect cannot be asked at all."""
    with _patience() as patience:
        found = account.projects(patience)
    names = [_name(project) for project in found]
    for name in projects:
        if name not in names:
            raise NotFound(
                "project", name, "They are on quantconnect.com under Organization.", names
            )
    chosen = [one for one in found if not projects or _name(one) in projects]
    for done, project in enumerate(chosen, 1):
        try:
            yield from _project(account, project, known)
        except EngineUnavailable as error:
            if "credentials" in error.fact:
                raise
            yield Skipped(_name(project), str(error))
        progress.update(done / len(chosen), _name(project))


def _project(
    account: Account, project: dict[str, Any], known: Callable[[Measured], bool]
) -> Iterator[Piece | Skipped]:
    name, number = _name(project), int(project["projectId"])
    if project.get("language") != "Py":
        yield Skipped(name, f"its language is {project.get('language')}")
        return
    with _patience() as patience:
        files = account.files(number, patience)
        backtests = account.backtests(number, patience)
    main = next((file for file in files if file.get("name") == MAIN), None)
    if main is None:
        yield Skipped(name, f"it has no {MAIN}")
        return
    code = str(main.get("content") or "")
    siblings = {str(file.get("name", "")).removesuffix(".py") for file in files} - {"main"}
    why = refusal(code, siblings)
    if why is not None:
        yield Skipped(f"{name}/{MAIN}", why)
        return
    yield from _measurements(account, project, code, main, backtests, known)


def _measurements(
    account: Account,
    project: dict[str, Any],
    code: str,
    main: dict[str, Any],
    backtests: list[dict[str, Any]],
    known: Callable[[Measured], bool],
) -> Iterator[Piece | Skipped]:
    changed = parsed_time(main.get("modified"))
    stale = unfinished = 0
    yield _piece(project, code, changed, None)
    for head in backtests:
        made = parsed_time(head.get("created"))
        empty = _unmeasured(project, head, made, code)
        if changed is None or made is None or made < changed:
            stale += 1
        elif not known(empty):
            try:
                measured = _measure(account, project, head, empty)
            except EngineUnavailable as error:
                if "credentials" in error.fact:
                    raise
                # Deleted meanwhile, or not to be had today: the others are, and this one next time.
                yield Skipped(f"{_name(project)}, backtest {head.get('backtestId')}", str(error))
                continue
            if measured is None:
                unfinished += 1
            else:
                yield _piece(project, code, changed, measured)
    if stale:
        yield Skipped(_name(project), f"{stale} backtests are older than its {MAIN}: their code is "
                      "not known")  # fmt: skip
    if unfinished:
        yield Skipped(_name(project), f"{unfinished} backtests still run")


def _unmeasured(
    project: dict[str, Any], head: dict[str, Any], made: datetime | None, code: str
) -> Measured:
    return Measured(
        key=f"{project['projectId']}/{head.get('backtestId')}",
        moment=made,
        status=BacktestStatus.UNKNOWN,
        engine=NAME,
        code_sha256=text_hash(code),
        settings={"project_id": project["projectId"], "backtest_id": head.get("backtestId")},
    )


def _measure(
    account: Account, project: dict[str, Any], head: dict[str, Any], empty: Measured
) -> Measured | None:
    """What the backtest gave; None while it runs."""
    number, backtest = int(project["projectId"]), str(head["backtestId"])
    with _patience() as patience:
        found = account.backtest(number, backtest, patience)
        lean = read_result(found)
        if not found.get("completed") and not lean.error and not lean.stacktrace:
            return None
        status, reason, phase = lean.verdict()
        equity: tuple[tuple[str, float], ...] = ()
        if status is BacktestStatus.COMPLETED:
            equity = read_equity(account.equity_chart(number, backtest, None, patience))
    return Measured(
        key=empty.key,
        moment=empty.moment,
        status=status,
        engine=NAME,
        reason=reason,
        phase=phase,
        engine_version=f"LEAN {lean.version}" if lean.version else None,
        code_sha256=empty.code_sha256,
        settings=empty.settings,
        statistics=lean.statistics,
        total_orders=lean.total_orders,
        closed_trades=lean.closed_trades,
        equity=equity,
    )


def _piece(
    project: dict[str, Any], code: str, changed: datetime | None, measured: Measured | None
) -> Piece:
    return Piece(
        key=json_hash([project["projectId"], text_hash(code)]),
        group=str(project["projectId"]),
        title=_name(project),
        code=code,
        moment=changed,
        instruction=str(project.get("description") or "") or None,
        measured=measured,
    )


def _name(project: dict[str, Any]) -> str:
    return str(project.get("name") or project.get("projectId")).lstrip("/")


@contextmanager
def _patience() -> Iterator[Patience]:
    """Time for some requests; running out of it is QuantConnect's failure, not ours."""
    try:
        yield Patience(_FOR_ONE_S)
    except (Overdue, Cancelled) as error:
        raise EngineUnavailable(NAME, f"did not answer in time: waited for {error}.") from error
