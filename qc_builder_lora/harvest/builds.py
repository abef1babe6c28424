"""Builds put together again from the records of one spool, in the order they stand in the file.

A record names its build by what it carries: a title, a project, a tracker, a file. What carries
nothing belongs to the build its thread worked on last. No record is refused: one that fits no
build opens one, an unknown one is passed over. Builds that are done are handed out with the
numbers of all their records, so that whoever stores them can mark exactly those as taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from qc_builder_lora.harvest import events
from qc_builder_lora.harvest.answers import ToolCall, tool_call
from qc_builder_lora.harvest.attempts import MAIN, STUB, Attempt
from qc_builder_lora.harvest.spool import Event

MOST_OPEN = 64
MOST_ATTEMPTS = 200
"""Beyond these the oldest are handed out early, so that memory stays bounded."""

_IGNORED = frozenset({events.OPENED, events.MAIN_START, events.ROLLBACK})


@dataclass
class OpenBuild:
    """A build that is being put together."""

    time_ns: int
    sequence: int
    offset: int
    """Where its first record stands in the file."""
    title: str
    implicit: bool = True
    """Whether it was opened by something else than its specification."""
    spec: str | None = None
    finished_ns: int | None = None
    status: str | None = None
    touched: int = 0
    iteration: int | None = None
    attempts: list[Attempt] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    projects: set[str] = field(default_factory=set)
    trackers: set[Any] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    opening: list[int] = field(default_factory=list)
    """Records that make the build itself: kept open until it is done."""
    active: Attempt | None = None
    """The attempt in work: the newest, or an earlier one that the host went back to."""

    @property
    def finished(self) -> bool:
        """Whether the host said that it is complete."""
        return self.finished_ns is not None

    def is_named(self, name: str) -> bool:
        """Whether its title, or a project of it, has that name; capitals and blanks aside."""
        slug = _slug(name)
        return bool(slug) and (slug == _slug(self.title) or slug in self.names)

    def begin(self, event: Event, iteration: int | None) -> Attempt:
        """A new attempt, which becomes the one in work."""
        self.active = Attempt(event.time_ns, event.sequence, iteration)
        self.attempts.append(self.active)
        return self.active


@dataclass(frozen=True)
class Done:
    """A build, or the oldest attempts of one, ready to be stored."""

    build: OpenBuild
    attempts: tuple[Attempt, ...]
    records: tuple[int, ...]
    last: bool
    """False when more of the same build will follow."""


class Reconstruction:
    """Takes the records of one spool one by one; `done` gives what is ready."""

    def __init__(self) -> None:
        self.open: list[OpenBuild] = []
        self.free: list[int] = []
        """Records that belong to no build and are dealt with."""
        self.unknown = 0
        self._done: list[Done] = []
        self._threads: dict[int, OpenBuild] = {}
        self._clock = 0
        self._takers: dict[str, Callable[[Event], None]] = {
            events.NOTIFIED: self._notified,
            events.MCP: self._mcp,
            events.CODER: self._coder,
            events.CODER_FILE: self._coder_file,
            events.FITNESS: self._fitness,
            events.CLASSIFIED: self._error,
            events.ERROR: self._error,
            events.MAIN_END: self._main_end,
        }

    def take(self, event: Event) -> None:
        """Put one record where it belongs."""
        self._clock += 1
        taker = self._takers.get(event.kind)
        if taker is not None and isinstance(event.body, Mapping):
            taker(event)
            self._bound_memory()
            return
        self.unknown += event.kind not in _IGNORED
        self.free.append(event.sequence)

    def end(self) -> None:
        """No more will come: everything that is open is done."""
        for build in list(self.open):
            self._hand_out(build, "stopped")

    def done(self) -> Iterator[Done]:
        """What became ready since the last call."""
        ready, self._done = self._done, []
        yield from ready

    # What each kind of record says -------------------------------------------------------------

    def _notified(self, event: Event) -> None:
        name = event.body.get("event")
        details = event.body.get("details")
        details = details if isinstance(details, Mapping) else {}
        build = self._named(details)
        if name == events.SPEC_SUBMITTED:
            self._spec_submitted(event, details)
        elif name == events.ITERATION_START:
            build = self._touch(build or self._working(event) or self._open(event), event)
            build.iteration = _whole(details.get("iteration"))
            build.begin(event, build.iteration).records.append(event.sequence)
        elif build is None and (build := self._current(event)) is None:
            self.unknown += 1
            self.free.append(event.sequence)
        elif name == events.BUILD_COMPLETE:
            build.finished_ns = event.time_ns
            build.status = str(details.get("status") or details.get("result") or "complete")
            build.opening.append(event.sequence)
        else:
            attempt = self._attempt(self._touch(build, event), event)
            attempt.claimed = attempt.claimed or name == events.BACKTEST_COMPLETE
            attempt.records.append(event.sequence)
            self.unknown += name not in (events.BACKTEST_COMPLETE, events.NEXT_ITERATION)

    def _spec_submitted(self, event: Event, details: Mapping[str, Any]) -> None:
        before = self._threads.get(event.thread)
        if before is not None and before.finished:
            # Not at its end already: hosts go on reading and classifying after it.
            self._hand_out(before)
        build = self._open(event, str(details.get("title") or details.get("name") or ""))
        build.implicit = False
        build.opening.append(event.sequence)
        spec = details.get("spec") or details.get("description")
        build.spec = None if spec is None else str(spec)

    def _mcp(self, event: Event) -> None:
        call = tool_call(event.body)
        if call is None:
            self.free.append(event.sequence)
            return
        if call.tool == events.CREATE_PROJECT:
            self._create_project(event, call)
            return
        build = self._of_project(event, call) or self._current(event) or self._open(event)
        self._touch(build, event)
        if call.project is not None:
            build.projects.add(call.project)
        taker = {
            events.WRITE_FILE: self._write_file,
            events.READ_FILE: self._read_file,
            events.COMPILE: self._compile,
            events.READ_COMPILE: self._compile,
            events.CREATE_BACKTEST: self._backtest,
            events.READ_BACKTEST: self._backtest,
        }[call.tool]
        taker(build, event, call)

    def _create_project(self, event: Event, call: ToolCall) -> None:
        name = str(call.arguments.get("name") or "")
        waiting = (b for b in self.open if not b.projects and b.is_named(name))
        build = next(waiting, None) or self._working(event)
        if build is None or (build.implicit and build.projects):
            build = self._open(event, name)
        build = self._touch(build, event)
        build.names.add(_slug(name))
        build.projects.add(call.project or STUB)
        build.opening.append(event.sequence)

    def _write_file(self, build: OpenBuild, event: Event, call: ToolCall) -> None:
        content = call.arguments.get("content", call.arguments.get("file_content"))
        name = call.arguments.get("name", call.arguments.get("file_name"))
        attempt = self._attempt(build, event)
        if isinstance(content, str):
            if name == MAIN:
                attempt = self._holding(build, event, content)
            attempt.take_upload(str(name), content, call)
        attempt.records.append(event.sequence)

    def _holding(self, build: OpenBuild, event: Event, code: str) -> Attempt:
        """The attempt this code belongs to: the one in work, an earlier one that the host goes
        back to, or a new one for the same question, where the host changed the code itself."""
        attempt = self._attempt(build, event)
        if attempt.uploaded in (None, code):
            return attempt
        for earlier in reversed(build.attempts):
            if earlier.uploaded == code:
                build.active = earlier
                return earlier
        changed = build.begin(event, attempt.iteration)
        changed.prompt = attempt.prompt
        return changed

    def _read_file(self, build: OpenBuild, event: Event, call: ToolCall) -> None:
        attempt = self._attempt(build, event)
        content = call.file_read(MAIN)
        if content is not None:
            attempt.read_back = content
        attempt.records.append(event.sequence)

    def _compile(self, build: OpenBuild, event: Event, call: ToolCall) -> None:
        attempt = self._attempt(build, event)
        attempt.take_compile(call)
        attempt.records.append(event.sequence)

    def _backtest(self, build: OpenBuild, event: Event, call: ToolCall) -> None:
        key = call.backtest_id
        held = (attempt for attempt in reversed(build.attempts) if key in attempt.backtests)
        attempt = next(held, None) or self._attempt(build, event)
        attempt.take_backtest(call, event)
        attempt.records.append(event.sequence)

    def _coder(self, event: Event) -> None:
        folders = {str(PurePath(path).parent) for path in event.body.get("files") or ()}
        build = self._of_folder(event, folders) or self._working(event)
        build = self._touch(build or self._open(event, _name(folders)), event)
        build.folders |= folders
        attempt = self._attempt(build, event)
        if not attempt.empty:
            attempt = build.begin(event, build.iteration)
        attempt.prompt = str(event.body.get("prompt") or "")
        model = event.body.get("model")
        attempt.model = None if model is None else str(model)
        if event.body.get("raised"):
            attempt.error = str(event.body["raised"])
        attempt.records.append(event.sequence)

    def _coder_file(self, event: Event) -> None:
        folder = str(PurePath(str(event.body.get("path"))).parent)
        build = self._of_folder(event, {folder}) or self._current(event)
        build = self._touch(build or self._open(event, _name({folder})), event)
        asked = (attempt for attempt in reversed(build.attempts) if attempt.prompt is not None)
        attempt = next(asked, None) or self._attempt(build, event)
        text = event.body.get("text")
        if isinstance(text, str):
            attempt.left = text
        attempt.records.append(event.sequence)

    def _fitness(self, event: Event) -> None:
        tracker = event.body.get("tracker")
        known = (build for build in self.open if tracker in build.trackers)
        build = next(known, None) or self._current(event) or self._open(event)
        build = self._touch(build, event)
        build.trackers.add(tracker)
        iteration = _whole(event.body.get("iteration"))
        matching = (a for a in reversed(build.attempts) if a.iteration == iteration)
        attempt = next(matching, None) or self._attempt(build, event)
        attempt.take_fitness(event.body)
        attempt.records.append(event.sequence)

    def _error(self, event: Event) -> None:
        build = self._current(event)
        if build is None:
            self.free.append(event.sequence)
            return
        attempt = self._attempt(self._touch(build, event), event)
        attempt.take_error(event.body)
        attempt.records.append(event.sequence)

    def _main_end(self, event: Event) -> None:
        raised = event.body.get("raised")
        for build in list(self.open):
            self._hand_out(build, f"ended: {raised}" if raised else "unfinished")
        self.free.append(event.sequence)

    # Finding and making ------------------------------------------------------------------------

    def _open(self, event: Event, title: str = "") -> OpenBuild:
        build = OpenBuild(event.time_ns, event.sequence, event.start, title or "untitled")
        self.open.append(build)
        return self._touch(build, event)

    def _touch(self, build: OpenBuild, event: Event) -> OpenBuild:
        build.touched = self._clock
        self._threads[event.thread] = build
        return build

    def _current(self, event: Event) -> OpenBuild | None:
        build = self._threads.get(event.thread)
        return build or max(self.open, key=lambda found: found.touched, default=None)

    def _working(self, event: Event) -> OpenBuild | None:
        """The same, but none that is complete: for what can only be the start of something."""
        build = self._current(event)
        return None if build is None or build.finished else build

    def _named(self, details: Mapping[str, Any]) -> OpenBuild | None:
        project = details.get("project_id", details.get("projectId"))
        known = (build for build in self.open if str(project) in build.projects - {STUB})
        found = next(known, None) if project is not None else None
        return found or self._titled(str(details.get("title") or ""))

    def _titled(self, title: str, first: OpenBuild | None = None) -> OpenBuild | None:
        if first is not None and first.is_named(title):
            return first
        return next((build for build in reversed(self.open) if build.is_named(title)), None)

    def _of_project(self, event: Event, call: ToolCall) -> OpenBuild | None:
        if call.project is None or call.project == STUB:
            return None
        # The thread's own first: a host may use one project for everything.
        mine = self._threads.get(event.thread)
        others = sorted(self.open, key=lambda build: (build is not mine, -build.touched))
        return next((build for build in others if call.project in build.projects), None)

    def _of_folder(self, event: Event, folders: set[str]) -> OpenBuild | None:
        working = self._working(event)
        if working is not None and (not working.folders or working.folders & folders):
            # Before any other: a host may have one folder in which all builds take turns.
            return self._titled(_name(folders), working) or working
        return next((b for b in self.open if b.folders & folders and not b.finished), None)

    def _attempt(self, build: OpenBuild, event: Event) -> Attempt:
        return build.active or build.begin(event, build.iteration)

    # Handing out -------------------------------------------------------------------------------

    def _hand_out(self, build: OpenBuild, status: str | None = None) -> None:
        build.status = build.status or status
        self.open.remove(build)
        self._threads = {key: held for key, held in self._threads.items() if held is not build}
        records = [*build.opening]
        for attempt in build.attempts:
            records += attempt.records
        self._done.append(Done(build, tuple(build.attempts), tuple(records), True))

    def _bound_memory(self) -> None:
        if len(self.open) > MOST_OPEN:
            self._hand_out(min(self.open, key=lambda build: build.touched), "unfinished")
        for build in self.open:
            if len(build.attempts) > MOST_ATTEMPTS:
                early = build.attempts[: MOST_ATTEMPTS // 2]
                build.attempts = build.attempts[MOST_ATTEMPTS // 2 :]
                records = [number for attempt in early for number in attempt.records]
                self._done.append(Done(build, tuple(early), tuple(records), False))


def _slug(text: str) -> str:
    return re.sub(r"[\W_]+", "-", text).strip("-").lower()


def _name(folders: set[str]) -> str:
    return PurePath(min(folders)).name if folders else ""


def _whole(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if abs(value) < 2**63 else None
