"""What a snapshot leaves out because it is like something else, and what becomes of snapshots."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qc_builder_lora.cli import root
from qc_builder_lora.errors import InputError, QcLoraError, UnknownKey
from qc_builder_lora.harvest.choice import load_choice
from qc_builder_lora.harvest.essence import essence_of
from qc_builder_lora.harvest.export import differences, export
from qc_builder_lora.harvest.likeness import (
    Questions,
    cluster,
    near_codes,
    same_returns,
    word_pairs,
)
from qc_builder_lora.harvest.snapshot import Choice, build_snapshot
from qc_builder_lora.harvest.snapshot_page import page
from qc_builder_lora.ids import json_hash, new_id
from qc_builder_lora.records import Example, Split
from qc_builder_lora.store import Store
from tests.harvest.conftest import NOON, Told

WORDS = ["buy", "sell", "AAPL", "MSFT", "10", "20", "the", "day"]
BODY = """from AlgorithmImports import *


class Trend(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2010, 1, 4)
        self.set_cash(100000)
        self.aapl = self.add_equity("AAPL", Resolution.DAILY).symbol
        self.fast = self.sma(self.aapl, {n}, Resolution.DAILY)
        self.slow = self.sma(self.aapl, 50, Resolution.DAILY)

    def on_data(self, data):
        if not self.slow.is_ready:
            return
        if self.fast.current.value > self.slow.current.value:
            self.set_holdings(self.aapl, 0.9)
        else:
            self.liquidate(self.aapl)
"""


def code(n: int = 20) -> str:
    return BODY.replace("{n}", str(n))


def renamed(text: str) -> str:
    """The same strategy by somebody who wants it to look like his own."""
    for old, new in (("fast", "_short"), ("slow", "_long"), ("aapl", "stock"), ("Trend", "Mine")):
        text = text.replace(f"self.{old}", f"self.{new}").replace(f"class {old}", f"class {new}")
    return text.replace("class Mine(QCAlgorithm):", 'class Mine(QCAlgorithm):\n    """Mine."""\n')


def suite(folder: Path, *prompts: dict[str, Any]) -> list[Path]:
    path = folder / "suite.jsonl"
    path.write_text("\n".join(json.dumps({"id": str(n), **p}) for n, p in enumerate(prompts)))
    return [path]


def train(store: Store, snapshot_id: str) -> list[Example]:
    return store.examples.of_snapshot(snapshot_id, Split.TRAIN)


def alike(first: str, second: str) -> bool:
    codes = {"a": first, "b": second}
    found = cluster({key: essence_of(text).key for key, text in codes.items()},
                    lambda keys: {key: codes[key] for key in keys}, lambda keys: {})  # fmt: skip
    return found.find("a") == found.find("b")


def test_a_renamed_copy_is_alike_and_another_number_is_not() -> None:
    assert alike(code(), renamed(code()))
    assert not alike(code(20), code(21))
    assert not alike(code(), code().replace("AAPL", "MSFT"))
    assert not alike(code(), code().replace("self.liquidate", "self.buy").replace(">", "<"))


def test_each_code_of_a_chain_is_named_with_the_first() -> None:
    pairs = list(near_codes({"a": code(), "b": renamed(code()), "c": code() + "\n# c\n"}))
    assert pairs == [("a", "b"), ("a", "c")]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(WORDS), max_size=9),
             max_size=8),
    st.lists(st.sampled_from(WORDS), min_size=2, max_size=9),
)  # fmt: skip
def test_looking_up_rare_pairs_finds_what_comparing_all_finds(
    known: list[list[str]], asked: list[str]
) -> None:
    questions, text = Questions(same_numbers=False), " ".join(asked)
    for words in known:
        questions.add(" ".join(words))
    own = word_pairs(text)
    slow = any(
        len(own & (other := word_pairs(" ".join(words)))) >= 0.9 * len(own | other)
        for words in known
    )
    same = any([word.lower() for word in words] == [w.lower() for w in asked] for words in known)
    assert questions.near(text) == (slow or same)


def test_returns_that_move_as_one_are_alike_whatever_the_code() -> None:
    first = tuple((f"day {n:03}", 100.0 + n + (n % 7)) for n in range(60))
    doubled = tuple((day, 2 * value) for day, value in first)
    other = tuple((day, 100.0 + n + (n % 5)) for n, (day, _) in enumerate(first))
    flat = tuple((day, 100.0) for day, _ in first)
    assert same_returns(first, doubled)
    assert not same_returns(first, other)
    assert not same_returns(flat, flat)
    assert not same_returns(first, first[1:])
    assert not same_returns(first[:10], first[:10])


def test_a_renamed_copy_for_nearly_the_same_question_is_left_out(kept: Store, told: Told) -> None:
    asked = "Trade the 20 day mean of AAPL against its 50 day mean, with 90 percent of the money."
    told.example(1, instruction=asked, code=code(), id="a" * 64, parameters={})
    told.example(2, instruction=asked + " Now.", code=renamed(code()), id="b" * 64, parameters={})
    for number in range(3, 30):
        told.example(number)
    snapshot, report = build_snapshot(kept, [])
    assert report.left_out["near-duplicate"] == 1
    assert report.removed == [("b" * 64, "a" * 64, "near-duplicate")]
    assert "b" * 64 not in snapshot.members


def test_of_a_builders_iterations_for_one_question_the_last_is_kept(
    kept: Store, told: Told
) -> None:
    for number in range(1, 5):
        told.example(number, instruction="Follow AAPL!", source="builder", parameters={},
                     created_at=NOON + timedelta(hours=number % 4), code=code(number))  # fmt: skip
    for number in range(5, 20):
        told.example(number)
    snapshot, report = build_snapshot(kept, [])
    assert report.left_out["an earlier iteration for the same question"] == 3
    (last,) = (one for one in kept.examples.find(source="builder") if one.id in snapshot.members)
    assert last.code == code(3)


def test_what_is_like_an_answer_to_a_suite_is_not_learnt(
    kept: Store, told: Told, tmp_path: Path
) -> None:
    for number in range(3, 30):
        told.example(number)
    told.example(40, code=renamed(code()), instruction="Something else.", parameters={})
    told.example(41, code=renamed(code(33)), instruction="Yet another.", parameters={})
    told.example(42, code=code(33), parameters={"days": 42})
    paths = suite(
        tmp_path,
        {"instruction": "Hold gold.", "code": code()},
        {"instruction": "Hold silver.", "family": "trend", "parameters": {"days": 42}},
    )
    snapshot, report = build_snapshot(kept, paths)
    assert report.left_out["near-copy of an answer to a suite's prompt"] == 2
    assert report.left_out["held out by a suite"] == 1
    assert not {one.code for one in train(kept, snapshot.id)} & {renamed(code()), renamed(code(33))}


DRAWN = st.lists(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 2), st.sampled_from(["starter", "builder"])),
        max_size=12,
    ),
    min_size=1,
    max_size=4,
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(DRAWN, st.sets(st.integers(0, 9), max_size=3))
def test_no_prompt_of_a_suite_and_nothing_like_its_answer_is_ever_learnt(
    tmp_path_factory: pytest.TempPathFactory,
    history: list[list[tuple[int, int, str]]],
    asked: set[int],
) -> None:
    """A store that grows in steps, a snapshot after each; also: nobody ever changes sides."""
    folder = tmp_path_factory.mktemp("s")
    question = "Trade the mean of AAPL over {n} days against the mean over 50 days, style {s}."
    prompts = [{"instruction": question.format(n=n, s=0), "code": code(n)} for n in sorted(asked)]
    paths, sides, answers = suite(folder, *prompts), {}, {}
    for n in range(10):
        answers |= {code(n): n, renamed(code(n)): n}
    with Store.open(f"sqlite:///{folder}/store.db") as store:
        told = Told(store)
        for number in range(90, 93):
            told.example(number, family="filler")
        for step in history:
            for n, style, source in step:
                text = renamed(code(n)) if style == 1 else code(n)
                told.example(n, instruction=question.format(n=n, s=style), code=text,
                             source=source, parameters={"n": n, "s": style})  # fmt: skip
            snapshot, _ = build_snapshot(store, paths)
            for one in train(store, snapshot.id):
                assert answers.get(one.code) not in asked
                assert one.instruction not in {prompt["instruction"] for prompt in prompts}
            for key, side in snapshot.members.items():
                assert sides.setdefault(key, side) == side
            held = {answers.get(one.code, one.code) for one in
                    store.examples.of_snapshot(snapshot.id, Split.VALIDATION)}  # fmt: skip
            assert not held & {answers.get(one.code, one.code) for one in train(store, snapshot.id)}


def test_a_small_stores_sides_are_kept_when_it_grows(kept: Store, told: Told) -> None:
    sides: dict[str, Split] = {}
    for number in range(60):
        told.example(number)
        for key, side in build_snapshot(kept, [])[0].members.items():
            assert sides.setdefault(key, side) == side
    assert set(sides.values()) == {Split.TRAIN, Split.VALIDATION}


def identity(number: int) -> str:
    """The id that an example of that number has in every store."""
    question, answer = (
        f"Buy AAPL after {number} days of gains in a row.",
        f"class A{number}: days = {number}",
    )
    return json_hash({"instruction": question, "code": answer})


def test_two_stores_with_the_same_examples_export_the_same_bytes(tmp_path: Path) -> None:
    found = []
    for name, order in (("a", range(40)), ("b", reversed(range(40)))):
        with Store.open(f"sqlite:///{tmp_path}/{name}.db") as store:
            told = Told(store)
            for number in order:
                told.example(number, id=identity(number))
            snapshot, _ = build_snapshot(store, [])
            export(store, snapshot, tmp_path / name)
            export(store, snapshot, tmp_path / name)
        files = sorted((tmp_path / name).iterdir())
        found.append([(path.name, path.read_bytes()) for path in files])
    assert found[0] == found[1]
    assert [name for name, _ in found[0]] == ["manifest.json", "train.jsonl", "validation.jsonl"]
    first = json.loads(dict(found[0])["train.jsonl"].splitlines()[0])
    assert [one["role"] for one in first["messages"]] == ["user", "assistant"]


def test_a_licence_that_is_not_established_leaves_only_when_named(
    kept: Store, told: Told, tmp_path: Path
) -> None:
    licence = "LicenseRef-not-established"
    for number in range(30):
        told.example(number, licence=licence if number % 3 == 0 else "MIT")
    snapshot, _ = build_snapshot(kept, [], Choice(licences=(licence,)))
    without = export(kept, snapshot, tmp_path / "without")
    assert without.left_out == {f"licence not asked for: {licence}": 10}
    assert licence not in (tmp_path / "without/train.jsonl").read_text()
    assert sum(export(kept, snapshot, tmp_path / "with", (licence,)).examples.values()) == 30


def test_a_folder_with_other_files_is_not_written_to(
    kept: Store, told: Told, tmp_path: Path
) -> None:
    for number in range(10):
        told.example(number)
    first, _ = build_snapshot(kept, [])
    told.example(11)
    second, _ = build_snapshot(kept, [])
    export(kept, first, tmp_path / "x")
    with pytest.raises(InputError, match=f"has files of snapshot {first.id[:12]}"):
        export(kept, second, tmp_path / "x")
    (tmp_path / "y").mkdir()
    (tmp_path / "y/thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="has files of something else"):
        export(kept, second, tmp_path / "y")
    with pytest.raises(InputError, match="is a file"):
        export(kept, second, tmp_path / "y/thesis.txt")
    (added,) = differences(kept, first, second)
    assert (added[0], added[1].parameters) == ("+", {"days": 11})


def test_text_that_is_no_unicode_is_written_all_the_same(
    kept: Store, told: Told, tmp_path: Path
) -> None:
    for number in range(10):
        told.example(number, instruction=f"Odd \ud800 text {number}")
    snapshot, _ = build_snapshot(kept, [])
    export(kept, snapshot, tmp_path / "x")
    lines = (tmp_path / "x/train.jsonl").read_text("utf-8").splitlines()
    assert json.loads(lines[0])["messages"][0]["content"].startswith("Odd \ud800 text")


def test_the_page_stands_alone_and_escapes_what_it_shows(kept: Store, told: Told) -> None:
    for number in range(30):
        told.example(number, family="<b>bold" if number % 2 else "trend",
                     instruction=f"</pre><script>alert({number})</script>")  # fmt: skip
    told.example(1, id=new_id(), family="trend", instruction="</pre><script>alert(1)</script>")
    snapshot, report = build_snapshot(kept, [])
    assert report.left_out["duplicate"] == 1
    text = page(kept, snapshot)
    assert "<script" not in text
    assert "&lt;b&gt;bold" in text
    assert not any(word in text for word in ("http://", "https://", "@import", "url(", " src="))
    assert "prefers-color-scheme: dark" in text
    assert text == page(kept, snapshot)


def test_quota_and_share_stand_in_the_file_of_the_gates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_choice() == Choice()
    (tmp_path / "harvest").mkdir()
    rules = tmp_path / "harvest/gates.toml"
    rules.write_text("[snapshot]\nfamily_quota = 7\n")
    monkeypatch.chdir(tmp_path)
    assert load_choice().family_quota == 7
    assert load_choice(family_quota=9).family_quota == 9
    rules.write_text("[snapshot]\nfamily_quotas = 7\n")
    with pytest.raises(UnknownKey, match="Did you mean 'family_quota'"):
        load_choice()


def test_snapshots_are_built_shown_compared_exported_and_read_on_the_command_line(
    kept: Store, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QC_LORA_DATABASE", kept.url)
    monkeypatch.setenv("QC_LORA_HOME", str(tmp_path / "home"))

    def say(*words: str) -> str:
        done = CliRunner().invoke(root, ["snapshot", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    for number in range(20):
        told.example(number)
    first = json.loads(say("build", "--json"))["id"]
    assert json.loads(say("build", "--json"))["id"] == first
    told.example(21)
    second = json.loads(say("build", "--json"))["id"]
    (row,) = json.loads(say("diff", first[:9], second[:9], "--json"))["differences"]
    assert (row["sign"], row["family"]) == ("+", "trend")
    assert "1 only in" in say("diff", first, second)
    assert "trend" in say("show", first)
    told_so = json.loads(say("export", second, "--out", str(tmp_path / "out"), "--json"))
    assert sum(told_so["examples"].values()) == 21
    path = Path(say("report").strip())
    assert path.parent == tmp_path / "home/reports"
    assert second in path.read_text()


def test_a_place_that_cannot_be_written_and_a_licence_nobody_reserves_are_said(
    kept: Store, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QC_LORA_DATABASE", kept.url)
    monkeypatch.setenv("QC_LORA_HOME", str(tmp_path / "home"))

    def refused(*words: str) -> str:
        with pytest.raises(QcLoraError) as found:
            CliRunner().invoke(root, ["snapshot", *words], catch_exceptions=False)
        return str(found.value)

    for number in range(20):
        told.example(number, licence="LicenseRef-theirs" if number == 3 else "MIT")
    first, _ = build_snapshot(kept, [])
    (tmp_path / "file").write_text("")
    for words in (["export", first.id], ["report"]):
        said = refused(*words, "--out", str(tmp_path / "file/x"))
        assert "file/x: cannot be written: " in said
        assert "Name another place: --out" in said
    assert "MIT reserves nothing: its examples are taken" in refused("build", "--licence", "MIT")
    said = refused("build", "--licence", "LicenseRef-their")
    assert "No reserved licence named 'LicenseRef-their'. Did you mean 'LicenseRef-theirs'?" in said
    assert "No snapshot named 'zz'" in refused("show", "zz")
    told.example(50)
    build_snapshot(kept, [])
    assert "2 snapshots begin with ''" in refused("show", "")
    done = CliRunner().invoke(root, ["snapshot", "build", "--quota", "200"], catch_exceptions=False)
    assert "Made before" not in done.stderr
    choice = ["snapshot", "build", "--quota", "5"]
    CliRunner().invoke(root, choice, catch_exceptions=False)
    CliRunner().invoke(root, ["snapshot", "build", "--quota", "6"], catch_exceptions=False)
    again = CliRunner().invoke(root, choice, catch_exceptions=False)
    assert "Made before" in again.stderr
    assert "qc-lora retrain --snapshot" in again.stderr
