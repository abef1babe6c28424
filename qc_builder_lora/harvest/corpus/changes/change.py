"""What a change is: code before and after it, the ways to ask for it, and how it is recognised."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from qc_builder_lora.harvest.corpus.families import FAMILIES
from qc_builder_lora.harvest.corpus.family import Family, Frame
from qc_builder_lora.ids import text_hash
from qc_builder_lora.records import Example

Demand = tuple[str, Any]
"""A kind of `eval.faithful` with its value, or `has` / `lacks` with a pattern of the code."""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One change of one code, as a kind makes it.

    `asks` are the parts of the request, each in several wordings: one is taken of each part.
    """

    before: str
    after: str
    asks: Sequence[Sequence[str]]
    demands: Sequence[Demand]
    """What the code after the change meets, and the code before it does not meet wholly."""
    becomes: Mapping[str, Any] | None = None
    """The parameters of the family afterwards, where they are what changes."""
    afterwards: str = ""
    """What the strategy does then, in the family's words."""


@dataclass(frozen=True)
class Based:
    """An executed example of a family of ours, taken apart."""

    example: Example
    family: Family
    frame: Frame
    tickers: Sequence[str]
    """What the corpus has bars of, of the kind that it trades."""
    years: tuple[int, int]

    @property
    def code(self) -> str:
        return self.example.code

    @property
    def parameters(self) -> Mapping[str, Any]:
        return self.example.parameters


Maker = Callable[[Based, random.Random], Edit | None]
"""Makes the change with what the source of chance decides; None where it has no place."""


@dataclass(frozen=True)
class Kind:
    """A way of changing a strategy."""

    name: str
    about: str
    make: Maker
    weight: float = 1.0
    """How often it is drawn, against the others that fit."""
    why: str = "results"
    """What a builder says first: figures of `results`, of the `risk`, or nothing."""
    quiet: bool = False
    """Whether orders that stay as they are, but for their quantities, are natural."""


_DATES = {
    name: re.compile(rf"self\.set_{name}_date\((\d+), (\d+), (\d+)\)") for name in ("start", "end")
}
_CASH = re.compile(r"self\.set_cash\((\d+)\)")


def frame_of(code: str) -> Frame | None:
    """Dates and cash of a code of ours; None where they are not said as families say them."""
    found = [pattern.search(code) for pattern in (*_DATES.values(), _CASH)]
    if any(match is None for match in found):
        return None
    start, end, cash = (match for match in found if match is not None)
    days = [date(*(int(part) for part in match.groups())) for match in (start, end)]
    return Frame(start=days[0], end=days[1], cash=int(cash[1]), wording=0)


def based(example: Example, pools: Sequence[Sequence[str]], years: tuple[int, int]) -> Based | None:
    """The example taken apart; None unless its family makes just this code of its parameters."""
    family, frame = FAMILIES.get(example.family), frame_of(example.code)
    if family is None or frame is None or "tickers" not in example.parameters:
        return None
    traded = set(example.parameters["tickers"])
    pool = next((one for one in pools if traded <= set(one)), None)
    try:
        same = family.code(example.parameters, frame) == example.code
    except (KeyError, TypeError, ValueError):
        return None
    return Based(example, family, frame, pool, years) if same and pool is not None else None


def number_of(*parts: object) -> int:
    """A number that depends on nothing else than these."""
    return int(text_hash("/".join(map(str, parts)))[:8], 16)
