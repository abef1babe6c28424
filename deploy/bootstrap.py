"""Set up a fresh machine for `make`: a virtual environment with everything pinned. Stdlib only.

llama.cpp is compiled once and kept as a wheel outside the checkout, by version and by what this CPU
can do, so that a second environment does not compile again and a wheel never meets a CPU it was not
made for. Safe to repeat: what is there already is left alone.

    python3 deploy/bootstrap.py [--venv .venv] [--extras dev] [--cache DIR]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
COMPILED = "llama-cpp-python"
COMPILERS = ("c++", "g++", "clang++")


class SetupError(Exception):
    """Told to the user as it is."""


def main() -> int:
    """Set up; the exit code is 0 when everything is installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    parser.add_argument("--extras", default="dev", help="extras of pyproject.toml")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="for the wheel")
    given = parser.parse_args()
    try:
        set_up(given.venv, given.extras, given.cache)
    except SetupError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("set-up: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def default_cache() -> Path:
    """`QC_LORA_CACHE`, or `qc-lora` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("QC_LORA_CACHE") or Path(home) / "qc-lora")


def set_up(venv: Path, extras: str, cache: Path) -> None:
    """All steps; each says what it does and how long it took."""
    stamp = venv / ".qc-lora-set-up"
    wanted = fingerprint(extras)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    check_python()
    python = make_venv(venv)
    wheel = compiled_wheel(python, cache)
    install(python, extras, wheel)
    # Last on purpose: the stamp means that everything above is done.
    stamp.write_text(wanted)


def fingerprint(extras: str) -> str:
    """What the environment was made from."""
    digest = hashlib.sha256(extras.encode())
    for path in (CONSTRAINTS, ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def check_python() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - this file runs before anything checks
        raise SetupError(
            f"Python {platform.python_version()} is too old; 3.11 or later is needed. "
            "Name another with: make PYTHON=python3.12"
        )


def make_venv(venv: Path) -> Path:
    python = venv / "bin" / "python"
    if not python.exists():
        say(f"making {venv}")
        done = subprocess.run([sys.executable, "-m", "venv", str(venv)], check=False)
        if done.returncode != 0:
            shutil.rmtree(venv, ignore_errors=True)
            raise SetupError(
                f"{sys.executable} -m venv failed with code {done.returncode}. On Debian and "
                "Ubuntu: apt-get install python3-venv"
            )
    return python


def compiled_wheel(python: Path, cache: Path) -> Path:
    """The wheel of llama.cpp for this machine; compiled (5 to 10 minutes on 2 cores) if need be."""
    version = pinned(COMPILED)
    folder = cache / "wheels" / f"{platform.machine()}-{cpu_features()}"
    found = sorted(folder.glob(f"{COMPILED.replace('-', '_')}-{version}-*.whl"))
    if found:
        return found[0]
    check_compiler()
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".build-{os.getpid()}"
    try:
        compile_wheel(python, f"{COMPILED}=={version}", temporary)
        built = next(temporary.glob("*.whl"))
        return built.replace(folder / built.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_compiler() -> None:
    if not any(shutil.which(name) for name in COMPILERS):
        raise SetupError(
            f"no C++ compiler (looked for {', '.join(COMPILERS)}). llama.cpp has to be compiled "
            "once on this machine. On Debian and Ubuntu: apt-get install g++"
        )


def cpu_features() -> str:
    """A short name for what this CPU can do: llama.cpp is compiled for exactly that."""
    try:
        text = Path("/proc/cpuinfo").read_text()
        flags = next(line for line in text.splitlines() if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        flags = platform.processor()
    return hashlib.sha256(flags.encode()).hexdigest()[:12]


def compile_wheel(python: Path, requirement: str, folder: Path) -> None:
    say(f"compiling {requirement} (once on this machine; 5 to 10 minutes on 2 cores)")
    command = [str(python), "-m", "pip", "wheel", "-v", "--no-deps", "--wheel-dir", str(folder)]
    environment = {"CMAKE_BUILD_PARALLEL_LEVEL": str(usable_cpus()), **os.environ}
    process = subprocess.Popen(
        [*command, requirement],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
    )
    tail: list[str] = []
    bar = Bar("compiling")
    assert process.stdout is not None
    for line in process.stdout:
        tail = [*tail[-30:], line.rstrip()]
        match = re.search(r"\[\s*(\d+)\s*/\s*(\d+)\s*\]", line)
        if match:
            bar.update(int(match[1]), int(match[2]))
    bar.close()
    if process.wait() != 0:
        raise SetupError(
            f"compiling {requirement} failed with code {process.returncode}; the end of it:\n"
            + "\n".join(tail)
        )


def install(python: Path, extras: str, wheel: Path) -> None:
    say("installing the pinned packages (torch is the largest)")
    command = [str(python), "-m", "pip", "install", "--quiet", "--constraint", str(CONSTRAINTS)]
    run([*command, str(wheel), "--editable", f"{ROOT}[{extras}]"])


def run(command: list[str]) -> None:
    start = time.monotonic()
    done = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0:
        raise SetupError(
            f"{' '.join(command[:5])} … failed with code {done.returncode}; the end of it:\n"
            + "\n".join(done.stdout.splitlines()[-15:])
        )
    say(f"installed in {time.monotonic() - start:.0f} s")


def pinned(name: str) -> str:
    """The version that constraints.txt pins."""
    for line in CONSTRAINTS.read_text().splitlines():
        if line.startswith(f"{name}=="):
            return line.split("==")[1].strip()
    raise SetupError(f"{CONSTRAINTS} does not pin {name}.")


def usable_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


class Bar:
    """Progress with time left, on a terminal; a line now and then elsewhere."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._start = self._told = time.monotonic()

    def update(self, done: int, total: int) -> None:
        moment = time.monotonic()
        terminal = sys.stderr.isatty()
        if not terminal and moment - self._told < 20 and done < total:
            return
        self._told = moment
        left = int((moment - self._start) * (total - done) / max(1, done))
        text = f"{self._title}: {done}/{total}, {left // 60}:{left % 60:02d} left"
        print(text, end="\r" if terminal else "\n", file=sys.stderr, flush=True)

    def close(self) -> None:
        if sys.stderr.isatty():
            print(file=sys.stderr)


def say(text: str) -> None:
    print(f"set-up: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
