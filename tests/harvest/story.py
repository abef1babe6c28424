"""A host told in a few words: its records as events, or written to a real spool."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qc_builder_lora.harvest import events
from qc_builder_lora.harvest.spool import Event, SpoolWriter

GOOD = """from AlgorithmImports import *


class Good{number}(QCAlgorithm):
    def initialize(self):
        self.set_cash({number})
"""
STATISTICS = {"Total Orders": "12", "Net Profit": "4.486%", "Sharpe Ratio": "0.7"}


def code(number: int = 1) -> str:
    return GOOD.format(number=number)


def answer(value: dict[str, Any]) -> dict[str, Any]:
    """As an MCP server wraps it."""
    return {"result": {"content": [{"type": "text", "text": json.dumps(value)}]}}


@dataclass
class Story:
    """Records in the order in which they were made; `thread` is whose they are from now on."""

    told: list[tuple[str, dict[str, Any], int]] = field(default_factory=list)
    thread: int = 1

    def tell(self, kind: str, **body: Any) -> Story:
        self.told.append((kind, body, self.thread))
        return self

    def notify(self, event: str, **details: Any) -> Story:
        return self.tell(events.NOTIFIED, event=event, details=details)

    def spec(self, title: str, **details: Any) -> Story:
        return self.notify(events.SPEC_SUBMITTED, title=title, **details)

    def iteration(self, number: int) -> Story:
        return self.notify(events.ITERATION_START, iteration=number)

    def complete(self) -> Story:
        return self.notify(events.BUILD_COMPLETE, sharpe=0.7, drawdown="1%", returns="4%")

    def coder(self, prompt: str, model: str | None = "m", path: str = "/w/s/main.py") -> Story:
        return self.tell(events.CODER, prompt=prompt, model=model, files=[path])

    def left(self, text: str, path: str = "/w/s/main.py") -> Story:
        return self.tell(events.CODER_FILE, path=path, text=text, changed=True)

    def tool(self, tool: str, value: dict[str, Any] | None = None, **arguments: Any) -> Story:
        params = {"name": tool, "arguments": {"model": arguments}}
        wrapped = answer({"success": True, **(value or {})})
        return self.tell(
            events.MCP, server="quantconnect", tool=tool, params=params, answer=wrapped
        )

    def project(self, number: Any = 7, name: str = "project") -> Story:
        return self.tool("create_project", {"projects": [{"projectId": number}]}, name=name)

    def upload(self, text: str, project: Any = 7, name: str = "main.py") -> Story:
        return self.tool("update_file_content", projectId=project, name=name, content=text)

    def read_back(self, text: str, project: Any = 7) -> Story:
        files = {"files": [{"name": "main.py", "content": text}]}
        return self.tool("read_file", files, projectId=project, name="main.py")

    def compiled(self, *errors: str, project: Any = 7) -> Story:
        state = "BuildError" if errors else "BuildSuccess"
        value = {"compileId": "c", "state": state, "logs": list(errors)}
        return self.tool("read_compilation_result", value, projectId=project, compileId="c")

    def backtest(
        self,
        statistics: dict[str, str] | None = None,
        error: str | None = None,
        project: Any = 7,
        number: str = "b",
        **more: Any,
    ) -> Story:
        found = {"backtestId": number, "completed": error is None, "error": error}
        found |= {"statistics": STATISTICS if statistics is None else statistics, **more}
        created = {"backtest": {"backtestId": number, "completed": False}}
        self.tool("create_backtest", created, projectId=project, compileId="c", backtestName="n")
        return self.tool("read_backtest", {"backtest": found}, projectId=project, backtestId=number)

    def fitness(self, iteration: int, sharpe: float = 0.7, tracker: int = 1) -> Story:
        body = {"version": f"v{iteration}", "sharpe": sharpe, "iteration": iteration}
        return self.tell(events.FITNESS, **body, tracker=tracker)

    def error(self, message: str, kind: str = "CODE_ERROR") -> Story:
        self.tell(events.CLASSIFIED, message=message, **{"class": kind})
        return self.tell(events.ERROR, message=message, **{"class": kind})

    def main_end(self, **body: Any) -> Story:
        return self.tell(events.MAIN_END, **(body or {"code": 0}))

    def round(self, number: int, text: str, prompt: str = "write it", project: Any = 7) -> Story:
        """One whole iteration that runs and trades."""
        self.iteration(number).coder(prompt).left(text).upload(text, project)
        self.read_back(text, project).compiled(project=project)
        return self.backtest(project=project, number=f"b{number}").fitness(number)

    def events(self) -> list[Event]:
        """As the reader of a spool gives them."""
        return [
            Event(kind, number, 10**18 + number * 10**9, thread, body, number, number + 1)
            for number, (kind, body, thread) in enumerate(self.told)
        ]

    def write(self, home: Path, writer: SpoolWriter | None = None) -> SpoolWriter:
        """Append them to a spool; the file stays open as long as the writer is kept."""
        writer = writer or SpoolWriter(home / "spool")
        for kind, body, _ in self.told:
            assert writer.append(kind, body), writer.last_error
        self.told.clear()
        return writer


def shop(builds: int) -> Story:
    """Many builds of three iterations, all different, with each kind of ending."""
    story = Story()
    for number in range(builds):
        project = 1000 + number
        story.spec(f"Strategy {number}").project(project, f"p{number}")
        story.round(1, code(10 * number), f"write {number}", project)
        broken = code(10 * number + 1).replace(":", "")
        story.iteration(2).coder(f"improve {number}").left(broken).upload(broken, project)
        story.compiled("line 4: SyntaxError", project=project).error("SyntaxError")
        story.iteration(3).coder(f"fix {number}").upload(code(10 * number + 2), project)
        story.compiled(project=project).backtest({}, "ValueError: x", project, f"c{number}")
        story.complete()
    return story.main_end()


def labels(generations: Iterable[Any]) -> list[str]:
    return [str(generation.label) for generation in generations]
