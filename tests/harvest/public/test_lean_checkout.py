"""A checkout of LEAN in small: its layout, its header and its tags, in our own words."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from qc_builder_lora.errors import InputError
from qc_builder_lora.harvest.corpus.candidate import Candidate, LeftOut
from qc_builder_lora.harvest.corpus.public import lean_checkout
from qc_builder_lora.harvest.corpus.public.commit import commit_of
from qc_builder_lora.harvest.corpus.public.taking import Taking

from .texts import STRATEGY, named

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HEADER = """# ENGINE.COM - Some Engine v2.0.
# Copyright 2014 Some Corporation.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.

"""
LICENCE = "                  Apache License\n            Version 2.0, January 2004\n"


def tagged(code: str, *tags: str) -> str:
    """A file as LEAN writes them: header, summary and tags above the class."""
    said = "### <summary>\n### Demonstration of a trend rule for <see cref='IBM'/>.\n"
    said += "### </summary>\n" + "".join(f'### <meta name="tag" content="{t}" />\n' for t in tags)
    return HEADER + code.replace("class ", f"{said}class ", 1)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "LICENSE").write_text(LICENCE)
    (tmp_path / "Algorithm.Python").mkdir()
    return tmp_path


@pytest.fixture
def take(checkout: Path) -> Callable[..., list[Candidate | LeftOut]]:
    def call(**files: str) -> list[Candidate | LeftOut]:
        for name, text in files.items():
            (checkout / "Algorithm.Python" / f"{name}.py").write_text(text)
        taking = Taking(lean_checkout.origin(checkout))
        return list(lean_checkout.candidates(checkout, taking))

    return call


Take = Callable[..., list[Candidate | LeftOut]]


def test_the_summary_is_the_request_and_the_header_is_not_taught(take: Take) -> None:
    (one,) = take(TrendAlgorithm=tagged(STRATEGY, "using data", "indicators"))
    assert isinstance(one, Candidate)
    assert one.instruction.startswith("Write a QuantConnect algorithm")
    assert "demonstrates a trend rule for IBM. Assets" in one.instruction
    assert "Assets: IBM (daily)." in one.instruction
    assert "Licensed" not in one.code
    assert one.code == STRATEGY
    assert (one.family, one.place) == ("lean_using_data", "Algorithm.Python/TrendAlgorithm.py")
    assert (one.source, one.licence) == ("lean", "Apache-2.0")
    assert one.version == "LEAN, commit unknown; Copyright QuantConnect Corporation"


def test_without_a_summary_the_docstring_is_the_request(take: Take) -> None:
    (one,) = take(TrendAlgorithm=HEADER + STRATEGY)
    assert isinstance(one, Candidate)
    assert "buys IBM while it is above" in one.instruction
    assert one.family == "lean"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("TrendRegressionAlgorithm", STRATEGY, "regression test by its name"),
        ("Trend", named("TrendRegressionAlgorithm"), "regression test by its name"),
        ("Trend", tagged(STRATEGY, "using data", "regression test"), "regression test by its tag"),
        (
            "Trend",
            STRATEGY + "\n    def on_end_of_algorithm(self) -> None:\n"
            "        if self.portfolio.invested:\n            raise AssertionError('unexpected')\n",
            "asserts about the engine",
        ),
        ("Trend", named("A", add_equity="add_option"), "options, futures, indices or CFDs"),
        (
            "Trend",
            named("A", add_equity="add_future_contract"),
            "options, futures, indices or CFDs",
        ),
        ("Trend", named("A", add_equity="AddCfd"), "options, futures, indices or CFDs"),
        ("Trend", "class Model(AlphaModel):\n    pass\n", "no class derives from QCAlgorithm"),
        ("Trend", "import Other\n" + STRATEGY, "imports a file beside it"),
        ("Trend", "\ufffe" + STRATEGY, None),
        ("TrendBenchmark", STRATEGY, "measures the engine's speed"),
        # A strategy that fits a regression tests nothing.
        ("LinearRegressionAlgorithm", named("ScikitLearnLinearRegressionAlgorithm"), None),
        ("AutomaticLinearRegressionAlgorithm", STRATEGY, None),
        (
            "Trend",
            STRATEGY + "\n\nclass Model(AlphaModel):\n    def __init__(self, **given):\n"
            "        if not given:\n            raise AssertionError('nothing given')\n"
            "    def update(self, algorithm, data):\n        raise NotImplementedError\n",
            None,
        ),
    ],
)
def test_what_is_left_out_says_by_which_rule(
    take: Take, name: str, text: str, reason: str | None
) -> None:
    found = {one.place: one for one in take(**{name: text, "Other": named("Other")})}
    one = found[f"Algorithm.Python/{name}.py"]
    assert getattr(one, "reason", None) == reason
    assert isinstance(found["Algorithm.Python/Other.py"], Candidate)


def test_the_file_of_imports_beside_them_is_no_file_that_they_need(take: Take) -> None:
    found = take(Trend=STRATEGY, AlgorithmImports="from datetime import datetime\n")
    assert [getattr(one, "reason", None) for one in found] == [
        "no class derives from QCAlgorithm", None,
    ]  # fmt: skip


def test_a_header_that_begins_with_a_space_is_a_header(take: Take) -> None:
    (one,) = take(Trend=" " + tagged(STRATEGY, "using data"))
    assert isinstance(one, Candidate)
    assert one.code == STRATEGY
    assert "Licensed" not in one.instruction


def test_a_file_of_a_fork_under_another_licence_is_named(take: Take) -> None:
    other = "# SPDX-License-Identifier: AGPL-3.0-only\n" + STRATEGY
    (one,) = take(Trend=other)
    assert isinstance(one, LeftOut)
    assert (one.reason, one.detail) == (
        "says another licence", "it says AGPL-3.0-only, LEAN is Apache-2.0",
    )  # fmt: skip


def test_forex_and_crypto_are_asked_about(take: Take) -> None:
    (one,) = take(Trend=named("A", add_equity="add_forex"))
    assert isinstance(one, Candidate)


def test_a_file_that_is_no_text_is_named_and_the_rest_taken(checkout: Path, take: Take) -> None:
    (checkout / "Algorithm.Python" / "A.py").write_bytes(b"x = '\xe9'\n")
    broken, good = take(B=STRATEGY)
    assert isinstance(broken, LeftOut)
    assert broken.reason == "cannot be read as code"
    assert "Save it as UTF-8" in str(broken.detail)
    assert isinstance(good, Candidate)


def test_what_is_no_file_of_the_checkout_is_named_and_not_waited_for(
    checkout: Path, take: Take, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, outside = checkout / "Algorithm.Python", tmp_path_factory.mktemp("x") / "secret.py"
    outside.write_text(named("Secret"))
    (folder / "a.py").mkdir()
    (folder / "b.py").symlink_to("/nowhere")
    (folder / "c.py").symlink_to(outside)
    os.mkfifo(folder / "d.py")
    (folder / "sub").mkdir()
    (folder / "sub" / "loop").symlink_to("..")
    found = take(Trend=STRATEGY)
    assert [getattr(one, "detail", None) for one in found] == [
        None, "a folder", "a link to nothing", "a link that leads out of the folder",
        "not a regular file",
    ]  # fmt: skip


def test_only_apache_is_taken_for_lean(checkout: Path) -> None:
    (checkout / "LICENSE").write_text("MIT License\n\nPermission is hereby granted")
    with pytest.raises(InputError, match=r"is not the Apache License 2.0.*corpus add folder"):
        lean_checkout.origin(checkout)
    (checkout / "LICENSE").unlink()
    with pytest.raises(InputError, match="has no LICENSE file, so nothing says"):
        lean_checkout.origin(checkout)


def test_another_folder_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such folder.*github.com/QuantConnect/Lean"):
        lean_checkout.origin(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"has no folder 'Algorithm.Python'"):
        lean_checkout.origin(tmp_path)


def test_the_commit_is_read_however_git_keeps_it(checkout: Path) -> None:
    assert commit_of(checkout) is None
    git = checkout / ".git"
    git.mkdir()
    (git / "HEAD").write_text(f"{COMMIT}\n")
    assert commit_of(checkout) == COMMIT
    assert lean_checkout.origin(checkout).version.startswith(f"LEAN {COMMIT};")
    (git / "HEAD").write_text("ref: refs/heads/master\n")
    assert commit_of(checkout) is None
    (git / "packed-refs").write_text(f"# pack-refs\n{COMMIT} refs/heads/master\n")
    assert commit_of(checkout) == COMMIT
    other = COMMIT[::-1]
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "refs" / "heads" / "master").write_text(f"{other}\n")
    assert commit_of(checkout) == other
    (git / "HEAD").write_bytes(b"\xff\xfe")
    assert commit_of(checkout) is None


def test_a_worktree_says_where_its_commit_is(checkout: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    own = shared / "worktrees" / "w"
    own.mkdir(parents=True)
    (checkout / ".git").write_text(f"gitdir: {own}\n")
    (own / "HEAD").write_text("ref: refs/heads/w\n")
    (own / "commondir").write_text("../..\n")
    (shared / "packed-refs").write_text(f"{COMMIT} refs/heads/w\n")
    assert commit_of(checkout) == COMMIT
