import ast
import dataclasses
import json
import random
from collections import Counter
from dataclasses import replace
from datetime import date

import pytest

from qc_builder_lora.errors import UnknownKey
from qc_builder_lora.eval.suite import suite_paths
from qc_builder_lora.harvest.corpus.families import FAMILIES
from qc_builder_lora.harvest.corpus.family import Family, Frame, draw_frame
from qc_builder_lora.harvest.corpus.starter import draw_key, draws, held_out_keys, load_manifest

FRAME = Frame(start=date(2006, 1, 1), end=date(2010, 12, 31), cash=50000, wording=2)
TICKERS = ("AAPL", "GOOG", "IBM", "MSFT")


def test_there_are_enough_families_of_every_theme() -> None:
    themes = {family.theme for family in FAMILIES.values()}
    assert len(FAMILIES) >= 10
    wanted = "trend, mean reversion, breakout, rotation, volatility, pairs, seasonality, risk"
    assert set(wanted.split(", ")) <= themes


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_every_draw_is_python_and_says_its_parameters_in_every_phrasing(family: Family) -> None:
    source = random.Random(1)
    for _ in range(30):
        parameters = family.draw_parameters(source, TICKERS)
        code = family.code(parameters, FRAME)
        ast.parse(code)
        assert "$" not in code
        for number in range(len(family.phrasings)):
            instruction = family.instruction(number, parameters, FRAME)
            assert "$ticker" not in instruction
            assert all(ticker in instruction for ticker in parameters["tickers"])
            assert "50,000" in instruction or "50000" in instruction


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_a_family_has_at_least_four_different_phrasings(family: Family) -> None:
    parameters = family.draw_parameters(random.Random(2), TICKERS)
    texts = {family.instruction(n, parameters, FRAME) for n in range(len(family.phrasings))}
    assert len(texts) == len(family.phrasings) >= 4


def test_a_family_with_three_phrasings_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 4 phrasings, got 3"):
        dataclasses.replace(FAMILIES["sma_cross"], phrasings=("a", "b", "c"))


def test_a_silent_frame_takes_the_defaults_and_says_nothing() -> None:
    frames = [draw_frame(random.Random(n), (2005, 2012), (10000,), 100000) for n in range(200)]
    silent = [frame for frame in frames if frame.wording == 0]
    assert silent
    for frame in silent:
        assert (frame.start, frame.end) == (date(2006, 1, 1), date(2012, 12, 31))
        assert frame.cash == 100000
        assert frame.said(as_lines=False) == frame.said(as_lines=True) == ""
    assert all(frame.end.year - frame.start.year >= 2 for frame in frames)


def test_the_starter_corpus_draws_at_least_240_and_all_phrasings_of_every_family() -> None:
    drawn = list(draws(load_manifest(), held_out_keys(suite_paths())))
    assert len(drawn) >= 240
    assert len({draw_key(draw) for draw in drawn}) == len(drawn)
    phrasings = Counter((draw.family.name, draw.phrasing) for draw in drawn)
    for family, wanted in load_manifest().chosen_families().items():
        used = [number for name, number in phrasings if name == family]
        assert len(used) >= 4
        assert sum(n for (name, _), n in phrasings.items() if name == family) == wanted


def test_no_draw_shares_family_and_parameters_with_a_held_out_prompt() -> None:
    keys = held_out_keys(suite_paths())
    assert len(keys) >= 24
    assert not keys & {draw_key(draw) for draw in draws(load_manifest(), keys)}


def test_families_may_be_all_or_names_or_names_with_counts() -> None:
    manifest = load_manifest()
    everything = replace(manifest, families="all").chosen_families()
    assert everything == dict.fromkeys(FAMILIES, manifest.examples_per_family)
    named = replace(manifest, families=["sma_cross"]).chosen_families()
    assert named == {"sma_cross": manifest.examples_per_family}
    counted = replace(manifest, families={"sma_cross": 3, "pairs_ratio": 2})
    assert Counter(draw.family.name for draw in draws(counted, set())) == {
        "sma_cross": 3,
        "pairs_ratio": 2,
    }


def test_an_unknown_family_is_named_with_the_one_that_was_meant() -> None:
    with pytest.raises(UnknownKey, match=r"sma_cros.*Did you mean 'sma_cross'"):
        replace(load_manifest(), families={"sma_cros": 3}).chosen_families()


def test_the_same_manifest_draws_the_same_corpus() -> None:
    first = [(draw.instruction, draw.code) for draw in draws(load_manifest(), set())]
    second = [(draw.instruction, draw.code) for draw in draws(load_manifest(), set())]
    assert first == second


def test_the_smoke_suite_holds_24_different_prompts_of_many_families() -> None:
    (path,) = [path for path in suite_paths() if path.name == "smoke.jsonl"]
    prompts = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(prompts) == len({prompt["id"] for prompt in prompts}) == 24
    assert len({prompt["instruction"] for prompt in prompts}) == 24
    assert len({prompt["family"] for prompt in prompts}) >= 10
    assert all(set(prompt["parameters"]["tickers"]) <= set(TICKERS) for prompt in prompts)
