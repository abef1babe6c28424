"""Draws from our own families, as a manifest says, to be executed before they count."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from qc_builder_lora.backtest.protocol import Backtester, BacktestSettings
from qc_builder_lora.errors import InputError, UnknownKey
from qc_builder_lora.files import find_default
from qc_builder_lora.harvest.corpus.candidate import Candidate
from qc_builder_lora.harvest.corpus.families import FAMILIES
from qc_builder_lora.harvest.corpus.family import Draw, Family, draw_frame
from qc_builder_lora.harvest.corpus.public.licence import checked_licence
from qc_builder_lora.harvest.snapshot import suite_prompts
from qc_builder_lora.ids import text_hash

# A family is asked this many times for one more distinct draw before it counts as exhausted.
_PATIENCE = 200


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """`harvest/corpus/starter.yaml`, `full.yaml`, or one of the user's own."""

    name: str
    licence: str
    seed: int
    examples_per_family: int
    families: Any
    tickers: Sequence[str]
    synthetic_tickers: Sequence[str]
    synthetic_share: float
    first_year: int
    last_year: int
    cash: Sequence[int]
    default_cash: int
    without: Sequence[str] = ()
    """Families that nothing is to teach; a suite may ask for them."""
    alphas: int = 0
    """Formulaic alphas of our own."""
    fixes: int = 0
    """Examples to break for error-fix pairs."""
    changes: int = 0
    """Examples to change for change pairs."""
    every_style: bool = False
    """Ask also in what a family has further, and by specifications as builders write them."""
    edition: int = 1
    """One more whenever the texts of the same draws have changed; part of the version."""

    @property
    def version(self) -> str:
        """What an Example made of it says that it comes from."""
        edition = "" if self.edition == 1 else f" edition {self.edition}"
        return f"{self.name} {self.seed}{edition}"

    def chosen_families(self) -> dict[str, int]:
        """Families, and how many examples of each: `families` is `all`, names, or names: counts."""
        names = FAMILIES if self.families == "all" else self.families
        for key, named in (("families", names), ("without", self.without)):
            for name in named:
                if name not in FAMILIES:
                    raise UnknownKey(key, name, FAMILIES)
        counts = dict.fromkeys(names, self.examples_per_family)
        if isinstance(self.families, dict):
            counts = {name: int(count) for name, count in self.families.items()}
        return {name: count for name, count in counts.items() if name not in self.without}


def load_manifest(name: str = "starter") -> Manifest:
    """The user's manifest of that name, or the built-in one; an unknown key is an error."""
    path = find_default(f"harvest/corpus/{name}.yaml")
    try:
        table = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(table, dict):
        raise InputError(f"{path}: has no keys. Begin with a copy of starter.yaml.")
    known = {item.name for item in fields(Manifest)}
    for key in table:
        if key not in known:
            raise UnknownKey(path, str(key), known)
    missing = {item.name for item in fields(Manifest) if item.default is MISSING} - set(table)
    if missing:
        raise InputError(f"{path}: missing key {min(missing)!r}.")
    table["licence"] = checked_licence(table["licence"], f"{path}, licence")
    return Manifest(**table)


def held_out_keys(suites: Iterable[Path]) -> set[str]:
    """Family-and-parameters keys of the prompts in evaluation suites."""
    return {
        key_of(prompt.get("family"), prompt["parameters"])
        for prompt in suite_prompts(suites)
        if prompt.get("parameters") is not None
    }


def draw_key(draw: Draw) -> str:
    """The same key as in `held_out_keys`."""
    return key_of(draw.family.name, draw.parameters)


def key_of(family: Any, parameters: Mapping[str, Any]) -> str:
    """Family and parameters as one text."""
    return json.dumps([family, dict(parameters)], sort_keys=True)


def draws(
    manifest: Manifest, excluded: set[str], *, synthetic: bool = True, offset: int = 0
) -> Iterator[Draw]:
    """Distinct draws, as many of every family as the manifest says, all phrasings taken in turn.

    None has a key in `excluded` or the key of an earlier draw. `offset` gives other draws.
    """
    for name, count in manifest.chosen_families().items():
        family = FAMILIES[name]
        source = random.Random(f"{manifest.seed}/{offset}/{family.name}")
        seen = set(excluded)
        made = 0
        for _ in range(_PATIENCE * count):
            if made == count:
                break
            draw = _draw(family, source, manifest, made, synthetic)
            if draw_key(draw) in seen:
                continue
            seen.add(draw_key(draw))
            made += 1
            yield draw


def _draw(
    family: Family, source: random.Random, manifest: Manifest, number: int, synthetic: bool
) -> Draw:
    tickers = list(manifest.tickers)
    if synthetic and source.random() < manifest.synthetic_share:
        tickers = list(manifest.synthetic_tickers)
    years = (manifest.first_year, manifest.last_year)
    draw = Draw(
        family=family,
        parameters=family.draw_parameters(source, tickers),
        phrasing=number % (family.styles if manifest.every_style else len(family.phrasings)),
        frame=draw_frame(source, years, manifest.cash, manifest.default_cash),
    )
    if not manifest.every_style:
        return draw
    return replace(draw, frame=replace(draw.frame, variant=int(text_hash(draw.key)[:8], 16)))


def candidates(drawn: Iterable[Draw], manifest: Manifest) -> Iterator[Candidate]:
    """Draws as candidates for the corpus."""
    for draw in drawn:
        yield Candidate(
            instruction=draw.instruction,
            code=draw.code,
            family=draw.family.name,
            source=manifest.name,
            licence=manifest.licence,
            version=manifest.version,
            style=draw.style,
            parameters=dict(draw.parameters),
        )


def _rephrased(draw: Draw) -> Draw:
    number = int(text_hash(draw_key(draw))[:8], 16) % len(draw.family.phrasings)
    return replace(draw, phrasing=number)


def held_out_prompts(
    manifest: Manifest, engine: Backtester, count: int, offset: int, jobs: int = 1
) -> list[dict[str, Any]]:
    """Prompts for a suite, on real tickers, the first of every family before the second of any.

    Only prompts that have an answer: our own code for it must run and trade. The phrasing is
    picked by hash, so that a suite asks in all of them.
    """
    each = 2 + -(-count // len(manifest.chosen_families()))
    several = replace(manifest, families=dict.fromkeys(manifest.chosen_families(), each))
    drawn = [_rephrased(draw) for draw in draws(several, set(), synthetic=False, offset=offset)]
    results = engine.run_many([draw.code for draw in drawn], BacktestSettings(), jobs=jobs)
    trading = [draw for draw, result in zip(drawn, results, strict=True) if result.trades_at_all]
    rank: Counter[str] = Counter()
    ordered = []
    for draw in trading:
        # Hashed, so that no theme is always the one for which there is no room.
        ordered.append((rank[draw.family.name], text_hash(draw.family.name), draw))
        rank[draw.family.name] += 1
    return [
        {
            "id": f"{draw.family.name}-{number:02d}",
            "family": draw.family.name,
            "parameters": dict(draw.parameters),
            "instruction": draw.instruction,
        }
        for number, (_, _, draw) in enumerate(sorted(ordered, key=lambda o: o[:2])[:count], 1)
    ]
