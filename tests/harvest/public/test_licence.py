from pathlib import Path

import pytest

from qc_builder_lora.errors import InputError
from qc_builder_lora.files import find_default
from qc_builder_lora.harvest.choice import is_reserved, is_withheld, reserved_parts
from qc_builder_lora.harvest.corpus.public.licence import checked_licence
from qc_builder_lora.harvest.corpus.starter import load_manifest


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("mit", "MIT"),
        (" Apache-2.0 ", "Apache-2.0"),
        ("MIT or Apache-2.0", "MIT OR Apache-2.0"),
        ("Apache-2.0 WITH LLVM-exception", "Apache-2.0 WITH LLVM-exception"),
        ("LicenseRef-own-work", "LicenseRef-own-work"),
        ("MIT AND LicenseRef-pages", "MIT AND LicenseRef-pages"),
    ],
)
def test_an_spdx_expression_is_written_as_spdx_writes_it(given: str, written: str) -> None:
    assert checked_licence(given, "x") == written


@pytest.mark.parametrize("given", [None, "", "   "])
def test_without_a_licence_nothing_is_taken_and_the_cure_is_named(given: str | None) -> None:
    with pytest.raises(InputError, match=r"^dir: no licence given.*Apache-2.0"):
        checked_licence(given, "dir")


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("Apache 2.0", "Did you mean 'Apache-2.0'"),
        ("BSD", "Did you mean '0BSD'|Did you mean 'BSD-[23]-Clause'"),
        ("GPLv3", "Did you mean 'GPL"),
        ("UNKNOWN", "LicenseRef-own-work for your own code"),
        ("NONE", "is no SPDX licence expression"),
        ("MIT AND (", "is no SPDX licence expression"),
        ("LicenseRef-", "is no SPDX licence expression"),
        ("MIT\x00", "is no SPDX licence expression"),
    ],
)
def test_what_spdx_does_not_know_is_refused_with_its_value(given: str, hint: str) -> None:
    with pytest.raises(InputError, match=hint) as caught:
        checked_licence(given, "dir")
    assert repr(given) in str(caught.value)


@pytest.mark.parametrize(
    ("licence", "parts"),
    [
        ("MIT", []),
        ("LicenseRef-own-work", []),
        ("LicenseRef-x", ["LicenseRef-x"]),
        ("MIT AND LicenseRef-x", ["LicenseRef-x"]),
        ("LicenseRef-own-work AND LicenseRef-x", ["LicenseRef-x"]),
        # One may choose MIT.
        ("MIT OR LicenseRef-x", []),
        ("LicenseRef-x OR LicenseRef-y", ["LicenseRef-x", "LicenseRef-y"]),
        # Not read: rather left out than taken by mistake.
        ("(MIT OR LicenseRef-x)", ["LicenseRef-x"]),
    ],
)
def test_reserved_is_what_no_standard_licence_gives(licence: str, parts: list[str]) -> None:
    assert reserved_parts(licence) == parts
    assert is_reserved(licence) == bool(parts)


def test_a_reserved_part_is_asked_for_by_its_own_name_or_by_the_whole() -> None:
    licence = "MIT AND LicenseRef-x AND LicenseRef-y"
    assert is_withheld(licence, ["MIT", "LicenseRef-x"])
    assert not is_withheld(licence, ["LicenseRef-x", "LicenseRef-y"])
    assert not is_withheld(licence, [licence])
    assert not is_withheld("MIT", [])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "missing key 'licence'"),
        ("licence:", "mine.yaml, licence: no licence given"),
        ("licence: 2", "mine.yaml, licence: no licence given"),
        ("licence: Whatever", "'Whatever' is no SPDX licence expression"),
    ],
)
def test_a_corpus_without_a_licence_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, said: str
) -> None:
    starter = find_default("harvest/corpus/starter.yaml").read_text()
    path = tmp_path / "harvest" / "corpus" / "mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(starter.replace("licence: Apache-2.0", line))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=said) as caught:
        load_manifest("mine")
    assert "mine.yaml" in str(caught.value)
