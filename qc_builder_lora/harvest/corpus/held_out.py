"""Draws for the suites that we keep: each family as often as a plan says, in all styles.

Which draws are taken depends on the plan, on what training has (its parameters are avoided, and
anything its questions are near to), and on `look`, which says what the answer did in a backtest:
None, and another draw takes its place.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from qc_builder_lora.errors import InputError, QcLoraError, UnknownKey
from qc_builder_lora.harvest.corpus.families import FAMILIES
from qc_builder_lora.harvest.corpus.family import Draw, draw_frame
from qc_builder_lora.harvest.corpus.starter import Manifest, draw_key
from qc_builder_lora.harvest.corpus.styles import STYLES, Drawn, Reference, worded
from qc_builder_lora.harvest.likeness import Questions
from qc_builder_lora.ids import text_hash

_PATIENCE = 8
"""Rounds after which a place that finds no draw is an error."""
_SPOKEN = {"yaml": 2}
"""Styles that say dates and cash whatever the draw says: the wording of the frame."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`eval/suites/NAME.yaml`: how many prompts of which family, and in which styles."""

    seed: int
    styles: Sequence[str] = STYLES
    families: dict[str, int] = field(default_factory=dict)
    reserved: dict[str, int] = field(default_factory=dict)
    """Families that no training example has."""

    def __post_init__(self) -> None:
        for key in ("families", "reserved"):
            for name in getattr(self, key):
                if name not in FAMILIES:
                    raise UnknownKey(key, name, FAMILIES)
        for style in self.styles:
            if style not in STYLES:
                raise UnknownKey("styles", style, STYLES)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One prompt of a suite, with our answer to it and what that did."""

    id: str
    drawn: Drawn
    reserved: bool
    reference: Reference
    instruction: str


@dataclass
class _Place:
    """One place in the suite that waits for a draw."""

    family: str
    number: int
    style: str
    reserved: bool
    at: float
    """Where in the suite: the places of a family are spread over it."""
    asked: Asked | None = None


Look = Callable[[Sequence[Drawn]], Sequence[Reference | None]]
"""What the answers did; None where a draw is not to be taken."""


def load_plan(path: Path) -> Plan:
    """The plan in a file. Raises InputError for what is not YAML, UnknownKey for what it names."""
    try:
        table = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(table, dict) or "seed" not in table:
        raise InputError(f"{path}: no plan: it needs the keys seed and families.")
    known = {item.name for item in fields(Plan)}
    for key in table:
        if key not in known:
            raise UnknownKey(path, str(key), known)
    return Plan(**table)


def plan_suite(
    plan: Plan, manifest: Manifest, taken: set[str], trained: Iterable[str], look: Look
) -> list[Asked]:
    """The prompts, in the order of the suite. `taken` are keys of draws, `trained` questions that
    training has; the manifest gives tickers, years and cash."""
    places, keys = _places(plan), set(taken)
    questions = Questions(same_numbers=False)
    for text in trained:
        questions.add(text)
    for round_ in range(_PATIENCE):
        waiting = [place for place in places if place.asked is None]
        if not waiting:
            break
        drawn = [_drawn(place, plan, manifest, round_, keys) for place in waiting]
        found = iter(look([one for one in drawn if one is not None]))
        for place, one in zip(waiting, drawn, strict=True):
            if one is not None and not _take(place, one, next(found), questions):
                keys.discard(draw_key(one.draw))
    missing = [place.family for place in places if place.asked is None]
    if missing:
        raise QcLoraError(f"no draw for {len(missing)} prompts, of {', '.join(sorted(missing))}.")
    return [place.asked for place in places if place.asked is not None]


def _take(place: _Place, drawn: Drawn, reference: Reference | None, questions: Questions) -> bool:
    """Give the draw its place, unless its question is near to one that is asked already."""
    if reference is None:
        return False
    text = worded(drawn, reference)
    if questions.near(text):
        return False
    questions.add(text)
    place.asked = Asked(
        id=f"{place.family}-{place.style}-{place.number + 1}",
        drawn=drawn,
        reserved=place.reserved,
        reference=reference,
        instruction=text,
    )
    return True


def _places(plan: Plan) -> list[_Place]:
    places = []
    counts = {**plan.families, **plan.reserved}
    for index, (family, count) in enumerate(sorted(counts.items())):
        for number in range(count):
            style = plan.styles[(index + number) % len(plan.styles)]
            # Each family begins somewhere else, so that the first prompts are of all kinds.
            at = (number + int(text_hash(family)[:8], 16) / 2**32) / count
            places.append(_Place(family, number, style, family in plan.reserved, at))
    return sorted(places, key=lambda one: (one.at, one.family))


def _drawn(
    place: _Place, plan: Plan, manifest: Manifest, round_: int, keys: set[str]
) -> Drawn | None:
    """A draw of which nothing is taken yet, and the one to be changed into it; or None."""
    family = FAMILIES[place.family]
    source = random.Random(f"{plan.seed}/{place.family}/{place.number}/{round_}")
    years = (manifest.first_year, manifest.last_year)
    frame = draw_frame(source, years, manifest.cash, manifest.default_cash)
    while place.style in _SPOKEN and frame.wording != _SPOKEN[place.style]:
        frame = draw_frame(source, years, manifest.cash, manifest.default_cash)
    parameters = family.draw_parameters(source, list(manifest.tickers))
    draw = Draw(family=family, parameters=parameters, phrasing=0, frame=frame)
    if draw_key(draw) in keys:
        return None
    keys.add(draw_key(draw))
    if place.style != "change":
        return Drawn(draw=draw, style=place.style)
    before = replace(draw, parameters=_changed(draw, source, manifest))
    return Drawn(draw=draw, style=place.style, before=before)


def _changed(draw: Draw, source: random.Random, manifest: Manifest) -> dict[str, Any]:
    """Other parameters, in one or two places; the same tickers unless there is nothing else."""
    family, parameters = draw.family, dict(draw.parameters)
    keys = [key for key, values in family.parameters.items()
            if key != "signal" and len(values) > 1]  # fmt: skip
    if not keys:
        others = [one for one in manifest.tickers if one not in parameters["tickers"]]
        return {**parameters, "tickers": [*parameters["tickers"][:-1], source.choice(others)]}
    while True:
        changed = dict(parameters)
        for key in source.sample(keys, min(len(keys), source.randint(1, 2))):
            changed[key] = source.choice(list(family.parameters[key]))
        if changed != parameters and family.valid(changed):
            return changed
