"""The prompts of evaluation suites, as what they hold out of training has to be known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import InputError


def suite_prompts(suites: Iterable[Path]) -> Iterable[Mapping[str, Any]]:
    """The prompts of evaluation suites, one mapping each; InputError names a line that is none."""
    for suite in suites:
        for number, line in enumerate(suite.read_text("utf-8").splitlines(), 1):
            if line.strip():
                yield _prompt(line, suite, number)


def _prompt(line: str, suite: Path, number: int) -> Mapping[str, Any]:
    try:
        prompt: dict[str, Any] = json.loads(line)
        # What a suite holds out must be known for certain: a guess could let it into training.
        return {**prompt, "instruction": str(prompt["instruction"])}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{suite}, line {number}: not a prompt ({error!r}). A line is a JSON object with id "
            "and instruction."
        ) from error
