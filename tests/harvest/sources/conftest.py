"""A store, and what all sources must hold to: nothing doubled, nothing secret kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.store import Store

CODE = """from AlgorithmImports import *


class Trend(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2010, 1, 4)
        self.add_equity("AAPL", Resolution.DAILY)

    def on_data(self, data):
        self.set_holdings("AAPL", {weight})
"""
SECRET = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz"


def code(weight: float = 1.0) -> str:
    return CODE.replace("{weight}", str(weight))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/store.db") as opened:
        yield opened


def everything(store: Store) -> dict[str, list[Any]]:
    return {
        noun.table.name: [noun.to_plain(record) for record in noun.each()] for noun in store.nouns()
    }
