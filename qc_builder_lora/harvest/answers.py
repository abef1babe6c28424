"""Calls of QuantConnect's MCP tools as the spool has them, in one form for all servers.

Servers differ: the tool's name is the JSON-RPC method or a parameter, arguments are nested under
`model` or not, in camelCase or snake_case; the answer is the REST API's object, or that object in
`result`, in `structuredContent`, or as text in `content`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qc_builder_lora.harvest import events

Json = Mapping[str, Any]
_NESTED = ("result", "structuredContent", "results", "data")
_DEEPEST = 6


@dataclass(frozen=True)
class ToolCall:
    """One call and what was answered. Keys of `arguments` are snake_case."""

    tool: str
    arguments: Json
    answer: Json
    """Empty where nothing usable came back."""
    errors: tuple[str, ...]

    @property
    def failed(self) -> bool:
        """Whether the server said no, or nothing came back."""
        return bool(self.errors) or self.answer.get("success") is False

    @property
    def project(self) -> str | None:
        """The project's id: what was asked for, else what was answered."""
        found = self.arguments.get("project_id", self.arguments.get("project"))
        if found is None:
            project = _first(self.answer, "projects", "project")
            found = project.get("projectId", project.get("project_id", project.get("id")))
        if found is None:
            found = self.answer.get("projectId", self.answer.get("project_id"))
        return None if found is None else str(found)

    @property
    def compile_id(self) -> str | None:
        """The compile's id."""
        found = self.arguments.get("compile_id")
        if found is None:
            compiled = _first(self.answer, "compile", "compilation")
            found = _either(self.answer, "compileId", "compile_id") or _either(
                compiled, "compileId", "compile_id"
            )
        return None if found is None else str(found)

    @property
    def compile_state(self) -> bool | None:
        """True for a success, False for a failure, None while it is not known."""
        state = self.answer.get("state", _first(self.answer, "compile", "compilation").get("state"))
        return {"BuildSuccess": True, "BuildError": False}.get(str(state))

    @property
    def logs(self) -> str:
        """What the compiler or the server said."""
        logs = self.answer.get("logs") or self.answer.get("errors") or ()
        lines = [str(line) for line in logs] if isinstance(logs, list) else [str(logs)]
        return "\n".join(lines if logs else self.errors)

    @property
    def backtest(self) -> Json:
        """The backtest's object, empty if there is none."""
        found = _first(self.answer, "backtest", "backtests")
        if not found and _either(self.answer, "backtestId", "backtest_id") is not None:
            return self.answer
        return found

    @property
    def backtest_id(self) -> str | None:
        """The backtest's id."""
        found = self.arguments.get("backtest_id")
        if found is None:
            found = _either(self.backtest, "backtestId", "backtest_id")
        return None if found is None else str(found)

    def file_read(self, name: str) -> str | None:
        """The content that was read back of a file; None if it was not among what was read."""
        files = self.answer.get("files") or self.answer.get("file") or ()
        files = [files] if isinstance(files, Mapping) else files
        for file in files if isinstance(files, list) else ():
            if isinstance(file, Mapping) and file.get("name") == name:
                content = file.get("content")
                return content if isinstance(content, str) else None
        return None


def tool_call(body: Json) -> ToolCall | None:
    """The call in a record of the spool; None if it is no tool of QuantConnect's."""
    tool = events.tool_named(body.get("tool"))
    if tool is None:
        return None
    answer, errors = _answer(body.get("answer"))
    raised = body.get("raised")
    if isinstance(raised, str):
        errors = (*errors, raised)
    return ToolCall(tool, _arguments(body.get("params")), answer, errors)


def _arguments(params: object) -> Json:
    for key in ("arguments", "model"):
        if isinstance(params, Mapping) and key in params:
            params = params[key]
        if isinstance(params, str):
            params = _parsed(params)
    if not isinstance(params, Mapping):
        return {}
    return {_snake(str(key)): value for key, value in params.items()}


def _answer(answer: object) -> tuple[Json, tuple[str, ...]]:
    errors: list[str] = []
    for _ in range(_DEEPEST):
        if isinstance(answer, str):
            text, answer = answer, _parsed(answer)
            if answer is None:
                errors.append(text)
        if not isinstance(answer, Mapping):
            return {}, tuple(errors)
        errors += _errors(answer)
        inner = _inner(answer)
        if inner is None:
            return answer, tuple(errors)
        answer = inner
    return {}, tuple(errors)


def _errors(answer: Json) -> list[str]:
    error = answer.get("error")
    # A backtest has an `error` too; that one is the strategy's, not the call's.
    if error and "backtestId" not in answer:
        return [str(error.get("message", error)) if isinstance(error, Mapping) else str(error)]
    return []


def _inner(answer: Json) -> Any:
    for key in _NESTED:
        if isinstance(answer.get(key), Mapping | str):
            return answer[key]
    content = answer.get("content")
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, Mapping)]
        return next((text for text in texts if isinstance(text, str)), None)
    return None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _first(answer: Json, *keys: str) -> Json:
    """The object under one of the keys, or the first one of the list that is there."""
    for key in keys:
        found = answer.get(key)
        if isinstance(found, list):
            found = found[0] if found else None
        if isinstance(found, Mapping):
            return found
    return {}


def _either(answer: Json, *keys: str) -> Any:
    return next((answer[key] for key in keys if answer.get(key) is not None), None)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
