"""The suites that we keep: made from their plans, judged by constraints, never trained on."""

import json
import random
import re
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qc_builder_lora.backtest.check import parses, strategy_hash
from qc_builder_lora.backtest.sample_data import convert
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.errors import InputError, NotFound, QcLoraError, UnknownKey
from qc_builder_lora.eval.asked import constraints_of
from qc_builder_lora.eval.faithful import KINDS, constraints_from, judge, verdict
from qc_builder_lora.eval.suite import load_suite, suite_paths
from qc_builder_lora.files import find_default
from qc_builder_lora.harvest.corpus.families import FAMILIES
from qc_builder_lora.harvest.corpus.family import draw_frame
from qc_builder_lora.harvest.corpus.held_out import Plan, load_plan, plan_suite
from qc_builder_lora.harvest.corpus.starter import draws, held_out_keys, key_of, load_manifest
from qc_builder_lora.harvest.corpus.styles import STYLES
from qc_builder_lora.harvest.snapshot import build_snapshot, suite_prompts
from qc_builder_lora.harvest.withheld import Answers
from qc_builder_lora.ids import json_hash, now, text_hash
from qc_builder_lora.records import Example, Outcome, Split, Strategy
from qc_builder_lora.store import Store
from qc_builder_lora.suite_job import by_record, suite_text

MADE = ("golden", "benchmark20")


def lines(name: str) -> list[dict[str, Any]]:
    text = find_default(f"eval/suites/{name}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


GOLDEN = lines("golden")
RESERVED = {prompt["family"] for prompt in GOLDEN if prompt["reserved"]}


@pytest.mark.parametrize("name", MADE)
def test_the_plan_makes_the_file_byte_for_byte(name: str) -> None:
    text = find_default(f"eval/suites/{name}.jsonl").read_text("utf-8")
    # What the answers did is read from the file; the test below runs some of them again.
    assert suite_text(name, by_record(text)) == text


def test_the_golden_suite_is_200_prompts_of_many_families_in_all_styles() -> None:
    assert len(GOLDEN) == len({one["id"] for one in GOLDEN}) == 200
    assert len({one["instruction"] for one in GOLDEN}) == 200
    assert len({one["family"] for one in GOLDEN}) >= 25
    assert len(RESERVED) >= 5
    styles = Counter(one["style"] for one in GOLDEN)
    assert set(styles) == set(STYLES)
    assert min(styles.values()) >= 35
    assert {one["style"] for one in GOLDEN if one["reserved"]} == set(STYLES)
    assert {one["style"] for one in GOLDEN[:20]} == set(STYLES)
    assert all(len(one["constraints"]) >= 3 for one in GOLDEN)


def test_no_manifest_of_ours_teaches_what_is_reserved() -> None:
    for name in ("starter", "full"):
        assert not RESERVED & set(load_manifest(name).chosen_families())


def test_the_benchmark_is_twenty_kinds_of_strategy_and_none_of_golden() -> None:
    prompts = lines("benchmark20")
    assert len({one["family"] for one in prompts}) == len(prompts) == 20
    keys = {key_of(one["family"], one["parameters"]) for one in (*GOLDEN, *lines("smoke"))}
    assert not keys & {key_of(one["family"], one["parameters"]) for one in prompts}


@pytest.mark.parametrize("prompt", [*GOLDEN, *lines("benchmark20")], ids=lambda one: one["id"])
def test_our_answer_parses_and_has_what_the_prompt_names(prompt: dict[str, Any]) -> None:
    assert parses(prompt["answer"]).outcome is Outcome.PASS
    asked = constraints_from(prompt["constraints"])
    read = constraints_of(prompt["instruction"])
    static = [one for one in (*asked, *read) if not KINDS[one.kind][1]]
    for found in judge(static, prompt["answer"], None):
        assert found.outcome is Outcome.PASS, found
    if prompt["style"] in ("fix", "change"):
        assert prompt["answer"].strip() not in prompt["instruction"]


def test_another_prompts_answer_is_not_faithful() -> None:
    fooled = []
    for index, prompt in enumerate(GOLDEN):
        other = GOLDEN[(index + 101) % len(GOLDEN)]
        asked = [one for one in constraints_from(prompt["constraints"]) if not KINDS[one.kind][1]]
        if verdict(judge(asked, other["answer"], None)) is Outcome.PASS:
            fooled.append(prompt["id"])
    # Those that name no number and no indicator are told apart by what is traded alone.
    assert len(fooled) <= 10, fooled


def test_the_first_prompts_of_a_suite_are_a_suite() -> None:
    few = load_suite("golden:40")
    assert (few.name, few.sha256) == ("golden-first-40", load_suite("golden").sha256)
    assert few.prompts == load_suite("golden").prompts[:40]
    assert load_suite("golden:900").name == "golden"
    with pytest.raises(InputError, match="golden:0: a suite of no prompts says nothing"):
        load_suite("golden:0")


def test_the_prompts_of_one_style_are_a_suite() -> None:
    whole = load_suite("golden")
    changes = load_suite("golden:change")
    assert (changes.name, changes.sha256) == ("golden-change", whole.sha256)
    assert changes.prompts == tuple(one for one in whole.prompts if one.style == "change")
    few = load_suite("golden:change:5")
    assert (few.name, few.prompts) == ("golden-change-first-5", changes.prompts[:5])
    assert load_suite("golden:change:900").name == "golden-change"
    with pytest.raises(
        NotFound, match=r"No style named 'chance'. Did you mean 'change'\? The suite"
    ):
        load_suite("golden:chance")
    with pytest.raises(NotFound, match="The suite smoke has: none"):
        load_suite("smoke:change")


def test_an_unknown_constraint_of_a_suite_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"id": "a", "instruction": "x", "constraints": [{"kind": "colour"}]}\n')
    with pytest.raises(InputError, match=r"mine.jsonl, line 1: unknown constraint 'colour'"):
        load_suite(str(path))


def test_a_plan_that_cannot_be_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    for text, error, said in (
        ("a: [", InputError, "not valid YAML"),
        ("families: {}", InputError, "needs the keys seed and families"),
        ("seed: 1\nfamilies: {sma_cros: 1}", UnknownKey, "Did you mean 'sma_cross'"),
        ("seed: 1\nstyles: [lime]", UnknownKey, "Did you mean 'line'"),
        ("seed: 1\nfamily: {}", UnknownKey, "Did you mean 'families'"),
    ):
        path.write_text(text)
        with pytest.raises(error, match=said):
            load_plan(path)
    plan = Plan(seed=1, families={"sma_cross": 2})
    with pytest.raises(QcLoraError, match="no draw for 2 prompts, of sma_cross, sma_cross"):
        plan_suite(plan, load_manifest(), set(), [], lambda drawn: [None] * len(drawn))


def add(store: Store, instruction: str, code: str, **changed: Any) -> None:
    given = {
        "id": json_hash({"instruction": instruction, "code": code}),
        "instruction": instruction,
        "code": code,
        "family": "trend",
        "source": "test",
        "licence": "MIT",
        "created_at": now(),
        "strategy_id": strategy_hash(code),
    }
    example = Example(**{**given, **changed})
    if store.examples.has(example.id):
        return
    store.strategies.add(
        Strategy(id=strategy_hash(code), code=code, code_sha256=text_hash(code),
                 created_at=now(), source="test")
    )  # fmt: skip
    store.examples.add(example)


def fill(store: Store, manifest: str) -> None:
    """What a corpus build would keep, were every draw to trade."""
    smoke = [path for path in suite_paths() if path.stem == "smoke"]
    with store.transaction():
        for draw in draws(load_manifest(manifest), held_out_keys(smoke)):
            add(store, draw.instruction, draw.code, family=draw.family.name, source="starter",
                parameters=dict(draw.parameters))  # fmt: skip


def test_the_demos_snapshot_loses_nothing_by_the_larger_suites(tmp_path: Path) -> None:
    smoke = [path for path in suite_paths() if path.stem == "smoke"]
    with Store.open(f"sqlite:///{tmp_path}/s.db") as store:
        fill(store, "starter")
        before, _ = build_snapshot(store, smoke)
        after, report = build_snapshot(store, suite_paths())
    assert after.members == before.members
    assert len(after.members) == 253
    assert not report.left_out


def disguised(prompt: dict[str, Any], how: int) -> tuple[str, str]:
    """A question and a code that a builder might have left: near the prompt's answer."""
    asked, code = prompt["instruction"], prompt["answer"]
    if how == 0:
        return asked, "class Other: pass"
    if how == 1:
        return "Quite another question.", code
    if how == 2:
        renamed = code.replace("self._symbol", "self._stock").replace(
            "(QCAlgorithm)", "x(QCAlgorithm)"
        )
        return "Do it.", renamed.replace("x(QC", "(QC")
    if how == 3:
        return "Do that.", code.replace("set_cash(", "set_cash(1").replace("2012", "2011")
    return asked.upper() + "!", code + "\n# mine\n"


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.randoms(use_true_random=False), st.integers(1, 3))
def test_no_prompt_of_any_suite_and_nothing_like_its_answer_is_in_any_training_split(
    tmp_path_factory: pytest.TempPathFactory, source: random.Random, steps: int
) -> None:
    """A store that grows with whatever comes, near to the suites or not; a snapshot after each."""
    prompts = list(suite_prompts(suite_paths()))
    manifest = load_manifest("full")
    answers = [str(one["answer"]) for one in prompts if "answer" in one]
    asked = {str(one["instruction"]) for one in prompts}
    by_numbers: dict[tuple[str, ...], list[str]] = {}
    for answer in answers:
        by_numbers.setdefault(numbers(answer), []).append(answer)
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('s')}/s.db") as store:
        for _ in range(steps):
            with store.transaction():
                for name in source.sample(sorted(FAMILIES), 12):
                    family = FAMILIES[name]
                    parameters = family.draw_parameters(source, list(manifest.tickers))
                    frame = draw_frame(source, (2005, 2012), manifest.cash, manifest.default_cash)
                    add(store, family.instruction(0, parameters, frame),
                        family.code(parameters, frame), family=name,
                        parameters=parameters)  # fmt: skip
                for prompt in source.sample([one for one in prompts if "answer" in one], 6):
                    add(store, *disguised(dict(prompt), source.randrange(5)))
            snapshot, _ = build_snapshot(store, suite_paths())
            taught = store.examples.of_snapshot(snapshot.id, Split.TRAIN)
            assert taught
            assert not {one.family for one in taught} & RESERVED
            assert not {one.instruction for one in taught} & asked
            for one in taught:
                known = Answers()
                for answer in by_numbers.get(numbers(one.code), []):
                    known.add(answer)
                assert not known.like(one.code), one


def numbers(code: str) -> tuple[str, ...]:
    """Its numbers and tickers; those of dates and cash left out."""
    rules = re.sub(r"self\.set_(?:start_date|end_date|cash)\(.*?\)", "", code)
    return tuple(sorted(re.findall(r"\d+(?:\.\d+)?|\"[A-Z]+\"", rules)))


@pytest.mark.slow
def test_what_the_file_says_of_our_answers_is_what_they_do(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    pytest.importorskip("bokeh_sampledata", reason="the sample data is an extra")
    folder = tmp_path_factory.mktemp("bars")
    convert(folder)
    engine = Simulator(folder, allow_open_sandbox=True)
    prompts = [one for one in GOLDEN if one["style"] == "fix"][::8] + GOLDEN[3::25]
    results = list(engine.run_many([one["answer"] for one in prompts], jobs=2))
    for prompt, result in zip(prompts, results, strict=True):
        assert result.trades_at_all, (prompt["id"], result.reason)
        assert len(result.orders) == prompt["reference"]["orders"]
        found = judge(constraints_from(prompt["constraints"]), prompt["answer"], result)
        assert verdict(found) is Outcome.PASS, found
        read = judge(constraints_of(prompt["instruction"]), prompt["answer"], result)
        assert verdict(read) is Outcome.PASS, read
    broken = [one for one in prompts if one["style"] == "fix"]
    codes = [one["instruction"].split("```python\n")[1].split("```")[0] for one in broken]
    for prompt, result in zip(broken, engine.run_many(codes, jobs=2), strict=True):
        message = prompt["instruction"].split("Runtime Error: ")[1].splitlines()[0]
        assert not result.runs
        assert message.rpartition("attribute ")[2] in str(result.reason)


def test_a_date_is_a_day() -> None:
    for prompt in GOLDEN:
        for one in prompt["constraints"]:
            if one["kind"] == "period":
                first, last = (date.fromisoformat(day) for day in one["value"])
                assert first < last
