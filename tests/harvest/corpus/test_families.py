import ast
import calendar
import dataclasses
import json
import random
import re
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import yaml

from qc_builder_lora.backtest.check import compiles
from qc_builder_lora.backtest.sample_data import convert
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.errors import InputError, NotFound, UnknownKey
from qc_builder_lora.eval.asked import constraints_of
from qc_builder_lora.eval.faithful import KINDS, judge
from qc_builder_lora.eval.suite import suite_paths
from qc_builder_lora.harvest.corpus.families import FAMILIES
from qc_builder_lora.harvest.corpus.families.risk_rules import SIGNALS
from qc_builder_lora.harvest.corpus.family import Family, Frame, draw_frame
from qc_builder_lora.harvest.corpus.starter import draw_key, draws, held_out_keys, load_manifest
from qc_builder_lora.ids import text_hash
from qc_builder_lora.records import Outcome

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
        for number in range(family.styles):
            instruction = family.instruction(number, parameters, FRAME)
            assert "$ticker" not in instruction
            assert all(ticker in instruction for ticker in parameters["tickers"])
            assert "50,000" in instruction or "50000" in instruction


SILENT = {0, 1, 30, 100, 252, 1e-12, 1e-9, 0.0001, 0.01}
"""Numbers that no request has to say: nothing and all, the minutes after the open at which
everything is rebalanced, a year's trading days, the rounds of an iteration, guards."""
DERIVED = {
    "volatility_target": {0.5},
    "three_factors": {0.5, 3},
    "squeeze_breakout": {25},
    "quarter_rebalance": {0.3, 0.4, 0.5, 3},
    "bracket_orders": {2},
}
"""Said in words (half a leg, three ranks, the narrowest quarter), the rest of a whole, cents."""


def numbers_said(text: str) -> set[float]:
    """Numbers, percentages as fractions too, months and weekdays by number, shares in words."""
    found = {float(one) for one in re.findall(r"\d+(?:\.\d+)?", text)}
    found |= {round(one / 100, 9) for one in found}
    for names in (calendar.month_name, calendar.day_name):
        found |= {float(at) for at, name in enumerate(names) if name and name in text}
    words = {"half": 0.5, "two": 2.0, "quarter": 0.25, "equally": 0.5}
    return found | {value for word, value in words.items() if word in text.lower()}


def rule_numbers(code: str) -> set[float]:
    """Numbers of the strategy's rules: without dates, cash and the length of the warm-up."""
    tree, framed = ast.parse(code), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and re.match(r"self\.set_(?!holdings)", ast.unparse(node)):
            framed |= set(ast.walk(node))
    return {
        float(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and type(node.value) in (int, float)
        if node not in framed
    }


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_every_number_of_the_rules_is_said_however_it_is_asked(family: Family) -> None:
    source = random.Random(family.name)
    frame = replace(FRAME, wording=0)
    for _ in range(30):
        parameters = family.draw_parameters(source, TICKERS)
        asked = rule_numbers(family.code(parameters, frame)) - SILENT
        asked -= DERIVED.get(family.name, set())
        for number in range(family.styles):
            text = family.instruction(number, parameters, frame)
            hidden = asked - numbers_said(text)
            assert not hidden, (sorted(hidden), text)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_no_request_says_a_number_that_the_code_does_not_have(family: Family) -> None:
    source = random.Random(family.name)
    frame = replace(FRAME, wording=0)
    for _ in range(30):
        parameters = family.draw_parameters(source, TICKERS)
        code = family.code(parameters, frame)
        used = {float(one) for one in re.findall(r"\d+(?:\.\d+)?", code)}
        used |= {round(one * 100, 9) for one in used} | {round(100 - 100 * one, 9) for one in used}
        used |= {round(1 - one, 9) for one in used} | {0.25}
        for number in range(family.styles - 1):
            text = family.instruction(number, parameters, frame)
            invented = {float(one) for one in re.findall(r"\d+(?:\.\d+)?", text)} - used
            assert not invented, (sorted(invented), text)


def test_an_exit_with_levels_of_its_own_is_said_in_the_shortest_request_too() -> None:
    family = FAMILIES["atr_stop"]
    parameters = {"signal": "rsi 2 20 70", "atr": 14, "times": 2.0, "tickers": ["IBM"]}
    assert family.instruction(1, parameters, replace(FRAME, wording=0)) == (
        "IBM long only, signal rsi(2) below 20, exit above 70, stop 2.0 x ATR(14) below the entry."
    )
    parameters["signal"] = "sma 50"
    assert "signal close above sma(50), stop" in family.instruction(1, parameters, FRAME)


@pytest.mark.parametrize("day", [(22, "22nd"), (23, "23rd"), (24, "24th"), (11, "11th")])
def test_days_of_the_month_are_said_as_people_say_them(day: tuple[int, str]) -> None:
    parameters = {"start": day[0], "end": 3, "tickers": ["IBM"]}
    text = FAMILIES["turn_of_month"].instruction(4, parameters, replace(FRAME, wording=0))
    assert text.endswith(f"starting on the {day[1]} and leaving after the 3rd.")


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_one_style_is_a_specification_with_the_keys_of_a_builders(family: Family) -> None:
    parameters = family.draw_parameters(random.Random(3), TICKERS)
    text = family.instruction(family.styles - 1, parameters, FRAME)
    told = {k: v for k, v in parameters.items() if k not in ("tickers", "signal")}
    # A sentence may come before it.
    table = yaml.safe_load(re.sub(r"\A(?:Build|Write) .*\n", "", text))
    if "title" in table:
        assert set(table) == {
            "title",
            "description",
            "symbols",
            "start",
            "end",
            "cash",
            "target_sharpe",
            "iterations",
        } | ({"parameters"} if told else set())
        assert table["symbols"] == parameters["tickers"]
        assert (table["start"], table["cash"]) == (date(2006, 1, 1), 50000)
    else:
        assert table["data"]["instruments"] == parameters["tickers"]
        assert table["data"]["start_date"] == "2006-01-01"
        assert table["capital"]["allocation_usd"] == 50000
    assert table.get("parameters", {}) == json.loads(json.dumps(told))
    assert text == family.instruction(family.styles - 1, parameters, FRAME)


def test_specifications_have_both_layouts_of_builders() -> None:
    flat = [
        "title:" in family.instruction(family.styles - 1, drawn, FRAME)
        for family in FAMILIES.values()
        for drawn in [family.draw_parameters(random.Random(family.name), TICKERS)]
    ]
    assert 0.2 < sum(flat) / len(flat) < 0.6


def test_the_full_corpus_asks_in_every_style_and_the_starter_in_its_phrasings_alone() -> None:
    full, starter = load_manifest("full"), load_manifest()
    family = FAMILIES["atr_stop"]
    one = replace(full, families={"atr_stop": family.styles})
    assert [draw.phrasing for draw in draws(one, set())] == list(range(family.styles))
    several = replace(starter, families={"atr_stop": 30})
    assert max(draw.phrasing for draw in draws(several, set())) == len(family.phrasings) - 1
    assert (full.version, starter.version) == (
        "families 20261125 edition 3",
        "starter 20261123 edition 2",
    )


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


def test_the_full_corpus_says_dates_and_cash_in_many_ways_and_suites_in_one() -> None:
    frames = [replace(FRAME, wording=wording) for wording in range(5)]
    said = {replace(one, variant=n).said(as_lines=False) for one in frames for n in range(4)}
    assert len(said) == 17
    lines = {replace(one, variant=n).said(as_lines=True) for one in frames for n in range(4)}
    assert len(lines) >= 16
    full = draws(replace(load_manifest("full"), families={"atr_stop": 22}), set())
    assert len({draw.frame.variant % 4 for draw in full}) == 4
    assert {draw.frame.variant for draw in draws(load_manifest(), set())} == {0}


def test_all_that_is_read_from_a_request_is_in_its_code() -> None:
    """Tickers, numbers, indicators, dates and cash, as an evaluation would ask for them."""
    for draw in draws(load_manifest("full"), set()):
        read = constraints_of(draw.instruction)
        assert {"period", "cash"} <= {one.kind for one in read} or draw.frame.wording in (0, 1, 3)
        static = [one for one in read if not KINDS[one.kind][1]]
        for found in judge(static, draw.code, None):
            assert found.outcome is Outcome.PASS, (found, draw.instruction)


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
    assert sum(chosen.values()) == 253
    drawn = list(draws(load_manifest(), held_out_keys(suite_paths())))
    assert text_hash("".join(draw.instruction + draw.code for draw in drawn)) == STARTER


STARTER = "1764d30bdd301475013ea3186345f72a96190a15c63dfd6da4c97e9bfb1fea9b"
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
