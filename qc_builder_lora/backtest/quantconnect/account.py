"""What is done in an account: projects, files, compilations, backtests. One method a request.

Every method takes the Patience of the backtest it is for. None of them decides anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qc_builder_lora.backtest.lean_result import EQUITY_CHART
from qc_builder_lora.backtest.quantconnect.patience import Patience
from qc_builder_lora.backtest.quantconnect.rest import NAME, Refused, Rest, Unanswered
from qc_builder_lora.errors import EngineUnavailable

MAIN = "main.py"
PAGE = 100
"""Orders the API gives at a time, at most."""
_POINTS = 100_000
_ENDLESS = 4_102_444_800
"""1 January 2100: charts want an end."""


class Account:
    """Requests by name."""

    def __init__(self, rest: Rest) -> None:
        self.rest = rest

    def authenticate(self, patience: Patience) -> None:
        """Raise EngineUnavailable unless the credentials are good."""
        self.rest.post("authenticate", {}, patience)

    def projects(self, patience: Patience) -> list[dict[str, Any]]:
        """All projects of the account."""
        answer = self.rest.post("projects/read", {}, patience)
        return _listed(answer, "projects", "projects/read")

    def project_named(self, name: str, patience: Patience) -> dict[str, Any] | None:
        """The Python project of that name; the oldest of several."""
        found = [
            project
            for project in self.projects(patience)
            # QuantConnect puts a folder's slash in front.
            if str(project.get("name", "")).lstrip("/") == name and project.get("language") == "Py"
        ]
        numbers = [_number(project, "projectId", "projects/read") for project in found]
        return found[numbers.index(min(numbers))] if found else None

    def create_project(
        self, name: str, organization: str | None, patience: Patience
    ) -> dict[str, Any]:
        """A new Python project; Unanswered where nobody knows."""
        body: dict[str, Any] = {"name": name, "language": "Py"}
        if organization:
            body["organizationId"] = organization
        answer = self.rest.post("projects/create", body, patience, once=True)
        made = _first(answer, "projects", "projects/create")
        _number(made, "projectId", "projects/create")
        return made

    def delete_project(self, project: int, patience: Patience) -> None:
        """With everything in it."""
        self.rest.post("projects/delete", {"projectId": project}, patience)

    def write_main(self, project: int, code: str, patience: Patience) -> None:
        """main.py becomes this text, whether it was there or not."""
        body = {"projectId": project, "name": MAIN, "content": code}
        try:
            self.rest.post("files/update", body, patience)
        except Refused as refusal:
            if not refusal.says("not found", "not exist", "doesn't exist"):
                raise
            self.rest.post("files/create", body, patience)

    def files(self, project: int, patience: Patience) -> list[dict[str, Any]]:
        """All files of a project with their content."""
        answer = self.rest.post("files/read", {"projectId": project}, patience)
        return _listed(answer, "files", "files/read")

    def read_main(self, project: int, patience: Patience) -> str | None:
        """What main.py is now; None if the project has none."""
        body = {"projectId": project, "name": MAIN}
        files = _listed(self.rest.post("files/read", body, patience), "files", "files/read")
        return next((str(f.get("content", "")) for f in files if f.get("name") == MAIN), None)

    def compile(self, project: int, patience: Patience) -> dict[str, Any]:
        """Ask for a compilation."""
        return self.rest.post("compile/create", {"projectId": project}, patience)

    def compilation(self, project: int, compile_id: str, patience: Patience) -> dict[str, Any]:
        """How far it is."""
        body = {"projectId": project, "compileId": compile_id}
        return self.rest.post("compile/read", body, patience)

    def create_backtest(
        self,
        project: int,
        compile_id: str,
        name: str,
        parameters: Mapping[str, str],
        patience: Patience,
    ) -> dict[str, Any]:
        """Start one; Unanswered where nobody knows whether it was."""
        body: dict[str, Any] = {
            "projectId": project,
            "compileId": compile_id,
            "backtestName": name,
            "requestSource": "qc-lora",
        }
        if parameters:
            body["parameters"] = dict(parameters)
        answer = self.rest.post("backtests/create", body, patience, once=True)
        made = answer.get("backtest")
        if not isinstance(made, dict) or not isinstance(made.get("backtestId"), str):
            raise Unanswered(NAME, "backtests/create: the answer has no 'backtestId'.")
        return made

    def backtest(self, project: int, backtest: str, patience: Patience) -> dict[str, Any]:
        """All that is known of one."""
        body = {"projectId": project, "backtestId": backtest}
        return _first(self.rest.post("backtests/read", body, patience), "backtest", "read")

    def backtests(self, project: int, patience: Patience) -> list[dict[str, Any]]:
        """The backtests of a project, without their statistics."""
        body = {"projectId": project, "includeStatistics": False}
        answer = self.rest.post("backtests/list", body, patience)
        return _listed(answer, "backtests", "backtests/list")

    def delete_backtest(self, project: int, backtest: str, patience: Patience) -> None:
        """Stop it if it runs, and remove it."""
        body = {"projectId": project, "backtestId": backtest}
        self.rest.post("backtests/delete", body, patience)

    def orders(self, project: int, backtest: str, patience: Patience) -> list[dict[str, Any]]:
        """All orders, page by page; EngineUnavailable if fewer come than there are."""
        found: list[dict[str, Any]] = []
        seen: set[str] = set()
        while True:
            bounds = {"start": len(found), "end": len(found) + PAGE}
            answer = self._ready("backtests/orders/read", project, backtest, bounds, patience)
            page = _listed(answer, "orders", "backtests/orders/read")
            numbers = {str(order.get("id", order.get("Id"))) for order in page}
            if numbers & seen:
                raise EngineUnavailable(
                    NAME, f"gave the same orders of backtest {backtest} on two pages."
                )
            seen |= numbers
            found += page
            length = answer.get("length")
            total = length if isinstance(length, int) else None
            if total is not None and len(found) >= total:
                return found
            if total is None and len(page) < PAGE:
                return found
            if not page:
                raise EngineUnavailable(
                    NAME, f"gave {len(found)} of the {total} orders of backtest {backtest}."
                )

    def equity_chart(
        self, project: int, backtest: str, bounds: tuple[int, int] | None, patience: Patience
    ) -> dict[str, Any]:
        """The chart `Strategy Equity`, with its points."""
        start, end = bounds or (0, _ENDLESS)
        body = {"name": EQUITY_CHART, "start": start, "end": end, "count": _POINTS}
        answer = self._ready("backtests/chart/read", project, backtest, body, patience)
        chart = answer.get("chart")
        if not isinstance(chart, dict):
            raise EngineUnavailable(NAME, f"gave no chart {EQUITY_CHART!r} of backtest {backtest}.")
        return chart

    def _ready(
        self,
        endpoint: str,
        project: int,
        backtest: str,
        body: Mapping[str, Any],
        patience: Patience,
    ) -> dict[str, Any]:
        """The answer once the server has prepared it."""
        pace = self.rest.pace
        full = {"projectId": project, "backtestId": backtest, **body}
        for _ in range(pace.loading_tries):
            answer = self.rest.post(endpoint, full, patience)
            if answer.get("status") != "loading" and answer.get("chart") != {}:
                return answer
            patience.wait(pace.loading_s, f"{endpoint}, which was still loading")
        raise EngineUnavailable(
            NAME,
            f"{endpoint} was still loading after {pace.loading_tries} tries.",
            "Run the same command again: the backtest is over and will be read, not repeated.",
        )


def _listed(answer: Mapping[str, Any], key: str, endpoint: str) -> list[dict[str, Any]]:
    """No list is not an empty one: nothing may be made anew, or counted as none, for its lack."""
    found = answer.get(key)
    if not isinstance(found, list):
        raise EngineUnavailable(NAME, f"{endpoint}: the answer has no list of {key!r}.")
    return [one for one in found if isinstance(one, dict)]


def _number(found: Mapping[str, Any], key: str, endpoint: str) -> int:
    value = found.get(key)
    if isinstance(value, bool) or not str(value).isdigit():
        raise EngineUnavailable(NAME, f"{endpoint}: its {key!r} is no number but {value!r}.")
    return int(str(value))


def _first(answer: Mapping[str, Any], key: str, endpoint: str) -> dict[str, Any]:
    found = answer.get(key)
    if isinstance(found, list):
        found = found[0] if found else None
    if not isinstance(found, dict):
        raise EngineUnavailable(NAME, f"{endpoint}: the answer has no {key!r}.")
    return found
