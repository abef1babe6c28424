"""The verdict for a pull request: readable, complete, and no model's name becomes markup."""

from __future__ import annotations

from qc_builder_lora.eval.markdown import as_markdown
from tests.eval.stand_ins import contest, judged, scores, unknown

REPORT = {"path": "/home/r.html", "sha256": "a" * 64}


def test_it_has_the_sentence_every_rate_and_the_hash() -> None:
    found = contest(
        scores(judged("a", None), judged("b"), model="old"), scores(judged("a"), judged("b"))
    )
    text = as_markdown(found.plain(), REPORT)
    assert text.startswith("**Undecided: the evidence does not tell base:tiny from old")
    assert "| trades | 2 | 0 | 1 | 0 | +50.0 |" in text
    assert [line.split(" ")[1] for line in text.splitlines() if line.startswith("| ")][1:] == [
        "parses", "compiles", "runs", "trades", "faithful",
    ]  # fmt: skip
    assert "a" * 64 in text


def test_what_is_unknown_is_a_word_and_names_are_no_markup() -> None:
    odd = "<b>_x_|`y`"
    text = as_markdown(
        contest(scores(unknown("a"), model=odd), scores(judged("a"))).plain(), REPORT
    )
    assert "| trades | 0 | 1 | 0 | 0 | unknown | -100.0 to +100.0 |" in text
    assert "\\<b\\>\\_x\\_\\|\\`y\\`" in text
