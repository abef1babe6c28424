import pytest

from qc_builder_lora.harvest.corpus.candidate import Candidate, LeftOut
from qc_builder_lora.harvest.corpus.public.taking import Origin, Taking, why_not

from .texts import CSHARP, STRATEGY, named


def taking() -> Taking:
    return Taking(Origin(source="test", licence="MIT", version="1"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (STRATEGY, None),
        ("", "empty"),
        (" \n", "empty"),
        (CSHARP, "C#"),
        ("public class A : QCAlgorithm { }", "C#"),
        ("self.set_holdings('SPY', 1)", "no class derives from QCAlgorithm"),
        ("class A(AlphaModel): pass  # for a QCAlgorithm", "no class derives from QCAlgorithm"),
        ("this is prose, no code at all", "no class derives from QCAlgorithm"),
        # Python that is broken is no fragment: it stops at the step `parsed`.
        ("class A(QCAlgorithm):\n    def on_data(self, data)\n", None),
        ("import beside\nclass A(QCAlgorithm): pass", "imports a file beside it"),
        ("class A(lean.QCAlgorithm): pass", None),
    ],
)
def test_what_is_no_strategy_says_why(text: str, reason: str | None) -> None:
    assert why_not(text, frozenset({"beside"})) == reason


def test_secrets_are_taken_out_of_code_and_request_and_counted() -> None:
    one = taking()
    key = "sk-" + "a1B2c3D4e5F6g7H8i9J0k1L2"
    text = STRATEGY.replace("    def init", f'    key = "{key}"\n\n    def init')
    taken = one.take(text, "a.py", "f", about=f"Ask jane.doe@example.com, key {key}, for a trend.")
    assert isinstance(taken, Candidate)
    assert key not in taken.code + taken.instruction
    assert "jane.doe" not in taken.instruction
    assert (one.redacted["openai_key"], one.redacted["email"]) == (2, 1)


def test_the_same_code_again_is_a_copy_and_says_of_what() -> None:
    one = taking()
    assert isinstance(one.take(STRATEGY, "a.py", "f"), Candidate)
    again = one.take(STRATEGY.replace("\n", "\r\n"), "b.py", "f")
    assert isinstance(again, LeftOut)
    assert (again.reason, again.detail) == ("a copy", "of a.py")
    assert isinstance(one.take(named("Other"), "b.py", "f"), Candidate)


def test_the_import_that_lean_adds_is_there() -> None:
    bare = STRATEGY.replace("from AlgorithmImports import *\n\n\n", "")
    taken = taking().take(bare, "a.py", "f")
    assert isinstance(taken, Candidate)
    assert taken.code == STRATEGY


@pytest.mark.parametrize(
    "text",
    [
        "class A(QCAlgorithm):\n" + "(" * 5000,
        "\\" * 3 + "class",
        "class A(QCAlgorithm):\n  x = " + "-" * 100_000 + "1",
    ],
)
def test_a_hostile_text_breaks_nothing(text: str) -> None:
    assert taking().take(text, "a.py", "f").place == "a.py"
