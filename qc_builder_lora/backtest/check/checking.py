"""Check files from end to end: read, parse, rules, types, and what one file shares with another.

The library behind `qc-lora check`. Each file's verdict depends on that file alone.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from qc_builder_lora.backtest.check.compiling import type_faults
from qc_builder_lora.backtest.check.cures import cure_of
from qc_builder_lora.backtest.check.finding import Finding, Rule, Severity
from qc_builder_lora.backtest.check.handed_in import HandedIn
from qc_builder_lora.backtest.check.lint import findings
from qc_builder_lora.backtest.check.parsing import (
    hint_of,
    lean_choice,
    strategy_hash,
    syntax_of,
)  # fmt: skip
from qc_builder_lora.backtest.check.result import TypeFault
from qc_builder_lora.backtest.check.rules import RULES
from qc_builder_lora.backtest.check.tree import Code
from qc_builder_lora.ids import text_hash
from qc_builder_lora.records import Outcome

PARSE, TYPES, SAME = "QC000", "QC900", "QC066"
"""What no rule of `rules/` finds: it does not parse, it does not compile, it is another file's
strategy."""


@dataclass(kw_only=True)
class Checked:
    """What was found in one file.

    `compiles` is None where the types were not asked for, `reason` says why the verdict is UNKNOWN.
    """

    path: str
    text: str
    findings: list[Finding] = field(default_factory=list)
    compiles: Outcome | None = None
    reason: str = ""
    strategy: str = ""
    parses: bool = True

    @property
    def verdict(self) -> Outcome:
        if any(one.severity is Severity.ERROR for one in self.findings):
            return Outcome.FAIL
        return Outcome.UNKNOWN if self.reason else Outcome.PASS

    @property
    def sha256(self) -> str:
        return text_hash(self.text)


def check(
    files: Sequence[HandedIn],
    rules: Sequence[Rule] = RULES,
    *,
    types: bool = True,
    cache: Path | None = None,
    jobs: int = 1,
    told: Callable[[float], None] = lambda _: None,
) -> list[Checked]:
    """One answer for each file, in order.

    `told` hears how many files are done, of their number; `jobs` type checks go on at a time.
    """
    share = 0.2 if types else 1.0
    checked = []
    for done, file in enumerate(files, 1):
        checked.append(check_text(file, rules))
        told(done * share)
    if types:
        _ask_types(checked, cache, jobs, lambda done: told(len(files) * share + done * 0.8))
    _mark_same(checked, rules)
    told(len(files))
    return checked


def check_text(file: HandedIn, rules: Sequence[Rule] = RULES) -> Checked:
    """Everything but the types."""
    result = Checked(path=file.path, text=file.text)
    if file.unread:
        result.parses, result.reason = False, file.unread
        return result
    if file.refused:
        result.parses = False
        result.findings.append(_whole(f"this is {file.refused}" if _is_noun(file.refused)
                                      else file.refused))  # fmt: skip
        return result
    tree = syntax_of(file.text)
    if not isinstance(tree, ast.Module):
        result.parses = False
        result.findings.append(_unparsable(tree, file.text))
        return result
    chosen = lean_choice(tree)
    result.strategy = chosen.name if chosen else ""
    try:
        result.findings += findings(Code(file.text, tree), rules)
    except RecursionError:
        result.reason = "nested too deeply for the rules"
    except Exception as error:  # noqa: BLE001  one file's odd code must not end all others' check
        result.reason = f"a rule broke down: {type(error).__name__}: {error}"
    return result


def _is_noun(text: str) -> bool:
    return text.startswith(("a ", "an ", "in ", "C#", "Python 2", "JSON", "compiled"))


def _whole(message: str) -> Finding:
    fact, _, cure = message.partition(". ")
    return Finding(
        rule=PARSE, severity=Severity.ERROR, line=1, column=1, end_line=1, end_column=1,
        message=fact, cure=cure or "Hand in a strategy's Python source",
    )  # fmt: skip


def _unparsable(error: SyntaxError | str, text: str) -> Finding:
    if isinstance(error, str):
        return _whole(error)
    line = max(1, error.lineno or 1)
    column = max(1, error.offset or 1)
    return Finding(
        rule=PARSE, severity=Severity.ERROR, line=line, column=column,
        end_line=max(line, error.end_lineno or line), end_column=max(column, error.end_offset or 0),
        message=f"does not parse: {error.msg}", cure=hint_of(error, text),
    )  # fmt: skip


def _ask_types(
    checked: Sequence[Checked], cache: Path | None, jobs: int, told: Callable[[float], None]
) -> None:
    asked = [one for one in checked if one.parses]
    for one in checked:
        one.compiles = Outcome.UNKNOWN if one.reason and not one.parses else Outcome.FAIL
    answers = type_faults([one.text for one in asked], cache, told, jobs=jobs)
    for one, answer in zip(asked, answers, strict=True):
        if isinstance(answer, str):
            one.compiles = Outcome.UNKNOWN
            one.reason = one.reason or answer
            continue
        one.compiles = Outcome.FAIL if answer else Outcome.PASS
        one.findings = sorted(
            [*one.findings, *(_of_fault(fault, one.text) for fault in answer)],
            key=lambda finding: finding.order,
        )


def _of_fault(fault: TypeFault, text: str) -> Finding:
    return Finding(
        rule=TYPES, severity=Severity.ERROR, line=fault.line, column=fault.column,
        end_line=fault.line, end_column=fault.column,
        message=f"does not compile: {fault.message}" + (f" [{fault.code}]" if fault.code else ""),
        cure=cure_of(fault, text),
    )  # fmt: skip


def _mark_same(checked: Sequence[Checked], rules: Sequence[Rule]) -> None:
    """A strategy that another file holds already: a warning, which changes no verdict."""
    if len(checked) < 2 or len(rules) < len(RULES):
        return
    seen: dict[str, Checked] = {}
    for one in checked:
        if not one.parses or not one.strategy:
            continue
        first = seen.setdefault(strategy_hash(one.text), one)
        if first is not one:
            finding = _whole(f"the same strategy as {first.path}. Keep one of the two")
            one.findings.append(replace(finding, rule=SAME, severity=Severity.WARNING))
