"""Many backtests at once: worker processes, each with a Simulator and a warm strategy process.

Processes, not threads: every backtest keeps an interpreter busy on our side as well. A worker that
dies is replaced and its backtest tried again; after some tries the answer is unknown.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from datetime import date
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from qc_builder_lora.backtest.protocol import BacktestResult, BacktestSettings, Limits
from qc_builder_lora.backtest.simulator.endings import PAUSES_S
from qc_builder_lora.errors import BacktestError
from qc_builder_lora.log import get_logger
from qc_builder_lora.records import BacktestStatus

_START = "from qc_builder_lora.backtest.simulator.workers import main; main()"
_ROOT = Path(__file__).parents[3]
_SPARE_S = 60.0
"""What a worker may take on top of its tries at one backtest, before it is taken for hung."""

log = get_logger(__name__)
Answer = tuple[int, dict[str, Any] | BaseException]


def run_in_workers(
    data: Path,
    codes: Sequence[str],
    settings: BacktestSettings,
    jobs: int,
    progress: Callable[[int], None] | None,
    unknown: Callable[[str, str], BacktestResult],
    *,
    allow_open_sandbox: bool,
) -> Iterator[tuple[int, BacktestResult]]:
    """Each result as it is there, with its code's place; `unknown(code, reason)` where none is to
    be had.

    Each worker lets the canaries sing first; if one is wrong in any worker, all are unknown.
    """
    setup = {
        "data": str(data.absolute()),
        "settings": _settings_out(settings),
        "allow_open_sandbox": allow_open_sandbox,
        "first": codes[0],
    }
    patience_s = (len(PAUSES_S) + 1) * settings.limits.wall_s + _SPARE_S
    workers = [_Worker(setup, patience_s) for _ in range(min(jobs, len(codes)))]
    work: SimpleQueue[int | None] = SimpleQueue()
    for item in (*range(len(codes)), *(None for _ in workers)):
        work.put(item)
    done: SimpleQueue[Answer] = SimpleQueue()
    try:
        void = _first_words(workers)
        if void:
            yield from ((number, unknown(code, void)) for number, code in enumerate(codes))
            return
        for worker in workers:
            threading.Thread(target=worker.serve, args=(codes, work, done), daemon=True).start()
        yield from _as_they_end(codes, done, progress, unknown)
    finally:
        for worker in workers:
            worker.close()


def _first_words(workers: Sequence[_Worker]) -> str:
    """What the canaries sing in each worker: empty, or why the batch is void."""
    for worker in workers:
        try:
            worker.listen()
        except _Died as error:
            return f"infrastructure: {error}"
        except BacktestError as error:
            return str(error)
    return ""


def _as_they_end(
    codes: Sequence[str],
    done: SimpleQueue[Answer],
    progress: Callable[[int], None] | None,
    unknown: Callable[[str, str], BacktestResult],
) -> Iterator[tuple[int, BacktestResult]]:
    for finished in range(1, len(codes) + 1):
        number, found = done.get()
        if progress is not None:
            progress(finished)
        if isinstance(found, BaseException):
            yield number, unknown(codes[number], f"infrastructure: {found}")
        else:
            yield number, _result(found)


class _Worker:
    """One child process at a time; talks JSON lines over its pipes."""

    def __init__(self, setup: dict[str, Any], patience_s: float) -> None:
        self._setup = setup
        self._patience_s = patience_s
        self._closed = False
        self._changing = threading.Lock()
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(_ROOT)!r}); {_START}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
        )
        self._send(self._setup)

    def listen(self) -> None:
        """Wait until it is ready; BacktestError with the reason where its canaries are wrong, or
        it does not live that long."""
        for pause in (*PAUSES_S, None):
            try:
                self._read()
                return
            except _Died as error:
                if pause is None:
                    raise
                self._restart(pause, error)

    def serve(
        self, codes: Sequence[str], work: SimpleQueue[int | None], done: SimpleQueue[Answer]
    ) -> None:
        """Work the queue off; runs in a thread that only waits."""
        while (number := work.get()) is not None and not self._closed:
            done.put((number, self._backtest(codes[number])))

    def _backtest(self, code: str) -> dict[str, Any] | BaseException:
        for pause in (*PAUSES_S, None):
            try:
                self._send({"code": code})
                return self._read()
            except (OSError, ValueError, BacktestError) as error:
                if pause is None or self._closed:
                    return BacktestError(f"{error} Tried {len(PAUSES_S) + 1} times.")
                self._restart(pause, error)
                try:
                    self.listen()
                except BacktestError as silent:
                    return silent
        raise AssertionError("the loop above always returns")

    def _restart(self, pause_s: float, error: BaseException) -> None:
        log.warning("a backtest worker is replaced", because=str(error), in_s=pause_s)
        self._end()
        time.sleep(pause_s)
        with self._changing:
            # Not once it is closed: nobody would end it.
            if not self._closed:
                self._start()

    def _send(self, message: dict[str, Any]) -> None:
        stream = self._process.stdin
        assert stream is not None
        stream.write(json.dumps(message) + "\n")
        stream.flush()

    def _read(self) -> dict[str, Any]:
        stream = self._process.stdout
        assert stream is not None
        # It sends one line at a time, when asked: nothing can be left in the stream's buffer.
        if not select.select([stream], [], [], self._patience_s)[0]:
            raise _Died(f"A backtest worker did not answer for {self._patience_s:g} s.")
        line = stream.readline()
        if not line:
            raise _Died(f"A backtest worker ended with {_ending(self._process.wait())}.")
        found: dict[str, Any] = json.loads(line)
        if "void" in found:
            raise BacktestError(found["void"])
        return found

    def close(self) -> None:
        """End it for good; its own strategy process ends with it."""
        if sys.is_finalizing():
            # Threads stand still for good: what one of them holds is not waited for.
            self._process.kill()
            return
        with self._changing:
            self._closed = True
            self._end()

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            _close_quietly(stream)


class _Died(BacktestError):
    """A worker is gone, or as good as gone."""


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


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
        files=plain.get("files", {}),
    )


def _result(plain: dict[str, Any]) -> BacktestResult:
    plain["status"] = BacktestStatus(plain["status"])
    for name in ("orders", "trades", "logs", "missing_walls"):
        plain[name] = tuple(plain[name])
    plain["equity"] = tuple((day, value) for day, value in plain["equity"])
    return BacktestResult(**plain)


def main() -> None:
    """A worker's life: settings, the canaries' verdict out, then one line of code in and one line
    of result out, until EOF."""
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
    void = simulator.let_canaries_sing(setup["first"])
    _say(out, {"void": void} if void else {"ready": True})
    for line in lines:
        result = simulator.run(json.loads(line)["code"], settings)
        _say(out, {item.name: getattr(result, item.name) for item in fields(BacktestResult)})
    simulator.close()


def _say(out: IO[str], message: dict[str, Any]) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()
