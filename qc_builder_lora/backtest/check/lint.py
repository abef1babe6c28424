"""Run the rules over one source; nothing of it is executed."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from qc_builder_lora.backtest.check.finding import Finding, Found, Rule, Severity
from qc_builder_lora.backtest.check.parsing import tree_of
from qc_builder_lora.backtest.check.result import PASSED, CheckResult, failed, undecided
from qc_builder_lora.backtest.check.rules import RULES
from qc_builder_lora.backtest.check.tree import Code
from qc_builder_lora.errors import NotFound

_NOQA = re.compile(r"#\s*noqa\b(?P<codes>:\s*[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*)?", re.IGNORECASE)


@cache
def rules_version() -> str:
    """What could change the rules' answers: `rules 0123abcd`, of their own source."""
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*here.glob("*.py"), *here.glob("rules/*.py"), *here.glob("*.json")]):
        digest.update(path.read_bytes())
    return f"rules {digest.hexdigest()[:8]}"


def lint(text: str, rules: Sequence[Rule] = RULES) -> list[Finding]:
    """All findings in the order of the source, none in one that does not parse."""
    tree = tree_of(text)
    return [] if isinstance(tree, str) else findings(Code(text, tree), rules)


def findings(code: Code, rules: Sequence[Rule] = RULES) -> list[Finding]:
    """As `lint`, of a source that was read already."""
    found = _all(code, rules)
    silenced = _silenced(code) if found else {}
    return [one for one in found if not _is_silenced(one, silenced)]


def _all(code: Code, rules: Sequence[Rule]) -> list[Finding]:
    found = {one for rule in rules for one in _of_rule(code, rule)}
    return sorted(found, key=lambda one: one.order)


# Rules that find what is no strategy at all; the others find what is a faulty one.
_SUBSTANCE = ("QC060", "QC061", "QC063", "QC064")


def lints(text: str) -> CheckResult:
    """FAIL with a sentence for each error of the rules, PASS without; warnings do not count, and
    neither does what `substance` answers for."""
    return _verdict(text, [rule for rule in RULES if rule.severity is Severity.ERROR
                           and rule.id not in _SUBSTANCE])  # fmt: skip


def substance(text: str) -> CheckResult:
    """FAIL for a stub, a placeholder or a template: it may compile and run, and is no strategy."""
    return _verdict(text, [rule for rule in RULES if rule.id in _SUBSTANCE])


def _verdict(text: str, rules: Sequence[Rule]) -> CheckResult:
    """Comments cannot silence a rule here: whose code is judged must not have a say."""
    tree = tree_of(text)
    if isinstance(tree, str):
        return failed(tree)
    try:
        found = _all(Code(text, tree), rules)
    except RecursionError:
        return undecided("nested too deeply for the rules")
    said = [f"line {one.line}: {one.rule} {one.message}. {one.cure}" for one in found]
    return failed(*said) if said else PASSED


def chosen(select: Iterable[str] = (), ignore: Iterable[str] = ()) -> tuple[Rule, ...]:
    """The rules of the ids, id prefixes or names in `select` (all without) less those in `ignore`.

    Raises NotFound for what is none.
    """
    wanted = [_named(name) for name in select]
    unwanted = {rule.id for name in ignore for rule in _named(name)}
    keep = {rule.id for group in wanted for rule in group} if wanted else {r.id for r in RULES}
    return tuple(rule for rule in RULES if rule.id in keep - unwanted)


def _named(name: str) -> list[Rule]:
    found = [
        rule for rule in RULES if rule.name == name.lower() or rule.id.startswith(name.upper())
    ]
    if not found or not name:
        known = [known for rule in RULES for known in (rule.id, rule.name)]
        raise NotFound("rule", name, "List them with: qc-lora check --rules", known)
    return found


def _of_rule(code: Code, rule: Rule) -> Iterator[Finding]:
    for found in rule.find(code):
        yield _placed(code, rule, found)


def _placed(code: Code, rule: Rule, found: Found) -> Finding:
    start, end = code.span(found.node)
    if isinstance(found.node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        # The name says it; a finding as long as a class shows nothing.
        end = min(end, start + len(code.text[start:end].partition("\n")[0]))
    line, column = code.place(start)
    end_line, end_column = code.place(end)
    return Finding(
        rule=rule.id,
        severity=rule.severity,
        line=line,
        column=column,
        end_line=end_line,
        end_column=end_column,
        message=found.message,
        cure=found.cure,
        edits=tuple(sorted(set(found.edits), key=lambda edit: (edit.start, edit.end))),
    )


def _silenced(code: Code) -> dict[int, frozenset[str]]:
    """Line → the ids that a `# noqa` names, none of them for all."""
    if "noqa" not in code.text.lower():
        return {}
    found = {}
    for line, comment in code.comments:
        match = _NOQA.search(comment)
        if match:
            codes = re.findall(r"[A-Z]+[0-9]+", (match["codes"] or "").upper())
            found[line] = frozenset(codes)
    return found


def _is_silenced(finding: Finding, silenced: dict[int, frozenset[str]]) -> bool:
    for line in {finding.line, finding.end_line}:
        codes = silenced.get(line)
        if codes is not None and (not codes or finding.rule in codes):
            return True
    return False
