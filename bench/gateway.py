"""What the gateway and the chain add to a request: beside the same upstream called directly.

    python bench/gateway.py [--rate 100] [--seconds 10]

An OpenAI-compatible upstream on loopback that answers at once, a gateway in a process of its own,
and one client that sends `rate` requests a second at fixed moments, one second to the upstream and
one through the gateway in turn, so that whatever else the machine does hits both. Latency is
counted from the moment a request was due: a late one cannot hide. Prints milliseconds and the
ratio, and writes bench/results/gateway.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx2 as httpx

from qc_builder_lora.eval.statistics import quantile
from qc_builder_lora.files import write_json
from qc_builder_lora.models.chain import Chain
from qc_builder_lora.models.writer import Chunk, Draft, new_request

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
    import socket

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


def run(rate: int, seconds: int) -> dict[str, Any]:
    """Start both servers, measure, end them."""
    with tempfile.TemporaryDirectory() as folder:
        ports = _free_port(), _free_port()
        key_file = Path(folder) / "key"
        key_file.write_text("qcl-bench")
        upstream = f"http://127.0.0.1:{ports[0]}"
        gateway = f"http://127.0.0.1:{ports[1]}"
        environment = {
            **os.environ,
            "QC_LORA_HOME": folder,
            "QC_LORA_PROVIDERS": "local",
            "QC_LORA_LOCAL_URL": f"{upstream}/v1",
        }
        command = [sys.executable, "-m", "qc_builder_lora.cli", "serve", "--key-file"]
        command += [str(key_file), "--port", str(ports[1])]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        servers = [
            subprocess.Popen([sys.executable, "-c", UPSTREAM, str(ports[0])], **quiet),
            subprocess.Popen(command, env=environment, **quiet),
        ]
        try:
            _wait(upstream, {})
            _wait(gateway, {"Authorization": "Bearer qcl-bench"})
            urls = {"upstream": (upstream, "x"), "gateway": (gateway, "qcl-bench")}
            asyncio.run(measure(urls, rate, 2))
            return asyncio.run(measure(urls, rate, seconds))
        finally:
            for server in servers:
                server.terminate()
                server.wait()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--rate", type=int, default=100, help="requests a second to each")
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args()
    chain = chain_overhead(20_000)
    found = run(options.rate, options.seconds)
    rows = {
        name: {label: 1000 * _at(found[name], share) for label, share in
               (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))}
        for name in ("upstream", "gateway")
    }  # fmt: skip
    added = {label: rows["gateway"][label] - rows["upstream"][label] for label in rows["gateway"]}
    print(f"{'ms':<22}{'p50':>8}{'p90':>8}{'p99':>8}")
    for name, row in {**rows, "added by the gateway": added}.items():
        print(f"{name:<22}" + "".join(f"{value:8.2f}" for value in row.values()))
    print(f"ratio of the medians   {rows['gateway']['p50'] / rows['upstream']['p50']:8.2f}")
    print(f"chain in process, ms: p50 {chain['p50']:.3f}, p99 {chain['p99']:.3f}")
    print(f"failed requests: {found['failed']}")
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "load": os.getloadavg()[0],
        "rate": options.rate,
        "seconds": options.seconds,
        **rows,
        "added_ms": added,
        "chain_ms": chain,
        "failed": found["failed"],
    }
    write_json(RESULTS, json.loads(json.dumps(result)))


if __name__ == "__main__":
    main()
