"""The loopback server answers as QuantConnect's REST API v2 does, in MCP's envelope."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SERVER = Path(__file__).parents[2] / "examples" / "quantconnect_mcp.py"
CODE = """from AlgorithmImports import *


class HoldApple(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2010, 1, 1)
        self.set_end_date(2010, 6, 30)
        self.set_cash(100000)
        self._symbol = self.add_equity("AAPL", Resolution.DAILY).symbol

    def on_data(self, data):
        if not self.portfolio.invested:
            self.set_holdings(self._symbol, 1.0)
"""


class Client:
    """Speaks JSON-RPC to one server."""

    def __init__(self, port: int) -> None:
        self.url = f"http://localhost:{port}/mcp"
        self.session: str | None = None

    def post(self, method: str, params: Any = None, **extra: Any) -> tuple[int, Any]:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}, **extra}
        return self.send(json.dumps(body).encode())

    def send(self, body: bytes) -> tuple[int, Any]:
        headers = {"Mcp-Session-Id": self.session} if self.session else {}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url, body, headers)) as answer:
                self.session = answer.headers.get("Mcp-Session-Id") or self.session
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, None

    def tool(self, tool: str, **arguments: Any) -> dict[str, Any]:
        status, answer = self.post("tools/call", {"name": tool, "arguments": {"model": arguments}})
        assert status == 200
        result = answer["result"]
        found: dict[str, Any] = json.loads(result["content"][0]["text"])
        assert result["isError"] is not found["success"]
        return found


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    pytest.importorskip("bokeh_sampledata", reason="the sample data is an extra")
    process = subprocess.Popen(
        [sys.executable, str(SERVER), "--port", "0"],
        env={**os.environ, "QC_LORA_HOME": str(tmp_path_factory.mktemp("home"))},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())["port"]
    process.terminate()
    process.communicate()


@pytest.fixture
def client(port: int) -> Client:
    client = Client(port)
    assert client.post("initialize")[0] == 200
    return client


def project_of(client: Client) -> int:
    answer = client.tool("create_project", name="hold-apple", language="Py")
    number: int = answer["projects"][0]["projectId"]
    return number


def compiled(client: Client, number: int, code: str) -> dict[str, Any]:
    client.tool("update_file_content", projectId=number, name="main.py", content=code)
    queued = client.tool("compile_project", projectId=number)
    assert queued["state"] == "InQueue"
    return client.tool("read_compilation_result", projectId=number, compileId=queued["compileId"])


def test_a_session_is_needed_and_given(port: int) -> None:
    client = Client(port)
    assert client.post("tools/list")[0] == 400
    client.session = "forged"
    assert client.post("tools/list")[0] == 404
    client.session = None
    _, hello = client.post("initialize", {"protocolVersion": "2025-03-26"})
    assert hello["result"]["serverInfo"]["name"] == "quantconnect-loopback"
    assert client.session
    names = [tool["name"] for tool in client.post("tools/list")[1]["result"]["tools"]]
    assert {"create_project", "read_compilation_result", "read_backtest"} <= set(names)
    assert client.send(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}') == (202, None)


def test_what_is_no_request_is_refused_as_the_protocol_says(client: Client) -> None:
    assert client.send(b"no JSON")[0] == 400
    assert client.send(b"[]")[0] == 400
    assert client.post("resources/list")[1]["error"]["code"] == -32601
    assert client.tool("delete_everything")["errors"] == ["Unknown tool: delete_everything"]
    assert client.tool("read_file", projectId=1)["errors"] == ["Project not found: 1"]
    assert "missing" in client.tool("create_project")["errors"][0]


def test_a_new_project_holds_the_boilerplate(client: Client) -> None:
    number = project_of(client)
    (file,) = client.tool("read_file", projectId=number, name="main.py")["files"]
    assert "class HoldApple(QCAlgorithm):" in file["content"]
    refused = client.tool("create_file", projectId=number, name="main.py", content="x")
    assert refused["errors"] == ["File already exist: main.py"]
    assert client.tool("create_file", projectId=number, name="a.py", content="x")["success"]
    names = [f["name"] for f in client.tool("read_file", projectId=number)["files"]]
    assert names == ["main.py", "a.py"]


def test_a_strategy_goes_all_the_way(client: Client) -> None:
    number = project_of(client)
    built = compiled(client, number, CODE)
    assert built["state"] == "BuildSuccess"
    answer = client.tool(
        "create_backtest", projectId=number, compileId=built["compileId"], backtestName="first"
    )
    found = answer["backtest"]
    limit = time.monotonic() + 60
    while not found["completed"] and time.monotonic() < limit:
        key = {"projectId": number, "backtestId": found["backtestId"]}
        found = client.tool("read_backtest", **key)["backtest"]
    assert found["progress"] == 1.0
    assert found["error"] is None
    assert found["statistics"]["Total Orders"] == "1"
    assert found["engine"].startswith("simulator ")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (CODE.replace("data):", "data)"), "Build Error: line 11: SyntaxError: expected ':'"),
        (CODE.replace("(QCAlgorithm)", ""), "Build Error: 0 classes derive from QCAlgorithm"),
        (
            CODE.replace("set_holdings", "set_holding_weights"),
            "Build Error: line 13: 'HoldApple' object has no attribute 'set_holding_weights'",
        ),
    ],
)
def test_what_does_not_compile_says_why(client: Client, code: str, message: str) -> None:
    built = compiled(client, project_of(client), code)
    assert built["state"] == "BuildError"
    assert built["logs"][0].startswith(message)


def test_a_backtest_needs_a_compile_that_succeeded(client: Client) -> None:
    number = project_of(client)
    built = compiled(client, number, "x = ")
    arguments = {"projectId": number, "compileId": built["compileId"], "backtestName": "x"}
    answer = client.tool("create_backtest", **arguments)
    assert answer["errors"] == [f"Compile {built['compileId']} did not succeed"]


def test_what_the_engine_does_not_model_is_said_to_be_unknown(client: Client) -> None:
    number = project_of(client)
    code = CODE.replace("        self.set_cash(100000)", '        self.add_forex("EURUSD")')
    built = compiled(client, number, code)
    arguments = {"projectId": number, "compileId": built["compileId"], "backtestName": "x"}
    found = client.tool("create_backtest", **arguments)["backtest"]
    limit = time.monotonic() + 60
    while not found["error"] and time.monotonic() < limit:
        key = {"projectId": number, "backtestId": found["backtestId"]}
        found = client.tool("read_backtest", **key)["backtest"]
    assert (found["status"], found["completed"]) == ("Unknown", False)
    assert "add_forex" in found["error"]


def test_a_taken_port_is_wrong_use(port: int) -> None:
    done = subprocess.run(
        [sys.executable, str(SERVER), "--port", str(port), "--stub"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"port {port} of 127.0.0.1: ")
    assert "Choose another with --port." in done.stderr
