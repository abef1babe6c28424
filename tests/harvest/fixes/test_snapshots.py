"""Error-fix pairs in a snapshot: beside their base, never across the split, within quotas."""

import json
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.harvest.choice import Choice
from qc_builder_lora.harvest.snapshot import HELD_OUT, build_snapshot, split_of
from qc_builder_lora.records import Example, Split

from ..conftest import Told

BODY = """from AlgorithmImports import *


class Streak(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2010, 1, 4)
        self.aapl = self.add_equity("AAPL", Resolution.DAILY).symbol
        self.rise = self.momp(self.aapl, {number})

    def on_data(self, data):
        if self.rise.current.value > {number} and not self.portfolio.invested:
            self.set_holdings(self.aapl, 0.{number})
        elif self.rise.current.value < -{number}:
            self.liquidate(self.aapl)
"""


def body(number: int) -> str:
    """A strategy of its own for each number from 10 to 99."""
    return BODY.format(number=number)


def base(told: Told, number: int, **changed: Any) -> Example:
    return told.example(number, code=body(number), **changed)


def fix(told: Told, of: Example, mistake: str = "missing_colon", **changed: Any) -> Example:
    broken = changed.pop("broken", of.code.replace("add_equity", mistake))
    origin = {
        "kind": "fix", "base": of.id, "source": of.source, "mutation": mistake, "seed": 1,
        "stage": "compile", "request": of.instruction, "broken": broken,
    }  # fmt: skip
    given = {
        "id": f"{mistake}/{of.id}",
        "instruction": f"{of.instruction}\n\n{broken}\n\nline 7: no {mistake}",
        "code": of.code, "family": of.family, "source": "error-fix",
        "parameters": dict(of.parameters), "origin": {**origin, **changed.pop("origin", {})},
    }  # fmt: skip
    return told.example(**{"number": 0, **given, **changed})


MANY = Choice(fix_quota=999, mistake_quota=999)


def sides(told: Told, suites: list[Path] | None = None) -> dict[str, set[str]]:
    snapshot, _ = build_snapshot(told.store, suites or [], MANY)
    found: dict[str, set[str]] = {str(split): set() for split in Split}
    for key, split in snapshot.members.items():
        found[str(split)].add(key)
    return found


def suite(folder: Path, **prompt: Any) -> list[Path]:
    path = folder / "suite.jsonl"
    path.write_text(json.dumps({"id": "1", **prompt}))
    return [path]


def test_a_pair_stands_beside_its_base_and_neither_takes_the_others_place(told: Told) -> None:
    for number in range(10, 60):
        one = base(told, number)
        fix(told, one)
        fix(told, one, "wrong_name")
    snapshot, report = build_snapshot(told.store, [], MANY)
    assert report.kinds == {"write": 50, "fix": 100}
    assert not report.left_out
    assert len(snapshot.members) == 150


def test_the_same_mistake_in_the_same_code_counts_once(told: Told) -> None:
    for number in range(10, 30):
        one = base(told, number)
        fix(told, one)
        fix(told, one, id=f"again/{one.id}")
    _, report = build_snapshot(told.store, [])
    assert report.kinds == {"write": 20, "fix": 20}
    assert report.left_out.total() == 20


def test_no_pair_of_a_held_out_base_is_learnt(told: Told) -> None:
    ones = [base(told, number) for number in range(10, 95)]
    pairs = [fix(told, one) for one in ones]
    found = sides(told)
    held = {one.id for one in ones if split_of(one, 0.08) is Split.VALIDATION}
    assert held
    for one, pair in zip(ones, pairs, strict=True):
        side = "validation" if one.id in held else "train"
        assert one.id in found[side]
        assert pair.id in found[side]


def test_a_pair_whose_base_is_only_near_a_held_out_example_is_not_learnt(told: Told) -> None:
    """The base of the pair is a copy under other names, in a group of its own."""
    ones = [base(told, number) for number in range(10, 95)]
    held = [one for one in ones if split_of(one, 0.08) is Split.VALIDATION]
    for number, one in enumerate(held):
        renamed = one.code.replace("self.rise", "self.change")
        copy = one.__class__(
            **{
                **{name: getattr(one, name) for name in one.__slots__ if name != "kind"},
                "code": renamed,
                "instruction": "Something else altogether, with other words in it.",
                "parameters": {"copy": _learnt(number)},
            }
        )
        fix(told, copy, id=f"near/{one.id}")
    snapshot, report = build_snapshot(told.store, [])
    learnt = {key for key, split in snapshot.members.items() if split is Split.TRAIN}
    assert not any(key.startswith("near/") for key in learnt)
    assert report.left_out[HELD_OUT] == len(held) > 0


def _learnt(number: int) -> int:
    """A number whose group is on the side that is learnt."""
    from qc_builder_lora.ids import json_hash, text_hash

    for candidate in range(1000 * number + 1, 1000 * number + 999):
        group = json_hash(["trend", {"copy": candidate}])
        if int(text_hash(f"split/{group}")[:8], 16) / 2**32 > 0.1:
            return candidate
    raise AssertionError("no such number")


def test_a_pair_whose_broken_code_is_nearly_a_held_out_answer_is_not_learnt(told: Told) -> None:
    """As from a builder: what failed there is what somebody else's example answers."""
    ones = [base(told, number) for number in range(10, 95)]
    held = next(one for one in ones if split_of(one, 0.08) is Split.VALIDATION)
    other = next(one for one in ones if split_of(one, 0.08) is Split.TRAIN)
    pair = fix(told, other, broken=held.code.replace("self.rise", "self.change"))
    found = sides(told)
    assert pair.id not in found["train"] | found["validation"]


@pytest.mark.parametrize("how", ["parameters", "question", "answer", "broken"])
def test_a_pair_of_what_a_suite_asks_stays_out(told: Told, tmp_path: Path, how: str) -> None:
    ones = [base(told, number) for number in range(10, 40)]
    pairs = [fix(told, one) for one in ones]
    asked = ones[7]
    prompt: dict[str, Any] = {"instruction": "Quite another thing."}
    if how == "parameters":
        prompt |= {"family": asked.family, "parameters": dict(asked.parameters)}
    elif how == "question":
        prompt["instruction"] = asked.instruction.upper()
    elif how == "answer":
        prompt["answer"] = asked.code.replace("self.rise", "self.change")
    else:
        prompt["answer"] = str((pairs[7].origin or {})["broken"])
    found = sides(told, suite(tmp_path, **prompt))
    both = found["train"] | found["validation"]
    assert pairs[7].id not in both
    assert {one.id for one in pairs} - both == {pairs[7].id}


def test_all_pairs_of_a_builders_specification_are_on_one_side(told: Told) -> None:
    for number in range(10, 60):
        one = base(
            told, number, source="builder", family=f"builder/{number}", parameters={},
            instruction=f"Specification {number}.",
        )  # fmt: skip
        fix(told, one)
    snapshot, _ = build_snapshot(told.store, [])
    by_family: dict[str, set[Split]] = {}
    for example in told.store.examples.of_snapshot(snapshot.id):
        by_family.setdefault(example.family, set()).add(snapshot.members[example.id])
    assert all(len(found) == 1 for found in by_family.values())
    assert {side for found in by_family.values() for side in found} >= {
        Split.TRAIN,
        Split.VALIDATION,
    }


def test_pairs_have_quotas_of_their_own(told: Told) -> None:
    for number in range(10, 60):
        one = base(told, number)
        fix(told, one, "a" if number % 5 else "b")
    _, report = build_snapshot(told.store, [], Choice(fix_quota=30, mistake_quota=25))
    assert report.kinds["write"] == 50
    assert 25 <= report.kinds["fix"] <= 30
    assert set(report.left_out) <= {"over its mistake's quota", "over its family's quota of fixes"}
    _, none = build_snapshot(told.store, [], Choice(fix_quota=0))
    assert none.kinds == {"write": 50}
    _, one_family = build_snapshot(told.store, [], Choice(family_quota=10))
    assert one_family.kinds["write"] == 10


def test_the_quota_of_pairs_is_part_of_the_name_only_where_it_was_decided(told: Told) -> None:
    for number in range(10, 20):
        base(told, number)
    plain = build_snapshot(told.store, [])[0]
    assert "fix_quota" not in plain.settings
    assert build_snapshot(told.store, [], Choice(fix_quota=3))[0].settings["fix_quota"] == 3
