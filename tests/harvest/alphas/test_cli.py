"""The commands, typed as a user types them."""

import ast
import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora import corpus_job
from qc_builder_lora.config import Settings
from qc_builder_lora.errors import InputError
from qc_builder_lora.harvest.corpus.alphas.examples import STYLES
from qc_builder_lora.harvest.corpus.candidate import Candidate, Funnel
from qc_builder_lora.progress import show_progress
from qc_builder_lora.store import Store

from .conftest import PAPER
from .test_paper import formulas, pdf

Run = Callable[..., subprocess.CompletedProcess[str]]


def examples(run: Run) -> Sequence[dict[str, object]]:
    listed = json.loads(run("corpus", "list", "--json").stdout)
    assert isinstance(listed, list)
    return listed


def test_own_alphas_are_added_once(run: Run) -> None:
    first = run("corpus", "add", "alphas", "--count", "4", "--seed", "3", "--json")
    assert first.returncode == 0, first.stderr
    funnel = json.loads(first.stdout)
    assert (funnel["source"], funnel["in"], funnel["parsed"]) == ("alphas", 4, 4)
    assert funnel["new"] == funnel["kept"] >= 3
    assert "Execute: 100 %" in first.stderr
    before = examples(run)
    again = run("corpus", "add", "alphas", "--count", "4", "--seed", "3")
    heading, row = again.stdout.splitlines()[:2]
    assert heading.split() == [
        "source",
        "in",
        "parsed",
        "compiles",
        "runs",
        "trades",
        "kept",
        "new",
    ]
    assert row.split()[-1] == "0"
    assert examples(run) == before


def test_another_paper_stores_nothing_and_names_the_file(run: Run, tmp_path: Path) -> None:
    before = examples(run)
    other = pdf(tmp_path / "other.pdf", [["Attention is all you need."]])
    done = run("corpus", "add", "worldquant", "--paper", other)
    assert done.returncode == 2
    assert str(other) in done.stderr
    assert "Not found: 1 to 101." in done.stderr
    assert "Traceback" not in done.stderr
    assert examples(run) == before


@pytest.mark.skipif(not PAPER.exists(), reason="the paper is not there; its text is not ours")
def test_each_alpha_of_the_paper_is_a_candidate_with_the_papers_licence(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Candidate] = []

    def keep_all(*given: Any, funnel: Funnel, **named: Any) -> Funnel:
        taken.extend(given[3])
        return funnel

    monkeypatch.setattr(corpus_job, "keep_all", keep_all)
    settings = Settings(home=home)
    with Store.open(f"sqlite:///{home}/paper.db") as store:
        funnel = corpus_job.add_worldquant(
            settings, store, show_progress, PAPER, corpus_job.AlphaOptions()
        )
    assert len(taken) == 101
    assert not funnel.stopped
    assert {one.licence for one in taken} == {"LicenseRef-WorldQuant-paper"}
    assert {one.version for one in taken} == {"arXiv:1601.00991"}
    assert {one.style for one in taken} == set(STYLES)
    assert len({one.instruction for one in taken}) == len({one.code for one in taken}) == 101


def test_a_part_of_the_paper_is_taken_only_when_asked_to_and_says_what_it_lacks(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Candidate] = []

    def keep_all(*given: Any, funnel: Funnel, **named: Any) -> Funnel:
        taken.extend(given[3])
        return funnel

    monkeypatch.setattr(corpus_job, "keep_all", keep_all)
    part = pdf(tmp_path / "part.pdf", [formulas(40)])
    none = pdf(tmp_path / "none.pdf", [["Attention is all you need."]])
    with Store.open(f"sqlite:///{home}/part.db") as store:
        given = (Settings(home=home), store, show_progress)
        options = corpus_job.AlphaOptions()
        with pytest.raises(InputError, match=r"40 of the 101.*with --partial"):
            corpus_job.add_worldquant(*given, part, options)
        with pytest.raises(InputError, match=r"0 of the 101.*Nothing was stored"):
            corpus_job.add_worldquant(*given, none, options, partial=True)
        assert not taken
        funnel = corpus_job.add_worldquant(*given, part, options, partial=True)
    assert len(taken) == 40
    assert funnel.plain()["lacking"] == "Not found: 41 to 101."


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--tickers", "AAPL", "An alpha compares symbols, and there is 1"),
        ("--tickers", "AAPL,NOPE", "no data for NOPE"),
        ("--classification", "nowhere.csv", "No classification file named 'nowhere.csv'"),
        ("--data", "nowhere", "nowhere"),
        ("--count", "0", "0 is not in the range"),
        ("--weighting", "both", "'both' is not one of"),
    ],
)
def test_a_wrong_option_is_an_error_with_its_value(
    run: Run, option: str, value: str, said: str
) -> None:
    done = run("corpus", "add", "alphas", *(["--count", "1"] if option != "--count" else []),
               option, value)  # fmt: skip
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("ticker,sektor\nAAPL,x\n", "unknown column 'sektor'"),
        ("ticker,sector\nAAPL,x\nAAPL,y\n", "line 3: AAPL is there twice"),
        ("ticker,sector\n,x\n", "line 2: the ticker is missing"),
        ("ticker,shares\nAAPL,many\n", "line 2: shares is 'many'"),
        ("ticker,shares\nAAPL,-5\n", "line 2: shares is '-5'"),
        ("ticker,sector\n", "no line below the heading"),
        ("ticker,sector\nAAPL,x,y\n", "a column without a name"),
    ],
)
def test_a_classification_file_that_is_wrong_is_named_with_its_line(
    run: Run, tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "groups.csv"
    path.write_text(content)
    done = run("alpha", "compile", "rank(close)", "--tickers", "A,B", "--classification", path)
    assert done.returncode == 2
    assert said in done.stderr
    assert str(path) in done.stderr


def test_a_formula_is_shown_checked_and_compiled(run: Run, tmp_path: Path) -> None:
    shown = json.loads(run("alpha", "show", "-1*rank(scale(-Close))", "--json").stdout)
    assert shown["formula"] == "-1 * rank(scale(-close))"
    assert shown["normal form"] == "rank(close) - 1"
    assert shown["daily bars needed"] == 1
    wrong = run("alpha", "show", "rank(clsoe)")
    assert wrong.returncode == 2
    assert "column 6: unknown input 'clsoe'. Did you mean 'close'?" in wrong.stderr
    out = tmp_path / "main.py"
    done = run("alpha", "compile", "-1 * delta(close, 5)", "--tickers", "AAPL,IBM", "--out", out)
    assert done.returncode == 0, done.stderr
    assert ast.parse(out.read_text())
    tested = run("backtest", out, "--json")
    assert tested.returncode == 0, tested.stderr


def test_functions_and_ambiguities_are_listed(run: Run) -> None:
    listed = json.loads(run("alpha", "functions", "--json").stdout)
    assert {"word": "rank(x)", "meaning": "rank among the symbols of the day, 0 to 1"} in listed
    asked = json.loads(run("alpha", "ambiguities", "--json").stdout)
    assert len(asked) >= 20
    assert "floor(d)" in run("alpha", "ambiguities").stdout
