"""What a check says of one piece of code."""

from __future__ import annotations

from dataclasses import dataclass

from qc_builder_lora.records import Outcome


@dataclass(frozen=True)
class CheckResult:
    """PASS, FAIL or UNKNOWN, with a sentence for each thing found; lines count from 1."""

    outcome: Outcome
    messages: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TypeFault:
    """One message of the compile check; line and column count from 1."""

    line: int
    column: int
    message: str
    code: str = ""

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}" + (f" [{self.code}]" if self.code else "")


PASSED = CheckResult(Outcome.PASS)


def failed(*messages: str) -> CheckResult:
    """The code is at fault."""
    return CheckResult(Outcome.FAIL, messages)


def undecided(message: str) -> CheckResult:
    """The check itself could not be made."""
    return CheckResult(Outcome.UNKNOWN, (message,))
