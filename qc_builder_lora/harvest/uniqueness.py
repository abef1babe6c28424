"""G6: different code, the very same figures from the builder's engine.

Nobody knows then what that engine really executed (a new project's boilerplate, as it happened),
so all of them are quarantined; unless our own engine finds that they trade alike, which explains
it. An earlier strategy becomes suspect when its double arrives.
"""

from __future__ import annotations

from collections.abc import Iterable

from qc_builder_lora.harvest.ladder import Answer, failed, passed
from qc_builder_lora.harvest.rules import Rules
from qc_builder_lora.records import Gate
from qc_builder_lora.store import Store

G4, G6 = "G4 engine", "G6 uniqueness"


def suspects(store: Store, rules: Rules) -> dict[str, Answer]:
    """Id of the Strategy → answer, for those that share their figures with another code."""
    groups = {
        figures: codes
        for figures, codes in store.backtests.told_twice().items()
        if _is_suspicious(codes, rules)
    }
    everyone = sorted({key for codes in groups.values() for key in codes})
    latest = store.gates.latest_of(everyone)
    answers: dict[str, Answer] = {}
    for figures, codes in sorted(groups.items()):
        answer = _answer(figures, codes, latest)
        for key in codes:
            # Suspect by one result is suspect.
            if key not in answers or answer[0] != "PASS":
                answers[key] = answer
    return answers


def alone() -> Answer:
    """The answer for figures that no other code shares."""
    return passed(figures=[], builds=[])


def _is_suspicious(codes: dict[str, set[str]], rules: Rules) -> bool:
    builds = set().union(*codes.values())
    return len(builds) > rules.identical_figures or len(codes) > rules.identical_codes


def _answer(figures: str, codes: dict[str, set[str]], latest: dict[str, dict[str, Gate]]) -> Answer:
    evidence = {
        "figures": figures,
        "builds": sorted(set().union(*codes.values())),
        "strategies": sorted(codes)[:20],
    }
    if _trade_alike(codes, latest):
        return passed(explained="our own engine trades them alike", **evidence)
    return failed(
        "the builder's engine gave other code the very same figures", quarantined=True, **evidence
    )


def _trade_alike(codes: Iterable[str], latest: dict[str, dict[str, Gate]]) -> bool:
    seen = set()
    for key in codes:
        gate = latest[key].get(G4)
        seen.add(gate.evidence.get("behaviour") if gate else None)
    return len(seen) == 1 and None not in seen
