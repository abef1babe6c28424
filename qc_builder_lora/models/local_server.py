"""Starts, watches and ends the llama.cpp child process, and says in words why it failed.

Knows nothing of requests: whoever wants an answer calls `ensure` and then talks to `url` with
`key`. A child that dies is started again by the next `ensure`; one that dies again and again is
left alone for a growing while, so that a poisonous prompt does not keep the machine busy loading.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import os
import secrets
import select
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import qc_builder_lora
from qc_builder_lora.errors import MissingExtra, ProviderError
from qc_builder_lora.models.artefact import Artefact, check_gguf

_SERVING = (("starlette", "starlette", "serve"), ("uvicorn", "uvicorn", "serve"))
_LIBRARIES = {
    "llama-cpp-python": (("llama_cpp", "llama-cpp-python", "serve"), *_SERVING),
    "xllamacpp": (("xllamacpp", "xllamacpp", "batch"), *_SERVING),
}
"""What each engine needs: module, library, extra."""
_KEPT_LINES, _LINE_BYTES, _QUOTED_LINES = 200, 2000, 6
_STABLE_S = 60.0
_LONGEST_REST_S = 60.0
_NO_MEMORY = (
    "bad_alloc",
    "memoryerror",
    "out of memory",
    "insufficient memory",
    "cannot allocate memory",
    "failed to allocate",
    "unable to allocate",
    "failed to map segment",
)


class Child(Protocol):
    """What a Writer needs of a llama.cpp child: LocalServer's, or a part in one that is shared."""

    artefact: Artefact

    @property
    def key(self) -> str:
        """The key of its HTTP surface."""

    @property
    def url(self) -> str:
        """Where it answers, ending in `/v1`, to be asked for after `ensure`."""

    @property
    def pid(self) -> int | None:
        """The process, None while there is none."""

    @property
    def loading(self) -> bool:
        """Whether it runs and cannot answer yet."""

    @property
    def ready(self) -> bool:
        """Whether `ensure` would return at once; never waits."""

    def ensure(self, timeout_s: float = 180.0) -> None:
        """Return once it answers; see LocalServer."""

    def healthy(self) -> bool:
        """Whether it says that it can answer."""

    def stop(self) -> None:
        """Use it no longer."""


class LocalServer:
    """One supervised child with one model."""

    def __init__(
        self,
        artefact: Artefact,
        *,
        context: int = 4096,
        threads: int = 0,
        memory_mb: int = 0,
        niceness: int = 0,
        engine: str = "llama-cpp-python",
        slots: int = 1,
        adapters: Mapping[str, Path] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`niceness` of the child, 0 to 19: a shadow's leaves the CPUs to everybody else. `slots`
        requests are answered at once by the engine `xllamacpp`, one by `llama-cpp-python`.
        `adapters` are GGUF LoRA files by the model name they answer to.
        """
        self.artefact = artefact
        self._key = secrets.token_urlsafe(32)
        self._options = {"context": context, "threads": threads, "memory-mb": memory_mb}
        self._options.update({"slots": slots})
        self._engine, self._adapters = engine, dict(adapters or {})
        self._memory_mb, self._niceness = memory_mb, niceness
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._child: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._ready = False
        self._started_at = 0.0
        self._crashes = 0
        self._rest_until = 0.0
        self._last_words = "it was stopped"
        self._tail: deque[str] = deque(maxlen=_KEPT_LINES)

    @property
    def key(self) -> str:
        """The key that its HTTP surface wants, made anew for each object."""
        return self._key

    @property
    def url(self) -> str:
        """Where the child answers, to be asked for after `ensure`."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        child = self._child
        return child.pid if child and child.poll() is None else None

    @property
    def stderr_tail(self) -> tuple[str, ...]:
        """The last lines the child wrote to standard error."""
        return tuple(self._tail)

    def ensure(self, timeout_s: float = 180.0) -> None:
        """Return once the model answers; start or restart the child where that is needed.

        Raises NotFound or CorruptFile for the file, MissingExtra for the libraries, ProviderError
        `refused` when the child cannot be started or is resting, `overloaded` when the model is
        still loading after `timeout_s` seconds (it goes on loading).
        """
        end = self._clock() + timeout_s
        with self._lock:
            self._note_death()
            if self._child is None:
                self._start(timeout_s)
        self._wait_until_ready(end)

    @property
    def loading(self) -> bool:
        """Whether a child runs that cannot answer yet."""
        return self.pid is not None and not self._ready

    @property
    def ready(self) -> bool:
        """Whether `ensure` would return at once; never waits."""
        return self._ready and self.pid is not None

    def healthy(self) -> bool:
        """Whether the child says that its model is loaded."""
        if self.pid is None:
            return False
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def add_adapter(self, name: str, path: Path, timeout_s: float = 60.0) -> None:
        """Answer to one more model name, with this GGUF LoRA; a child started later has it too.

        Raises ProviderError where the running child refuses it.
        """
        if self.pid is not None:
            asked = {"lora_name": name, "lora_path": str(path)}
            self._tell("load_lora_adapter", asked, timeout_s)
        self._adapters[name] = path

    def remove_adapter(self, name: str, timeout_s: float = 60.0) -> None:
        """Answer to that name no more; requests for it that wait already are answered."""
        if self._adapters.pop(name, None) is not None and self.pid is not None:
            self._tell("unload_lora_adapter", {"lora_name": name}, timeout_s)

    def _tell(self, route: str, body: Mapping[str, str], timeout_s: float) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout_s)
        try:
            headers = {"Authorization": f"Bearer {self.key}"}
            connection.request("POST", f"/v1/{route}", json.dumps(body), headers)
            response = connection.getresponse()
            content = response.read()
            if response.status != 200:
                told = json.loads(content)["error"]["message"]
                raise ProviderError("local", "refused", str(told))
        except (OSError, http.client.HTTPException) as error:
            raise self._failure(f"it did not answer to {route}: {error}") from error
        finally:
            connection.close()

    def stop(self) -> None:
        """End the child, if there is one, and nobody else's."""
        with self._lock:
            child, self._child, self._ready = self._child, None, False
            # A fork of this process holds the same object, but the child is not its own.
            if child is None or os.getpid() != self._owner:
                return
            _end(child)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _note_death(self) -> None:
        if self._child is not None and self._child.poll() is not None:
            self._bury(self._child, self._why(self._child))

    def _bury(self, child: subprocess.Popen[bytes], fact: str) -> None:
        """Take a child that is of no use out of service, and say when the next may be started."""
        _end(child)
        self._child, self._ready, self._last_words = None, False, fact
        lasted = self._clock() - self._started_at
        self._crashes = 1 if lasted >= _STABLE_S else self._crashes + 1
        # The first death is forgiven at once; after that 1, 2, 4 … seconds.
        rest = 0.0 if self._crashes < 2 else min(2.0 ** (self._crashes - 2), _LONGEST_REST_S)
        self._rest_until = self._clock() + rest

    def _start(self, timeout_s: float) -> None:
        left = self._rest_until - self._clock()
        if left > 0:
            raise ProviderError(
                "local",
                "refused",
                f"the llama.cpp child died {self._crashes} times ({self._last_words}); "
                f"it is started again in {left:.0f} s.",
            )
        check_gguf(self.artefact.path)
        for module, library, extra in _LIBRARIES[self._engine]:
            if importlib.util.find_spec(module) is None:
                raise MissingExtra(extra, library)
        self._tail.clear()
        self._started_at = self._clock()
        self._child = self._spawn()
        threading.Thread(target=self._keep_tail, args=(self._child,), daemon=True).start()
        self._port = self._handshake(self._child, timeout_s)

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "qc_builder_lora.models.llama_server"]
        command += ["--model", str(self.artefact.path), "--id", self.artefact.id]
        command += ["--template", self.artefact.template]
        command += ["--engine", self._engine]
        for name, value in self._options.items():
            command += [f"--{name}", str(value)]
        for name, path in self._adapters.items():
            command += ["--adapter", f"{name}={path}"]
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(os.environ),
            # Of its own session: a Ctrl-C in the terminal is for the builder, not for it.
            start_new_session=True,
        )
        if self._niceness:
            # Before it has threads: they inherit it.
            os.setpriority(os.PRIO_PROCESS, child.pid, self._niceness)
        return child

    def _keep_tail(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stderr is not None
        while line := child.stderr.readline(_LINE_BYTES):
            text = line.decode("utf-8", "replace").strip()
            if text:
                self._tail.append(text)
        child.stderr.close()

    def _handshake(self, child: subprocess.Popen[bytes], timeout_s: float) -> int:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps({"key": self.key}).encode() + b"\n")
            child.stdin.flush()
        except BrokenPipeError:
            pass  # it is dead already; why is said below
        ready, _, _ = select.select([child.stdout], [], [], timeout_s)
        line = child.stdout.readline() if ready else b""
        child.stdout.close()
        if line:
            return int(json.loads(line)["port"])
        self._bury(
            child,
            self._why(child) if ready else f"it did not start within {timeout_s:.0f} s",
        )
        raise self._failure(self._last_words)

    def _wait_until_ready(self, end: float) -> None:
        while not self._ready:
            if self.pid is None:
                with self._lock:
                    self._note_death()
                raise self._failure(self._last_words)
            if self.healthy():
                self._ready = True
                return
            if self._clock() >= end:
                raise ProviderError(
                    "local", "overloaded", f"{self.artefact.path.name} is still loading."
                )
            self._sleep(0.05)

    def _failure(self, fact: str) -> ProviderError:
        return ProviderError(
            "local", "refused", f"llama.cpp cannot serve {self.artefact.path}: {fact}."
        )

    def _why(self, child: subprocess.Popen[bytes]) -> str:
        """How a dead child ended, in words, with what it last said."""
        code = child.wait(timeout=10)
        # The reader may be a moment behind the death it is to explain.
        self._sleep(0.1)
        said = [line for line in self._tail if not line.startswith('{"failed"')]
        quoted = " | ".join(said[-_QUOTED_LINES:])
        if any(word in line.lower() for line in self._tail for word in _NO_MEMORY):
            limit = f"its limit is {self._memory_mb} MB" if self._memory_mb else "no limit was set"
            return (
                f"out of memory ({limit}; see QC_LORA_LOCAL_MEMORY_MB, or ask for a smaller "
                f"QC_LORA_LOCAL_CONTEXT or a smaller quantisation): {quoted}"
            )
        if code == -signal.SIGKILL:
            return f"it was killed, perhaps by the kernel for lack of memory: {quoted or 'silent'}"
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"it ended with {how}: {_failed_fact(self._tail) or quoted or 'silent'}"


def _failed_fact(lines: deque[str]) -> str:
    told = [line for line in lines if line.startswith('{"failed"')]
    said = [line for line in lines if not line.startswith('{"failed"')]
    if not told:
        return ""
    return " | ".join([str(json.loads(told[-1])["fact"]), *said[-_QUOTED_LINES:]])


def _end(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe:
            with contextlib.suppress(BrokenPipeError):  # it died with our last words unread
                pipe.close()
    try:
        child.wait(timeout=3)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _environment(outer: Mapping[str, str]) -> dict[str, str]:
    """The child's environment: our package importable, no key of a hosted model in it."""
    kept = {k: v for k, v in outer.items() if not k.endswith(("_API_KEY", "_TOKEN", "_SECRET"))}
    home = str(Path(qc_builder_lora.__file__).resolve().parent.parent)
    before = kept.get("PYTHONPATH")
    kept["PYTHONPATH"] = os.pathsep.join([home, before] if before else [home])
    # llama.cpp's threads spin while they wait for one another. Beside one other busy process on
    # two cores that cost nine tenths of the speed: 4 against 41 tokens a second, measured.
    kept.setdefault("OMP_WAIT_POLICY", "passive")
    return kept
