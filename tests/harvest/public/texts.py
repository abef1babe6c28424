"""Strategies and files of our own for the tests of published sources."""

import json
import zipfile
from pathlib import Path
from typing import Any

STRATEGY = '''from AlgorithmImports import *


class IbmAboveAverage(QCAlgorithm):
    """Buys IBM while it is above its average of twenty days and sells it below."""

    def initialize(self) -> None:
        self.set_start_date(2010, 1, 1)
        self.set_end_date(2010, 12, 31)
        self.set_cash(50000)
        self._ibm = self.add_equity("IBM", Resolution.DAILY).symbol
        self._average = self.sma(self._ibm, 20, Resolution.DAILY)
        self.set_warm_up(20, Resolution.DAILY)

    def on_data(self, data: Slice) -> None:
        if self.is_warming_up or not data.bars.contains_key(self._ibm):
            return
        if data.bars[self._ibm].close > self._average.current.value:
            self.set_holdings(self._ibm, 1)
        else:
            self.liquidate(self._ibm)
'''

CSHARP = """using QuantConnect.Data;

public class Basic : QCAlgorithm
{
    public override void Initialize()
    {
        SetStartDate(2010, 1, 1);
    }
}
"""


def named(name: str, **changed: str) -> str:
    """The strategy under another class name, with texts replaced."""
    text = STRATEGY.replace("IbmAboveAverage", name)
    for old, new in changed.items():
        text = text.replace(old, new)
    return text


def notebook(*cells: tuple[str, str], **rest: Any) -> str:
    """A notebook: (kind, source) a cell."""
    made = [{"cell_type": kind, "source": source.splitlines(True)} for kind, source in cells]
    return json.dumps({"nbformat": 4, "metadata": {}, "cells": made, **rest})


def page(name: str, text: str, *examples: Any, path: str = "writing-algorithms/topic") -> Any:
    """A page as the wheel has them."""
    return {
        "name": name,
        "url": f"https://www.example.com/docs/v2/{path}",
        "category": "guide",
        "description": text,
        "examples": list(examples),
    }


def wheel(path: Path, pages: Any) -> Path:
    """An archive laid out like the wheel, complete enough for pip."""
    info = "qc_lean_mcp-1.2.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data/qc_entries.json", json.dumps(pages))
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: qc-lean-mcp\nVersion: 1.2.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path
