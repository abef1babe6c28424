"""A suite: a fixed list of prompts that no model is ever trained on.

One JSON object a line: `id`, `instruction`, and where we wrote it ourselves `family` and
`parameters`, by which training examples are kept clear of it; `reserved` for a family that nothing
teaches; `constraints`, what `eval.faithful` judges; `style`; `answer`, code of ours that does it.

A suite is named by its file's name, or by a path; `golden:40` is its first 40 prompts,
`golden:change` those of one style, `golden:change:20` the first 20 of these. Ours are in such an
order that the first ones are of all kinds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import InputError, NotFound
from qc_builder_lora.eval.faithful import Constraint, constraints_from
from qc_builder_lora.files import find_default, list_defaults, read_utf8
from qc_builder_lora.ids import file_hash


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One question of a suite."""

    id: str
    instruction: str
    family: str = "unknown"
    parameters: Mapping[str, Any] | None = None
    reserved: bool = False
    """Whether nothing of its family is ever trained on."""
    style: str = ""
    constraints: tuple[Constraint, ...] = ()
    answer: str | None = None


@dataclass(frozen=True, kw_only=True)
class Suite:
    """The questions, with the hash of the file they came from."""

    name: str
    sha256: str
    prompts: tuple[Prompt, ...]


def load_suite(name: str) -> Suite:
    """The suite of that name in `eval/suites/`, or the file of that path.

    Raises NotFound with the known names or styles, InputError with the number of a line that is
    broken.
    """
    whole, limit = _limited(name)
    whole, style = _styled(whole)
    path = _path(whole)
    prompts = []
    for number, line in enumerate(read_utf8(path).splitlines(), 1):
        if line.strip():
            prompts.append(_prompt(line, path, number))
    if not prompts:
        raise InputError(f"{path}: holds no prompts. Write one JSON object a line.")
    ids = [prompt.id for prompt in prompts]
    if len(set(ids)) < len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise InputError(f"{path}: the id {twice!r} stands twice; ids must be unique.")
    suite = Suite(name=path.stem, sha256=file_hash(path), prompts=tuple(prompts))
    if style:
        suite = _of_style(suite, style)
    if limit is None or limit >= len(suite.prompts):
        return suite
    # Answers are kept by the file's hash: those to the first prompts are not asked for again.
    return replace(suite, name=f"{suite.name}-first-{limit}", prompts=suite.prompts[:limit])


def _styled(name: str) -> tuple[str, str]:
    """The name, and the style of its prompts where it says one."""
    base, colon, style = name.rpartition(":")
    return (base, style) if colon and style.isidentifier() else (name, "")


def _of_style(suite: Suite, style: str) -> Suite:
    known = sorted({prompt.style for prompt in suite.prompts if prompt.style})
    if style not in known:
        cure = f"The suite {suite.name} has: {', '.join(known) or 'none'}."
        raise NotFound("style", style, cure, known)
    chosen = tuple(prompt for prompt in suite.prompts if prompt.style == style)
    return replace(suite, name=f"{suite.name}-{style}", prompts=chosen)


def _limited(name: str) -> tuple[str, int | None]:
    """The name, and how many prompts of it where it says so."""
    base, colon, count = name.rpartition(":")
    if not colon or not count.isdigit():
        return name, None
    if int(count) < 1:
        raise InputError(f"{name}: a suite of no prompts says nothing. Ask for 1 at least.")
    return base, int(count)


def suite_paths() -> list[Path]:
    """All suites that can be seen from here: what training must keep clear of."""
    return list_defaults("eval/suites", "*.jsonl")


def _path(name: str) -> Path:
    if name.endswith(".jsonl"):
        path = Path(name)
        if not path.exists():
            raise NotFound("suite", name, "There is no such file.")
        return path
    known = [path.stem for path in suite_paths()]
    if name not in known:
        raise NotFound("suite", name, f"Known: {', '.join(known) or 'none'}.", known)
    return find_default(f"eval/suites/{name}.jsonl")


def _prompt(line: str, path: Path, number: int) -> Prompt:
    try:
        value = json.loads(line)
        return Prompt(
            id=str(value["id"]),
            instruction=str(value["instruction"]),
            family=str(value.get("family", "unknown")),
            parameters=value.get("parameters"),
            reserved=bool(value.get("reserved", False)),
            style=str(value.get("style", "")),
            constraints=constraints_from(value.get("constraints", ())),
            answer=value.get("answer"),
        )
    except InputError as error:
        raise InputError(f"{path}, line {number}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}, line {number}: not a prompt ({error!r}). A line is a JSON object with "
            "id and instruction."
        ) from error
