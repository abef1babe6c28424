"""harvest repo: a builder's checkout, whose verdicts are claims."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.errors import InputError
from qc_builder_lora.harvest.sources.checkout import pieces
from qc_builder_lora.harvest.sources.piece import Skipped
from qc_builder_lora.harvest.sources.take import SourceReport, take
from qc_builder_lora.records import BacktestStatus
from qc_builder_lora.store import Store
from tests.harvest.sources.conftest import SECRET, code, everything

CLAIM = {"passed": True, "result": "PASS", "sharpe_ratio": 2.5, "max_drawdown": 0.1,
         "total_trades": 120, "project_id": 4711, "backtest_id": "abc"}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "builder"
    write(root, "strategies/rsi_reversal/main.py", code())
    write(root, "specs/rsi_reversal.yaml", "name: rsi_reversal\nrules: buy low\n")
    write(root, "evaluations/rsi_reversal_eval.json", json.dumps(CLAIM))
    return root


def write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def harvested(store: Store, root: Path) -> SourceReport:
    return take(store, "repo", pieces(root))


def test_a_strategy_comes_with_its_specification(store: Store, root: Path) -> None:
    report = harvested(store, root)
    assert (report.seen, report.builds, report.generations) == (1, 1, 1)
    (build,) = store.builds.find()
    assert build.title == "rsi_reversal"
    assert build.spec == "name: rsi_reversal\nrules: buy low\n"
    assert store.requests.find()[0].instruction == "name: rsi_reversal\nrules: buy low"


def test_its_verdict_is_a_claim_without_figures(store: Store, root: Path) -> None:
    harvested(store, root)
    (backtest,) = store.backtests.find()
    assert backtest.status is BacktestStatus.UNKNOWN
    assert backtest.reason == (
        "The host's evaluation says 'PASS'; nothing was read back from an engine."
    )
    assert (backtest.statistics, backtest.total_orders, backtest.closed_trades) == ({}, None, None)
    assert backtest.engine == "claim"
    assert backtest.settings["backtest_id"] == "abc"
    (generation,) = store.generations.find()
    assert (generation.fitness, generation.label) == (2.5, "unknown")
    assert store.builds.find()[0].status == "claimed: PASS"


def test_a_pass_without_credentials_is_named_a_stub(store: Store, root: Path) -> None:
    write(root, "evaluations/rsi_reversal_eval.json", json.dumps({**CLAIM, "project_id": "stub"}))
    harvested(store, root)
    assert "stub: the host had no credentials" in str(store.backtests.find()[0].reason)


def test_harvested_again_nothing_is_doubled_and_a_change_is_new(store: Store, root: Path) -> None:
    harvested(store, root)
    before = everything(store)
    report = harvested(store, root)
    assert (report.seen, report.generations, report.backtests) == (1, 0, 0)
    assert everything(store) == before
    write(root, "strategies/rsi_reversal/main.py", code(0.4))
    report = harvested(store, root)
    assert (report.builds, report.generations) == (0, 1)
    assert len({one.build_id for one in store.generations.find()}) == 1


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("reports/RSI-Reversal.json", {}),
        ("out/results.json", {"strategy_name": "RSI Reversal"}),
        ("strategies/rsi_reversal/evaluation.json", {}),
    ],
)
def test_an_evaluation_is_found_wherever_it_lies(
    store: Store, root: Path, name: str, more: dict[str, Any]
) -> None:
    (root / "evaluations" / "rsi_reversal_eval.json").unlink()
    write(root, name, json.dumps({**CLAIM, **more}))
    assert harvested(store, root).backtests == 1


def test_an_evaluation_of_another_strategy_is_not_taken_for_this_one(
    store: Store, root: Path
) -> None:
    write(root, "evaluations/other.json", json.dumps({**CLAIM, "sharpe_ratio": 9}))
    assert harvested(store, root).backtests == 1


def test_several_evaluations_are_all_kept(store: Store, root: Path) -> None:
    write(root, "reports/rsi_reversal.json", json.dumps([CLAIM, {**CLAIM, "passed": False}]))
    report = harvested(store, root)
    # The list's first is the very same claim as the file's.
    assert (report.generations, report.backtests) == (1, 2)


def test_what_cannot_be_taken_is_said(store: Store, root: Path) -> None:
    write(root, "strategies/sharp/Main.cs", "class A : QCAlgorithm {}")
    write(root, "strategies/note/research.ipynb", "{}")
    write(root, "strategies/empty/main.py", "\n")
    write(root, "strategies/other/main.py", "print('QCAlgorithm')")
    write(root, "strategies/helper/main.py", "from tools import f\n" + code())
    write(root, "strategies/helper/tools.py", "f = 1")
    (root / "strategies" / "latin").mkdir()
    (root / "strategies" / "latin" / "main.py").write_bytes(b"# \xe9 QCAlgorithm")
    report = harvested(store, root)
    found = {Path(one.where).relative_to(root / "strategies").parts[0]: one.why
             for one in report.skipped}  # fmt: skip
    assert found["sharp"] == "its code is C#"
    assert found["note"] == "a notebook and no main.py"
    assert found["empty"] == "it is empty"
    assert found["helper"] == "it imports tools beside it, and one file is taken"
    assert "Save it as UTF-8" in found["latin"]
    assert report.generations == 2


def test_broken_specifications_and_evaluations_cost_only_themselves(
    store: Store, root: Path
) -> None:
    (root / "specs" / "bad.yaml").write_bytes(b"\xff\xfe\x00")
    write(root, "evaluations/bad.json", "{")
    assert harvested(store, root).generations == 1


def test_secrets_are_removed(store: Store, root: Path) -> None:
    write(root, "specs/rsi_reversal.yaml", f"name: rsi_reversal\nkey: {SECRET}\n")
    write(root, "strategies/rsi_reversal/main.py", code() + f'K = "{SECRET}"\n')
    report = harvested(store, root)
    assert report.redacted["anthropic_key"] >= 3
    assert SECRET not in json.dumps(everything(store), default=str)


def test_another_folder_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no folder 'strategies'"):
        list(pieces(tmp_path))


def test_a_pipe_or_a_device_in_place_of_the_code_is_named_and_not_read(tmp_path: Path) -> None:
    for name in ("pipe", "device"):
        (tmp_path / "strategies" / name).mkdir(parents=True)
    os.mkfifo(tmp_path / "strategies" / "pipe" / "main.py")
    (tmp_path / "strategies" / "device" / "main.py").symlink_to("/dev/zero")
    found = list(pieces(tmp_path))
    assert [one.why for one in found if isinstance(one, Skipped)] == [
        "its main.py is no regular file"
    ] * 2
    assert len(found) == 2


def test_a_checkout_below_a_folder_that_others_pass_over_is_read(
    store: Store, tmp_path: Path
) -> None:
    root = tmp_path / "venv" / "node_modules" / "builder"
    write(root, "strategies/one/main.py", code())
    write(root, "evaluations/one.json", json.dumps(CLAIM))
    assert (harvested(store, root).backtests, store.generations.count()) == (1, 1)


@pytest.mark.parametrize("sharpe", ["NaN", "Infinity", "1e999", "1" + "0" * 400, '"0.5 "', "[]"])
def test_a_figure_that_is_none_costs_no_evaluation(store: Store, root: Path, sharpe: str) -> None:
    text = json.dumps(CLAIM).replace("2.5", sharpe)
    write(root, "evaluations/rsi_reversal_eval.json", text)
    assert (harvested(store, root).backtests, harvested(store, root).backtests) == (1, 0)


def test_what_was_not_read_of_evaluations_and_specifications_is_said(
    store: Store, root: Path
) -> None:
    (root / "specs" / "bad.yaml").write_bytes("name: é".encode("latin-1"))
    write(root, "evaluations/cut.json", '{"passed": true')
    write(root, "evaluations/other.json", json.dumps({"verdict": "ok", "sharpe": 1}))
    write(root, "evaluations/gone_eval.json", json.dumps(CLAIM))
    write(root, "package.json", "{")
    write(root, "strategies/nothing/README.md", "soon")
    report = harvested(store, root)
    found = {Path(one.where).name: one.why for one in report.skipped}
    assert found.pop("bad.yaml").endswith("Save it as UTF-8.")
    assert found.pop("cut.json").startswith("not JSON: Expecting")
    assert found == {
        "other.json": "it has fewer than two of backtest_id, passed, project_id, result, "
        "sharpe_ratio",
        "gone_eval.json": "an evaluation of no strategy that is here",
        "nothing": "it has no main.py",
    }
    assert report.generations == 1


@pytest.mark.parametrize(
    ("folder", "spec"),
    [("two words", "two-words"), ("Éclair", "e\u0301clair"), ("策略 Стратегия", "策略_стратегия")],
)
def test_names_in_any_writing_find_their_specification(
    store: Store, tmp_path: Path, folder: str, spec: str
) -> None:
    write(tmp_path, f"strategies/{folder}/main.py", code().replace("\n", "\r\n"))
    write(tmp_path, f"specs/{spec}.yml", "rules: buy low\n")
    write(tmp_path, "specs/other.yaml", "rules: none\n")
    harvested(store, tmp_path)
    assert [(one.title, one.spec) for one in store.builds.find()] == [(folder, "rules: buy low\n")]


def test_a_name_that_is_no_text_is_kept_as_well_as_can_be(store: Store, tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/strategies/bad\xff"
    path = Path(os.fsdecode(folder))
    path.mkdir(parents=True)
    (path / "main.py").write_text(code())
    assert harvested(store, tmp_path).generations == 1
    assert harvested(store, tmp_path).generations == 0
    assert store.builds.find()[0].title == "bad?"


def test_links_in_circles_end_and_a_linked_strategy_is_taken(store: Store, root: Path) -> None:
    folder = root / "strategies"
    (folder / "circle").symlink_to(".")
    (folder / "rsi_reversal" / "up").symlink_to("..")
    (folder / "nowhere").symlink_to("/nowhere")
    (folder / "itself").mkdir()
    (folder / "itself" / "main.py").symlink_to("main.py")
    write(root, "elsewhere/main.py", code(0.5))
    (folder / "linked").symlink_to(root / "elsewhere")
    report = harvested(store, root)
    assert {one.title for one in store.builds.find()} == {"rsi_reversal", "linked"}
    assert {Path(one.where).name: one.why for one in report.skipped} == {
        "itself": "its main.py is no regular file"
    }


def test_a_worktree_has_a_file_in_place_of_dot_git(store: Store, root: Path) -> None:
    (root / ".git").write_text("gitdir: /elsewhere\n")
    assert harvested(store, root).generations == 1
