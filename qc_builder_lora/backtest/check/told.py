"""What was found, for a program: plain JSON, and SARIF 2.1.0 for editors and code review."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any

from qc_builder_lora import __version__
from qc_builder_lora.backtest.check.checking import PARSE, SAME, TYPES, Checked
from qc_builder_lora.backtest.check.compiling import check_version
from qc_builder_lora.backtest.check.finding import Finding, Rule, Severity

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.STYLE: "note"}
OUTSIDE_THE_RULES = {
    PARSE: ("does-not-parse", Severity.ERROR, "It is not Python 3.11 source."),
    SAME: ("same-strategy", Severity.WARNING, "Another file of the same run holds this strategy."),
    TYPES: ("does-not-compile", Severity.ERROR,
            "mypy with quantconnect-stubs refuses it, as LEAN's own continuous integration would."),
}  # fmt: skip
"""Id → name, severity and summary of what is found by no rule of its own; none can be silenced."""


def plain(checked: Iterable[Checked], *, types: bool) -> dict[str, Any]:
    """JSON values: `tool`, `files` with their verdicts and findings, `counts`."""
    files = [_plain_file(one) for one in checked]
    found = Counter(finding["severity"] for one in files for finding in one["findings"])
    return {
        "tool": {
            "name": "qc-lora check",
            "version": __version__,
            "types": check_version() if types else None,
        },
        "files": files,
        "counts": {
            "files": len(files),
            **{name: sum(one["verdict"] == name for one in files)
               for name in ("PASS", "FAIL", "UNKNOWN")},
            **{str(severity): found[str(severity)] for severity in Severity},
        },
    }  # fmt: skip


def _plain_file(one: Checked) -> dict[str, Any]:
    return {
        "file": one.path,
        "verdict": str(one.verdict),
        "parses": one.parses,
        "compiles": None if one.compiles is None else str(one.compiles),
        "reason": one.reason,
        "strategy": one.strategy,
        "sha256": one.sha256,
        "findings": [_plain_finding(finding) for finding in one.findings],
    }


def _plain_finding(one: Finding) -> dict[str, Any]:
    return {
        "rule": one.rule,
        "severity": str(one.severity),
        "line": one.line,
        "column": one.column,
        "end_line": one.end_line,
        "end_column": one.end_column,
        "message": one.message,
        "cure": one.cure,
        "repairable": bool(one.edits),
    }


def sarif(checked: Sequence[Checked], rules: Sequence[Rule], *, types: bool) -> dict[str, Any]:
    """A SARIF log with one run; repairs are its `fixes`, files that nobody could judge its
    `notifications`."""
    described = [_rule_of(rule) for rule in rules]
    described += [_other(key, *facts) for key, facts in OUTSIDE_THE_RULES.items()]
    place = {one["id"]: index for index, one in enumerate(described)}
    unknown = [one for one in checked if one.reason]
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "qc-lora check",
                        "version": __version__,
                        "semanticVersion": __version__,
                        "properties": {"types": check_version() if types else None},
                        "rules": described,
                    }
                },
                "columnKind": "unicodeCodePoints",
                "artifacts": [{"location": {"uri": _uri(one.path)}} for one in checked],
                "invocations": [
                    {
                        "executionSuccessful": not unknown,
                        "toolExecutionNotifications": [_notification(one) for one in unknown],
                    }
                ],
                "results": [
                    _result(one, index, finding, place)
                    for index, one in enumerate(checked)
                    for finding in one.findings
                ],
            }
        ],
    }


def _rule_of(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"{rule.why}\n\nBad:\n{rule.bad}\n\nGood:\n{rule.good}"},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _other(key: str, name: str, severity: Severity, summary: str) -> dict[str, Any]:
    return {
        "id": key,
        "name": name,
        "shortDescription": {"text": summary},
        "defaultConfiguration": {"level": _LEVELS[severity]},
    }


def _uri(path: str) -> str:
    pure = PurePath(path)
    return pure.as_uri() if pure.is_absolute() else _quoted(pure.as_posix())


def _quoted(path: str) -> str:
    from urllib.parse import quote

    return quote(path, errors="surrogateescape")


def _notification(one: Checked) -> dict[str, Any]:
    return {
        "level": "error",
        "message": {"text": f"unknown: {one.reason}"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(one.path)}}}],
    }


def _result(one: Checked, index: int, finding: Finding, place: dict[str, int]) -> dict[str, Any]:
    location = {"uri": _uri(one.path), "index": index}
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": place[finding.rule],
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.message}. {finding.cure}."},
        "locations": [
            {"physicalLocation": {"artifactLocation": location, "region": _region(finding)}}
        ],
    }
    if finding.edits:
        result["fixes"] = [_fix(one, finding)]
    return result


def _region(one: Finding) -> dict[str, int]:
    region = {"startLine": one.line, "startColumn": one.column}
    if (one.end_line, one.end_column) > (one.line, one.column):
        region |= {"endLine": one.end_line, "endColumn": one.end_column}
    return region


def _fix(one: Checked, finding: Finding) -> dict[str, Any]:
    replacements = [
        {
            "deletedRegion": {"charOffset": edit.start, "charLength": edit.end - edit.start},
            "insertedContent": {"text": edit.text},
        }
        for edit in finding.edits
    ]
    return {
        "description": {"text": finding.cure},
        "artifactChanges": [
            {"artifactLocation": {"uri": _uri(one.path)}, "replacements": replacements}
        ],
    }
