"""How many strategies came in, how many stopped at each gate, and why; read, never written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from qc_builder_lora.harvest.rules import LADDER, Rules
from qc_builder_lora.records import Outcome
from qc_builder_lora.store import Store

NOT_ASKED = "not asked yet"


@dataclass
class Step:
    """One gate: who reached it, and what it said to those."""

    name: str
    reached: int = 0
    passed: int = 0
    failed: int = 0
    unknown: int = 0
    on_line: bool = True
    reasons: Counter[str] = field(default_factory=Counter)

    def plain(self, most: int) -> dict[str, Any]:
        return {
            "gate": self.name,
            "on_the_line": self.on_line,
            "reached": self.reached,
            "pass": self.passed,
            "fail": self.failed,
            "unknown": self.unknown,
            "reasons": [
                {"reason": reason, "strategies": count}
                for reason, count in self.reasons.most_common(most)
            ],
        }


@dataclass
class Explained:
    """The funnel of everything that was harvested."""

    generations: int = 0
    without_code: int = 0
    unparsable: int = 0
    same_strategy: int = 0
    """Answers whose strategy an earlier answer had brought."""
    strategies: int = 0
    not_asked: int = 0
    accepted: int = 0
    promising: int = 0
    """Accepted ones that pass G10 as well."""
    labels: Counter[str] = field(default_factory=Counter)
    steps: list[Step] = field(default_factory=list)

    def plain(self, most: int = 5) -> dict[str, Any]:
        """As JSON values, with the `most` frequent reasons of each gate."""
        return {
            "generations": self.generations,
            "without_code": self.without_code,
            "do_not_parse": self.unparsable,
            "same_strategy_again": self.same_strategy,
            "strategies": self.strategies,
            "not_asked_yet": self.not_asked,
            "gates": [step.plain(most) for step in self.steps],
            "accepted": self.accepted,
            "promising": self.promising,
            "labels": dict(sorted(self.labels.items())),
        }


def explain(store: Store, rules: Rules) -> Explained:
    """Read the whole store once, without codes; the newest answers count."""
    found = Explained(steps=[Step(name, on_line=name in rules.line) for name in LADDER])
    strategies = _intake(store, found)
    stopped: dict[str, list[str]] = {}
    asked = 0
    for one in store.strategies.answered(LADDER):
        # An answer may have come since the intake was counted.
        if one.outcomes and one.id in strategies:
            asked += 1
            stop = _climb(found, one.outcomes)
            if stop is not None:
                stopped.setdefault(stop, []).append(one.id)
    found.not_asked = found.strategies - asked
    _add_reasons(store, found, stopped)
    return found


def _intake(store: Store, found: Explained) -> set[str]:
    seen: set[str] = set()
    for strategy_id, label, has_code in store.generations.served_briefly():
        found.generations += 1
        found.labels[label or "unlabelled"] += 1
        if strategy_id is not None:
            found.same_strategy += strategy_id in seen
            seen.add(strategy_id)
        elif has_code:
            found.unparsable += 1
        else:
            found.without_code += 1
    found.strategies = len(seen)
    return seen


def _climb(found: Explained, outcomes: Mapping[str, Outcome]) -> str | None:
    """Count one strategy up to where it stops; the gate that stopped it."""
    for step in found.steps:
        outcome = outcomes.get(step.name, Outcome.UNKNOWN)
        if not step.on_line:
            continue
        step.reached += 1
        if outcome is not Outcome.PASS:
            step.failed += outcome is Outcome.FAIL
            step.unknown += outcome is Outcome.UNKNOWN
            return step.name
        step.passed += 1
    found.accepted += 1
    for step in found.steps:
        if not step.on_line:
            _beside(step, outcomes.get(step.name, Outcome.UNKNOWN))
    found.promising += outcomes.get(LADDER[-1]) is Outcome.PASS
    return None


def _beside(step: Step, outcome: Outcome) -> None:
    """A gate off the line is counted for the accepted ones alone."""
    step.reached += 1
    step.passed += outcome is Outcome.PASS
    step.failed += outcome is Outcome.FAIL
    step.unknown += outcome is Outcome.UNKNOWN


def _add_reasons(store: Store, found: Explained, stopped: Mapping[str, list[str]]) -> None:
    for step in found.steps:
        keys = stopped.get(step.name, [])
        told = 0
        for gate in store.gates.newest(step.name, keys):
            told += 1
            step.reasons[short(str(gate.evidence.get("reason", "no reason kept")))] += 1
        if told < len(keys):
            step.reasons[NOT_ASKED] += len(keys) - told


def short(reason: str) -> str:
    """One line, the same for the same fault: places and numbers taken out."""
    line = next(iter(reason.strip().splitlines()), "")
    line = re.sub(r"^(?:[\w./-]+\.py:)?(?:line )?\d+(?::\d+)?: ", "", line)
    line = re.sub(r"\bline \d+", "line N", line)
    return line[:120] or "no reason kept"


def rows(found: Explained) -> Iterator[tuple[str, int, int, int, int]]:
    """The table: gate, reached, PASS, FAIL, UNKNOWN."""
    for step in found.steps:
        name = step.name if step.on_line else f"({step.name})"
        yield name, step.reached, step.passed, step.failed, step.unknown
