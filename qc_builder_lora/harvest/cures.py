"""What a person can do about a gate that did not pass, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping

from qc_builder_lora.records import Gate, Outcome

_FAIL: Mapping[str, str] = {
    "G0": "harvest it again from where it came; its text is not the one that was kept",
    "G1": "mend the line; allow a module or other characters in harvest/gates.toml",
    "G2": "qc-lora check FILE --fix mends what it can, --explain QC008 tells of a rule",
    "G3": "write what it is to do: an order that can be reached, in place of the stub",
    "G4": "mend what the reason says; qc-lora backtest FILE shows the whole run",
    "G5": "it must open and close positions; the numbers needed are in harvest/gates.toml",
    "G8": "make it decide by what is known at the time; compare the two orders below",
    "G9": "add what was asked and is missing, or correct the instruction",
    "G10": "a label only, which stops nobody: a longer backtest, fewer trials, more trades",
}
_UNKNOWN: Mapping[str, str] = {
    "G0": "say who wrote it, or set writer_needed = false in harvest/gates.toml",
    "G2": "install what the check needs: qc-lora doctor",
    "G4": "data that has its tickers and dates (`data`), or an engine that models it (`engine`)",
    "G5": "see G4: without a run nothing is counted",
    "G7": "see G4: without figures nothing is judged",
    "G8": "see the reason; seed random numbers and do not read the clock",
    "G9": "name tickers, numbers or indicators in the instruction, or take G9 out of the line",
    "G10": "a label only, which stops nobody: it needs the returns of all trials of its Build",
}


def cure_of(gate: Gate) -> str | None:
    """None where it passed."""
    short = gate.name.split()[0]
    if gate.outcome is Outcome.PASS:
        return None
    if gate.evidence.get("quarantined"):
        return (
            f"look at it, then: qc-lora strategy review {gate.strategy_id[:12]} --gate {short} "
            "--pass --by NAME --reason WHY"
        )
    if "reviewed_by" in gate.evidence:
        return "a person refused it; a later review may say otherwise"
    if str(gate.evidence.get("reason", "")).startswith("not asked"):
        return None
    return (_FAIL if gate.outcome is Outcome.FAIL else _UNKNOWN).get(short)


def usual_cure(gate: str, outcome: Outcome) -> str:
    """What can mostly be done where a gate of that name does not pass; else where to look."""
    short = gate.split(maxsplit=1)[0]
    table = _FAIL if outcome is Outcome.FAIL else _UNKNOWN
    return table.get(short) or f"look at them: qc-lora strategy list --stopped-at {short}"
