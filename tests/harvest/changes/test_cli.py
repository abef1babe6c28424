"""`qc-lora corpus add changes`, typed as a user types it, on examples that were really executed."""

import json
import subprocess
from collections.abc import Callable

Run = Callable[..., subprocess.CompletedProcess[str]]


TWO = "families: {sma_cross: 6, rsi_reversion: 2}\nchanges: 8"


def test_a_manifest_with_changes_makes_them_after_its_examples(run: Run) -> None:
    made = run("corpus", "build", "--manifest", "two", "--json")
    assert made.returncode == 0, made.stderr
    families, changes = json.loads(made.stdout)
    assert families["kept"] == 8
    assert changes["in"] == 8
    assert changes["kept"] == changes["new"] == changes["fits"] >= 4
    assert "Change: 100 %" in made.stderr
    assert set(changes["stopped"]) <= {
        "no order is different",
        "it is so before the change",
        "the answer is not what the words ask for",
    }


def test_the_command_adds_to_them_repeats_nothing_and_says_how_many_fit(run: Run) -> None:
    first = run("corpus", "add", "changes", "--count", "4", "--seed", "9")
    assert first.returncode == 0, first.stderr
    lines = first.stdout.splitlines()
    assert lines[0].split() == ["source", "in", "proven", "kept", "fits", "new"]
    assert "are short enough for 1,024 tokens" in lines[-1]
    again = json.loads(
        run("corpus", "add", "changes", "--count", "4", "--seed", "9", "--json").stdout
    )
    assert (again["in"], again["new"]) == (4, 0)


def test_the_kinds_of_changes_are_listed(run: Run) -> None:
    listed = json.loads(run("corpus", "changes", "--json").stdout)
    assert len(listed) >= 25
    assert {"change", "what"} == set(listed[0])


def test_a_snapshot_says_how_many_it_has_and_can_do_without(run: Run) -> None:
    with_them = run("snapshot", "build")
    assert "  change: " in with_them.stdout, with_them.stderr
    shown = run("snapshot", "show")
    assert "of kind change" in shown.stdout
    assert json.loads(run("snapshot", "show", "--json").stdout)["by_kind"]["change"] >= 4
    without = json.loads(run("snapshot", "build", "--change-quota", "0", "--json").stdout)
    assert set(without["by_kind"]) == {"write"}
