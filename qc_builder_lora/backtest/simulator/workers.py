"""Many backtests at once: worker processes, each with a Simulator and a warm strategy process.

Processes, not threads: every backtest keeps an interpreter busy on our side as well.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from datetime import date
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from qc_builder_lora.backtest.protocol import BacktestResult, BacktestSettings, Limits
from qc_builder_lora.errors import BacktestError, SandboxUnavailable
from qc_builder_lora.records import BacktestStatus

_START = "from qc_builder_lora.backtest.simulator.workers import main; main()"
_ROOT = Path(__file__).parents[3]


def run_in_workers(
    data: Path,
    codes: Sequence[str],
    settings: BacktestSettings,
    jobs: int,
    progress: Callable[[int], None] | None,
    *,
    allow_open_sandbox: bool,
) -> Iterator[BacktestResult]:
    """Results in the order of `codes`; BacktestError when a worker dies."""
    work: SimpleQueue[int | None] = SimpleQueue()
    done: SimpleQueue[tuple[int, dict[str, Any] | BaseException]] = SimpleQueue()
    for number in range(len(codes)):
        work.put(number)
    setup = {
        "data": str(data.absolute()),
        "settings": _settings_out(settings),
        "allow_open_sandbox": allow_open_sandbox,
    }
    workers = [_Worker(setup) for _ in range(min(jobs, len(codes)))]
    for _ in workers:
        work.put(None)
    threads = [
        threading.Thread(target=worker.serve, args=(codes, work, done), daemon=True)
        for worker in workers
    ]
    for thread in threads:
        thread.start()
    try:
        yield from _in_order(len(codes), done, progress)
    finally:
        for worker in workers:
            worker.close()


def _in_order(
    count: int,
    done: SimpleQueue[tuple[int, dict[str, Any] | BaseException]],
    progress: Callable[[int], None] | None,
) -> Iterator[BacktestResult]:
    waiting: dict[int, BacktestResult] = {}
    following = 0
    for finished in range(1, count + 1):
        number, found = done.get()
        if isinstance(found, SandboxUnavailable):
            raise found
        if isinstance(found, BaseException):
            raise BacktestError(f"A backtest worker ended: {found}") from found
        waiting[number] = _result(found)
        if progress is not None:
            progress(finished)
        while following in waiting:
            yield waiting.pop(following)
            following += 1


class _Worker:
    """One child process; talks JSON lines over its pipes."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(_ROOT)!r}); {_START}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
        )
        self._send(setup)

    def serve(
        self,
        codes: Sequence[str],
        work: SimpleQueue[int | None],
        done: SimpleQueue[tuple[int, dict[str, Any] | BaseException]],
    ) -> None:
        """Work the queue off; runs in a thread that only waits."""
        number: int | None = None
        try:
            while (number := work.get()) is not None:
                self._send({"code": codes[number]})
                done.put((number, self._read()))
        except (OSError, ValueError, BacktestError) as error:
            done.put((number or 0, error))

    def _send(self, message: dict[str, Any]) -> None:
        stream = self._process.stdin
        assert stream is not None
        stream.write(json.dumps(message) + "\n")
        stream.flush()

    def _read(self) -> dict[str, Any]:
        stream = self._process.stdout
        assert stream is not None
        line = stream.readline()
        if not line:
            raise BacktestError(f"exit code {self._process.wait()}")
        found: dict[str, Any] = json.loads(line)
        if "no_sandbox" in found:
            raise SandboxUnavailable(*found["no_sandbox"])
        if "error" in found:
            raise BacktestError(found["error"])
        return found

    def close(self) -> None:
        """End it; its own strategy process ends with it."""
        self._process.terminate()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            _close_quietly(stream)


def _close_quietly(stream: IO[str] | None) -> None:
    if stream is not None:
        try:
            stream.close()
        except OSError:
            return


def _settings_out(settings: BacktestSettings) -> dict[str, Any]:
    limits = {item.name: getattr(settings.limits, item.name) for item in fields(Limits)}
    return {**settings.plain(), "limits": limits}


def _settings_in(plain: dict[str, Any]) -> BacktestSettings:
    days = {
        name: date.fromisoformat(plain[name]) if plain[name] else None for name in ("start", "end")
    }
    return BacktestSettings(
        **days,
        cash=plain["cash"],
        parameters=plain["parameters"],
        limits=Limits(**plain["limits"]),
    )


def _result(plain: dict[str, Any]) -> BacktestResult:
    plain["status"] = BacktestStatus(plain["status"])
    for name in ("orders", "trades", "logs", "missing_walls"):
        plain[name] = tuple(plain[name])
    plain["equity"] = tuple((day, value) for day, value in plain["equity"])
    return BacktestResult(**plain)


def main() -> None:
    """A worker's life: settings, then one line of code in and one line of result out, until EOF."""
    import io
    import os
    import signal

    from qc_builder_lora.backtest.sandbox.kernel import die_with_parent
    from qc_builder_lora.backtest.simulator.simulator import Simulator

    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lines = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="surrogateescape")
    # Nothing else may write where results go.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="surrogateescape")
    os.dup2(2, 1)
    setup = json.loads(lines.readline())
    settings = _settings_in(setup["settings"])
    simulator = Simulator(Path(setup["data"]), allow_open_sandbox=setup["allow_open_sandbox"])
    for line in lines:
        try:
            result = simulator.run(json.loads(line)["code"], settings)
            found = {item.name: getattr(result, item.name) for item in fields(BacktestResult)}
        except SandboxUnavailable as error:
            found = {"no_sandbox": [error.missing, error.why]}
        except BacktestError as error:
            found = {"error": str(error)}
        out.write(json.dumps(found) + "\n")
        out.flush()
    simulator.close()
