"""A person looks at what was quarantined, and says what it is; their word is kept and counts on.

A review answers one gate for one strategy. It stays in force under other rules and engines, for
the code is the same; a later review replaces it. A lift covers the suspicions that were looked at,
and says which: another one is asked anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qc_builder_lora.errors import InputError
from qc_builder_lora.harvest.ladder import Answer
from qc_builder_lora.ids import new_id, now
from qc_builder_lora.records import Gate, Outcome
from qc_builder_lora.store import Store

_SAID = ("reviewed_by", "review", "quarantined", "lifted")
REVIEWED = ("G6 uniqueness", "G7 sanity")
"""Gates that quarantine; the others say what is so, which no word changes."""


def review(store: Store, strategy_id: str, gate: str, good: bool, by: str, reason: str) -> Gate:
    """Keep a person's answer. Raises InputError for a gate that cannot be answered so."""
    if gate not in REVIEWED:
        raise InputError(f"{gate!r} is not reviewed; those that are: {', '.join(REVIEWED)}.")
    if not by.strip() or not reason.strip():
        raise InputError("A review needs a name and a reason: it is what makes it one.")
    before = store.gates.latest(strategy_id).get(gate)
    if before is None:
        raise InputError(f"{gate} has not been asked yet. Ask the gates first: qc-lora turn")
    evidence = {**before.evidence, "reviewed_by": by, "review": reason, "quarantined": not good}
    evidence["lifted"] = sorted(_suspicions(before.evidence)) if good else []
    answer = Gate(
        id=new_id(),
        strategy_id=strategy_id,
        name=gate,
        outcome=Outcome.PASS if good else Outcome.FAIL,
        evidence=evidence,
        created_at=now(),
        backtest_id=before.backtest_id,
        basis=before.basis,
    )
    return store.gates.add(answer)


def standing(store: Store, strategy_id: str, gate: str, answer: Answer) -> Answer:
    """The newest review, where the gate would quarantine for what was lifted, or a person refused;
    else the answer. A refusal is not undone by looser thresholds, nor a lift by stricter ones."""
    for one in store.gates.find(strategy_id=strategy_id, name=gate):
        if "reviewed_by" not in one.evidence:
            continue
        lifted = set(one.evidence.get("lifted") or _suspicions(one.evidence))
        fresh = _suspicions(answer[1]) - lifted
        if one.outcome is Outcome.PASS and fresh:
            told = {"not_lifted": sorted(fresh), "lifted_before": sorted(lifted)}
            return answer[0], {**answer[1], **told}
        if answer[1].get("quarantined") or one.outcome is Outcome.FAIL:
            said = {key: one.evidence[key] for key in _SAID if key in one.evidence}
            return one.outcome, {**answer[1], **one.evidence, **_figures(answer[1]), **said}
        return answer
    return answer


def _suspicions(evidence: Mapping[str, Any]) -> set[str]:
    """What a quarantine rests on: rules that the run or the builder's engine broke, or figures."""
    if isinstance(evidence.get("figures"), str):
        return {str(evidence["figures"])}
    found = set(evidence.get("own_run") or ())
    for one in (evidence.get("reported") or {}).values():
        found |= {f"{word}, by the builder's engine" for word in one.get("too_good", ())}
    return found


def _figures(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """What was measured now, beside the word of then."""
    return {key: value for key, value in evidence.items() if key not in (*_SAID, "reason")}
