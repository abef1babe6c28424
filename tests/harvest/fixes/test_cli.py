"""`qc-lora corpus add fixes`, typed as a user types it, on examples that were really executed."""

import json
import subprocess
from collections.abc import Callable

Run = Callable[..., subprocess.CompletedProcess[str]]


TWO = "families: {sma_cross: 2, buy_and_hold: 1}\nfixes: 4"


def test_a_manifest_with_fixes_makes_them_after_its_examples(run: Run) -> None:
    made = run("corpus", "build", "--manifest", "two", "--json")
    assert made.returncode == 0, made.stderr
    families, builds, fixes = json.loads(made.stdout)
    assert families["kept"] == 3
    assert builds["in"] == 0
    assert fixes["in"] == 4
    assert fixes["failed"] == fixes["kept"] == fixes["new"] >= 3
    assert sum(fixes["mutations"].values()) == fixes["kept"]
    assert "Break: 100 %" in made.stderr


def test_the_command_adds_to_them_and_repeats_nothing(run: Run) -> None:
    first = run("corpus", "add", "fixes", "--count", "6", "--seed", "9")
    assert first.returncode == 0, first.stderr
    lines = [line.split() for line in first.stdout.splitlines()]
    assert lines[0] == ["source", "in", "failed", "kept", "new"]
    again = json.loads(
        run("corpus", "add", "fixes", "--count", "6", "--seed", "9", "--json").stdout
    )
    assert again[-1]["in"] == 6
    assert again[-1]["new"] == 0
    only_builds = json.loads(run("corpus", "add", "fixes", "--count", "0", "--json").stdout)
    assert only_builds["source"] == "error-fix of builders"


def test_the_mistakes_are_listed(run: Run) -> None:
    listed = json.loads(run("corpus", "mistakes", "--json").stdout)
    assert len(listed) >= 60
    assert {"mistake", "shows", "what"} == set(listed[0])


def test_a_snapshot_says_how_many_pairs_it_has_and_can_do_without(run: Run) -> None:
    with_them = run("snapshot", "build")
    assert "  fix: " in with_them.stdout, with_them.stderr
    without = json.loads(run("snapshot", "build", "--fix-quota", "0", "--json").stdout)
    assert set(without["by_kind"]) == {"write"}
