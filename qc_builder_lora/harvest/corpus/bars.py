"""Bars for the starter corpus: the sample data, and seeded random walks under further tickers.

The walks exist so that examples can name more than the four tickers of the sample data and still be
executed. They say nothing about any market, and no figure of them is shown as one.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from qc_builder_lora.errors import InputError
from qc_builder_lora.files import write_json
from qc_builder_lora.ids import text_hash

_DAILY = Path("equity/usa/daily")
_MANIFEST = "corpus-bars.json"
_CALENDAR = "ibm"


def corpus_data(sample: Path, target: Path, tickers: Sequence[str]) -> Path:
    """A LEAN data folder with the sample's bars and one random walk a ticker; made once.

    `sample` is a LEAN data folder that holds IBM daily bars, whose trading days the walks take.
    """

    def fill(folder: Path) -> None:
        days = _trading_days(sample)
        shutil.copytree(sample, folder, dirs_exist_ok=True)
        for ticker in tickers:
            name = ticker.lower()
            path = folder / _DAILY / f"{name}.zip"
            write_bars(path, f"{name}.csv", days, walk(ticker, len(days)))

    return made_once(target, _MANIFEST, {"tickers": list(tickers), "version": 1}, fill)


def made_once(target: Path, manifest: str, wanted: object, fill: Callable[[Path], None]) -> Path:
    """The folder, filled unless it was made from the same before; its manifest says from what.

    It appears whole or not at all, also where several processes make it at once.
    """
    if is_made_for(target / manifest, wanted):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{target.name}.") as name:
        folder = Path(name) / "new"
        folder.mkdir()
        fill(folder)
        write_json(folder / manifest, wanted)
        if is_made_for(target / manifest, wanted):
            # Another process was first: what it made is the same, and may be in use.
            return target
        try:
            if target.exists():
                target.rename(Path(name) / "old")
            folder.rename(target)
        except OSError:
            if not is_made_for(target / manifest, wanted):
                raise
    return target


def is_made_for(manifest: Path, wanted: object) -> bool:
    """Whether a folder was made from this: what its manifest says."""
    try:
        return bool(json.loads(manifest.read_text("utf-8")) == wanted)
    except (OSError, ValueError):
        return False


def _trading_days(sample: Path) -> list[str]:
    path = sample / _DAILY / f"{_CALENDAR}.zip"
    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read(archive.namelist()[0]).decode("ascii")
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: cannot be read: {error}. Run: qc-lora data convert") from error
    return [line.split(",")[0] for line in text.splitlines() if line]


def walk(ticker: str, count: int) -> np.ndarray:
    """So many bars of a walk: columns open, high, low, close, volume.

    It has drift, and volatility that comes in waves, so that signals of all kinds occur.
    """
    source = np.random.default_rng(int(text_hash(ticker)[:12], 16))
    wave = np.sin(np.arange(count) / source.uniform(40, 200) + source.uniform(0, 6))
    volatility = source.uniform(0.009, 0.018) * (1 + 0.5 * wave)
    drift = source.uniform(0.0001, 0.0005) + 0.0008 * np.sin(
        np.arange(count) / source.uniform(60, 160)
    )
    close = source.uniform(20, 120) * np.exp(
        np.cumsum(drift + volatility * source.standard_normal(count))
    )
    open_ = close * np.exp(-volatility * source.normal(0, 0.5, count))
    spread = np.abs(source.normal(0, 0.6, (2, count))) * volatility
    high = np.maximum(open_, close) * (1 + spread[0])
    low = np.minimum(open_, close) * (1 - spread[1])
    volume = source.integers(1_000_000, 9_000_000, count)
    return np.column_stack([open_, high, low, close, volume])


def write_bars(path: Path, name: str, moments: Sequence[str], bars: np.ndarray) -> None:
    """A file of LEAN's: one line a bar, prices in ten-thousandths."""
    rows = [
        f"{moment},{o * 1e4:.0f},{h * 1e4:.0f},{lo * 1e4:.0f},{c * 1e4:.0f},{v:.0f}"
        for moment, (o, h, lo, c, v) in zip(moments, bars.tolist(), strict=True)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        # A fixed time, so that the same bars give the same file and the same fingerprint.
        member = zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0))
        member.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(member, "\n".join(rows) + "\n")
