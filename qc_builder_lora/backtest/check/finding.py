"""What a rule is and what it finds: a place, a sentence, a cure, and sometimes a safe repair."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qc_builder_lora.backtest.check.tree import Code


class Severity(StrEnum):
    """ERROR fails in LEAN or makes the result worthless; WARNING most likely does; STYLE works."""

    ERROR = "error"
    WARNING = "warning"
    STYLE = "style"


@dataclass(frozen=True)
class Edit:
    """Replace the characters from `start` up to `end` of the source by `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a rule says of one node."""

    node: ast.AST
    message: str
    cure: str
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One class of mistakes.

    `bad` and `good` are a few lines of a strategy that the rule finds and does not find; where the
    rule can repair, the repair of `bad` is `good`. They are shown by `--explain` and tested.
    """

    id: str
    name: str
    severity: Severity
    summary: str
    why: str
    bad: str
    good: str
    find: Callable[[Code], Iterable[Found]]
    repairs: bool = False


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding in one file; lines and columns count from 1, the end is exclusive."""

    rule: str
    severity: Severity
    line: int
    column: int
    end_line: int
    end_column: int
    message: str
    cure: str
    edits: tuple[Edit, ...] = ()

    @property
    def order(self) -> tuple[int, int, str, str]:
        return (self.line, self.column, self.rule, self.message)
