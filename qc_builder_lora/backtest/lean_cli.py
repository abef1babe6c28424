"""The LEAN CLI as a Backtester: LEAN itself, in Docker on this machine, on a LEAN data folder.

Every backtest gets a folder of its own with a copy of the workspace's lean.json, the code and the
output; it is removed when the result was read. Dates and cash are the code's own. Needs `lean`,
Docker with LEAN's image, and a workspace that `lean init` made; what is missing is said, with its
cure, and the result is unknown.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

from qc_builder_lora.backtest.as_written import unfit_as_written
from qc_builder_lora.backtest.lean_faults import (
    NAME,
    fault,
    no_command,
    no_workspace,
    strategy_error,
)
from qc_builder_lora.backtest.lean_result import find_result, read_file
from qc_builder_lora.backtest.protocol import BacktestResult, BacktestSettings
from qc_builder_lora.errors import BacktestError, CorruptFile, EngineUnavailable, NotFound
from qc_builder_lora.ids import text_hash
from qc_builder_lora.records import BacktestStatus

CONFIG = "lean.json"
_DATA = re.compile(r'("data-folder"\s*:\s*)"((?:[^"\\]|\\.)*)"')
_LOOK_S = 0.05
_STOP_S = 20.0
"""Time the CLI has to end its container after each signal."""
_LARGEST_OUTPUT = 2_000_000
_LOGS = 2_000
_ALGORITHM_LOG = re.compile(r"(?:TRACE:: (?:Log|Debug): |Debug: |Log: )(.*)")


class LeanCli:
    """Backtests strategies with `lean backtest`."""

    name = NAME

    def __init__(
        self,
        home: Path,
        *,
        command: str = "lean",
        workspace: Path | None = None,
        data: Path | None = None,
        deadline_s: float = 3600.0,
    ) -> None:
        self._home = home / "lean"
        self._command = command
        self._workspace = workspace or _nearest(Path.cwd())
        self._data = data
        self._deadline_s = deadline_s
        self._stop = threading.Event()

    @cached_property
    def version(self) -> str:
        """Of the CLI; each result names the LEAN that made it."""
        try:
            done = subprocess.run(
                [self._command, "--version"],
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return "not installed"
        return done.stdout.strip() or "unknown"

    @cached_property
    def data_fingerprint(self) -> str | None:
        """Hash of the data folder's files, as the simulator takes it; None if it has none."""
        from qc_builder_lora.backtest.simulator.shelf import Shelf

        try:
            folder = self._data_folder()
            return None if folder is None else Shelf(folder).fingerprint()
        except (NotFound, CorruptFile, OSError):
            return None

    def check(self) -> None:
        """Raise EngineUnavailable now for what can be seen without running anything."""
        if shutil.which(self._command) is None:
            raise no_command(self._command)
        if not (self._workspace / CONFIG).is_file():
            raise no_workspace(str(self._workspace))

    def cancel(self) -> None:
        """Stop all backtests of this engine; it starts no others."""
        self._stop.set()

    def close(self) -> None:
        """Nothing is kept between backtests."""

    def run(self, code: str, settings: BacktestSettings | None = None) -> BacktestResult:
        """Backtest one piece of code; see the Backtester protocol."""
        chosen = settings or BacktestSettings()
        began = time.monotonic()
        unfit = unfit_as_written("the LEAN CLI", code, chosen)
        if unfit is not None:
            return self._result(code, began, unfit[0], unfit[1])
        folder = self._home / uuid4().hex
        try:
            self.check()
            self._prepare(folder, code)
            return self._backtest(folder, code, chosen, began)
        except EngineUnavailable as error:
            return self._result(code, began, BacktestStatus.UNKNOWN, str(error))
        finally:
            # Docker may have left files of root's behind; those stay.
            shutil.rmtree(folder, ignore_errors=True)

    def run_many(
        self,
        codes: Sequence[str],
        settings: BacktestSettings | None = None,
        *,
        jobs: int = 1,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[BacktestResult]:
        """Backtest many, `jobs` containers at a time; in order."""
        pool = ThreadPoolExecutor(max(1, jobs), thread_name_prefix=NAME)
        futures = [pool.submit(self.run, code, settings) for code in codes]
        try:
            for done, future in enumerate(futures, 1):
                yield future.result()
                if progress is not None:
                    progress(done)
        except BaseException:
            self._stop.set()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _prepare(self, folder: Path, code: str) -> None:
        config = (self._workspace / CONFIG).read_text("utf-8")
        data = self._data_folder()
        if data is not None:
            config = _DATA.sub(lambda match: match[1] + json.dumps(str(data)), config)
        try:
            (folder / "project").mkdir(parents=True)
            (folder / CONFIG).write_text(config, "utf-8")
            # Bytes, so that no line end is changed on the way.
            (folder / "project" / "main.py").write_bytes(code.encode("utf-8"))
        except OSError as error:
            raise BacktestError(f"{folder}: cannot be written ({error.strerror}).") from error

    def _data_folder(self) -> Path | None:
        if self._data is not None:
            return self._data.absolute()
        try:
            found = _DATA.search((self._workspace / CONFIG).read_text("utf-8"))
        except OSError:
            return None
        return None if found is None else (self._workspace / json.loads(f'"{found[2]}"')).absolute()

    def _backtest(
        self, folder: Path, code: str, settings: BacktestSettings, began: float
    ) -> BacktestResult:
        command = [self._command, "backtest", "project", "--no-update", "--output", "output"]
        for key, value in settings.parameters.items():
            command += ["--parameter", key, value]
        exit_code, output = self._call(command, folder, began)
        if exit_code is None:
            word = "cancelled" if self._stop.is_set() else (
                f"did not finish within {self._deadline_s:g} s; stopped."
            )  # fmt: skip
            return self._result(code, began, BacktestStatus.UNKNOWN, word)
        return self._read(folder, code, exit_code, output, began)

    def _call(self, command: list[str], folder: Path, began: float) -> tuple[int | None, str]:
        """Exit code (None if it was stopped) and output."""
        with (folder / "printed").open("w+b") as printed:
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=printed,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                stopped = self._wait(process, began)
            finally:
                if process.poll() is None:
                    _end(process)
            size = printed.seek(0, os.SEEK_END)
            printed.seek(max(0, size - _LARGEST_OUTPUT))
            text = printed.read().decode("utf-8", "replace")
        return (None if stopped else process.returncode), text

    def _wait(self, process: subprocess.Popen[bytes], began: float) -> bool:
        """Whether it has to be stopped."""
        while process.poll() is None:
            if self._stop.wait(_LOOK_S) or time.monotonic() - began > self._deadline_s:
                return True
        return False

    def _read(
        self, folder: Path, code: str, exit_code: int, output: str, began: float
    ) -> BacktestResult:
        try:
            path = find_result(folder / "output")
            lean = None if path is None else read_file(path)
        except CorruptFile as error:
            return self._result(code, began, BacktestStatus.UNKNOWN, str(error))
        if lean is None:
            printed = strategy_error(output)
            if printed is None:
                raise fault(output, exit_code, str(self._workspace))
            return self._result(code, began, BacktestStatus.FAILED, printed[1], phase=printed[0])
        ran = _read_back(folder)
        if ran is not None and text_hash(ran) != text_hash(code):
            raise EngineUnavailable(NAME, "main.py in LEAN's output is not what was given to it.")
        status, reason, phase = lean.verdict()
        more: dict[str, Any] = {}
        if status is BacktestStatus.COMPLETED:
            more = {
                "statistics": dict(lean.statistics),
                "trade_statistics": dict(lean.trade_statistics),
                "total_orders": lean.total_orders,
                "closed_trades": lean.closed_trades,
                "trades": lean.trades,
                "orders": lean.orders,
                "equity": lean.equity,
            }
        if lean.version:
            more["engine_version"] = f"LEAN {lean.version}"
        logs = tuple(match[1] for match in _ALGORITHM_LOG.finditer(output))
        return self._result(
            code, began, status, reason, phase=phase,
            logs=logs[:_LOGS], truncated=len(logs) > _LOGS, **more,
        )  # fmt: skip

    def _result(
        self, code: str, began: float, status: BacktestStatus, reason: str | None, *,
        phase: str = "load", **more: Any,
    ) -> BacktestResult:  # fmt: skip
        base: dict[str, Any] = {"engine_version": self.version}
        return BacktestResult(
            status=status, engine=NAME, data_fingerprint=self.data_fingerprint,
            code_sha256=text_hash(code), phase=phase, reason=reason,
            wall_s=time.monotonic() - began, **{**base, **more},
        )  # fmt: skip


def _nearest(folder: Path) -> Path:
    """The folder at or above this one that has a lean.json; itself where none has."""
    above = (one for one in (folder, *folder.parents) if (one / CONFIG).is_file())
    return next(above, folder)


def _read_back(folder: Path) -> str | None:
    """The code that the CLI copied beside LEAN's output, which is what LEAN ran."""
    try:
        return (folder / "output" / "code" / "main.py").read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt first: on that the CLI ends its container too."""
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, kind)
            process.wait(_STOP_S)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        return
