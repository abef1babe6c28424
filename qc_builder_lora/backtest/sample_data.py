"""Market data to begin with: bokeh-sampledata's stocks, converted once into LEAN's folder layout.

AAPL, GOOG, IBM and MSFT, daily, 2000-03-01 to 2013-03-01; Quandl WIKI, public domain. Prices are
adjusted by the source's adj_close, so there are no factor files, and raw data mode shows the same
prices. Volumes are as the source gives them, unadjusted.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

from qc_builder_lora.config import Settings
from qc_builder_lora.errors import InputError, MissingExtra
from qc_builder_lora.files import disk_full, write_json, write_text
from qc_builder_lora.ids import file_hash

TICKERS = ("AAPL", "GOOG", "IBM", "MSFT")
MANIFEST = "manifest.json"
_EQUITY = Path("equity") / "usa"
# First days of trading; LEAN's own map files begin no earlier than 1998-01-02.
_LISTED = {"AAPL": "19980102", "GOOG": "20040819", "IBM": "19980102", "MSFT": "19980102"}
# The Federal Reserve's primary credit rate, in percent, from the day it took effect: LEAN's risk
# free rate (alternative/interest-rate). A work of the United States government.
_RATES = (
    "2003-01-09 2.25 2003-06-26 2.00 2004-07-01 2.25 2004-08-11 2.50 2004-09-22 2.75 "
    "2004-11-12 3.00 2004-12-15 3.25 2005-02-03 3.50 2005-03-23 3.75 2005-05-04 4.00 "
    "2005-07-01 4.25 2005-08-10 4.50 2005-09-21 4.75 2005-11-02 5.00 2005-12-14 5.25 "
    "2006-02-01 5.50 2006-03-29 5.75 2006-05-11 6.00 2006-06-30 6.25 2007-08-20 5.75 "
    "2007-09-19 5.25 2007-11-01 5.00 2007-12-12 4.75 2008-01-23 4.00 2008-01-31 3.50 "
    "2008-03-19 2.50 2008-05-01 2.25 2008-10-09 1.75 2008-10-30 1.25 2008-12-17 0.50 "
    "2010-02-19 0.75"
)


def ensure_data(settings: Settings) -> Path:
    """The data folder in force; the default one is made from the sample data where it is absent."""
    if settings.data is not None:
        return settings.data
    folder = settings.data_folder
    return folder if folder.exists() else convert_sample(folder)


def convert_sample(folder: Path) -> Path:
    """The folder, holding the sample data: made if it is not there, else left as it is."""
    convert(folder)
    return folder


def convert(folder: Path) -> dict[str, Any]:
    """Write the sample data into a new folder; gives its manifest.

    The folder appears whole or not at all. Converting again into the same folder changes nothing.
    """
    if (folder / MANIFEST).exists():
        return read_manifest(folder) or {}
    if folder.exists() and any(folder.iterdir()):
        raise InputError(
            f"{folder} exists and holds something else than sample data; nothing was changed. "
            "Name another folder with: qc-lora data convert --to DIR"
        )
    stocks = _stocks()
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        manifest = _write_all(making, stocks)
        making.chmod(0o755)
        making.replace(folder)
    except OSError as error:
        if (folder / MANIFEST).exists():
            # Another process was quicker.
            return read_manifest(folder) or {}
        raise disk_full(error, folder, needed_mb=2) from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return manifest


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """What `convert` wrote about a folder; None for a folder of other origin."""
    import json

    path = folder / MANIFEST
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def _stocks() -> Any:
    try:
        from bokeh_sampledata import stocks
    except ImportError as error:
        raise MissingExtra("data", "bokeh-sampledata") from error
    return stocks


def _write_all(root: Path, stocks: Any) -> dict[str, Any]:
    symbols = {}
    for ticker in TICKERS:
        rows = _rows(getattr(stocks, ticker))
        path = root / _EQUITY / "daily" / f"{ticker.lower()}.zip"
        _write_zip(path, f"{ticker.lower()}.csv", "\n".join(rows) + "\n")
        maps = root / _EQUITY / "map_files" / f"{ticker.lower()}.csv"
        name = ticker.lower()
        write_text(maps, f"{_LISTED[ticker]},{name},Q\n20501231,{name},Q\n")
        symbols[ticker] = {
            "rows": len(rows), "first": rows[0][:8], "last": rows[-1][:8],
            "sha256": file_hash(path),
        }  # fmt: skip
    words = _RATES.split()
    lines = [f"{day},{rate}" for day, rate in zip(words[::2], words[1::2], strict=True)]
    write_text(
        root / "alternative" / "interest-rate" / "usa" / "interest-rate.csv",
        "\n".join(["DATE,PCREDIT8", *lines]) + "\n",
    )
    manifest = {
        "source": "bokeh-sampledata",
        "version": metadata.version("bokeh-sampledata"),
        "origin": "Quandl WIKI Prices, public domain",
        "prices": "open, high, low and close times adj_close/close; volume as given",
        "symbols": symbols,
    }
    # Last on purpose: a manifest on disk means that the folder is complete.
    write_json(root / MANIFEST, manifest)
    return manifest


def _rows(columns: dict[str, Any]) -> list[str]:
    rows = []
    names = ("date", "open", "high", "low", "close", "volume", "adj_close")
    for day, *prices, volume, adjusted in zip(*(columns[name] for name in names), strict=True):
        scale = float(adjusted) / float(prices[3])
        cents = ",".join(str(round(float(price) * scale * 10000)) for price in prices)
        stamp = date.fromisoformat(str(day)[:10]).strftime("%Y%m%d")
        rows.append(f"{stamp} 00:00,{cents},{int(volume)}")
    return sorted(rows)


def _write_zip(path: Path, name: str, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A fixed date in the archive, so that equal data gives equal bytes and one fingerprint.
    entry = zipfile.ZipInfo(name, date_time=(2013, 3, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, text)
