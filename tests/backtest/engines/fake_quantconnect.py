"""A QuantConnect for loopback: the REST API v2 over HTTP, with faults that can be switched on.

Projects, files and compilations are those of examples/quantconnect_mcp.py; here are the account
around them, the HTTP in front, and what goes wrong. Its answers were checked with the `lean` CLI's
own client: see test_lean_client.py.

    python -m tests.backtest.engines.fake_quantconnect --port 5612

serves until it is stopped, for user 1 with token "secret", on the sample data.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from base64 import b64decode
from concurrent.futures import Future
from dataclasses import dataclass, field
from email.utils import formatdate
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from examples.quantconnect_mcp import Cloud, Project, Refused
from qc_builder_lora.backtest.check.parsing import strategy_classes, tree_of
from qc_builder_lora.backtest.protocol import Backtester, BacktestResult, BacktestSettings
from tests.backtest.engines import lean_format

Json = dict[str, Any]
USER, TOKEN = "1", "secret"
HTML = "<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>"
CREATED = "2026-01-05 12:00:00"


@dataclass
class Faults:
    """What goes wrong; a number counts down with every request that it hits."""

    clock_ahead_s: float = 0.0
    html: int = 0
    server_error: int = 0
    limited: int = 0
    retry_after: str | None = None
    busy: int = 0
    busy_words: str = "There are no spare nodes available in your cluster to run this backtest."
    loading: int = 0
    unready: int = 0
    """Completed, but without figures yet."""
    never: bool = False
    renamed: dict[str, str] = field(default_factory=dict)
    tampered: str | None = None
    """Written behind an upload."""
    tampered_after: int = 0
    """Reads of main.py that still tell the truth."""
    lost_creates: int = 0
    """Backtests that are started, but whose creation is not answered."""
    cut: int = 0
    """Connections that are closed without an answer."""
    refused: dict[str, str] = field(default_factory=dict)
    """Endpoint → what it says no with."""
    ended: str | None = None
    """The status of a backtest that somebody ended."""
    short_orders: bool = False


class Account(Cloud):
    """The API's endpoints as methods; `calls` remembers each."""

    def __init__(self, engine: Backtester) -> None:
        super().__init__(engine, _check)
        self.faults = Faults()
        self.calls: list[tuple[str, Json]] = []
        self.hold = threading.Event()
        self.hold.set()
        """Cleared, no backtest ends."""
        self.deleted: list[str] = []

    def count(self, endpoint: str) -> int:
        return sum(1 for name, _ in self.calls if name == endpoint)

    def answer(self, endpoint: str, given: Json) -> Json:
        self.calls.append((endpoint, given))
        if endpoint in self.faults.refused:
            raise Refused(self.faults.refused[endpoint])
        return getattr(self, "on_" + endpoint.replace("/", "_"))(given)

    # Projects and files --------------------------------------------------------------------------

    def on_authenticate(self, given: Json) -> Json:
        return {}

    def on_projects_create(self, given: Json) -> Json:
        return self.create_project(given["name"], given.get("language", "Py"))

    def on_projects_read(self, given: Json) -> Json:
        if given.get("projectId"):
            return self.read_project(given["projectId"])
        return {"projects": [self._plain(project) for project in self._projects.values()]}

    def on_projects_update(self, given: Json) -> Json:
        self._project(given["projectId"])
        return {}

    def on_projects_delete(self, given: Json) -> Json:
        del self._projects[self._project(given["projectId"]).id]
        return {}

    def on_files_create(self, given: Json) -> Json:
        return self.create_file(given["projectId"], given["name"], given["content"])

    def on_files_update(self, given: Json) -> Json:
        found = self.update_file_content(given["projectId"], given["name"], given["content"])
        return {key: value for key, value in found.items() if key != "files"}

    def on_files_read(self, given: Json) -> Json:
        if self.faults.tampered is not None and given.get("name") == "main.py":
            if self.faults.tampered_after:
                self.faults.tampered_after -= 1
            else:
                self._project(given["projectId"]).files["main.py"] = self.faults.tampered
        found = self.read_file(given["projectId"], given.get("name"))
        return {"files": [{**file, "modified": CREATED} for file in found["files"]]}

    def on_files_delete(self, given: Json) -> Json:
        del self._project(given["projectId"]).files[given["name"]]
        return {}

    # Compilations and backtests ------------------------------------------------------------------

    def on_compile_create(self, given: Json) -> Json:
        return self.compile_project(given["projectId"])

    def on_compile_read(self, given: Json) -> Json:
        return self.read_compilation_result(given["projectId"], given["compileId"])

    def on_backtests_create(self, given: Json) -> Json:
        if _used(self.faults, "busy"):
            raise Refused(self.faults.busy_words)
        project = self._project(given["projectId"])
        compiled = self._compile(project, given["compileId"])
        if compiled["state"] != "BuildSuccess":
            raise Refused("The compile was not successful")
        number = uuid4().hex
        head = {"backtestId": number, "projectId": project.id, "name": given["backtestName"]}
        settings = BacktestSettings(parameters=given.get("parameters") or {})
        future = self._pool.submit(self._execute, compiled["code"], settings)
        project.backtests[number] = head, future
        return {"backtest": self._backtest(project, number), "debugging": False}

    def _execute(self, code: str, settings: BacktestSettings) -> BacktestResult:
        self.hold.wait()
        return self._engine.run(code, settings)

    def on_backtests_read(self, given: Json) -> Json:
        project = self._project(given["projectId"])
        return {"backtest": self._backtest(project, given["backtestId"])}

    def on_backtests_list(self, given: Json) -> Json:
        project = self._project(given["projectId"])
        found = [
            {**head, "created": CREATED, "status": "Completed.", "progress": 1.0}
            for head, _ in project.backtests.values()
        ]
        return {"backtests": found, "count": len(found)}

    def on_backtests_delete(self, given: Json) -> Json:
        project = self._project(given["projectId"])
        self._future(project, given["backtestId"])
        del project.backtests[given["backtestId"]]
        self.deleted.append(given["backtestId"])
        return {}

    def on_backtests_chart_read(self, given: Json) -> Json:
        if _used(self.faults, "loading"):
            return {"status": "loading", "progress": 0.5}
        result = self._done(given)
        chart = lean_format.equity_chart(result)
        values = chart["series"]["Equity"]["values"]
        chart["series"]["Equity"]["values"] = [
            point for point in values if given["start"] <= point[0] <= given["end"]
        ]
        return {"chart": chart}

    def on_backtests_orders_read(self, given: Json) -> Json:
        if _used(self.faults, "loading"):
            return {"status": "loading", "progress": 0.5}
        if given["end"] - given["start"] > 100:
            raise Refused("The range of orders must be at most 100")
        orders = [lean_format.order(one) for one in self._done(given).orders]
        page = orders[given["start"] : given["end"]]
        if self.faults.short_orders and given["start"]:
            page = []
        return {"orders": page, "length": len(orders)}

    def on_backtests_read_log(self, given: Json) -> Json:
        logs = list(self._done(given).logs)
        return {"logs": logs[given["start"] : given["end"]], "length": len(logs)}

    def _future(self, project: Project, number: Any) -> Future[BacktestResult]:
        if number not in project.backtests:
            raise Refused("Backtest not found")
        return project.backtests[number][1]

    def _done(self, given: Json) -> BacktestResult:
        return self._future(self._project(given["projectId"]), given["backtestId"]).result()

    def _backtest(self, project: Project, number: Any) -> Json:
        future = self._future(project, number)
        head = {**project.backtests[number][0], "created": CREATED, "note": None}
        pending = {
            **head, "status": "In Queue...", "completed": False, "progress": 0.0, "error": None,
            "stacktrace": None, "hasInitializeError": False, "statistics": [],
        }  # fmt: skip
        if self.faults.ended:
            return {**pending, "status": self.faults.ended}
        if self.faults.never or not future.done():
            return {**pending, "status": "In Progress...", "progress": 0.85}
        result = future.result()
        if str(result.status) != "completed":
            reason = result.reason or "?"
            return {
                **pending, "status": "Runtime Error", "error": reason.splitlines()[0],
                "stacktrace": reason, "hasInitializeError": not result.initialises,
            }  # fmt: skip
        completed = {**pending, "status": "Completed.", "completed": True, "progress": 1.0}
        if _used(self.faults, "unready"):
            return completed
        days = [day for day, _ in result.equity]
        return {
            **completed,
            "statistics": {
                self.faults.renamed.get(key, key): value for key, value in result.statistics.items()
            },
            "runtimeStatistics": {"Equity": "$100,000.00"},
            "serverStatistics": {"LEAN Version": lean_format.LEAN_VERSION},
            "totalPerformance": lean_format.performance(result),
            "backtestStart": f"{days[0]} 00:00:00", "backtestEnd": f"{days[-1]} 23:59:59",
            "charts": {"Strategy Equity": {"name": "Strategy Equity"}},
            "parameterSet": [],
        }  # fmt: skip

    def _plain(self, project: Project) -> Json:
        return {
            **super()._plain(project), "name": project.name, "description": "",
            "modified": CREATED, "created": CREATED, "leanVersionId": 17000,
            "leanPinnedToMaster": True, "leanEnvironment": 1, "libraries": [], "parameters": [],
            "collaborators": [
                {"uid": 1, "liveControl": True, "permission": "write", "profileImage": "",
                 "name": "Tester", "owner": True}
            ],
        }  # fmt: skip


def _check(code: str) -> list[str]:
    tree = tree_of(code)
    if isinstance(tree, str):
        return [tree]
    return [] if strategy_classes(tree) else ["No class derives from QCAlgorithm"]


def _used(faults: Faults, name: str) -> bool:
    left = getattr(faults, name)
    if left:
        setattr(faults, name, left - 1)
    return bool(left)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        given: Json = {
            key: int(value) if value.isdigit() else value
            for key, value in parse_qsl(urlsplit(self.path).query)
        }
        self._serve(given)

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "json" in self.headers.get("Content-Type", ""):
            return self._serve(json.loads(raw or b"{}"))
        return self._serve(dict(parse_qsl(raw.decode())))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay quiet."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(time.time() + self.server.account.faults.clock_ahead_s, usegmt=True)

    def _serve(self, given: Json) -> None:
        account, faults = self.server.account, self.server.account.faults
        endpoint = urlsplit(self.path).path.removeprefix("/api/v2/").strip("/")
        if _used(faults, "cut"):
            self.close_connection = True
            return None
        if _used(faults, "html"):
            return self._send(200, HTML, "text/html; charset=UTF-8")
        if _used(faults, "server_error"):
            return self._send(500, "<h1>Server Error</h1>", "text/html")
        if _used(faults, "limited"):
            extra = {"Retry-After": faults.retry_after} if faults.retry_after else {}
            return self._send(429, '{"success":false,"errors":["Too Many Requests"]}', **extra)
        error = self._let_in()
        if error:
            return self._send(200, json.dumps({"success": False, "errors": [error]}))
        try:
            found = {"success": True, "errors": [], **account.answer(endpoint, given)}
        except AttributeError:
            return self._send(404, HTML, "text/html")
        except Refused as refusal:
            found = {"success": False, "errors": [str(refusal)]}
        if endpoint == "backtests/create" and found["success"] and _used(faults, "lost_creates"):
            self.close_connection = True
            return None
        return self._send(200, json.dumps(found))

    def _let_in(self) -> str | None:
        stamp = self.headers.get("Timestamp", "")
        _, _, basic = self.headers.get("Authorization", "").partition(" ")
        user, _, given = b64decode(basic).decode().partition(":")
        if user != USER:
            return "UserID not valid"
        now = time.time() + self.server.account.faults.clock_ahead_s
        right = sha256(f"{TOKEN}:{stamp}".encode()).hexdigest()
        if given != right or not stamp.isdigit() or abs(now - int(stamp)) > 120:
            return "Hash doesn't match. Please check your API token and your system's clock."
        return None

    def _send(self, status: int, body: str, kind: str = "application/json", **headers: str) -> None:
        raw = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, account: Account, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.account = account
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/api/v2/"

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.account.hold.set()
        self.shutdown()
        self.server_close()
        self.account.close()


def main() -> None:
    from qc_builder_lora.backtest.engines import market_data
    from qc_builder_lora.backtest.simulator import Simulator
    from qc_builder_lora.config import load_settings

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=5612)
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    settings = load_settings(data=given.data)
    engine = Simulator(market_data(settings), allow_open_sandbox=settings.allow_open_sandbox)
    with Server(Account(engine), given.port) as server:
        print(json.dumps({"url": server.url}), flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
