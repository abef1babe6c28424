import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qc_builder_lora.errors import EmptySnapshot, InputError, SettingsError
from qc_builder_lora.harvest.snapshot import Choice, build_snapshot, split_of
from qc_builder_lora.records import Example, Split
from qc_builder_lora.store import Store
from tests.harvest.conftest import Told


def suite(folder: Path, *prompts: dict[str, object]) -> list[Path]:
    path = folder / "suite.jsonl"
    path.write_text("\n".join(json.dumps({"id": str(n), **p}) for n, p in enumerate(prompts)))
    return [path]


def sides(store: Store, snapshot_id: str) -> dict[Split, list[Example]]:
    return {side: store.examples.of_snapshot(snapshot_id, side) for side in Split}


def test_the_same_examples_give_the_same_snapshot(kept: Store, told: Told, tmp_path: Path) -> None:
    for number in range(30):
        told.example(number)
    paths = suite(tmp_path, {"instruction": "Something else entirely."})
    first, report = build_snapshot(kept, paths)
    second, _ = build_snapshot(kept, paths)
    assert first.id == second.id == report.snapshot_id
    assert kept.snapshots.count() == 1


def test_its_name_depends_on_the_members_the_choice_and_the_suites(
    kept: Store, told: Told, tmp_path: Path
) -> None:
    for number in range(10):
        told.example(number)
    names = [
        build_snapshot(kept, [])[0].id,
        build_snapshot(kept, [], Choice(family_quota=5))[0].id,
        build_snapshot(kept, suite(tmp_path, {"instruction": "Something else."}))[0].id,
    ]
    told.example(11)
    names.append(build_snapshot(kept, [])[0].id)
    assert len(set(names)) == 4


def test_a_snapshot_stays_what_it_was_when_the_store_grows(kept: Store, told: Told) -> None:
    for number in range(40):
        told.example(number)
    first, _ = build_snapshot(kept, [])
    for number in range(40, 80):
        told.example(number)
    second, _ = build_snapshot(kept, [])
    assert kept.snapshots.get(first.id).members == first.members
    assert {key: second.members[key] for key in first.members} == first.members


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4)), min_size=2, max_size=40))
def test_no_group_is_on_both_sides_and_both_sides_have_one(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, int]]
) -> None:
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('s')}/store.db") as store:
        told = Told(store)
        for number, phrasing in set(drawn):
            told.example(number, instruction=f"Phrasing {phrasing} of number {number}.")
        found = sides(store, build_snapshot(store, [])[0].id)
    groups = {side: {one.parameters["days"] for one in ones} for side, ones in found.items()}
    assert not groups[Split.TRAIN] & groups[Split.VALIDATION]
    assert groups[Split.TRAIN]
    assert bool(groups[Split.VALIDATION]) == (len({number for number, _ in drawn}) > 1)


def test_all_iterations_of_a_specification_are_on_one_side(kept: Store, told: Told) -> None:
    for title in range(12):
        for iteration in range(5):
            told.example(
                title * 100 + iteration,
                source="builder",
                family=f"builder/{title}",
                parameters={},
                instruction=f"Specification {title}.",
            )
    found = sides(kept, build_snapshot(kept, [])[0].id)
    train, held_out = ({one.family for one in found[side]} for side in (Split.TRAIN, "validation"))
    assert held_out
    assert not train & held_out
    assert len(train | held_out) == 12


def test_one_code_under_two_questions_is_not_learnt_and_then_asked_for(
    kept: Store, told: Told
) -> None:
    ones = [told.example(number, code="class Same: pass") for number in range(60)]
    assert {split_of(one, 0.08) for one in ones} == {Split.TRAIN, Split.VALIDATION}
    told.example(900)
    snapshot, report = build_snapshot(kept, [])
    found = sides(kept, snapshot.id)
    assert "class Same: pass" not in {one.code for one in found[Split.TRAIN]}
    assert len(found[Split.VALIDATION]) == 1
    assert report.left_out == {
        "its code answers enough other questions": 57,
        "its code or question is held out": 2,
    }


def test_what_a_suite_asks_is_left_out_in_any_phrasing(
    kept: Store, told: Told, tmp_path: Path
) -> None:
    for number in range(20):
        told.example(number, instruction=f"Phrasing one, {number} days.")
        told.example(number, instruction=f"Quite another phrasing, {number} days.")
    held_out = {"instruction": "x", "family": "trend", "parameters": {"days": 7}}
    snapshot, report = build_snapshot(kept, suite(tmp_path, held_out))
    taken = {kept.examples.get(key).parameters["days"] for key in snapshot.members}
    assert taken == set(range(20)) - {7}
    assert report.left_out == {"held out by a suite": 2}


def test_a_near_copy_of_a_suites_prompt_is_left_out_and_another_number_is_not(
    kept: Store, told: Told, tmp_path: Path
) -> None:
    asked = "Buy AAPL when its 20 day mean rises above its 50 day mean, and sell it below."
    for number, instruction in enumerate(
        [
            asked.upper() + "!",
            asked.replace("20", "30").replace("50", "90"),
            "Hold IBM.",
            "Hold GE.",
        ]
    ):
        told.example(number, instruction=instruction)
    snapshot, report = build_snapshot(kept, suite(tmp_path, {"instruction": asked}))
    assert report.left_out == {"near-copy of a suite's prompt": 1}
    assert len(snapshot.members) == 3


def test_a_pair_that_stands_twice_counts_once(kept: Store, told: Told) -> None:
    for _ in range(3):
        told.example(1, id=f"{_}" * 64)
    told.example(2)
    _, report = build_snapshot(kept, [])
    assert report.left_out["duplicate"] == 2


def test_a_family_gives_no_more_than_its_quota(kept: Store, told: Told) -> None:
    for number in range(30):
        told.example(number)
        told.example(number + 1000, family="reversion")
    _, report = build_snapshot(kept, [], Choice(family_quota=7))
    assert report.families == {"trend": 7, "reversion": 7}
    assert report.left_out["over its family's quota"] == 46


def test_only_chosen_sources_are_taken(kept: Store, told: Told) -> None:
    for number in range(5):
        told.example(number)
        told.example(number + 10, source="builder")
    _, report = build_snapshot(kept, [], Choice(sources=("builder",)))
    assert report.sources == {"builder": 5}


def test_an_empty_snapshot_says_how_many_there_are_and_what_to_do(kept: Store, told: Told) -> None:
    with pytest.raises(EmptySnapshot, match=r"no training examples: 0 in the store\. Add some wit"):
        build_snapshot(kept, [])
    told.example(1)
    message = r"1 in the store, 1 source not chosen\. Add some with: qc-lora corpus build, or look"
    with pytest.raises(EmptySnapshot, match=message):
        build_snapshot(kept, [], Choice(sources=("builder",)))
    assert kept.snapshots.count() == 0


@pytest.mark.parametrize("line", ["{", "[1]", '{"id": "a"}'])
def test_a_suite_that_cannot_be_read_holds_up_the_snapshot(
    kept: Store, told: Told, tmp_path: Path, line: str
) -> None:
    told.example(1)
    path = tmp_path / "suite.jsonl"
    path.write_text('{"instruction": "x"}\n\n' + line)
    with pytest.raises(InputError, match=r"suite\.jsonl, line 3: not a prompt"):
        build_snapshot(kept, [path])
    assert kept.snapshots.count() == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"validation_share": 0.0}, r"validation_share must be in \(0, 0\.5\): 0\.0"),
        ({"validation_share": 0.5}, r"0\.5\): 0\.5"),
        ({"family_quota": 0}, "family_quota must be at least 1, got 0"),
    ],
)
def test_a_choice_that_leaves_a_side_empty_is_refused(
    values: dict[str, float], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        Choice(**values)  # type: ignore[arg-type]


def test_a_reserved_licence_stays_out_unless_it_is_asked_for(told: Told) -> None:
    for number in range(12):
        told.example(number)
    reserved = "LicenseRef-WorldQuant-paper"
    for number in range(12, 20):
        told.example(number, licence=reserved)
    told.example(20, licence="LicenseRef-own-work")
    _, report = build_snapshot(told.store, [], Choice())
    assert report.left_out[f"licence not asked for: {reserved}"] == 8
    assert report.splits.total() == 13
    snapshot, report = build_snapshot(told.store, [], Choice(licences=(reserved,)))
    assert report.splits.total() == 21
    assert snapshot.settings["licences"] == [reserved]


def test_a_newer_version_of_a_source_answers_in_place_of_the_older_one(
    kept: Store, told: Told
) -> None:
    for number in range(30):
        told.example(number)
    old, new = ([told.example(100 + number, source="alphas", version=version, parameters={},
                              instruction=f"Alpha {number} please.",
                              code=f"class Of{version[-1]}: alpha = {number}, {version!r}")
                 for number in range(4)] for version in ("alphas 1", "alphas 2"))  # fmt: skip
    only_old = told.example(200, source="alphas", version="alphas 1", instruction="A lone one.")
    mended = told.example(201, source="error-fix", instruction="Mend this.",
                          origin={"kind": "fix", "mutation": "m", "base": old[0].id})  # fmt: skip
    snapshot, report = build_snapshot(kept, [])
    assert not {one.id for one in old} & set(snapshot.members)
    assert {one.id for one in (*new, only_old)} <= set(snapshot.members)
    assert mended.id not in snapshot.members
    assert report.left_out == {
        "answer of an earlier version of its source": 4,
        "mends an answer of an earlier version": 1,
    }


def test_a_draw_that_a_newer_edition_asks_for_in_other_words_is_taught_once(
    kept: Store, told: Told
) -> None:
    for number in range(30):
        told.example(number)
    old, new = ([told.example(100 + number, source="families", parameters={"stop": number},
                              version=version, instruction=f"{words} {number} for the trades",
                              code=f"class At{number}: stop = {number}, {words!r}")
                 for number in range(4)]
                for version, words in (("families 7", "Some stop of"),
                                       ("families 7 edition 2", "A stop that is said is"))
               )  # fmt: skip
    snapshot, report = build_snapshot(kept, [])
    assert not {one.id for one in old} & set(snapshot.members)
    assert {one.id for one in new} <= set(snapshot.members)
    assert report.left_out["answer of an earlier version of its source"] == 4


def test_two_folders_are_two_sources_not_two_versions(kept: Store, told: Told) -> None:
    for number, version in enumerate(("mine 1234abc", "yours 99", "plain")):
        told.example(number, source="folder", version=version, instruction="The same wish.",
                     parameters={"n": number})  # fmt: skip
        told.example(10 + number)
    _, report = build_snapshot(kept, [])
    assert report.left_out["answer of an earlier version of its source"] == 0


def test_a_family_of_a_thousand_of_fifteen_hundred_does_not_dominate(
    kept: Store, told: Told
) -> None:
    with kept.transaction():
        for number in range(1000):
            told.example(number)
        for number in range(500):
            told.example(2000 + number, family=f"family {number % 25}")
    _, report = build_snapshot(kept, [])
    taken = report.families
    assert taken["trend"] == 200
    assert taken["trend"] / taken.total() < 0.3
    assert all(taken[f"family {number}"] == 20 for number in range(25))


def test_a_family_with_few_others_is_cut_to_its_share() -> None:
    choice = Choice()
    assert choice.most_of_one({"trend": 1000}) == 200
    assert choice.most_of_one({"trend": 1000, **{f"f{n}": 40 for n in range(5)}}) == 85
    assert choice.most_of_one({"trend": 1000, "other": 3}) == 50
    assert choice.most_of_one({f"f{n}": 30 for n in range(90)}) == 200
    with pytest.raises(SettingsError, match=r"family_share must be in \(0, 1\]: 0"):
        Choice(family_share=0)


def test_questions_in_other_scripts_are_told_apart(kept: Store, told: Told) -> None:
    asked = ["Покупай Газпром каждый вторник", "Продавай нефть по пятницам", "当价格上涨时买入苹果"]
    for number, instruction in enumerate(asked):
        told.example(number, source="builder", parameters={}, instruction=instruction)
    snapshot, _ = build_snapshot(kept, [])
    assert len(snapshot.members) == 3
