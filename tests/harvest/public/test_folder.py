"""Folders as people have them: links, notebooks, every encoding, and things that are no files."""

import codecs
import os
import re
from pathlib import Path

import pytest

from qc_builder_lora.errors import InputError
from qc_builder_lora.harvest.corpus.candidate import Candidate, LeftOut
from qc_builder_lora.harvest.corpus.public import folder as source
from qc_builder_lora.harvest.corpus.public.reading import checked_encoding
from qc_builder_lora.harvest.corpus.public.taking import Taking

from .texts import CSHARP, STRATEGY, named, notebook


def taken(folder: Path, encoding: str | None = None) -> dict[str | None, Candidate | LeftOut]:
    taking = Taking(source.origin(folder, "MIT"))
    found = source.candidates(folder, source.files_of(folder), taking, encoding)
    return {one.place: one for one in found}


def reason(one: Candidate | LeftOut) -> str | None:
    assert isinstance(one, LeftOut)
    return f"{one.reason}: {one.detail}" if one.detail else one.reason


def test_strategies_are_found_in_every_folder_below(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "main.py").write_text(STRATEGY)
    (tmp_path / "a" / "Main.CS").write_text(CSHARP)
    (tmp_path / "notes.txt").write_text("no strategy")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.py").write_text(STRATEGY)
    found = taken(tmp_path)
    assert set(found) == {"a/b/main.py", "a/Main.CS"}
    assert reason(found["a/Main.CS"]) == "C#"
    one = found["a/b/main.py"]
    assert isinstance(one, Candidate)
    assert (one.source, one.licence) == ("folder", "MIT")
    assert one.version == tmp_path.name


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("# SPDX-License-Identifier: GPL-3.0-only\n", "it says GPL-3.0-only, --licence says MIT"),
        ("#  SPDX-License-Identifier:  Apache-2.0 AND MIT\n", "it says Apache-2.0 AND MIT"),
        ("# SPDX-License-Identifier: nobody-knows\n", "it says nobody-knows, --licence says MIT"),
        ("# This program is free software under the terms of the GNU General\n"
         "# Public License as published by somebody\n", "it says GPL, --licence says MIT"),
        ('"""Licensed under the Apache License, Version 2.0."""\n', "it says Apache, --licence"),
        ("# Proprietary and confidential.\n", "it says proprietary, --licence says MIT"),
        ("# SPDX-License-Identifier: MIT\n", None),
        ("# SPDX-License-Identifier: Apache-2.0 OR MIT\n", None),
        ("# Permission is hereby granted, free of charge, to any person\n", None),
        ("# Copyright 2020 Somebody. All rights reserved.\n", None),
        ("from x import y\nLICENCE = 'GNU General Public License'\n", None),
    ],
)  # fmt: skip
def test_a_file_that_says_another_licence_is_named_and_not_taken(
    tmp_path: Path, header: str, said: str | None
) -> None:
    (tmp_path / "a.py").write_text(header + STRATEGY)
    (tmp_path / "b.py").write_text(named("Other"))
    found = taken(tmp_path)
    if said is None:
        assert isinstance(found["a.py"], Candidate)
    else:
        assert str(reason(found["a.py"])).startswith(f"says another licence: {said}")
    assert isinstance(found["b.py"], Candidate)


def test_the_licence_that_lies_beside_a_file_is_held_against_the_one_that_is_named(
    tmp_path: Path,
) -> None:
    for name in ("mine", "theirs", "dual"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "a.py").write_text(named(name.capitalize()))
    (tmp_path / "theirs" / "COPYING").write_text("   GNU GENERAL PUBLIC LICENSE\n Version 3\n")
    (tmp_path / "dual" / "LICENSE.md").write_text("Apache License\nVersion 2.0\n")
    (tmp_path / "dual" / "deep" / "a.py").write_text(
        "# SPDX-License-Identifier: MIT\n" + named("Dual")
    )
    (tmp_path / "LICENSE").write_text("MIT License\n\nCopyright 2020 Somebody\n")
    found = taken(tmp_path)
    assert isinstance(found["mine/deep/a.py"], Candidate)
    assert isinstance(found["dual/deep/a.py"], Candidate)
    assert reason(found["theirs/deep/a.py"]) == (
        "says another licence: theirs/COPYING says GPL, --licence says MIT"
    )


ACCENT = STRATEGY.replace("Buys IBM", "Achète IBM")


@pytest.mark.parametrize(
    "raw",
    [
        ACCENT.encode(),
        codecs.BOM_UTF8 + ACCENT.encode(),
        ACCENT.encode("utf-16"),
        codecs.BOM_UTF16_BE + ACCENT.encode("utf-16-be"),
        ACCENT.encode("utf-16-le"),
        ACCENT.encode("utf-16-be"),
        ACCENT.encode("utf-32"),
        ACCENT.encode("utf-32-be"),
        ("# -*- coding: latin-1 -*-\n" + ACCENT).encode("latin-1"),
        ACCENT.replace("\n", "\r\n").encode(),
    ],
)
def test_a_file_in_any_encoding_that_it_states_is_read_right(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a.py").write_bytes(raw)
    one = taken(tmp_path)["a.py"]
    assert isinstance(one, Candidate)
    assert "Achète IBM" in one.code
    assert "Achète IBM" in one.instruction
    assert "\r" not in one.code
    assert "\ufeff" not in one.code


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (ACCENT.encode("latin-1"), "is not utf-8.*--encoding cp1252 .* reads '.*Achète IBM"),
        (ACCENT.encode()[:-1] + b"\xc3", "is not utf-8"),
        (STRATEGY.encode() + b"\x00", "has null bytes"),
        (b"# coding: klingon\n" + STRATEGY.encode(), "klingon"),
        (b"#" * 10_000_000, "more than 1,000,000 bytes"),
        (b"", "empty"),
        (b"x = 1\n", "no class derives from QCAlgorithm"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_reason(
    tmp_path: Path, raw: bytes, said: str
) -> None:
    (tmp_path / "a.py").write_bytes(raw)
    (tmp_path / "b.py").write_text(STRATEGY)
    found = taken(tmp_path)
    assert re.search(said, str(reason(found["a.py"])))
    assert isinstance(found["b.py"], Candidate)


RUSSIAN = STRATEGY.replace("Buys IBM", "Покупает IBM")


@pytest.mark.parametrize(
    ("text", "encoding"), [(ACCENT, "cp1252"), (RUSSIAN, "cp1251"), (RUSSIAN, "gb18030")]
)
def test_a_file_that_says_nothing_is_read_in_the_encoding_that_its_owner_names(
    tmp_path: Path, text: str, encoding: str
) -> None:
    (tmp_path / "a.py").write_bytes(text.encode(encoding))
    (tmp_path / "b.py").write_text(named("Other").replace("Buys IBM", "Hält IBM"))
    found = taken(tmp_path, encoding)
    one, other = found["a.py"], found["b.py"]
    assert isinstance(one, Candidate)
    assert isinstance(other, Candidate)
    assert ("Achète" in one.instruction) or ("Покупает" in one.instruction)
    assert "Hält" in other.code


def test_damaged_utf8_is_not_read_as_other_letters(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(ACCENT.encode() + b"# \xff\n")
    assert "damaged" in str(reason(taken(tmp_path, "cp1252")["a.py"]))


@pytest.mark.parametrize("name", ["klingon", "base64", ""])
def test_an_encoding_that_is_none_is_refused_with_some_that_are(name: str) -> None:
    with pytest.raises(InputError, match=r"--encoding .*cp1252 \(Western Europe\)"):
        checked_encoding(name)


def test_half_a_character_in_a_notebook_is_named_and_words_with_one_are_not_used(
    tmp_path: Path,
) -> None:
    bad = notebook(("code", STRATEGY + "# \ud800\n"))
    (tmp_path / "a.ipynb").write_text(bad)
    words = notebook(("markdown", "Buys \udc00 of IBM, and more."), ("code", named("Other")))
    (tmp_path / "b.ipynb").write_text(words)
    found = taken(tmp_path)
    assert "half a character" in str(reason(found["a.ipynb#1"]))
    one = found["b.ipynb#2"]
    assert isinstance(one, Candidate)
    one.instruction.encode("utf-8")


def test_links_out_of_the_folder_are_not_followed_and_links_within_are_copies(
    tmp_path: Path,
) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "secret.py").write_text(named("Secret"))
    (inside / "main.py").write_text(STRATEGY)
    (inside / "out.py").symlink_to(outside / "secret.py")
    (inside / "more").symlink_to(outside)
    (inside / "nowhere.py").symlink_to(inside / "gone.py")
    (inside / "self.py").symlink_to("self.py")
    (inside / "twice.py").symlink_to(inside / "main.py")
    found = taken(inside)
    assert isinstance(found.pop("main.py"), Candidate)
    assert {place: reason(one) for place, one in found.items()} == {
        "out.py": "cannot be read: a link that leads out of the folder",
        "more": "cannot be read: a link that leads out of the folder",
        "nowhere.py": "cannot be read: a link to nothing",
        "self.py": "cannot be read: a link to nothing",
        "twice.py": "a copy: of main.py",
    }


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "main.py").write_text(STRATEGY)
    found = taken(tmp_path)
    assert reason(found["a/up"]) == "cannot be read: a link to a folder"
    assert isinstance(found["a/main.py"], Candidate)


def test_a_pipe_is_not_waited_for_and_a_folder_named_like_a_file_is_entered(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "pkg.py").mkdir()
    (tmp_path / "pkg.py" / "main.py").write_text(STRATEGY)
    found = taken(tmp_path)
    assert reason(found["pipe.py"]) == "cannot be read: not a regular file"
    assert isinstance(found["pkg.py/main.py"], Candidate)


def test_a_name_that_is_no_unicode_is_taken_like_any_other(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.py"
    with open(path, "w") as file:  # noqa: PTH123 - pathlib has no names of bytes
        file.write(STRATEGY)
    (one,) = taken(tmp_path).values()
    assert isinstance(one, Candidate)
    assert one.place == "caf\ufffd.py"


def test_notebooks_give_their_cells(tmp_path: Path) -> None:
    (tmp_path / "n.ipynb").write_text(
        notebook(("markdown", "# Trend of IBM, daily"), ("code", STRATEGY), ("code", named("B")))
    )
    (tmp_path / "broken.ipynb").write_text("{")
    (tmp_path / "research.ipynb").write_text(notebook(("code", "qb = QuantBook()")))
    found = taken(tmp_path)
    assert isinstance(found["n.ipynb#2"], Candidate)
    assert found["n.ipynb#2"].instruction.startswith(
        "Write a QuantConnect algorithm. Trend of IBM, daily. Assets"
    )
    assert isinstance(found["n.ipynb#3"], Candidate)
    assert str(reason(found["broken.ipynb"])).startswith("cannot be read: not a notebook")
    assert reason(found["research.ipynb"]) == "a notebook without a QCAlgorithm class"


def test_the_description_of_a_lean_project_is_the_request(tmp_path: Path) -> None:
    told = {"a": '{"description": "Trend of IBM on daily bars"}', "b": "{", "c": "[]"}
    for name, text in told.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "main.py").write_text(named(name.upper()))
        (tmp_path / name / "config.json").write_text(text)
    asked = [one.instruction for one in taken(tmp_path).values() if isinstance(one, Candidate)]
    assert asked[0].startswith("Write a QuantConnect algorithm. Trend of IBM on daily bars. Assets")
    assert all("buys IBM while" in one for one in asked[1:])
    assert len(asked) == 3


def test_nothing_to_take_is_an_error_that_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no \.py, \.ipynb or \.cs file"):
        source.files_of(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        source.origin(tmp_path / "nowhere", "MIT")
    (tmp_path / "a.py").write_text(STRATEGY)
    with pytest.raises(InputError, match=r"is a file. Name the folder that it is in"):
        source.origin(tmp_path / "a.py", "MIT")
    with pytest.raises(InputError, match="no licence given"):
        source.origin(tmp_path, None)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(STRATEGY)
    (tmp_path / "a.py").chmod(0)
    assert reason(taken(tmp_path)["a.py"]) == "cannot be read: Permission denied"
