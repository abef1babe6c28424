#!/usr/bin/env python3
"""A QuantConnect MCP server for loopback: the tools a builder needs, answered by our simulator.

    python examples/quantconnect_mcp.py --port 8000 [--data DIR]

Prints one JSON line {"port": ...} when it is ready. Speaks JSON-RPC 2.0 over HTTP POST /mcp with
sessions, as MCP's streamable HTTP transport has it; every tool answers what QuantConnect's REST
API v2 answers, as text. Projects live in memory. It asks for no credentials and checks none: it is
for tests and demonstrations, on 127.0.0.1 only.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from qc_builder_lora.backtest.check.parsing import strategy_classes, tree_of
from qc_builder_lora.backtest.protocol import Backtester, BacktestResult
from qc_builder_lora.backtest.sample_data import ensure_data
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.backtest.surface.alias import snake
from qc_builder_lora.backtest.surface.known import members
from qc_builder_lora.config import load_settings
from qc_builder_lora.errors import SandboxUnavailable
from qc_builder_lora.records import BacktestStatus

Json = dict[str, Any]
Check = Callable[[str], list[str]]
"""What keeps a piece of code from compiling; an empty list if nothing does."""

PROTOCOL_VERSION = "2025-03-26"
LARGEST_BODY = 16 * 2**20
BOILERPLATE = """# region imports
from AlgorithmImports import *
# endregion


class {name}(QCAlgorithm):

    def initialize(self):
        self.set_start_date(2010, 1, 1)
        self.set_cash(100000)
        self.add_equity("AAPL", Resolution.DAILY)

    def on_data(self, data: Slice):
        if not self.portfolio.invested:
            self.set_holdings("AAPL", 1)
"""
"""What a new project holds: a builder that uploads under another name backtests this."""


class Refused(Exception):
    """A request that QuantConnect would answer with `success: false`."""


@dataclass
class Project:
    """One project and everything made from it."""

    id: int
    name: str
    language: str
    files: dict[str, str]
    created: str
    compiles: dict[str, Json] = field(default_factory=dict)
    backtests: dict[str, tuple[Json, Future[BacktestResult]]] = field(default_factory=dict)


class Cloud:
    """Projects, compiles and backtests, as the REST API has them."""

    def __init__(self, engine: Backtester, check: Check, fail_compile_every: int = 0) -> None:
        self._engine = engine
        self._check = check
        self._fail_every = fail_compile_every
        self._projects: dict[int, Project] = {}
        self._numbers = count(20_000_001)
        self._compiles = count(1)
        self._pool = ThreadPoolExecutor(1)
        self._lock = threading.Lock()

    def create_project(self, name: str, language: str = "Py") -> Json:
        number = next(self._numbers)
        word = "".join(part.capitalize() for part in name.replace("-", "_").split("_"))
        class_name = word if word.isidentifier() else "NewProject"
        files = {"main.py": BOILERPLATE.format(name=class_name)}
        self._projects[number] = Project(number, name, language, files, _moment())
        return {"projects": [self._plain(self._projects[number])]}

    def read_project(self, project_id: Any) -> Json:
        return {"projects": [self._plain(self._project(project_id))]}

    def create_file(self, project_id: Any, name: str, content: str = "") -> Json:
        project = self._project(project_id)
        if name in project.files:
            raise Refused(f"File already exist: {name}")
        return self._write(project, name, content)

    def update_file_content(self, project_id: Any, name: str, content: str) -> Json:
        project = self._project(project_id)
        if name not in project.files:
            raise Refused(f"File not found: {name}")
        return self._write(project, name, content)

    def read_file(self, project_id: Any, name: str | None = None) -> Json:
        project = self._project(project_id)
        if name is not None and name not in project.files:
            raise Refused(f"File not found: {name}")
        names = project.files if name is None else (name,)
        return {"files": [self._file(project, found) for found in names]}

    def compile_project(self, project_id: Any) -> Json:
        project = self._project(project_id)
        errors = self._check(project.files["main.py"])
        if self._fail_every and next(self._compiles) % self._fail_every == 0:
            errors = ["Internal error: the compiler was told to fail"]
        compiled: Json = {
            "compileId": uuid4().hex + "-" + uuid4().hex[:32],
            "projectId": project.id,
            "state": "BuildError" if errors else "BuildSuccess",
            "logs": [f"Build Error: {error}" for error in errors] or ["Build Request Successful"],
        }
        project.compiles[compiled["compileId"]] = {**compiled, "code": project.files["main.py"]}
        return {**compiled, "state": "InQueue", "logs": []}

    def read_compilation_result(self, project_id: Any, compile_id: str) -> Json:
        compiled = self._compile(self._project(project_id), compile_id)
        return {key: value for key, value in compiled.items() if key != "code"}

    def create_backtest(
        self, project_id: Any, compile_id: str, backtest_name: str, parameters: Any = None
    ) -> Json:
        project = self._project(project_id)
        compiled = self._compile(project, compile_id)
        if compiled["state"] != "BuildSuccess":
            raise Refused(f"Compile {compile_id} did not succeed")
        head: Json = {"backtestId": uuid4().hex, "projectId": project.id, "name": backtest_name}
        future = self._pool.submit(self._engine.run, compiled["code"])
        project.backtests[head["backtestId"]] = head, future
        return self.read_backtest(project.id, head["backtestId"])

    def read_backtest(self, project_id: Any, backtest_id: str) -> Json:
        project = self._project(project_id)
        if backtest_id not in project.backtests:
            raise Refused(f"Backtest not found: {backtest_id}")
        head, future = project.backtests[backtest_id]
        return {"backtest": {**head, **(_result(future) if future.done() else _pending(future))}}

    def close(self) -> None:
        """Let the backtest that runs end, and start no other."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _project(self, number: Any) -> Project:
        try:
            return self._projects[int(number)]
        except (KeyError, ValueError, TypeError):
            raise Refused(f"Project not found: {number}") from None

    def _compile(self, project: Project, compile_id: str) -> Json:
        if compile_id not in project.compiles:
            raise Refused(f"Compile not found: {compile_id}")
        return project.compiles[compile_id]

    def _write(self, project: Project, name: str, content: str) -> Json:
        with self._lock:
            project.files[name] = content
        return {"files": [self._file(project, name)]}

    def _file(self, project: Project, name: str) -> Json:
        content = project.files[name]
        return {"name": name, "content": content, "projectId": project.id, "isLibrary": False}

    def _plain(self, project: Project) -> Json:
        return {
            "projectId": project.id,
            "organizationId": "0" * 32,
            "name": project.name,
            "created": project.created,
            "language": project.language,
            "leanVersionId": 1,
        }


def _moment() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _pending(future: Future[BacktestResult]) -> Json:
    status = "In Progress..." if future.running() else "In Queue..."
    return {"status": status, "completed": False, "progress": 0.0, "error": None}


def _result(future: Future[BacktestResult]) -> Json:
    problem = future.exception()
    if problem is not None:
        text = f"The engine failed: {problem}"
        return {"status": "Unknown", "completed": False, "progress": 0.0, "error": text}
    result = future.result()
    completed = result.status is BacktestStatus.COMPLETED
    reason = result.reason or "stopped without a reason"
    states = {
        BacktestStatus.COMPLETED: "Completed.",
        BacktestStatus.FAILED: "Runtime Error",
        # Not LEAN's: our engine says where it does not know, and that must not be lost.
        BacktestStatus.UNKNOWN: "Unknown",
    }
    return {
        "status": states[result.status],
        "completed": completed,
        "progress": 1.0,
        "error": None if completed else reason.splitlines()[0],
        "stacktrace": None if completed else reason,
        "hasInitializeError": not result.initialises,
        "statistics": dict(result.statistics),
        "runtimeStatistics": dict(result.statistics),
        "totalPerformance": {"tradeStatistics": {"totalNumberOfTrades": result.closed_trades}},
        "engine": f"{result.engine} {result.engine_version}",
        "dataFingerprint": result.data_fingerprint,
    }


TOOLS = (
    "create_project", "read_project", "create_file", "update_file_content", "read_file",
    "compile_project", "read_compilation_result", "create_backtest", "read_backtest",
)  # fmt: skip


def call_tool(cloud: Cloud | None, name: str, arguments: Json) -> Json:
    """The REST answer of a tool; without a Cloud, that of a server without credentials."""
    if name not in TOOLS:
        return {"success": False, "errors": [f"Unknown tool: {name}"]}
    if cloud is None:
        return {"success": False, "errors": ["QuantConnect credentials are not configured"]}
    given = arguments.get("model", arguments)
    try:
        answer: Json = getattr(cloud, name)(**{snake(key): given[key] for key in given})
    except Refused as error:
        return {"success": False, "errors": [str(error)]}
    except TypeError as error:
        return {"success": False, "errors": [f"{name}: {error}"]}
    return {**answer, "success": True, "errors": []}


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if self.path != "/mcp" or length > LARGEST_BODY:
            return self._send(404 if self.path != "/mcp" else 413, None)
        try:
            message = json.loads(self.rfile.read(length))
            method = message["method"]
        except (ValueError, TypeError, KeyError):
            error = {"code": -32700, "message": "Parse error"}
            return self._send(400, {"jsonrpc": "2.0", "id": None, "error": error})
        if method == "initialize":
            return self._initialize(message)
        session = self.headers.get("Mcp-Session-Id")
        if session not in self.server.sessions:
            return self._send(400 if session is None else 404, None)
        if "id" not in message:
            return self._send(202, None)
        return self._send(200, {"jsonrpc": "2.0", "id": message["id"], **self._answer(message)})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay quiet: standard output carries the ready line only."""

    def _initialize(self, message: Json) -> None:
        session = uuid4().hex
        self.server.sessions.add(session)
        result = {
            "protocolVersion": PROTOCOL_VERSION,
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "quantconnect-loopback", "version": "1"},
        }
        answer = {"jsonrpc": "2.0", "id": message.get("id"), "result": result}
        self._send(200, answer, {"Mcp-Session-Id": session})

    def _answer(self, message: Json) -> Json:
        params = message.get("params") or {}
        if message["method"] == "ping":
            return {"result": {}}
        if message["method"] == "tools/list":
            return {"result": {"tools": [_tool(name) for name in TOOLS]}}
        if message["method"] != "tools/call":
            return {"error": {"code": -32601, "message": f"Unknown method {message['method']}"}}
        answer = call_tool(
            self.server.cloud, str(params.get("name")), params.get("arguments") or {}
        )
        content = [{"type": "text", "text": json.dumps(answer)}]
        return {"result": {"content": content, "isError": not answer["success"]}}

    def _send(self, status: int, answer: Json | None, headers: Json | None = None) -> None:
        body = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _tool(name: str) -> Json:
    schema = {"type": "object", "properties": {"model": {"type": "object"}}}
    return {"name": name, "description": name.replace("_", " "), "inputSchema": schema}


class Server(ThreadingHTTPServer):
    """The MCP server; `cloud` is None for one without credentials."""

    daemon_threads = True

    def __init__(self, cloud: Cloud | None, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.cloud = cloud
        self.sessions: set[str | None] = set()


def check(code: str) -> list[str]:
    """What is wrong before anything runs: syntax, no strategy class, names LEAN does not have."""
    tree = tree_of(code)
    if isinstance(tree, str):
        return [tree]
    classes = strategy_classes(tree)
    if len(classes) != 1:
        return [f"{len(classes)} classes derive from QCAlgorithm, one is needed"]
    known = set(members("QCAlgorithm"))
    known |= {node.name for node in ast.walk(classes[0]) if isinstance(node, ast.FunctionDef)}
    own = [
        node
        for node in ast.walk(classes[0])
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "self"
    ]
    known |= {node.attr for node in own if isinstance(node.ctx, ast.Store)}
    # Private names are the strategy's own affair; only running it tells whether they are set.
    return [
        f"line {node.lineno}: {classes[0].name!r} object has no attribute {node.attr!r}"
        for node in own
        if not node.attr.startswith("_") and not {node.attr, snake(node.attr)} & known
    ]


def make_cloud(data: Path | None, fail_compile_every: int) -> Cloud:
    """A Cloud on our simulator, its market data from `data` or the settings."""
    settings = load_settings(data=data)
    engine = Simulator(ensure_data(settings), allow_open_sandbox=settings.allow_open_sandbox)
    engine.check_sandbox()
    return Cloud(engine, check, fail_compile_every)


def main() -> int:
    parser = argparse.ArgumentParser(description="A QuantConnect MCP server on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=8000, help="0 takes any that is free")
    parser.add_argument("--data", type=Path, metavar="DIR", help="a LEAN data folder")
    parser.add_argument("--fail-compile-every", type=int, default=0, metavar="N")
    parser.add_argument("--stub", action="store_true", help="answer as without credentials")
    options = parser.parse_args()
    try:
        cloud = None if options.stub else make_cloud(options.data, options.fail_compile_every)
    except SandboxUnavailable as error:
        print(error, file=sys.stderr)
        return 2
    try:
        server = Server(cloud, options.port)
    except OSError as error:
        print(
            f"port {options.port} of 127.0.0.1: {error}. Choose another with --port.",
            file=sys.stderr,
        )
        return 2
    with server:
        print(json.dumps({"port": server.server_address[1]}), flush=True)
        try:
            server.serve_forever(poll_interval=0.05)
        except KeyboardInterrupt:
            pass
        finally:
            if cloud is not None:
                cloud.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
