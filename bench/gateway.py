"""What the gateway and the chain add to a request: beside the same upstream called directly.

    python bench/gateway.py [--rate 100] [--seconds 10] [--profile FILE]

An OpenAI-compatible upstream on loopback that answers at once, gateways in processes of their own,
and one client that sends `rate` requests a second at fixed moments, one second to the upstream and
one through each gateway in turn, so that whatever else the machine does hits all. Latency is
counted from the moment a request was due: a late one cannot hide. What a busy machine hardly
changes is the CPU time that each process takes for a request, which is shown beside.

First the plain gateway, with two proxies that only pass on (`bench/proxies.py`): the bare one is
the floor of what any gateway in Python adds here. Then four gateways at a quarter of the rate:
without a shadow, and with one that answers, is dead (refuses connections) or hangs (takes the
request and never answers), each asked for every request. Prints milliseconds and ratios, and
writes bench/results/gateway.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx

from qc_builder_lora.eval.statistics import quantile
from qc_builder_lora.files import write_json
from qc_builder_lora.models.chain import Chain
from qc_builder_lora.models.writer import Chunk, Draft, new_request

KEY = "qcl-bench"
SHADOW = {
    "QC_LORA_SHADOW_SHARE": "1",
    "QC_LORA_SHADOW_MODEL": "openai",
    "QC_LORA_SHADOW_DAILY_USD": "1000",
    "OPENAI_API_KEY": "sk-bench",
}
PROXIES = Path(__file__).with_name("proxies.py")
SHARES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))
RESULTS = Path(__file__).with_name("results") / "gateway.json"
BODY = {"model": "qc-lora", "messages": [{"role": "user", "content": "Buy SPY"}]}
UPSTREAM = """
import json, sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x = 1"}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}}
async def chat(request):
    await request.body()
    return JSONResponse(answer)
async def models(request):
    return JSONResponse({"object": "list", "data": [{"id": "m", "object": "model"}]})
app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"]),
                        Route("/v1/models", models)])
uvicorn.run(app, port=int(sys.argv[1]), log_level="error")
"""


class Instant:
    """A Writer that has its answer ready."""

    name, model = "local", "m"
    draft = Draft(text="x", code="x", provider="local", model="m", prompt_tokens=1,
                  completion_tokens=1)  # fmt: skip

    def write(self, request: Any, *, max_tokens: int, deadline_s: float) -> Draft:
        return self.draft

    def stream(self, request: Any, *, max_tokens: int, deadline_s: float) -> Any:
        yield Chunk(text="x", draft=self.draft)

    async def write_async(self, request: Any, *, max_tokens: int, deadline_s: float) -> Draft:
        return self.draft

    async def stream_async(self, request: Any, *, max_tokens: int, deadline_s: float) -> Any:
        yield Chunk(text="x", draft=self.draft)


def chain_overhead(calls: int) -> dict[str, float]:
    """Milliseconds of `Chain.write` over the Writer alone, call by call."""
    chain, request = Chain([Instant()]), new_request("Buy SPY")
    writer, added = Instant(), []
    for _ in range(calls):
        start = time.perf_counter()
        writer.write(request, max_tokens=1, deadline_s=1)
        middle = time.perf_counter()
        chain.write(request)
        added.append((time.perf_counter() - middle) - (middle - start))
    return {name: 1000 * _at(added, share) for name, share in (("p50", 0.5), ("p99", 0.99))}


async def measure(urls: dict[str, tuple[str, str]], rate: int, seconds: int) -> dict[str, Any]:
    """Latencies in seconds by name; each is sent to every other second."""
    found: dict[str, list[float]] = {name: [] for name in urls}
    failed = 0
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:

        async def one(name: str, due: float) -> None:
            nonlocal failed
            url, key = urls[name]
            headers = {"Authorization": f"Bearer {key}"}
            answer = await client.post(f"{url}/v1/chat/completions", json=BODY, headers=headers)
            failed += answer.status_code != 200
            found[name].append(asyncio.get_running_loop().time() - due)

        names, tasks = list(urls), []
        begin = asyncio.get_running_loop().time() + 0.2
        for number in range(rate * seconds * len(names)):
            due = begin + number / rate
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            tasks.append(asyncio.create_task(one(names[number // rate % len(names)], due)))
        await asyncio.gather(*tasks)
    return {"failed": failed, **found}


def _at(values: list[float], share: float) -> float:
    found = quantile(values, share)
    assert found is not None
    return found


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait(url: str, headers: dict[str, str]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if httpx.get(f"{url}/v1/models", headers=headers, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise SystemExit(f"{url} did not come up")


class Servers:
    """Processes of one run, ended with it."""

    def __init__(self, folder: str, profile: Path | None = None) -> None:
        self._folder, self._profile = Path(folder), profile
        self._running: list[subprocess.Popen[bytes]] = []
        self.pids: dict[str, int] = {}
        """Processes by name."""
        self.upstream = self._upstream()

    def _upstream(self) -> str:
        port = _free_port()
        self._start("upstream", [sys.executable, "-c", UPSTREAM, str(port)])
        _wait(url := f"http://127.0.0.1:{port}", {})
        return url

    def proxy(self, kind: str) -> tuple[str, str]:
        """Address, and any key, of a proxy of that kind in front of the upstream."""
        port, upstream = _free_port(), self.upstream.rpartition(":")[2]
        self._start(kind, [sys.executable, str(PROXIES), kind, str(port), upstream])
        _wait(url := f"http://127.0.0.1:{port}", {})
        return url, "x"

    def gateway(self, name: str, **settings: str) -> tuple[str, str]:
        """Address and key of one more gateway in front of the upstream."""
        home, port = self._folder / name, _free_port()
        home.mkdir()
        (home / "key").write_text(KEY)
        environment = {
            "QC_LORA_HOME": str(home),
            "QC_LORA_PROVIDERS": "local",
            "QC_LORA_LOCAL_URL": f"{self.upstream}/v1",
            **settings,
        }
        profiled = ["-m", "cProfile", "-o", str(self._profile)] if self._profile else []
        command = [sys.executable, *profiled, "-m", "qc_builder_lora.cli", "serve"]
        command += ["--key-file", str(home / "key"), "--port", str(port)]
        self._start(name, command, environment)
        _wait(url := f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {KEY}"})
        return url, KEY

    def _start(
        self, name: str, command: list[str], environment: dict[str, str] | None = None
    ) -> None:
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        given = {**os.environ, **(environment or {})}
        # A session each: by those Linux shares the CPUs first, and each is to have its own part.
        self._running.append(
            subprocess.Popen(command, env=given, cwd=self._folder, start_new_session=True, **quiet)
        )
        self.pids[name] = self._running[-1].pid

    def end(self) -> None:
        for server in self._running:
            server.send_signal(signal.SIGINT)
        for server in self._running:
            server.wait()


def overhead(rate: int, seconds: int, profile: Path | None) -> tuple[dict[str, Any], Any]:
    """The upstream itself, and through each proxy and a gateway; CPU milliseconds a request."""
    with tempfile.TemporaryDirectory() as folder:
        servers = Servers(folder, profile)
        try:
            urls = {"upstream": (servers.upstream, "x")}
            urls |= {kind: servers.proxy(kind) for kind in ("bare", "httpx2")}
            urls["gateway"] = servers.gateway("gateway")
            asyncio.run(measure(urls, rate, 2))
            before = {name: cpu_ms(pid) for name, pid in servers.pids.items()}
            found = asyncio.run(measure(urls, rate, seconds))
            used = {name: cpu_ms(pid) - before[name] for name, pid in servers.pids.items()}
            used["upstream"] /= len(urls)  # It answers for all of them.
            return found, {name: value / (rate * seconds) for name, value in used.items()}
        finally:
            servers.end()


def cpu_ms(pid: int) -> float:
    """CPU time that a process has taken, all threads together, milliseconds."""
    clocks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(clock.read_text().split()[0]) for clock in clocks) / 1e6


def beside_a_shadow(rate: int, seconds: int) -> dict[str, Any]:
    """What the foreground waits while a shadow is well, dead or hanging."""
    with tempfile.TemporaryDirectory() as folder, _hanging() as hanging:
        servers = Servers(folder)
        try:
            urls = {"no shadow": servers.gateway("none")}
            shadows = {
                "shadow that answers": servers.upstream,
                "dead shadow": f"http://127.0.0.1:{_free_port()}",
                "hanging shadow": hanging,
            }
            for name, url in shadows.items():
                urls[name] = servers.gateway(name.replace(" ", "-"), **SHADOW,
                                             QC_LORA_OPENAI_URL=f"{url}/v1")  # fmt: skip
            asyncio.run(measure(urls, rate, 1))
            return asyncio.run(measure(urls, rate, seconds))
        finally:
            servers.end()


@contextmanager
def _hanging() -> Iterator[str]:
    """A server that takes every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def rows_of(found: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Milliseconds by name and percentile."""
    return {
        name: {label: 1000 * _at(values, share) for label, share in SHARES}
        for name, values in found.items()
        if name != "failed"
    }


def added_by(name: str, rows: dict[str, dict[str, float]]) -> dict[str, float]:
    """Milliseconds over the upstream itself, by percentile."""
    return {label: value - rows["upstream"][label] for label, value in rows[name].items()}


def show(rows: dict[str, dict[str, float]], cpu: dict[str, float] | None = None) -> None:
    """A table in milliseconds; the ratios are to the first row."""
    first = next(iter(rows.values()))
    print(
        f"{'ms':<22}"
        + "".join(f"{label:>8}" for label in first)
        + f"{'p50 ratio':>11}{'p99 ratio':>11}"
        + (f"{'CPU time':>11}" if cpu else "")
    )
    for name, row in rows.items():
        values = "".join(f"{value:8.2f}" for value in row.values())
        ratios = "".join(f"{row[label] / first[label]:11.2f}" for label in ("p50", "p99"))
        print(f"{name:<22}{values}{ratios}" + (f"{cpu[name]:11.2f}" if cpu else ""))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--rate", type=int, default=100, help="requests a second to each")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--profile", type=Path, help="cProfile of the plain gateway; slows it")
    options = parser.parse_args()
    chain = chain_overhead(20_000)
    found, cpu = overhead(options.rate, options.seconds, options.profile)
    rows = rows_of(found)
    added = {name: added_by(name, rows) for name in rows if name != "upstream"}
    show(rows, cpu)
    for name, row in added.items():
        print(f"{f'added by {name}':<22}" + "".join(f"{value:8.2f}" for value in row.values()))
    print(f"chain in process, ms: p50 {chain['p50']:.3f}, p99 {chain['p99']:.3f}")
    shadowed = beside_a_shadow(max(1, options.rate // 4), options.seconds)
    show(rows_of(shadowed))
    print(f"failed requests: {found['failed'] + shadowed['failed']}")
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "load": os.getloadavg()[0],
        "rate": options.rate,
        "seconds": options.seconds,
        **rows,
        "added_ms": added["gateway"],
        "added_by_proxies_ms": {name: added[name] for name in ("bare", "httpx2")},
        "cpu_ms": cpu,
        "chain_ms": chain,
        "beside_a_shadow": rows_of(shadowed),
        "failed": found["failed"] + shadowed["failed"],
    }
    write_json(RESULTS, json.loads(json.dumps(result)))


if __name__ == "__main__":
    main()
