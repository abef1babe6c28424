"""Change pairs in a snapshot: beside their base, never across the split, within a quota."""

import json
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.harvest.choice import Choice
from qc_builder_lora.harvest.snapshot import HELD_OUT, TORN, build_snapshot, split_of
from qc_builder_lora.harvest.snapshot_page import page
from qc_builder_lora.records import Example, Split

from ..conftest import Told
from ..fixes.test_snapshots import base, body, suite

MANY = Choice(change_quota=999)


def change(told: Told, of: Example, name: str = "one_number", **changed: Any) -> Example:
    """The base with a stop in it, or as given."""
    before = changed.pop("before", of.code)
    code = changed.pop("code", of.code.replace("-10:", "-11:").replace("0.", "0.9"))
    origin = {
        "kind": "change", "base": of.id, "source": of.source, "change": name, "seed": 1,
        "before": before, **changed.pop("origin", {}),
    }  # fmt: skip
    given = {
        "id": f"{name}/{of.id}",
        "instruction": f"Make it {name} in this file.\n\n```python\n{before}\n```",
        "code": code, "family": of.family, "source": "changes",
        "parameters": dict(of.parameters), "origin": origin,
    }  # fmt: skip
    return told.example(**{"number": 0, **given, **changed})


def members(told: Told, suites: list[Path] | None = None) -> tuple[dict[str, Split], Any]:
    snapshot, report = build_snapshot(told.store, suites or [], MANY)
    return dict(snapshot.members), report


def test_a_pair_stands_beside_its_base_on_its_side_of_the_split(told: Told) -> None:
    ones = [base(told, number) for number in range(10, 95)]
    pairs = [change(told, one) for one in ones]
    found, report = members(told)
    assert report.kinds == {"write": 85, "change": 85}
    assert {found[one.id] for one in ones} == {Split.TRAIN, Split.VALIDATION}
    for one, pair in zip(ones, pairs, strict=True):
        assert found[one.id] is found[pair.id] is split_of(one, 0.08)


def test_a_change_that_leads_to_the_other_side_is_in_neither(told: Told) -> None:
    ones = [base(told, number) for number in range(10, 95)]
    held = next(one for one in ones if split_of(one, 0.08) is Split.VALIDATION)
    learnt = next(one for one in ones if split_of(one, 0.08) is Split.TRAIN)
    torn = [
        change(told, learnt, origin={"becomes": dict(held.parameters)}),
        change(told, held, origin={"becomes": dict(learnt.parameters)}),
    ]
    found, report = members(told)
    assert not {one.id for one in torn} & set(found)
    assert report.left_out[TORN] == 2


@pytest.mark.parametrize("where", ["before", "code"])
def test_a_pair_that_shows_nearly_a_held_out_answer_is_not_learnt(told: Told, where: str) -> None:
    ones = [base(told, number) for number in range(10, 95)]
    held = next(one for one in ones if split_of(one, 0.08) is Split.VALIDATION)
    learnt = next(one for one in ones if split_of(one, 0.08) is Split.TRAIN)
    pair = change(told, learnt, **{where: held.code.replace("self.rise", "self.change")})
    found, report = members(told)
    assert pair.id not in found
    assert report.left_out[HELD_OUT] == 1


@pytest.mark.parametrize("how", ["parameters", "becomes", "question", "request", "before", "code"])
def test_a_pair_of_what_a_suite_asks_stays_out(told: Told, tmp_path: Path, how: str) -> None:
    ones = [base(told, number) for number in range(10, 40)]
    becomes = {"days": 2000}
    asks = {"becomes": becomes, "request": "Buy AAPL after two thousand days of gains."}
    pairs = [
        change(told, one, code=body(number + 50), origin=asks if number == 17 else {})
        for number, one in enumerate(ones, 10)
    ]
    pair = pairs[7]
    prompt: dict[str, Any] = {"instruction": "Quite another thing."}
    if how == "parameters":
        prompt |= {"family": pair.family, "parameters": dict(pair.parameters)}
    elif how == "becomes":
        prompt |= {"family": pair.family, "parameters": becomes}
    elif how == "question":
        prompt["instruction"] = pair.instruction.upper()
    elif how == "request":
        prompt["instruction"] = asks["request"]
    else:
        text = str((pair.origin or {})["before"]) if how == "before" else pair.code
        # Other dates and another name: the rules are the same ones.
        prompt["answer"] = text.replace("2010, 1, 4", "2008, 3, 3").replace("rise", "climb")
    found, _ = members(told, suite(tmp_path, **prompt))
    assert {one.id for one in pairs} - set(found) == {pair.id}


def test_what_is_left_out_for_its_question_takes_no_other_example_with_it(
    told: Told, tmp_path: Path
) -> None:
    ones = [base(told, number) for number in range(10, 40)]
    change(told, ones[3], code=body(77))
    asked = json.loads(json.dumps(ones[3].code))
    found, _ = members(told, suite(tmp_path, instruction="Quite another thing.", answer=asked))
    assert {one.id for one in ones} - set(found) == {ones[3].id}


def test_pairs_have_a_quota_of_their_own_and_can_be_left_out(told: Told) -> None:
    for number in range(10, 40):
        change(told, base(told, number), code=body(number + 40))
    _, report = build_snapshot(told.store, [], Choice(change_quota=7))
    assert report.kinds == {"write": 30, "change": 7}
    assert report.left_out == {"over its family's quota of changes": 23}
    snapshot, none = build_snapshot(told.store, [], Choice(change_quota=0))
    assert none.kinds == {"write": 30}
    assert snapshot.settings["change_quota"] == 0


def test_the_quota_is_part_of_the_name_only_where_it_was_decided(told: Told) -> None:
    for number in range(10, 20):
        base(told, number)
    assert "change_quota" not in build_snapshot(told.store, [])[0].settings


def test_the_page_counts_them(told: Told) -> None:
    for number in range(10, 20):
        change(told, base(told, number), code=body(number + 40))
    snapshot, _ = build_snapshot(told.store, [])
    assert "<b>10</b>change pairs" in page(told.store, snapshot)
