import ast
import dataclasses
import json
import random
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from qc_builder_lora.backtest.check import compiles
from qc_builder_lora.backtest.sample_data import convert
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.errors import InputError, NotFound, UnknownKey
from qc_builder_lora.eval.suite import suite_paths
from qc_builder_lora.harvest.corpus.families import FAMILIES
from qc_builder_lora.harvest.corpus.families.risk_rules import SIGNALS
from qc_builder_lora.harvest.corpus.family import Family, Frame, draw_frame
from qc_builder_lora.harvest.corpus.starter import draw_key, draws, held_out_keys, load_manifest
from qc_builder_lora.ids import text_hash

FRAME = Frame(start=date(2006, 1, 1), end=date(2010, 12, 31), cash=50000, wording=2)
TICKERS = ("AAPL", "GOOG", "IBM", "MSFT")


def test_there_are_enough_families_of_every_theme() -> None:
    themes = {family.theme for family in FAMILIES.values()}
    assert len(FAMILIES) >= 60
    wanted = (
        "trend, mean reversion, breakout, momentum, rotation, volatility, pairs, seasonality, "
        "risk, statistical arbitrage, multi-factor, risk management"
    )
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
def test_a_family_has_at_least_six_different_phrasings(family: Family) -> None:
    parameters = family.draw_parameters(random.Random(2), TICKERS)
    texts = {family.instruction(n, parameters, FRAME) for n in range(len(family.phrasings))}
    assert len(texts) == len(family.phrasings) >= 6
    # One of them is a specification, as a builder writes it.
    assert any(text.startswith("strategy: ") and "\n" in text for text in texts)


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


def test_risk_rules_are_many_and_each_goes_with_every_signal() -> None:
    rules = [
        family for family in FAMILIES.values() if "sma 50" in family.parameters.get("signal", ())
    ]
    assert len(rules) >= 12
    for family in rules:
        codes = set()
        for signal in SIGNALS:
            parameters = {**family.draw_parameters(random.Random(4), TICKERS), "signal": signal}
            codes.add(family.code(parameters, FRAME))
            assert SIGNALS[signal].label in family.instruction(1, parameters, FRAME)
        assert len(codes) == len(SIGNALS) >= 20


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_code_is_tidy(family: Family) -> None:
    source = random.Random(5)
    for _ in range(10):
        code = family.code(family.draw_parameters(source, TICKERS), FRAME)
        assert max(map(len, code.splitlines())) <= 100
        assert "\n\n\n\n" not in code
        assert code.isascii()
        for function in ast.walk(ast.parse(code)):
            if isinstance(function, ast.FunctionDef):
                assert not unused(function)


def unused(function: ast.FunctionDef) -> set[str]:
    """Local names that are given a value and never read."""
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    written = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return written - {"_"} - {node.id for node in names if isinstance(node.ctx, ast.Load)}


def test_the_full_manifest_teaches_many_families_and_keeps_some_for_evaluation() -> None:
    manifest = load_manifest("full")
    chosen = manifest.chosen_families()
    assert len(chosen) >= 60
    assert len(manifest.without) >= 5
    assert not set(manifest.without) & set(chosen)
    drawn = list(draws(manifest, held_out_keys(suite_paths())))
    assert len(drawn) >= 1500
    assert len({draw_key(draw) for draw in drawn}) == len(drawn)


def test_the_starter_manifest_teaches_what_it_did() -> None:
    chosen = load_manifest().chosen_families()
    assert len(chosen) == 17
    assert sum(chosen.values()) == 254
    drawn = list(draws(load_manifest(), held_out_keys(suite_paths())))
    assert text_hash("".join(draw.instruction + draw.code for draw in drawn)) == STARTER


STARTER = "413306074f367b1a697da81fc054dc61a34ce1cd1f5d67c8b102c6f43b6dcd8c"
"""The texts of all its draws: `make demo` trains on them, and its counts were found by trials."""


def test_a_manifest_that_is_no_yaml_or_lacks_a_key_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "harvest" / "corpus"
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for text, said in (
        ("a: [", "mine.yaml: not valid YAML"),
        ("", "mine.yaml: has no keys"),
        ("name: x", "mine.yaml: missing key 'cash'"),
        ("nmae: x", r"unknown key 'nmae'. Did you mean 'name'"),
    ):
        (folder / "mine.yaml").write_text(text)
        with pytest.raises((InputError, UnknownKey), match=said):
            load_manifest("mine")
    with pytest.raises(NotFound, match=r"No file named 'harvest/corpus/other.yaml'"):
        load_manifest("other")
    with pytest.raises(UnknownKey, match=r"without: unknown key 'sma_cros'"):
        replace(load_manifest("full"), without=["sma_cros"]).chosen_families()


@pytest.mark.slow
def test_a_draw_of_every_family_compiles_runs_and_trades(
    tmp_path_factory: pytest.TempPathFactory, check_cache: Path
) -> None:
    pytest.importorskip("bokeh_sampledata", reason="the sample data is an extra")
    folder = tmp_path_factory.mktemp("bars")
    convert(folder)
    frame = replace(FRAME, start=date(2006, 1, 1), end=date(2007, 12, 31))
    source = random.Random(7)
    drawn = {
        name: family.code(family.draw_parameters(source, TICKERS), frame)
        for name, family in FAMILIES.items()
    }
    checks = compiles(list(drawn.values()), cache=check_cache)
    engine = Simulator(folder, allow_open_sandbox=True)
    results = engine.run_many(list(drawn.values()), jobs=2)
    failed = {
        name: (check.messages[:1], result.reason, result.total_orders)
        for name, check, result in zip(drawn, checks, results, strict=True)
        if check.messages or not result.trades_at_all
    }
    engine.close()
    assert failed == {}
