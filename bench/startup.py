"""What `import qc_builder_lora` costs a fresh interpreter, beside starting the interpreter alone.

    python bench/startup.py [--runs 20]

Prints a table in milliseconds and writes bench/results/startup.json. Every run is a new process,
the kinds in turn, so that whatever else the machine does hits all; one run of each goes before,
for the byte code and the page cache. `import` is the statement by its own clock and what the
target is about; the other rows are whole processes, the bare one being the peer. The exit code is
1 when the median import takes longer than the target.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from qc_builder_lora.files import write_json

RESULTS = Path(__file__).with_name("results") / "startup.json"
TARGET_MS = 150.0
IMPORT = "import qc_builder_lora"
TIMED = f"import time; t = time.perf_counter(); {IMPORT}; print(1000 * (time.perf_counter() - t))"
PROCESSES = {
    "bare interpreter": ["-c", "pass"],
    "interpreter and import": ["-c", IMPORT],
    "qc-lora --help": ["-m", "qc_builder_lora.cli", "--help"],
}


def process_ms(arguments: list[str]) -> float:
    """Wall time of a whole process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - began)


def import_ms() -> float:
    """The import statement alone, timed inside a new process."""
    done = subprocess.run(
        [sys.executable, "-c", TIMED], check=True, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout)


def measure(runs: int) -> dict[str, list[float]]:
    """Milliseconds of every run, the first of each kind thrown away."""
    times: dict[str, list[float]] = {"import": [], **{name: [] for name in PROCESSES}}
    for _ in range(runs + 1):
        times["import"].append(import_ms())
        for name, arguments in PROCESSES.items():
            times[name].append(process_ms(arguments))
    return {name: found[1:] for name, found in times.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description="Time the import.")
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    times = measure(runs)
    peer = statistics.median(times["bare interpreter"])
    rows = {
        name: {
            "median_ms": round(statistics.median(found), 1),
            "worst_ms": round(max(found), 1),
            "times_bare": round(statistics.median(found) / peer, 2),
        }
        for name, found in times.items()
    }
    print(f"{runs} fresh processes, ms{'':<3}" + "".join(f"{k:>12}" for k in rows["import"]))
    for name, figures in rows.items():
        print(f"{name:<26}" + "".join(f"{figure:>12}" for figure in figures.values()))
    reached = rows["import"]["median_ms"] <= TARGET_MS
    print(f"import: {'within' if reached else 'ABOVE'} the target of {TARGET_MS:.0f} ms")
    load = round(os.getloadavg()[0], 2)
    print(f"{os.cpu_count()} CPUs, load {load}: above the CPUs, processes wait for one")
    machine = {"cpus": os.cpu_count(), "load": load, "python": platform.python_version()}
    result = {"runs": runs, "target_ms": TARGET_MS, "reached": reached}
    write_json(RESULTS, {**result, "machine": machine, "rows": rows})
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
