"""Make the repairs that the rules propose, and only those: what they do not touch stays as it is.

Edits are made on the source's own characters, so that comments and layout stay. After each round
the result must parse, and every statement without an edit must be the one it was; a repair that
does not keep to that is left out. Rounds go on until nothing is left to repair.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from qc_builder_lora.backtest.check.finding import Edit, Finding, Rule
from qc_builder_lora.backtest.check.lint import findings
from qc_builder_lora.backtest.check.parsing import tree_of
from qc_builder_lora.backtest.check.rules import RULES
from qc_builder_lora.backtest.check.tree import Code

_MOST_ROUNDS = 20
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


@dataclass
class Repaired:
    """The new source and what was repaired in it, in the order it was done."""

    text: str
    done: list[Finding] = field(default_factory=list)


def repair(text: str, rules: Sequence[Rule] = RULES) -> Repaired:
    """The source with every repair of the rules made; as it is where it does not parse."""
    result = Repaired(text)
    given_up: set[tuple[str, str, int]] = set()
    for _ in range(_MOST_ROUNDS):
        tree = tree_of(result.text)
        if isinstance(tree, str):
            return result
        code = Code(result.text, tree)
        wanted = [
            one for one in findings(code, rules)
            if one.edits and _key(one) not in given_up
        ]  # fmt: skip
        if not _round(code, wanted, result, given_up):
            return result
    return result


def _key(one: Finding) -> tuple[str, str, int]:
    return one.rule, one.message, one.line


def _round(
    code: Code, wanted: Sequence[Finding], result: Repaired, given_up: set[tuple[str, str, int]]
) -> bool:
    """Make what can be made together; whether anything was."""
    together = _apart(wanted)
    text = _tried(code, together)
    if text is None:
        refused = {_key(one) for one in together if _tried(code, [one]) is None}
        given_up |= refused
        together = [one for one in together if _key(one) not in refused][:1]
        text = _tried(code, together)
        if text is None:
            return bool(refused)  # what waited for them has its turn
    if not together:
        return False
    result.text = text
    result.done += together
    return True


def _apart(wanted: Sequence[Finding]) -> list[Finding]:
    """Findings whose edits do not touch one another's; the others wait for the next round."""
    taken: list[Edit] = []
    chosen = []
    for one in wanted:
        if not any(_touch(edit, other) for edit in one.edits for other in taken):
            chosen.append(one)
            taken += one.edits
    return chosen


def _touch(one: Edit, other: Edit) -> bool:
    return one.start <= other.end and other.start <= one.end


def _tried(code: Code, chosen: Sequence[Finding]) -> str | None:
    """The source with the edits made, None where that would change more than they say."""
    edits = sorted((edit for one in chosen for edit in one.edits), key=lambda edit: edit.start)
    if not edits:
        return None
    text, after = _edited(code.text, edits)
    tree = tree_of(text)
    if isinstance(tree, str):
        return None
    try:
        before_kept = _untouched(code, [(edit.start, edit.end) for edit in edits])
        return text if _untouched(Code(text, tree), after) == before_kept else None
    except RecursionError:
        return None


def _edited(text: str, edits: Iterable[Edit]) -> tuple[str, list[tuple[int, int]]]:
    """The new source, and where in it the edits stand."""
    parts, places = [], []
    done = length = 0
    for edit in edits:
        parts += [text[done : edit.start], edit.text]
        length += edit.start - done
        places.append((length, length + len(edit.text)))
        length += len(edit.text)
        done = edit.end
    return "".join([*parts, text[done:]]), places


def _untouched(code: Code, places: Sequence[tuple[int, int]]) -> list[str]:
    """Every statement's own part, less its blocks, where no edit stands in it."""
    kept = []
    for node in code.nodes:
        if isinstance(node, ast.stmt | ast.ExceptHandler):
            first, last = _own_span(code, node)
            if not any(start <= last and first <= end for start, end in places):
                kept.append(_without_blocks(node))
    return kept


def _own_span(code: Code, node: ast.stmt | ast.ExceptHandler) -> tuple[int, int]:
    """The characters of a statement up to its first block, its decorators among them."""
    start, end = code.span(node)
    start = min([start, *(code.span(mark)[0] for mark in getattr(node, "decorator_list", []))])
    block = next((found for name in _BLOCKS if (found := getattr(node, name, None))), None)
    inner = block[0] if block else None
    return start, code.span(inner)[0] - 1 if isinstance(inner, ast.stmt) else end


def _without_blocks(node: ast.stmt | ast.ExceptHandler) -> str:
    blocks = {name: getattr(node, name) for name in _BLOCKS if hasattr(node, name)}
    try:
        for name in blocks:
            setattr(node, name, [])
        return ast.dump(node)
    finally:
        for name, block in blocks.items():
            setattr(node, name, block)
