"""Where a model's training began, in words: for the command line, the report and its limits.

Reads what a Run's metrics and a Model's manifest keep under `parent` and `seen`
(`retrain/parent.py` makes them); what nobody knows is UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Facts = list[tuple[str, str]]


def parent_facts(found: Mapping[str, Any], asked: str | None = None) -> Facts:
    """The rows about a parent; for a run without one none, unless one was `asked` for."""
    if found.get("parent") is None and asked is None:
        return []
    if found.get("parent") is None:
        return [("started from", "the base, for no model is in production yet")]
    return lineage(found)


def lineage(found: Mapping[str, Any]) -> Facts:
    """What a model's training began from, and the total of what was seen."""
    parent = found.get("parent")
    if parent is None:
        return [("started from", "the base")]
    return [
        ("started from", _who(parent)),
        ("parent's base", _base(parent)),
        ("parent's snapshot", _snapshot(parent)),
        ("held-out that the parent was taught", _taught(parent)),
        ("seen in all", _seen(found.get("seen"))),
    ]


def lineage_limits(found: Mapping[str, Any]) -> list[str]:
    """What a report has to say about figures that a parent's teaching may have touched."""
    parent = found.get("parent")
    if parent is None:
        return []
    if parent["held_out_taught"] is None:
        return [
            f"What the adapter that training began from was taught is UNKNOWN ({parent['path']}): "
            "validation examples and prompts of this suite may have been among it, so every rate, "
            "the validation loss and the parity may look better than they are."
        ]
    count = sum(parent["held_out_taught"].values())
    if count == 0:
        return []
    return [
        f"{count} held-out examples of the snapshot were taught to the model that training began "
        "from: validation loss and parity are measured on examples that it knows."
    ]


def _who(parent: Mapping[str, Any]) -> str:
    adapter = f"adapter {parent['adapter']}"
    if parent["model"]:
        return f"model {parent['model']} ({adapter})"
    return adapter if parent["run"] else f"{adapter} in {parent['path']}"


def _base(parent: Mapping[str, Any]) -> str:
    if parent["base"] == "UNKNOWN":
        return "UNKNOWN: only the names and shapes of its weights could be compared"
    return f"the same, {parent['base']}"


def _snapshot(parent: Mapping[str, Any]) -> str:
    if parent["snapshot"] is None:
        return "UNKNOWN: the adapter is not of this store"
    if parent["snapshots"] is None:
        return f"{parent['snapshot']}, after an adapter of UNKNOWN origin"
    return str(parent["snapshot"])


def _taught(parent: Mapping[str, Any]) -> str:
    found = parent["held_out_taught"]
    if found is None:
        return "UNKNOWN"
    return ", ".join(f"{count} of {split}" for split, count in found.items())


def _seen(seen: Mapping[str, Any] | None) -> str:
    if seen is None:
        return "UNKNOWN"
    return f"{seen['runs']} runs, {seen['steps']:,} steps, {seen['tokens']:,} tokens"
