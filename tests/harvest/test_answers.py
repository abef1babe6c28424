"""Calls of every server's dialect come out the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qc_builder_lora.harvest.answers import tool_call

REST = {"success": True, "backtest": {"backtestId": "b", "statistics": {"Total Orders": "1"}}}
TEXT = json.dumps(REST)


@pytest.mark.parametrize(
    "answer",
    [
        REST,
        TEXT,
        {"result": REST},
        {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": TEXT}]}},
        {"content": [{"type": "image"}, {"type": "text", "text": TEXT}], "isError": False},
        {"result": {"structuredContent": REST, "content": []}},
        {"result": {"structuredContent": {"result": REST}}},
        {"result": TEXT},
        {"backtest": [REST["backtest"]]},
        {"backtests": [REST["backtest"]]},
        REST["backtest"],
    ],
)
def test_an_answer_is_found_however_it_is_wrapped(answer: Any) -> None:
    call = tool_call({"tool": "read_backtest", "params": {}, "answer": answer})
    assert call is not None
    assert call.backtest == REST["backtest"]
    assert call.backtest_id == "b"
    assert call.errors == ()


@pytest.mark.parametrize(
    "params",
    [
        {"projectId": 7, "backtestId": "b"},
        {"project_id": 7, "backtest_id": "b"},
        {"model": {"projectId": 7, "backtestId": "b"}},
        {"name": "read_backtest", "arguments": {"projectId": 7, "backtestId": "b"}},
        {"name": "read_backtest", "arguments": {"model": {"project_id": 7, "backtest_id": "b"}}},
        {"name": "x", "arguments": json.dumps({"model": {"projectId": 7, "backtestId": "b"}})},
    ],
)
def test_arguments_are_found_however_they_are_nested(params: Any) -> None:
    call = tool_call({"tool": "read_backtest", "params": params, "answer": None})
    assert call is not None
    assert (call.project, call.backtest_id) == ("7", "b")


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("create_file", "write_file"),
        ("update_file_content", "write_file"),
        ("update_file_contents", "write_file"),
        ("create_compile", "compile"),
        ("compile_project", "compile"),
        ("read_compile", "read_compile"),
        ("read_compilation_result", "read_compile"),
        ("create_backtest", "create_backtest"),
    ],
)
def test_tools_have_one_name(name: str, tool: str) -> None:
    call = tool_call({"tool": name})
    assert call is not None
    assert call.tool == tool


@pytest.mark.parametrize("name", ["create_issue", "tools/call", None, 3, ["read_backtest"]])
def test_other_tools_are_none_of_ours(name: Any) -> None:
    assert tool_call({"tool": name}) is None


def test_errors_of_the_transport_and_of_the_server_are_told() -> None:
    call = tool_call(
        {"tool": "read_backtest", "answer": {"error": {"code": -1, "message": "down"}}}
    )
    assert call is not None
    assert (call.errors, call.failed) == (("down",), True)
    call = tool_call({"tool": "read_backtest", "raised": "TimeoutError: slow"})
    assert call is not None
    assert call.errors == ("TimeoutError: slow",)
    call = tool_call({"tool": "read_backtest", "answer": "Backtest not found"})
    assert call is not None
    assert call.errors == ("Backtest not found",)
    call = tool_call({"tool": "compile_project", "answer": {"success": False, "errors": ["no"]}})
    assert call is not None
    assert (call.failed, call.logs) == (True, "no")


def test_a_strategys_error_is_not_the_calls() -> None:
    answer = {"backtestId": "b", "error": "ZeroDivisionError"}
    call = tool_call({"tool": "read_backtest", "answer": answer})
    assert call is not None
    assert (call.errors, call.backtest["error"]) == ((), "ZeroDivisionError")


def test_a_compile_that_is_queued_is_neither_good_nor_bad() -> None:
    states = {}
    for state in ("InQueue", "BuildSuccess", "BuildError", None, {"odd": 1}):
        call = tool_call({"tool": "read_compile", "answer": {"compileId": "c", "state": state}})
        assert call is not None
        states[str(state)] = call.compile_state
    assert states == {
        "InQueue": None,
        "BuildSuccess": True,
        "BuildError": False,
        "None": None,
        "{'odd': 1}": None,
    }
