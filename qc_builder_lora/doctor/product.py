"""What the product needs besides the sandbox. Keys are only said to be there or not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from qc_builder_lora.config import Settings
from qc_builder_lora.doctor.line import Line, State
from qc_builder_lora.errors import NotFound, OlderStore, QcLoraError, SettingsError
from qc_builder_lora.models.memory import available_mb

_GB = 1 << 30
_DISK_NEEDED_GB, _DISK_WANTED_GB = 1, 5
"""The smallest artefacts; a base's conversion with a trained model and its quantisations."""
_MEMORY_NEEDED_GB, _MEMORY_WANTED_GB = 2, 8
"""Backtests and the served 270M model; training it."""
_LOADS = "import llama_cpp; print(llama_cpp.__version__)"


def product_lines(settings: Settings) -> Iterator[Line]:
    """Line by line, the quick ones first."""
    yield _python()
    yield _data(settings)
    yield from _disk(settings)
    yield _memory()
    yield _gpu()
    yield _base(settings)
    yield _database(settings)
    yield from _taken_back(settings)
    yield _webhook(settings)
    yield from _keys(settings)
    yield from _engines(settings)
    yield _llama()
    yield _training()
    yield _compile_check()


def _line(name: str, state: State, said: str, cure: str = "") -> Line:
    return Line(area="product", name=name, state=state, said=said, cure=cure)


def _python() -> Line:
    version = ".".join(map(str, sys.version_info[:3]))
    return _line("python", "ok", f"{version} at {sys.executable}")


def _data(settings: Settings) -> Line:
    folder = settings.data_folder.absolute()
    daily = folder / "equity" / "usa" / "daily"
    tickers = len(list(daily.glob("*.zip"))) if daily.is_dir() else 0
    if tickers:
        return _line("data", "ok", f"{folder}: {tickers} tickers with daily bars")
    if settings.data is None:
        return _line("data", "note", f"{folder} is not there yet; the first backtest makes it",
                     "Make the sample data now: qc-lora data convert")  # fmt: skip
    said = "has no daily bars" if folder.is_dir() else "does not exist"
    return _line("data", "bad", f"{folder} {said}",
                 "Point QC_LORA_DATA at a LEAN data folder (equity/usa/daily/*.zip), or unset it "
                 "for the sample data.")  # fmt: skip


def _disk(settings: Settings) -> Iterator[Line]:
    for name, folder, cure in (
        ("disk of the home", settings.home, "Free some space, or set QC_LORA_HOME elsewhere."),
        ("disk of the cache", settings.cache_folder, "Free some space, or set QC_LORA_CACHE."),
    ):
        place = _existing(folder.absolute())
        free = shutil.disk_usage(place).free / _GB
        if not os.access(place, os.W_OK):
            yield _line(name, "bad", f"{place}: this user may not write there", cure)
            continue
        state: State = (
            "bad" if free < _DISK_NEEDED_GB else "note" if free < _DISK_WANTED_GB else "ok"
        )
        yield _line(name, state, f"{free:.1f} GB free at {place}", "" if state == "ok" else cure)


def _existing(path: Path) -> Path:
    return next(one for one in (path, *path.parents) if one.exists())


def _memory() -> Line:
    free = available_memory_gb()
    if free is None:
        return _line("memory", "note", "unknown: the kernel does not say how much is available")
    state: State = (
        "bad" if free < _MEMORY_NEEDED_GB else "note" if free < _MEMORY_WANTED_GB else "ok"
    )
    cure = "" if state == "ok" else (
        f"Training wants {_MEMORY_WANTED_GB} GB, serving and backtests {_MEMORY_NEEDED_GB}: end "
        "other programs, or run fewer backtests at a time with --jobs."
    )  # fmt: skip
    return _line("memory", state, f"{free:.1f} GB available", cure)


def available_memory_gb(top: Path = Path("/")) -> float | None:
    """What the machine and the control group both leave; None where neither says."""
    free = available_mb(top)
    return None if free is None else free / 1024


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _gpu() -> Line:
    nvidia = _text(Path("/proc/driver/nvidia/version")).partition("\n")[0]
    if nvidia:
        return _line("GPU", "ok", nvidia.strip())
    if Path("/dev/kfd").exists():
        return _line("GPU", "ok", "an AMD GPU (/dev/kfd)")
    return _line("GPU", "note", "none: training and serving use the CPU")


def _base(settings: Settings) -> Line:
    folder = settings.cache_folder / "bases"
    found = sorted(path.parent.name for path in folder.glob("*/config.json"))
    if found:
        return _line("base model", "ok", f"{', '.join(found)} in {folder}")
    return _line("base model", "note", f"none converted yet in {folder}",
                 "The first training converts it (about a minute): qc-lora retrain")  # fmt: skip


def _database(settings: Settings) -> Line:
    from qc_builder_lora.store import Store

    try:
        # Only to look: what is not there is not made.
        with Store.open(settings.database_url, upgrade=False, busy_s=5) as store:
            return _line("database", "ok", store.url)
    except NotFound:
        return _line("database", "note", "not there yet; the first command that writes makes it")
    except OlderStore as error:
        return _line("database", "bad", str(error), "qc-lora store upgrade")
    except QcLoraError as error:
        return _line("database", "bad", str(error), "Start it, or correct QC_LORA_DATABASE.")


def _taken_back(settings: Settings) -> Iterator[Line]:
    """The last time that a model was taken back by itself."""
    from qc_builder_lora.store import Store

    try:
        with Store.open(settings.database_url, upgrade=False, busy_s=5) as store:
            found = [one for one in store.promotions.history() if one.automatic]
    except QcLoraError:
        return  # Said of the database already.
    if not found:
        yield _line("taken back", "ok", "no model was ever taken back by itself")
        return
    last = found[-1]
    yield _line("taken back", "note", (
        f"{last.previous_model_id}, {last.created_at:%Y-%m-%d %H:%M} UTC, by itself: {last.reason}"
    ), "See all decisions: qc-lora model history")  # fmt: skip


def _webhook(settings: Settings) -> Line:
    from qc_builder_lora.notify import check_url

    if settings.notify_webhook is None:
        return _line("webhook", "note", "absent: nobody is told when a model is taken back",
                     "Set QC_LORA_NOTIFY_WEBHOOK to an address that takes JSON.")  # fmt: skip
    try:
        check_url(settings.notify_webhook)
    except SettingsError as error:
        return _line("webhook", "bad", str(error), "Correct QC_LORA_NOTIFY_WEBHOOK.")
    signed = "signed" if settings.notify_secret else "not signed (QC_LORA_NOTIFY_SECRET is unset)"
    return _line("webhook", "ok", f"set; what is sent is {signed}")


def _keys(settings: Settings) -> Iterator[Line]:
    for name, key, variable in (
        ("Claude", settings.anthropic_key, "ANTHROPIC_API_KEY"),
        ("GPT", settings.openai_key, "OPENAI_API_KEY"),
        ("Gemini", settings.gemini_key, "GEMINI_API_KEY"),
    ):
        if key:
            yield _line(f"key of {name}", "ok", f"{variable} is set")
        else:
            yield _line(f"key of {name}", "note", f"absent: {name} is not asked",
                        f"export {variable}=…")  # fmt: skip


def _engines(settings: Settings) -> Iterator[Line]:
    both = settings.quantconnect_user and settings.quantconnect_token
    wanted: State = "bad" if settings.engine == "quantconnect" else "note"
    yield _line("QuantConnect", "ok" if both else wanted,
                "user id and token are set" if both else "user id or token absent",
                "" if both else "export QC_USER_ID=… QC_API_TOKEN=…")  # fmt: skip
    lean, docker = (shutil.which(name) for name in (settings.lean_command, "docker"))
    wanted = "bad" if settings.engine == "lean" else "note"
    if lean and docker:
        yield _line("LEAN CLI", "ok", f"{lean}, with {docker}")
    else:
        missing = [name for name, path in (("lean", lean), ("docker", docker)) if not path]
        yield _line("LEAN CLI", wanted, f"no {' and no '.join(missing)}",
                    "pip install lean, and install Docker.")  # fmt: skip


def _llama() -> Line:
    cure = "pip install 'qc-builder-lora[serve]' (compiles with g++), or set QC_LORA_LOCAL_URL."
    try:
        version = metadata.version("llama-cpp-python")
    except metadata.PackageNotFoundError:
        return _line("llama.cpp", "bad", "llama-cpp-python is not installed", cure)
    try:
        # In a process of its own: one compiled for another CPU would end this one.
        done = subprocess.run(
            [sys.executable, "-c", _LOADS], capture_output=True, text=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired:
        return _line("llama.cpp", "bad", f"{version} does not load within a minute", cure)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return _line("llama.cpp", "bad", f"{version} does not load: {last}", cure)
    return _line("llama.cpp", "ok", f"llama-cpp-python {version} loads")


def _training() -> Line:
    found, missing = [], []
    for name in ("torch", "transformers", "peft", "gguf"):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return _line("training", "note", f"not installed: {', '.join(missing)}",
                     "pip install 'qc-builder-lora[train]'")  # fmt: skip
    return _line("training", "ok", ", ".join(found))


def _compile_check() -> Line:
    """Without it no strategy passes the gate that asks whether it compiles."""
    found, missing = [], []
    for name in ("mypy", "quantconnect-stubs"):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return _line("compile check", "note", f"not installed: {', '.join(missing)}; whether a "
                     "strategy compiles is unknown",
                     "pip install 'qc-builder-lora[check]'")  # fmt: skip
    return _line("compile check", "ok", ", ".join(found))
