"""Whatever a suite asks or answers is found, however it is dressed up."""

import json
import random
import re
from pathlib import Path

import pytest

from qc_builder_lora.eval.suite import suite_paths
from qc_builder_lora.harvest.prompts import suite_prompts
from qc_builder_lora.harvest.snapshot import build_snapshot
from qc_builder_lora.harvest.withheld import Answers, Prompts
from qc_builder_lora.records import Example
from qc_builder_lora.store import Store
from tests.harvest.conftest import Told
from tests.harvest.disguises import DISGUISES

PROMPTS = list(suite_prompts(suite_paths()))
ANSWERED = [prompt for prompt in PROMPTS if prompt.get("answer")]


@pytest.fixture(scope="module")
def answers() -> Answers:
    found = Answers()
    for prompt in ANSWERED:
        found.add(prompt["answer"])
    return found


@pytest.fixture(scope="module")
def prompts() -> Prompts:
    found = Prompts()
    for prompt in PROMPTS:
        found.add(prompt["instruction"])
    return found


@pytest.mark.parametrize("number", range(len(DISGUISES)))
def test_every_answer_is_known_in_every_disguise(answers: Answers, number: int) -> None:
    disguise = DISGUISES[number]
    missed = [one["id"] for one in ANSWERED[number % 3 :: 3]
              if not answers.like(disguise(one["answer"]))]  # fmt: skip
    assert not missed


def test_an_answer_that_somebody_broke_is_known(answers: Answers) -> None:
    for prompt in ANSWERED:
        broken = prompt["answer"].replace("def initialize(self):", "def initialize(self)")
        assert answers.like(broken), prompt["id"]


def dressed_up(text: str, source: random.Random) -> str:
    """The question with a word changed, said politely, or within a longer one."""
    words = text.split(" ")
    plain = [at for at, word in enumerate(words) if word.isalpha() and word.islower()]
    if plain:
        words[source.choice(plain)] = "kindly"
    return source.choice([
        " ".join(words),
        f"Hello, could you do this for me? {text} Thank you very much, and add comments.",
        text.upper(),
        re.sub(r"\.(?=\s|$)", " !", text.replace(", ", " , ")),
    ])  # fmt: skip


def test_every_prompt_is_known_with_small_edits(prompts: Prompts) -> None:
    source = random.Random(7)
    for prompt in PROMPTS:
        if len(prompt["instruction"].split()) >= 12:
            text = dressed_up(prompt["instruction"], source)
            assert prompts.near(text), text


def test_another_variant_of_a_prompts_family_is_no_copy_of_it(prompts: Prompts) -> None:
    assert not prompts.near("Buy ORCL when its 17 day mean crosses above its 83 day mean.")
    assert not prompts.near("")


@pytest.mark.parametrize("where", ["code", "broken", "fenced", "request", "instruction"])
def test_a_suites_answer_or_prompt_is_never_taught_wherever_it_stands(
    kept: Store, told: Told, where: str
) -> None:
    source, leaks = random.Random(3), set()
    for number in range(40):
        told.example(number)
    for number, prompt in enumerate(PROMPTS[::9]):
        answer = prompt.get("answer")
        asked = f"Unrelated wish {number}."
        given: dict[str, object] = {"instruction": asked, "source": "builder", "parameters": {}}
        if where in ("request", "instruction") and len(prompt["instruction"].split()) < 12:
            continue
        if where not in ("request", "instruction") and not answer:
            continue
        dressed = dressed_up(prompt["instruction"], source)
        if where == "code":
            given["code"] = source.choice(DISGUISES)(answer)
        elif where == "broken":
            broken = source.choice(DISGUISES)(answer).replace("self.set_cash(", "self.set_cash((")
            given["origin"] = {"kind": "fix", "mutation": "m", "broken": broken}
        elif where == "fenced":
            given["instruction"] = f"{asked} Mend this.\n```python\n{answer}```\n"
        elif where == "request":
            given["origin"] = {"kind": "fix", "mutation": "m", "request": dressed}
        else:
            given["instruction"] = dressed
        leaks.add(told.example(1000 + number, **given).id)
    assert leaks
    snapshot, report = build_snapshot(kept, suite_paths())
    assert not leaks & set(snapshot.members), report.left_out
    assert len(snapshot.members) == 40


def test_a_suite_of_the_users_own_is_kept_clear_of(kept: Store, told: Told, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(
        json.dumps({"id": "a", "instruction": "Hold IBM over each weekend of 2011 only."})
    )
    kept_one: Example = told.example(1)
    told.example(2)
    told.example(3, instruction="Please hold IBM over each weekend of 2011 only.")
    snapshot, report = build_snapshot(kept, [path])
    assert kept_one.id in snapshot.members
    assert report.left_out == {"near-copy of a suite's prompt": 1}
