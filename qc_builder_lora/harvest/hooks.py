"""The hooks themselves: what is written down when the host calls one of its own functions.

Each hook lets the call through, then appends one record. It raises nothing of its own, touches
neither network nor database, changes no argument and no result, and does not show in the host's
tracebacks. Everything read out of the records is read later, by `qc_builder_lora.harvest.ingest`.
"""

from __future__ import annotations

import inspect
import itertools
import os
import subprocess
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import wrapt

from qc_builder_lora.harvest import events
from qc_builder_lora.harvest.coder import coder_call
from qc_builder_lora.harvest.spool import SpoolWriter

Fields = dict[str, Any]
Describe = Callable[[Mapping[str, Any], Any, Any], "Fields | None"]
"""From the named arguments, the instance and the result to what is written; None for nothing."""

LARGEST_FILE = 4 * 2**20
_TOO_LARGE = ("charts", "orders", "profitLoss", "rollingWindow")
_CARRIERS = ("result", "backtest", "structuredContent")


class _Bound(wrapt.BoundFunctionWrapper):  # type: ignore[type-arg]
    """A hooked method of an instance; pickles and copies as the method itself does."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        # An instance, or of a class method the class, however it was reached.
        owner = getattr(self.__wrapped__, "__self__", self._self_owner)
        return getattr, (owner, self.__name__)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memory: Any) -> Any:
        return self


class _Hooked(wrapt.FunctionWrapper):  # type: ignore[type-arg]
    """A hooked function; pickles by its name and copies to itself, as a function does."""

    __bound_function_wrapper__ = _Bound

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__wrapped__.__qualname__

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memory: Any) -> Any:
        return self

    def __repr__(self) -> str:
        return repr(self.__wrapped__)


class Hooks:
    """The hooks of one process, all writing to one spool."""

    def __init__(self, writer: SpoolWriter) -> None:
        self.writer = writer
        self.hooked: list[str] = []
        self._waiting: dict[int, list[_CoderFile]] = {}

    # Attaching ---------------------------------------------------------------------------------

    def attach(self, name: str, value: Any) -> Any:
        """The value to keep under this name of the host: hooked where it is one of ours."""
        if name in events.HOST_CLASSES and inspect.isclass(value):
            for method in events.HOST_CLASSES[name]:
                self._attach_method(value, name, method)
        elif name in events.HOST_FUNCTIONS:
            return self._attach_function(name, value)
        return value

    def attach_coder(self) -> None:
        """Listen to the processes the host starts; only a coder's are written down."""
        # On the method, not the class or `run`: whoever starts a process comes through here, and
        # `subprocess.Popen` stays the very same class.
        method = subprocess.Popen.__dict__["__init__"]
        if not isinstance(method, _Hooked):
            subprocess.Popen.__init__ = self._hooked_popen(method)  # type: ignore[method-assign]

    def _attach_method(self, owner: type, class_name: str, name: str) -> None:
        method = owner.__dict__.get(name)
        full = f"{class_name}.{name}"
        static = isinstance(method, staticmethod)
        function = method.__func__ if isinstance(method, staticmethod | classmethod) else method
        if isinstance(method, _Hooked) or isinstance(function, _Hooked):
            self._note(full)
        elif inspect.isfunction(function) and not inspect.iscoroutinefunction(function):
            kind, describe = _METHODS[full]
            names = _names(function, 0 if static else 1)
            # A static method is bound to nothing; the two others bind themselves.
            hooked = self._hooked(kind, function if static else method, describe, names)
            setattr(owner, name, staticmethod(hooked) if static else hooked)
            self._note(full)

    def _attach_function(self, name: str, function: Any) -> Any:
        if isinstance(function, _Hooked):
            self._note(name)
        elif inspect.isfunction(function) and not inspect.iscoroutinefunction(function):
            self._note(name)
            if name == "main":
                return self._hooked_main(function)
            kind, describe = _FUNCTIONS[name]
            return self._hooked(kind, function, describe, _names(function, 0))
        return function

    def _note(self, name: str) -> None:
        if name not in self.hooked:
            self.hooked.append(name)

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the host that were not there, or not of the kind that can be hooked."""
        return tuple(name for name in events.HOOKED_NAMES if name not in self.hooked)

    # Calling -----------------------------------------------------------------------------------

    def _hooked(self, kind: str, function: Any, describe: Describe, names: tuple[str, ...]) -> Any:
        """`names` are those of a call's arguments: a method's `self` is not among them."""
        record = self._record

        def call(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            started = time.perf_counter_ns()
            try:
                result = wrapped(*args, **kwargs)
            except BaseException as error:
                record(kind, describe, names, instance, args, kwargs, None, error, started)
                # The bare `raise` adds no line of ours to what the host may print of this.
                error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
                raise
            record(kind, describe, names, instance, args, kwargs, result, None, started)
            return result

        return _Hooked(function, call)

    def _record(
        self,
        kind: str,
        describe: Describe,
        names: tuple[str, ...],
        instance: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        result: Any,
        error: BaseException | None,
        started: int,
    ) -> None:
        try:
            elapsed = time.perf_counter_ns() - started
            named = {**dict(zip(names, args, strict=False)), **kwargs}
            fields = describe(named, instance, result)
            if fields is None:
                return
            if self._waiting:
                self._take_coder_files()
            fields["ms"] = elapsed / 1e6
            if error is not None:
                fields["raised"] = _error_text(error)
            self.writer.append(kind, fields)
        except Exception as failure:  # noqa: BLE001 (the host must not notice, whatever it is)
            self._count(failure)

    def _count(self, failure: Exception) -> None:
        self.writer.lost += 1
        self.writer.last_error = _error_text(failure)

    def _hooked_main(self, function: Any) -> Any:
        def call(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            self.mark(events.MAIN_START, self._about_main(function))
            try:
                result = wrapped(*args, **kwargs)
            except BaseException as error:
                self.mark(events.MAIN_END, {"raised": _error_text(error), "code": _code(error)})
                error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
                raise
            code = result if isinstance(result, int) else None
            self.mark(events.MAIN_END, {"code": code})
            return result

        return _Hooked(function, call)

    def _about_main(self, function: Any) -> Fields:
        code = getattr(function, "__code__", None)
        return {
            "host": getattr(code, "co_filename", None),
            "hooked": list(self.hooked),
            "missing": list(self.missing),
        }

    def mark(self, kind: str, fields: Fields, take_files: bool = True) -> None:
        """Append a record that is not the outcome of one call."""
        try:
            if take_files and self._waiting:
                self._take_coder_files()
            self.writer.append(kind, fields)
        except Exception as failure:  # noqa: BLE001 (the host must not notice, whatever it is)
            self._count(failure)

    # The coder ---------------------------------------------------------------------------------

    def _hooked_popen(self, method: Any) -> Any:
        names = _names(method, 1)

        def call(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            # Before the start: a quick coder has written its file when the call returns.
            fields = self._before_coder({**dict(zip(names, args, strict=False)), **kwargs})
            try:
                wrapped(*args, **kwargs)
            except BaseException as error:
                if fields is not None:
                    self.mark(events.CODER, {**fields, "raised": _error_text(error)})
                error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
                raise
            if fields is not None:
                self.mark(events.CODER, fields, take_files=False)

        return _Hooked(method, call)

    def _before_coder(self, named: Mapping[str, Any]) -> Fields | None:
        try:
            folder = os.path.abspath(os.fsdecode(named.get("cwd") or "."))  # noqa: PTH100
            call = coder_call(named.get("args"), bool(named.get("shell")), folder)
            if call is None:
                return None
            self._take_coder_files()
            self._waiting[threading.get_ident()] = [_CoderFile(path) for path in call.files]
        except Exception as failure:  # noqa: BLE001 (the host must not notice, whatever it is)
            self._count(failure)
            return None
        return {"prompt": call.prompt, "model": call.model, "files": list(call.files)}

    def _take_coder_files(self) -> None:
        """Write down what the coder left, seen at the host's next step: the host may overwrite
        the file without ever uploading it."""
        for file in self._waiting.pop(threading.get_ident(), ()):
            fields = file.fields()
            if fields is not None:
                self.writer.append(events.CODER_FILE, fields)


class _CoderFile:
    """A file that a coder may be writing, and what it looked like before."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._before = _stamp(path)

    def fields(self) -> Fields:
        after = _stamp(self._path)
        if after is None:
            return {"path": self._path, "missing": True}
        if after[1] > LARGEST_FILE:
            return {"path": self._path, "bytes": after[1]}
        with open(self._path, "rb") as file:  # noqa: PTH123
            text = file.read().decode("utf-8", "replace")
        return {"path": self._path, "text": text, "changed": after != self._before}


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _names(function: Any, skip: int) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)[skip:]


def _error_text(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 (a host's own exception may not be printable)
        return type(error).__name__


def _code(error: BaseException) -> Any:
    """The exit code the interpreter will leave with for what escaped from `main`."""
    if not isinstance(error, SystemExit):
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    if error.code is None:
        return 0
    return error.code if isinstance(error.code, int) else 1


# What is written for each call -----------------------------------------------------------------


def _describe_fitness(named: Mapping[str, Any], instance: Any, result: Any) -> Fields:
    return {
        "version": named.get("version"),
        "sharpe": named.get("sharpe"),
        "iteration": named.get("iteration"),
        "tracker": _number_of(instance),
    }


def _describe_rollback(named: Mapping[str, Any], instance: Any, result: Any) -> Fields:
    return {"answer": result, "tracker": _number_of(instance)}


_numbers = itertools.count(1)
_numbered: dict[int, tuple[weakref.ref[Any], int]] = {}


def _number_of(instance: Any) -> int:
    """A number of its own for each living instance; `id` alone comes again for a later one."""
    known = _numbered.get(id(instance))
    if known is not None and known[0]() is instance:
        return known[1]
    key, number = id(instance), next(_numbers)
    try:
        _numbered[key] = weakref.ref(instance, lambda dead: _forget(key, dead)), number
    except TypeError:
        # A class with slots and no place for weak references.
        return key
    return number


def _forget(key: int, dead: weakref.ref[Any]) -> None:
    if key in _numbered and _numbered[key][0] is dead:
        del _numbered[key]


def _describe_classify(named: Mapping[str, Any], instance: Any, result: Any) -> Fields:
    return {"message": named.get("error_msg"), "class": result}


def _describe_error(named: Mapping[str, Any], instance: Any, result: Any) -> Fields:
    return {"message": named.get("error_msg"), "class": named.get("classification")}


def _describe_notify(named: Mapping[str, Any], instance: Any, result: Any) -> Fields:
    return {"event": named.get("event"), "details": named.get("details")}


def _describe_mcp(named: Mapping[str, Any], instance: Any, result: Any) -> Fields:
    method, params = named.get("method"), named.get("params")
    tool = method
    if method == "tools/call" and isinstance(params, Mapping):
        tool = params.get("name")
    fields: Fields = {"server": named.get("mcp_name"), "tool": tool}
    if events.tool_named(tool) is None:
        # Other tools' arguments and answers are none of our business.
        return fields
    return {**fields, "params": params, "answer": _trimmed(result)}


def _trimmed(answer: Any, depth: int = 0) -> Any:
    """Without the series that make an answer megabytes long and that nobody reads here."""
    if not isinstance(answer, Mapping) or depth > 3:
        return answer
    return {
        key: _trimmed(value, depth + 1) if key in _CARRIERS else value
        for key, value in answer.items()
        if key not in _TOO_LARGE
    }


_METHODS: dict[str, tuple[str, Describe]] = {
    "FitnessTracker.record": (events.FITNESS, _describe_fitness),
    "FitnessTracker.should_rollback": (events.ROLLBACK, _describe_rollback),
    "ErrorClassifier.classify": (events.CLASSIFIED, _describe_classify),
    "ErrorClassifier.record_error": (events.ERROR, _describe_error),
}
_FUNCTIONS: dict[str, tuple[str, Describe]] = {
    "notify_build_progress": (events.NOTIFIED, _describe_notify),
    "call_mcp_with_retry": (events.MCP, _describe_mcp),
}
