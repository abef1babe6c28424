"""What this machine gives the product: the walls around strategies, and everything else it needs.

line.py       one finding, and how a list of them is judged
sandbox.py    each wall, tried from the inside
product.py    data, models, disk, memory, GPU, keys, database
"""

from __future__ import annotations

from collections.abc import Iterator

from qc_builder_lora.config import Settings
from qc_builder_lora.doctor.line import Line


def examine(settings: Settings) -> Iterator[Line]:
    """All findings, one after the other as they are made; nothing is changed by looking."""
    from qc_builder_lora.doctor.product import product_lines
    from qc_builder_lora.doctor.sandbox import sandbox_lines

    yield from sandbox_lines(settings)
    yield from product_lines(settings)
